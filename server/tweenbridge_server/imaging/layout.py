"""How a file's rows lie: orientation."""

from __future__ import annotations

from typing import Final

import numpy as np
import OpenImageIO as oiio

from ..engines.base import Image

_ROTATIONS: Final = dict(
    zip(
        range(1, 9),
        [(0, False), (0, True), (2, False), (2, True), (3, True), (3, False), (1, True), (1, False)],
    )
)
"""Orientation tag to (quarter turns to the left, mirrored left to right afterwards) that make the picture upright."""


def orientation_of(spec: oiio.ImageSpec) -> int:
    """The Exif orientation of a file's rows, 1 to 8; 1 where it is not given or senseless."""
    value = spec.get_int_attribute("Orientation", 1)
    return value if value in _ROTATIONS else 1


def upright(pixels: Image, orientation: int) -> Image:
    """Stored pixels (H, W, C) turned and mirrored so that the picture stands upright, contiguous."""
    turns, mirrored = _ROTATIONS[orientation]
    turned = np.rot90(pixels, turns)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)


def turned_back(pixels: Image, orientation: int) -> Image:
    """The inverse of `upright`, as a view."""
    turns, mirrored = _ROTATIONS[orientation]
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, -turns)
