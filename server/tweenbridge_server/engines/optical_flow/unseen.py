"""What neither keyframe shows: ground that one thing hides in A, and another, or the same one, in B.

Nothing arrives at such a place, as nothing arrives in the cracks of what grows. But a crack lies within something that
both keyframes show, so the ways around lead back to it. Here they lead to what hides the place, and drawing that would
leave ghosts of it. So the place is painted with the colours of what lies behind around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Flow, Image, Map
from .fields import Mask, grown, pull_push
from .tracks import Tracks

_Places = NDArray[np.intp]

_ASTRAY = 2.0
"""Pixels by which a place must miss where it is said to go, to be of something else."""
_SURE = 0.1
"""What hides a place is trusted more than this: it is known where it goes."""
_RIM, _RIM_SHARE = 3, 0.005
"""Pixels around what is unseen where there may be strays of what hides it, its rim; in large pictures as a share of the
longer side."""
_STRAY = 0.15
"""They are trusted less than this."""
_PER_DEPTH = np.float32(4)
"""Log weight by which colours count less, for each unit of depth, in what lies behind."""
_HARDLY = np.float32(1e-6)
"""Weight of what is in front or not trusted: it counts where there is nothing else."""
_SAMPLED = 512
"""Colours of so many pixels to a side are spread, at most: they come out smooth."""


@dataclass(frozen=True)
class Unseen:
    """Places that neither keyframe shows.

    Attributes:
        where: (H, W) those places.
        behind: how much the colours say of what lies behind, of the pixels that are `sampled`.
    """

    where: Mask
    behind: Map


def find_unseen(ways: Sequence[tuple[Tracks, Flow, float]], empty: Mask, trust: Map, depth: Map) -> Unseen | None:
    """Which places neither keyframe shows. Trust is taken from them, in place.

    Args:
        ways: of each keyframe the tracks, how far (H, W, 2) the pixels of the in-between have come from it, and the
            share of their tracks that they have come.
        empty: (H, W) where no track arrives; there the ways are made up.
        trust: (H, W) how far the tracks that arrive are trusted, 0 to 1.
        depth: (H, W) log importance of what arrives.

    Returns:
        None if there are none, or nothing to paint them with.
    """
    y, x = np.nonzero(empty)
    hidden, beyond = (np.stack(each) for each in zip(*(_missing(*each, y, x) for each in ways)))
    lost = (hidden | beyond).all(axis=0) & hidden.any(axis=0)
    if not lost.any():
        return None
    where = np.zeros_like(empty)
    where[y[lost], x[lost]] = True
    where |= grown(where, max(_RIM, round(_RIM_SHARE * max(where.shape)))) & (trust < _STRAY)
    trust[where] = 0
    seen = sampled(*where.shape)
    behind = np.square(trust[seen]) * np.exp(-_PER_DEPTH * np.maximum(depth[seen], 0)) + _HARDLY
    # At its edge, colours are mixed with those of what hides it.
    behind[grown(where, 1)[seen]] = 0
    return Unseen(where, behind) if behind.any() else None


def _missing(tracks: Tracks, way: Flow, along: float, y: _Places, x: _Places) -> tuple[Mask, Mask]:
    """Which of the pixels (y, x) a keyframe hides by something that goes elsewhere, and which come from beyond it."""
    height, width = tracks.depth.shape
    from_x, from_y = x - way[y, x, 0], y - way[y, x, 1]
    row, column = np.rint(from_y).astype(np.intp), np.rint(from_x).astype(np.intp)
    beyond = (row < 0) | (row >= height) | (column < 0) | (column >= width)
    row, column = row.clip(0, height - 1), column.clip(0, width - 1)
    gone = along * tracks.flow[row, column]
    if tracks.is_bent:
        gone += along * (1 - along) * tracks.bend[row, column]
    misses = np.hypot(from_x + gone[:, 0] - x, from_y + gone[:, 1] - y) > _ASTRAY
    return ~beyond & misses & (tracks.confidence[row, column] > _SURE), beyond


def paint(picture: Image, unseen: Unseen) -> None:
    """Give the places that neither keyframe shows the colours of what lies behind around them, in place.

    Args:
        picture: (H, W, C).
    """
    height, width = unseen.where.shape
    samples = picture[sampled(height, width)] * unseen.behind[..., None]
    around = cv2.resize(pull_push(samples, unseen.behind), (width, height), interpolation=cv2.INTER_LINEAR)
    cv2.copyTo(around, unseen.where.view(np.uint8), picture)


def sampled(height: int, width: int) -> tuple[slice, slice]:
    """The pixels whose colours are spread."""
    step = -(-max(height, width) // _SAMPLED)
    rows, columns = (slice(min(step // 2, length - 1), None, step) for length in (height, width))
    return rows, columns
