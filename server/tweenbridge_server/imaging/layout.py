"""How a file's rows lie: orientation, OpenEXR windows, and which of its metadata results carry on."""

from __future__ import annotations

from typing import Final

import numpy as np
import OpenImageIO as oiio

from ..engines.base import Image
from .samples import Samples

_LAYOUT_TAGS: Final = frozenset(
    {
        "planarconfig",
        "chunkcount",
        "name",
        "version",
        "type",
        "fovcot",
        "thumbnail_image",
        "acesimagecontainerflag",
    }
)
_LAYOUT_PREFIXES: Final = (
    "oiio:",
    "tiff:",
    "png:",
    "iccprofile:",
    "thumbnail",
    "openexr:chunk",
    "openexr:level",
)
_ROTATIONS: Final = dict(
    zip(
        range(1, 9),
        [(0, False), (0, True), (2, False), (2, True), (3, True), (3, False), (1, True), (1, False)],
    )
)
"""Orientation tag to (quarter turns to the left, mirrored left to right afterwards) that make the picture upright."""


def on_display_window(samples: Samples, spec: oiio.ImageSpec) -> Samples:
    """The samples that lie inside the display window, with nothing (0) where the file has none."""
    left, top = spec.x - spec.full_x, spec.y - spec.full_y
    if (left, top, spec.width, spec.height) == (0, 0, spec.full_width, spec.full_height):
        return samples
    canvas = np.zeros((spec.full_height, spec.full_width, samples.shape[2]), samples.dtype)
    rows = slice(max(top, 0), max(min(top + spec.height, spec.full_height), 0))
    columns = slice(max(left, 0), max(min(left + spec.width, spec.full_width), 0))
    part = samples[max(-top, 0) :, max(-left, 0) :]
    canvas[rows, columns] = part[: max(rows.stop - rows.start, 0), : max(columns.stop - columns.start, 0)]
    return canvas


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


def kept_tags(spec: oiio.ImageSpec) -> oiio.ParamValueList:
    """A file's metadata without what describes the layout of the samples, which OpenImageIO works out anew."""
    kept = oiio.ParamValueList()
    for tag in spec.extra_attribs:
        key = tag.name.lower()
        layout = key in _LAYOUT_TAGS or key.startswith(_LAYOUT_PREFIXES)
        if not layout or key in ("oiio:colorspace", "oiio:gamma"):
            kept.append(tag)
    return kept
