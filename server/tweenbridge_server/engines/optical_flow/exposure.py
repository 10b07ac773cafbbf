"""Keyframes in the same light before motion is looked for.

Motion is found by comparing colours. When the lights go down between two keyframes, nothing matches any more, and all
of the picture would be taken for things that came and went. So a change that is alike all over, or grows evenly across
the picture, is taken out first; where it cannot be told, keyframes stay as they are.

Light multiplies: of the logarithms of the two pictures' means, in the cells of a grid, the difference is a plane for
each channel. Things that move are off that plane; reweighted least squares with a falling bound leave them out
(graduated non-convexity, Blake & Zisserman 1987; weights of Geman & McClure 1987).
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .fields import Picture

_CELLS: Final = 32
"""The longer side, in cells, of the grid."""
_FEWEST: Final = 4
"""A picture with fewer cells to a side tells nothing."""
_DARK: Final = np.float32(8)
"""Added to values of 0 to 255: in the dark, ratios are noise."""
_BOUNDS: Final = (0.4, 0.2, 0.1, 0.05, 0.05)
"""By how much the logarithm in a cell may be off the plane, from round to round."""
_NEAR: Final = 0.04
"""A cell that is off by less agrees."""
_AGREE: Final = 0.4
"""Share of cells that must agree with the plane."""
_BETTER: Final = 0.1
"""Share of cells by which that must be more than agree with no change at all."""
_DIGITS: Final = 4
"""Sums of many numbers differ in their last digits from run to run, and frames may not."""

_Plane = NDArray[np.float64]
"""(3, 3): for each channel a constant, and how much it grows to the right and downwards."""


def even(a: Picture, b: Picture) -> Picture:
    """B in the light of A; B itself where light does not differ or that cannot be told."""
    height, width = a.shape[:2]
    shrink = min(1.0, _CELLS / max(height, width))
    rows, columns = round(height * shrink), round(width * shrink)
    if min(rows, columns) < _FEWEST:
        return b
    of_a, of_b = (_logarithms(picture, rows, columns) for picture in (a, b))
    differs = (of_b - of_a).astype(np.float64)
    places = np.stack(
        np.broadcast_arrays(1.0, np.linspace(-1, 1, columns)[None], np.linspace(-1, 1, rows)[:, None]), axis=2
    )
    ratio = places @ _fitted(places.reshape(-1, 3), differs.reshape(-1, 3))
    agree, still = (float((np.abs(off).max(axis=2) < _NEAR).mean()) for off in (differs - ratio, differs))
    if agree < max(_AGREE, still + _BETTER):
        return b
    gain = cv2.resize(np.exp(-ratio).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    evened: Picture = np.clip(b * gain + np.float32(0.5), 0, 255).astype(np.uint8)
    return evened


def _logarithms(picture: Picture, rows: int, columns: int) -> NDArray[np.float32]:
    """(rows, columns, 3) of the means in the cells."""
    means = cv2.resize(picture.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    logarithms: NDArray[np.float32] = np.log(means + _DARK)
    return logarithms


def _fitted(places: NDArray[np.float64], values: NDArray[np.float64]) -> _Plane:
    """The plane that most values are near.

    Args:
        places: (n, 3) 1, x and y of each cell.
        values: (n, 3) of each channel there.
    """
    plane = np.zeros((3, 3))
    plane[0] = np.median(values, axis=0)
    for bound in _BOUNDS:
        off = np.square(values - places @ plane).mean(axis=1)
        weight = np.reciprocal(np.square(1 + off / bound**2))[:, None]
        # A little of the old plane: one that no cell agrees with stays as it was.
        own = places.T @ (weight * places) + 1e-6 * np.eye(3)
        plane = np.linalg.solve(own, places.T @ (weight * values) + 1e-6 * plane)
    return np.round(plane, _DIGITS)
