"""Changes of light: what an in-between shows of one keyframe alone gets the light of its own time.

Where both keyframes show a place, mixing them by time mixes their light and colours, too. Where one of them hides the
place, the other is taken as it is; when the light has changed, that leaves a patch. What differs between the keyframes
is known around it, though: here it is told on a coarse grid, spread to where it is not known, and patches get the part
of it that is due at their time.

Most of what differs smoothly is light; the rest are things that were matched wrongly, or changed their own colour. So
each cell must agree with its surroundings, more and more closely: reweighted means with a falling bound (graduated
non-convexity, Blake & Zisserman 1987), of the weights of Geman & McClure 1987.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Gap, Image, Map
from .fields import pixel_grid, pull_push, sample
from .pictures import working_size
from .synthesise import Ways

_SIDE: Final = 256
"""The longer side, in pixels, of the pictures that are compared: light is smooth."""
_CELLS: Final = 32
"""The longer side, in cells, of the grid that light is told on."""
_SAME: Final = 0.25
"""Light leaves texture: what varies by more than this share of what both keyframes vary is rather another thing."""
_NOISE: Final = 0.02
"""Texture that is not told from noise."""
_APART: Final = (0.4, 0.2)
"""By how much the difference in a cell may depart from that around it: at first, and at last."""
_NOTICED: Final = 0.02
"""Of a change so great a half is believed: what is much smaller is noise and errors of motion."""
_NOTHING: Final = 1 / 256
"""No more than this is not worth the time."""


class Light:
    """How the light of two keyframes differs, at the places of their in-betweens."""

    def __init__(self, gap: Gap) -> None:
        self._size = _grid(gap.a, _SIDE)
        self._a, self._b = _means(gap.a, self._size), _means(gap.b, self._size)

    def change(self, ways: Ways, t: float) -> Image | None:
        """By how much B is lighter than A at the places of the in-between at time t, 0 < t < 1.

        Returns:
            (rows, columns, C) on a grid; None where there is nothing to notice.
        """
        height, width = ways.share.shape
        columns, rows = self._size
        shrink = np.array([columns / width, rows / height], np.float32)
        seen = np.ix_(_middles(rows, height), _middles(columns, width))
        places = pixel_grid(rows, columns)
        of_a = sample(self._a, places - ways.from_a[seen] * shrink)
        of_b = sample(self._b, places - ways.from_b[seen] * shrink)
        weight = shown_in_both(ways.share[seen], t) * ways.trust[seen]
        change = _change(of_a, of_b, weight)
        return change if np.abs(change).max() > _NOTHING else None


def _change(of_a: Image, of_b: Image, weight: Map) -> Image:
    """By how much pictures brought to the same places differ in light, on a grid.

    Args:
        weight: (H, W) how far a pixel shows the same place in both.

    Returns:
        (rows, columns, C).
    """
    grid = _grid(of_a, _CELLS)
    total = _means(weight, grid)
    divisor = np.maximum(total, np.float32(1e-6))

    def mean_and_variance(picture: Image) -> tuple[Image, Map]:
        mean = _means(picture * weight[..., None], grid) / divisor[..., None]
        power = _means(_power(picture) * weight, grid) / divisor
        return mean, np.maximum(power - _power(mean), 0)

    differs, rough = mean_and_variance(of_b - of_a)
    texture = mean_and_variance(of_a)[1] + mean_and_variance(of_b)[1]
    same = np.float32(_SAME) * texture + np.float32(_NOISE * _NOISE)
    likely = sure = total * total * np.reciprocal(np.square(1 + rough / same))
    for apart in _APART:
        spread = _spread(differs, likely)
        likely = sure * _agreeing(_power(differs - spread), apart)
    change = _spread(differs, likely)
    power = _power(change)
    change *= (power / (power + np.float32(_NOTICED * _NOTICED)))[..., None]
    return change


def shown_in_both(share: Map, t: float) -> Map:
    """How far the pixels at time t are drawn from both keyframes, as time wants it: 1, or from one of them alone: 0."""
    return np.clip(np.minimum(share / np.float32(1 - t), (1 - share) / np.float32(t)), 0, 1)


def enlarged(change: Image, size: tuple[int, int]) -> Image:
    """A change (rows, columns, C) at the size (height, width) of the picture."""
    return cv2.resize(change, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


def relight(picture: Image, share: Map, change: Image, t: float) -> None:
    """Give what is drawn more from one keyframe than time wants the light of its time, in place.

    Args:
        picture: (H, W, C), RGB or premultiplied RGBA, whose alpha stays.
        share: (H, W) how much of A is in it.
        change: (H, W, C) by how much B is lighter than A.
    """
    due = share - np.float32(1 - t)
    if picture.shape[2] == 4:
        due *= picture[..., 3]
    picture[..., :3] += due[..., None] * change[..., :3]


def _grid(picture: Image, longest: int) -> tuple[int, int]:
    """(width, height) of a grid of square cells over a picture, at most `longest` to a side."""
    rows, columns = working_size(picture.shape[0], picture.shape[1], longest)
    return columns, rows


def _middles(cells: int, pixels: int) -> NDArray[np.intp]:
    """The pixel in the middle of each cell."""
    return ((np.arange(cells) + 0.5) * (pixels / cells)).astype(np.intp)


def _means(picture: Image | Map, size: tuple[int, int]) -> Image:
    """Means over the cells of a grid of `size` (width, height)."""
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _spread(values: Image, weight: Map) -> Image:
    """The weighted mean around each cell, from as near as there is weight."""
    return pull_push(cv2.GaussianBlur(values * weight[..., None], (0, 0), 1), cv2.GaussianBlur(weight, (0, 0), 1))


def _power(values: Image) -> Map:
    """(H, W) mean square of the channels."""
    mean: Map = np.square(values).mean(axis=2, dtype=np.float32)
    return mean


def _agreeing(square: Map, middle: float) -> Map:
    """1 at 0, a quarter where the root is `middle`, falling with the fourth power beyond."""
    return np.reciprocal(np.square(1 + square / np.float32(middle * middle)))
