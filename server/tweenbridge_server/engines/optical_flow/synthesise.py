"""From ways to a picture: both keyframes are sampled where a pixel comes from and where it goes, and mixed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..base import Flow, Gap, Image, Map
from .fields import Mask, pixel_grid, pull_push
from .unseen import Unseen

_FILLED_AT = 4
"""Gaps are filled at a quarter of the size: what fills them is smooth."""

_BAND = 128
"""Rows drawn at a time: what is computed on the way stays small, and near the processor."""


@dataclass(frozen=True)
class Ways:
    """Where every pixel of an in-between has come from.

    Attributes:
        from_a, from_b: (H, W, 2) pixels from its place in either keyframe.
        share: (H, W) how much of A goes into the mix, 0 to 1.
        trust: (H, W) how far the tracks that led here are trusted, 0 to 1; 0 where none did.
        unseen: where neither keyframe shows what is there; None where that is nowhere, or not known.
    """

    from_a: Flow
    from_b: Flow
    share: Map
    trust: Map
    unseen: Unseen | None = None


def draw(gap: Gap, ways: Ways, interpolation: int) -> Image:
    """The in-between: both keyframes sampled along the `ways`, and mixed.

    Args:
        interpolation: cv2.INTER_LINEAR or cv2.INTER_CUBIC.
    """
    share = ways.share
    height, width = share.shape
    picture = np.empty(gap.a.shape, np.float32)
    grid = pixel_grid(min(_BAND, height), width).copy()
    for first in range(0, height, _BAND):
        band = slice(first, min(first + _BAND, height))
        here = grid[: band.stop - first]
        of_a = _sample(gap.a, cv2.subtract(here, ways.from_a[band]), interpolation)
        of_b = _sample(gap.b, cv2.subtract(here, ways.from_b[band]), interpolation)
        cv2.blendLinear(of_a, of_b, share[band], 1 - share[band], picture[band])
        grid[..., 1] += _BAND
    return picture


def _sample(image: Image, places: Flow, interpolation: int) -> Image:
    return cv2.remap(image, places, None, interpolation, borderMode=cv2.BORDER_REPLICATE)


def fill(way: Flow, empty: Mask) -> None:
    """Give `way`, where it is `empty`, what lies around, in place. It must be 0 there."""
    height, width = empty.shape
    size = (max(1, width // _FILLED_AT), max(1, height // _FILLED_AT))
    weight = (~empty).astype(np.float32)
    coarse = pull_push(
        cv2.resize(way, size, interpolation=cv2.INTER_AREA),
        cv2.resize(weight, size, interpolation=cv2.INTER_AREA),
    )
    cv2.copyTo(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), empty.view(np.uint8), way)
