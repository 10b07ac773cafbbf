"""Bars around a picture (letterbox, pillarbox): motion is looked for, and drawn, within them alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ..base import Gap, Image
from .fields import Mask

_FILLED: Final = 0.5
"""Share of the first line of a picture beside a bar that must differ from the bar: else it is plain ground around a
drawing, which things may come near."""
_SMALLEST: Final = 16
"""Pixels to a side that must be left."""


@dataclass(frozen=True)
class Inner:
    """The rows and columns of a picture within its bars."""

    rows: slice
    columns: slice

    def of(self, gap: Gap) -> Gap:
        """The gap without bars."""
        a, b = (np.ascontiguousarray(each[self.rows, self.columns]) for each in (gap.a, gap.b))
        return Gap(a, b)

    def framed(self, drawing: Image, gap: Gap) -> Image:
        """A drawing of that size with the bars of the gap around it."""
        whole = gap.a.copy()
        whole[self.rows, self.columns] = drawing
        return whole


def within_bars(gap: Gap) -> Inner | None:
    """The picture within its bars; None where it has none.

    A bar is of one colour, the same in both keyframes, and as long as the picture; the line beside it is mostly of
    other colours in both.
    """
    rows = _between_bars(gap.a, gap.b)
    columns = _between_bars(gap.a[rows].swapaxes(0, 1), gap.b[rows].swapaxes(0, 1))
    height, width = gap.a.shape[:2]
    if rows.stop - rows.start == height and columns.stop - columns.start == width:
        return None
    return Inner(rows, columns)


def _between_bars(a: Image, b: Image) -> slice:
    """The lines without a bar at their beginning and at their end."""
    start, end = _bar(a, b), _bar(a[::-1], b[::-1])
    count = len(a)
    return slice(start, count - end) if count - start - end >= _SMALLEST else slice(0, count)


def _bar(a: Image, b: Image) -> int:
    """How many lines at the beginning are a bar."""
    colour = a[0, 0]
    count = 0
    while count < len(a) and _is(a[count], colour).all() and _is(b[count], colour).all():
        count += 1
    if count in (0, len(a)):
        return 0
    beside = min(float((~_is(each[count], colour)).mean()) for each in (a, b))
    return count if beside > _FILLED else 0


def _is(line: Image, colour: Image) -> Mask:
    same: Mask = np.all(np.equal(line, colour), axis=1)
    return same
