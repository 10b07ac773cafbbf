"""Rectangles of pixels: the display window of a picture, and the data window that may be smaller or larger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Window:
    """A rectangle in pixels, relative to the upper left pixel of the display window."""

    left: int
    top: int
    width: int
    height: int

    def union(self, other: Window) -> Window:
        """The smallest rectangle around both."""
        left, top = min(self.left, other.left), min(self.top, other.top)
        right = max(self.left + self.width, other.left + other.width)
        bottom = max(self.top + self.height, other.top + other.height)
        return Window(left, top, right - left, bottom - top)


NOWHERE: Final = Window(0, 0, 0, 0)


def placed(pixels: NDArray[Any], window: Window, target: Window) -> NDArray[Any]:
    """The pixels (H, W, C) of `window` as those of `target`: cut off, or continued with nothing (0)."""
    if window == target:
        return pixels
    canvas = np.zeros((target.height, target.width, pixels.shape[2]), pixels.dtype)
    left, top = window.left - target.left, window.top - target.top
    rows = slice(max(top, 0), max(min(top + window.height, target.height), 0))
    columns = slice(max(left, 0), max(min(left + window.width, target.width), 0))
    part = pixels[max(-top, 0) :, max(-left, 0) :]
    canvas[rows, columns] = part[: max(rows.stop - rows.start, 0), : max(columns.stop - columns.start, 0)]
    return canvas
