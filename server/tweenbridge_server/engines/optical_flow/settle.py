"""Edges between motions, made even: near them, every pixel goes with most of its surroundings.

Where tracks of different motions meet, each pixel of an in-between is won by one or the other, and rounding, small
mistakes of the estimate and thin outlines make that choice ragged: specks of a thing beside it, bites out of its rim.
A median over the ways near such edges lets the majority win, and leaves the edge itself where it is (Tukey's median
filter, applied to flow as in Sun, Roth & Black 2010, section 3; here at the in-between, to what is drawn).
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Flow, Map
from . import kernels

_JUMP = 1.5
"""Pixels by which the ways of neighbours differ where motions meet."""
_NEAR = 3
"""How far, in pixels, an edge reaches."""
_WINDOW = 5
_ROUNDS = 2
_HALO = _ROUNDS * (_WINDOW // 2)
"""Pixels around a tile that its medians see."""
_TILE = 128
"""Only tiles with edges in them are worked on: most of a picture has none."""

_Result = tuple[tuple[slice, slice], list[NDArray[np.float32]]]


def settle_edges(way_a: Flow, way_b: Flow, share: Map) -> None:
    """Even out, in place, where pixels come from, (H, W, 2) each, and how much of A they take, (H, W), near edges."""
    jumps = np.zeros(share.shape, np.uint8)
    kernels.mark_jumps(way_a, _JUMP, jumps)
    kernels.mark_jumps(way_b, _JUMP, jumps)
    near = cv2.dilate(jumps, np.ones((2 * _NEAR + 1, 2 * _NEAR + 1), np.uint8))
    maps = [way_a[..., 0], way_a[..., 1], way_b[..., 0], way_b[..., 1], share]
    # What a row of tiles becomes is written once the next row has seen what it was.
    waiting: list[_Result] = []
    for row in _rows(near):
        settled = [(tile, _medians(maps, tile)) for tile in row]
        _write(waiting, maps, near)
        waiting = settled
    _write(waiting, maps, near)


def _rows(near: NDArray[np.uint8]) -> Iterator[list[tuple[slice, slice]]]:
    """The tiles with edges in them, row by row."""
    height, width = near.shape
    for top in range(0, height, _TILE):
        rows = slice(top, min(top + _TILE, height))
        tiles = [(rows, slice(left, min(left + _TILE, width))) for left in range(0, width, _TILE)]
        yield [tile for tile in tiles if near[tile].any()]


def _medians(maps: list[NDArray[np.float32]], tile: tuple[slice, slice]) -> list[NDArray[np.float32]]:
    """Each map within the tile, as the median of its surroundings."""
    wide = tuple(slice(max(each.start - _HALO, 0), each.stop + _HALO) for each in tile)
    inner = tuple(slice(one.start - other.start, one.stop - other.start) for one, other in zip(tile, wide))
    found = []
    for values in maps:
        smooth = np.ascontiguousarray(values[wide])
        for _ in range(_ROUNDS):
            smooth = cv2.medianBlur(smooth, _WINDOW)
        found.append(smooth[inner])
    return found


def _write(results: list[_Result], maps: list[NDArray[np.float32]], near: NDArray[np.uint8]) -> None:
    for tile, settled in results:
        where = near[tile] > 0
        for values, median in zip(maps, settled):
            np.copyto(values[tile], median, where=where)
