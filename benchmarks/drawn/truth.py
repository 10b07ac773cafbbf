"""The exact motion between two views of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .layers import Layer, Mask, View
from .motion import Motion

Flow = NDArray[np.float32]
"""(H, W, 2): for each pixel of one view, (dx, dy) in pixels to its place in the other."""


@dataclass(frozen=True)
class Exact:
    """Where what a view shows is at another time.

    Attributes:
        flow: (H, W, 2); also where the other view does not show the place.
        known: (H, W) where it is exact: not where a thing is seen through another.
        visible: (H, W) where it is known and seen in the other view.
    """

    flow: Flow
    known: Mask
    visible: Mask


def exact(layers: Sequence[Layer], here: View, start: float, others: Sequence[tuple[View, float]]) -> list[Exact]:
    """From what `here` shows at time `start` to every other view with its time."""
    height, width = here.top.shape
    known = ~here.mixed
    flows = [np.empty((height * width, 2), np.float32) for _ in others]
    turned_away = [np.zeros(height * width, bool) for _ in others]
    for number, (motion, where) in enumerate(_by_motion(layers, here)):
        if number == 0 and motion.is_affine:
            # The ground, nearly always: everywhere at once, and the others over it.
            x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
            for flow, (_, end) in zip(flows, others):
                _affine_shift(flow.reshape(height, width, 2), motion, x, y, start, end)
            continue
        row, column = np.divmod(where, width)
        x, y = column.astype(np.float32), row.astype(np.float32)
        rest = None if motion.is_affine else motion.back((x, y), start)
        for flow, turned, (_, end) in zip(flows, turned_away, others):
            shift = np.empty((where.size, 2), np.float32)
            if rest is None:
                _affine_shift(shift, motion, x, y, start, end)
            else:
                to_x, to_y = motion.forward(rest, end)
                shift[:, 0], shift[:, 1] = to_x - x, to_y - y
                faces = motion.faces(rest, end)
                if faces is not None:
                    turned[where] = ~faces
            flow[where] = shift
    found = []
    for flow, turned, (there, _) in zip(flows, turned_away, others):
        whole = flow.reshape(height, width, 2)
        visible = known & ~turned.reshape(height, width) & _seen(whole, here, there)
        found.append(Exact(whole, known, visible))
    return found


def _by_motion(layers: Sequence[Layer], here: View) -> list[tuple[Motion, NDArray[np.intp]]]:
    """Every motion that is seen, with the indices of its pixels; first the one of the backmost layer."""
    motions = list(dict.fromkeys(layer.motion for layer in layers))
    places = {motion: number for number, motion in enumerate(motions)}
    of_layer = np.array([places[layer.motion] for layer in layers], np.uint8 if len(motions) < 256 else np.uint16)
    moved_by = of_layer[here.top.ravel()]
    # A stable sort of such small numbers is a radix sort: one pass for all motions.
    order = np.argsort(moved_by, kind="stable")
    ends = np.cumsum(np.bincount(moved_by, minlength=len(motions)))
    parts = np.split(order, ends[:-1])
    return [(motion, part) for number, (motion, part) in enumerate(zip(motions, parts)) if part.size or number == 0]


def _affine_shift(
    shift: Flow, motion: Motion, x: NDArray[np.float32], y: NDArray[np.float32], start: float, end: float
) -> None:
    change = motion.matrix(end) @ np.linalg.inv(motion.matrix(start)) - np.eye(3)
    (a, b, c), (d, e, f) = change[:2].astype(np.float32)
    np.add(a * x, b * y + c, out=shift[..., 0])
    np.add(d * x, e * y + f, out=shift[..., 1])


def _seen(flow: Flow, here: View, there: View) -> Mask:
    """Where the other view shows the same layer at the place, or at a pixel beside it: lines are thin."""
    height, width = here.top.shape
    x = np.arange(width, dtype=np.float32) + flow[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + flow[..., 1]
    inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
    right, lower = np.rint(x).astype(np.int32), np.rint(y).astype(np.int32)
    at = np.where(inside, lower * np.int32(width) + right, 0)
    top, mixed = there.top.ravel(), there.mixed.ravel()
    same: Mask = inside & (top.take(at) == here.top)
    if mixed.any():
        same &= ~mixed.take(at)
    missed = np.flatnonzero(inside & ~same)
    left, upper = (np.floor(line.ravel()[missed]).astype(np.int32) for line in (x, y))
    wanted, found = here.top.ravel()[missed], np.zeros(missed.size, bool)
    for down in (0, 1):
        for across in (0, 1):
            row, column = np.clip(upper + down, 0, height - 1), np.clip(left + across, 0, width - 1)
            beside = row * np.int32(width) + column
            found |= (top.take(beside) == wanted) & ~mixed.take(beside)
    same.ravel()[missed] = found
    return same
