"""Which place of one keyframe looks like which place of the other, over the whole picture, by learned features.

The features of the matcher network (networks.py) are compared all with all; the softmax of the products, taken around
its greatest value, gives each cell's place in the other keyframe (Xu et al. 2022, GMFlow, arXiv 2111.13680, eq. 2 and
3). Cells that do not lead back to themselves take what lies around.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..base import Flow, Map
from .fields import median, pull_push, round_trip, scaled

CELL: Final = 8
"""Pixels to a side of a cell, which one feature describes."""

_REACH: Final = 2
"""Cells around the likeliest place over which the mean is taken."""
_ASTRAY: Final = np.float32(0.75)
"""Cells by which a way there and back may miss, beyond which it is trusted less; a quarter as much for each so many."""
_SURE: Final = np.float32(1.5)
"""A cell of this many times its certainty counts wholly."""

_BAND: Final = 128
"""Cells compared with all others at a time."""

Cells = NDArray[np.float32]
"""(n, channels), one row of features for each cell."""
Places = NDArray[np.intp]
Sums = NDArray[np.float32]
Features = NDArray[np.float32]
"""(channels, rows, columns): products of them are log odds of showing the same place."""


@dataclass(frozen=True)
class Correspondences:
    """What matching says, at the working size.

    Attributes:
        forward, backward: (H, W, 2) flow from A to B and from B to A, pixels; smooth within cells.
    """

    forward: Flow
    backward: Flow


def correspond(features_a: Features, features_b: Features, height: int, width: int) -> Correspondences:
    """Match two keyframes of the size (height, width) by their features, whose cells may be stretched a little."""
    channels, rows, columns = features_a.shape
    of_a, of_b = (np.ascontiguousarray(each.reshape(channels, -1).T) for each in (features_a, features_b))
    best_a, total_a, best_b, total_b = _compared(of_a, of_b)
    forward, sure_a = _means(of_a, of_b, best_a, total_a, rows, columns)
    backward, sure_b = _means(of_b, of_a, best_b, total_b, rows, columns)
    certain_a = sure_a * _returning(forward, backward)
    certain_b = sure_b * _returning(backward, forward)
    return Correspondences(
        scaled(_filled(forward, certain_a), height, width),
        scaled(_filled(backward, certain_b), height, width),
    )


def _compared(of_a: Cells, of_b: Cells) -> tuple[Places, Sums, Places, Sums]:
    """The likeliest partner of every cell, and the sum of its likelihoods, of A's cells and of B's.

    All products at once would not fit near the processor: they are made in bands of A's cells.
    """
    count_a, count_b = len(of_a), len(of_b)
    best_a, total_a = np.empty(count_a, np.intp), np.empty(count_a, np.float32)
    best_b, total_b = np.zeros(count_b, np.intp), np.zeros(count_b, np.float32)
    most_b = np.zeros(count_b, np.float32)
    turned = np.ascontiguousarray(of_b.T)
    for first in range(0, count_a, _BAND):
        band = slice(first, min(first + _BAND, count_a))
        # The products are bounded by the features' length: their exponentials need no bound taken out first.
        likely = np.exp(of_a[band] @ turned)
        best_a[band] = likely.argmax(axis=1)
        total_a[band] = likely.sum(axis=1)
        total_b += likely.sum(axis=0)
        most = likely.max(axis=0)
        better = np.flatnonzero(most > most_b)
        most_b[better] = most[better]
        best_b[better] = first + likely[:, better].argmax(axis=0)
    return best_a, total_a, best_b, total_b


def _means(here: Cells, there: Cells, best: Places, total: Sums, rows: int, columns: int) -> tuple[Flow, Map]:
    """Of each cell the flow (rows, columns, 2), in cells, to its mean place around the likeliest, and how likely that
    surrounding is."""
    best_y, best_x = np.divmod(best, columns)
    own_y, own_x = np.divmod(np.arange(len(here)), columns)
    weighted = np.zeros((len(here), 2), np.float32)
    around = np.zeros(len(here), np.float32)
    for down in range(-_REACH, _REACH + 1):
        for across in range(-_REACH, _REACH + 1):
            y, x = best_y + down, best_x + across
            inside = (y >= 0) & (y < rows) & (x >= 0) & (x < columns)
            place = np.where(inside, y * columns + x, best)
            likely = np.exp(np.einsum("nc,nc->n", here, there[place])) * inside
            weighted[:, 0] += likely * (x - own_x)
            weighted[:, 1] += likely * (y - own_y)
            around += likely
    flow = weighted / np.maximum(around, np.float32(1e-30))[:, None]
    sure = np.minimum(around / np.maximum(total, np.float32(1e-30)), 1)
    return flow.reshape(rows, columns, 2), sure.reshape(rows, columns)


def _returning(flow: Flow, back: Flow) -> Map:
    misses = np.maximum(round_trip(flow, back) - _ASTRAY, 0)
    returning: Map = np.exp(-misses / _ASTRAY)
    return returning


def _filled(flow: Flow, certain: Map) -> Flow:
    weight = np.square(np.minimum(_SURE * certain, 1)) + np.float32(1e-6)
    return median(pull_push(flow * weight[..., None], weight), 3)
