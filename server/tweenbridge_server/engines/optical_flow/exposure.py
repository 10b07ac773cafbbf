"""Keyframes in the same light before motion is looked for.

Motion is found by comparing colours. When the lights go down between two keyframes, nothing matches any more, and all
of the picture would be taken for things that came and went. So a change that is alike all over, or grows evenly across
the picture, is taken out first; where it cannot be told, keyframes stay as they are.

Light multiplies: of the logarithms of the two pictures' means, in the cells of a grid, the difference is a plane for
each channel. Things that move are off that plane; reweighted least squares with a falling bound leave them out
(graduated non-convexity, Blake & Zisserman 1987; weights of Geman & McClure 1987).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .fields import Matrix, Picture
from .pictures import working_size

_CELLS: Final = 32
"""The longer side, in cells, of the grid."""
_FEWEST: Final = 4
"""A picture with fewer cells to a side tells nothing."""
_DARK: Final = 8.0
"""The value, of 255, whose ratios are half noise."""
_BOUNDS: Final = (0.4, 0.2, 0.1, 0.05, 0.05)
"""By how much the logarithm in a cell may be off the plane, from round to round."""
_NEAR: Final = 0.04
"""A cell that is off by less agrees."""
_AGREE: Final = 0.45
"""Share of cells that must agree with the plane."""
_BETTER: Final = 0.2
"""Share of cells by which that must be more than agree with no change, under any of the motions."""
_DIGITS: Final = 4
"""Sums of many numbers differ in their last digits from run to run, and frames may not."""

_BACKWARDS: Final[dict[str, Any]] = {
    "flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    "borderMode": cv2.BORDER_REPLICATE,
}

_Floats = NDArray[np.float64]


def even(a: Picture, b: Picture, motions: Sequence[Matrix] = ()) -> Picture:
    """B in the light of A; B itself where light does not differ or that cannot be told.

    Args:
        motions: from A to B, of which one may be that of most of the picture, if it moves. The one with which the
            light is told best is taken.
    """
    height, width = a.shape[:2]
    rows, columns = working_size(height, width, _CELLS)
    if min(rows, columns) < _FEWEST:
        return b
    # Where B does not show a place of A, its edge stands for it: off the plane, like things that move.
    brought = [cv2.warpAffine(b, motion[:2], (width, height), **_BACKWARDS) for motion in motions]
    told = [_told(a, shown, (columns, rows)) for shown in (b, *brought)]
    best = max(range(len(told)), key=lambda number: told[number].agree)
    # A ramp that moves looks like light that changes: what explains it without light goes first.
    if told[best].agree < max(_AGREE, max(each.still for each in told) + _BETTER):
        return b
    gain = cv2.resize(np.exp(-told[best].ratio).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    if best:
        gain = cv2.warpAffine(gain, motions[best - 1][:2], (width, height), borderMode=cv2.BORDER_REPLICATE)
    evened: Picture = np.clip(b * gain + np.float32(0.5), 0, 255).astype(np.uint8)
    return evened


@dataclass(frozen=True)
class _Told:
    """What two pictures of the same places tell.

    Attributes:
        ratio: (rows, columns, 3), the logarithm of how much lighter the second is.
        agree: share of the cells that agree with it.
        still: share of the cells that agree with no change.
    """

    ratio: NDArray[np.float64]
    agree: float
    still: float


def _told(a: Picture, b: Picture, grid: tuple[int, int]) -> _Told:
    """On a grid of (columns, rows)."""
    columns, rows = grid
    means = [_means(picture, grid).astype(np.float64) for picture in (a, b)]
    differs = np.log(means[1] + 1) - np.log(means[0] + 1)
    darkest = np.minimum(*means).min(axis=2, keepdims=True)
    sure = darkest / (darkest + _DARK)
    places = np.stack(
        np.broadcast_arrays(1.0, np.linspace(-1, 1, columns)[None], np.linspace(-1, 1, rows)[:, None]), axis=2
    )
    ratio = places @ _fitted(places.reshape(-1, 3), differs.reshape(-1, 3), sure.reshape(-1, 1))
    agree, still = (float((np.abs(off * sure).max(axis=2) < _NEAR).mean()) for off in (differs - ratio, differs))
    return _Told(ratio, agree, still)


def _means(picture: Picture, grid: tuple[int, int]) -> NDArray[np.float32]:
    return cv2.resize(picture.astype(np.float32), grid, interpolation=cv2.INTER_AREA)


def _fitted(places: _Floats, values: _Floats, sure: _Floats) -> _Floats:
    """The plane that most values are near: (3, 3), for each channel a constant, and its growth in x and y.

    Args:
        places: (n, 3) 1, x and y of each cell.
        values: (n, 3) of each channel there.
        sure: (n, 1) how far a cell's are more than noise, 0 to 1.
    """
    plane = np.zeros((3, 3))
    plane[0] = np.median(values, axis=0)
    for bound in _BOUNDS:
        off = np.square((values - places @ plane) * sure).mean(axis=1, keepdims=True)
        weight = np.square(sure / (1 + off / bound**2))
        # A little of the old plane: one that no cell agrees with stays as it was.
        own = places.T @ (weight * places) + 1e-6 * np.eye(3)
        plane = np.linalg.solve(own, places.T @ (weight * values) + 1e-6 * plane)
    return np.round(plane, _DIGITS)
