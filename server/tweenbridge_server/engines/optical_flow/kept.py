"""What stays as it is, to the pixel: titles and logos over what moves.

Motion around them spreads into them, and no smoothness that keeps a picture whole keeps a letter sharp. A title is an
island of pixels that are equal in both keyframes while most of what is around it moves one way, and that does not go
that way itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Flow, Gap, Motion
from .fields import Mask, length, pixel_grid

Labels = NDArray[np.int32]

_SMALLEST: Final = 8
"""Pixels of an island."""
_RING: Final = 3
"""Pixels around an island that say how what is behind it moves."""
_MOVES: Final = np.float32(1.5)
"""Pixels that most of the ring must move by."""
_MOST: Final = 0.5
_AGREE: Final = 0.35
"""By which share of the way the motions of the ring that either keyframe tells may differ."""
_OTHER: Final = np.float32(0.06)
"""Difference of colours, of 1, from which a pixel does not go with what is around it."""


def find_kept(gap: Gap, motion: Callable[[], Motion]) -> Mask | None:
    """The pixels (H, W) that every in-between shows as A does; None where there are none.

    Args:
        motion: asked for only where there are islands.
    """
    equal: Mask = np.all(np.equal(gap.a, gap.b), axis=2)
    if not equal.any() or equal.all():
        return None
    _, labels, stats, _ = cv2.connectedComponentsWithStats(equal.astype(np.uint8), connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] >= _SMALLEST
    # What reaches the border is no island.
    large[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = False
    large[0] = False
    if not large.any():
        return None
    between = motion()
    kept = _islands(gap, labels, large, stats[:, cv2.CC_STAT_AREA], between.forward, between.backward)
    return kept if kept.any() else None


def _islands(gap: Gap, labels: Labels, large: Mask, sizes: Labels, forward: Flow, backward: Flow) -> Mask:
    """Those of the `large` islands that stand in front of what moves behind them.

    Args:
        labels: (H, W) the number of each pixel's island, 0 where the keyframes differ.
        large, sizes: of each number, whether it may be a title, and its pixels.
    """
    equal, count = labels > 0, len(sizes)
    window = np.ones((2 * _RING + 1, 2 * _RING + 1), np.uint8)
    # Labels fit into single precision up to 16 million, more than there can be islands of this size.
    ring = cv2.dilate(labels.astype(np.float32), window).astype(np.int32)
    ring[equal] = 0
    number, place = ring[ring > 0], ring > 0
    if not len(number):
        return np.zeros_like(equal)
    there, back = forward[place], -backward[place]
    moves = (length(there[None])[0] > _MOVES) & (length(back[None])[0] > _MOVES)
    around, moving = (np.bincount(number, weight, count) for weight in (None, moves.astype(np.float64)))

    def mean(vectors: Flow) -> Flow:
        sums = [np.bincount(number, vectors[:, axis] * moves, count) for axis in (0, 1)]
        return (np.stack(sums, axis=1) / np.maximum(moving, 1)[:, None]).astype(np.float32)

    ahead, behind = mean(there), mean(back)
    apart, way = length((ahead - behind)[None])[0], length(ahead[None])[0]
    chosen = large & (moving > _MOST * np.maximum(around, 1)) & (apart < _AGREE * way) & (way > _MOVES)
    if not chosen.any():
        return np.zeros_like(equal)
    # Letters may come to lie on other letters one way, hardly both ways.
    contrary = np.zeros(count, np.bool_)
    for other, way_of in ((gap.b, ahead), (gap.a, -behind)):
        gone = cv2.add(pixel_grid(*equal.shape), way_of[labels])
        moved = cv2.remap(other, gone, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        differs = chosen[labels] & (np.abs(moved - gap.a).max(axis=2) > _OTHER)
        contrary |= np.bincount(labels[differs], minlength=count) > _MOST * sizes
    islands: Mask = (chosen & contrary)[labels]
    return islands
