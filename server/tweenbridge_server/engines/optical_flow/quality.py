"""The `quality` profile's synthesis: tracks splatted at full size, keyframes sampled with bicubic weights.

Each keyframe's tracks are splatted to t (softmax splatting, Niklaus & Liu 2020), which gives for every pixel of the
in-between where it was in A and where it will be in B. Splatting the flow rather than the colours resamples the
picture once, and keeps it sharp.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from . import kernels
from .settle import settle_edges
from .synthesise import Ways, fill
from .tracks import Estimate, Tracks
from .unseen import find_unseen

_BAND = 64
"""Rows splatted at a time: the sums of the splatting are several times the size of the picture."""

_SOFTNESS = 0.8
"""How far an even mix of both keyframes replaces the choice between them where neither is trusted."""

INTERPOLATION: Final = cv2.INTER_CUBIC


def ways(estimate: Estimate, size: tuple[int, int], t: float) -> Ways:
    """Where the pixels of the picture at time t, 0 < t < 1, have come from.

    Args:
        estimate: of `size`.
        size: height and width of the keyframes.
        t: 0 < t < 1.
    """
    height, width = size
    way_a, way_b = (np.empty((height, width, 2), np.float32) for _ in range(2))
    share, trust, depth = (np.empty((height, width), np.float32) for _ in range(3))
    arrivals_a, arrivals_b = _Arrivals(estimate.a, t), _Arrivals(estimate.b, 1 - t)
    for first in range(0, height, _BAND):
        band = slice(first, min(first + _BAND, height))
        kernels.meet(
            arrivals_a.of(band), arrivals_b.of(band), t, way_a[band], way_b[band], share[band], trust[band], depth[band]
        )  # fmt: skip
    empty, unseen = trust < 0, None
    if empty.any():
        fill(way_a, empty)
        fill(way_b, empty)
        np.maximum(trust, 0, out=trust)
        unseen = find_unseen([(estimate.a, way_a, t), (estimate.b, way_b, 1 - t)], empty, trust, depth)
    kernels.soften(share, cv2.blur(trust, (7, 7)), 1 - t, _SOFTNESS)
    settle_edges(way_a, way_b, share)
    return Ways(way_a, way_b, share, trust, unseen)


class _Arrivals:
    """What arrives of one keyframe's tracks, a share `along` of their way, in bands of rows of the in-between."""

    def __init__(self, tracks: Tracks, along: float) -> None:
        self._tracks, self._along = tracks, along
        height, width = tracks.depth.shape
        self._sums = np.empty((min(_BAND, height), width, kernels.SPLAT_CHANNELS), np.float32)
        self._highest, self._lowest = tracks.reach.rows(along)

    def of(self, band: slice) -> NDArray[np.float32]:
        """(rows, W, SPLAT_CHANNELS), to be used before the next band is asked for."""
        sums = self._sums[: band.stop - band.start]
        sums[...] = 0
        # A pixel of margin makes up for rounding.
        coming = np.flatnonzero((self._lowest > band.start - 2) & (self._highest < band.stop + 1))
        if len(coming):
            end = int(coming[-1]) + 1
            for first in range(int(coming[0]), end, _BAND):
                self._splat(slice(first, min(first + _BAND, end)), band.start, sums)
        return sums

    def _splat(self, rows: slice, first_row: int, sums: NDArray[np.float32]) -> None:
        tracks = self._tracks
        bend = tracks.bend[rows] if tracks.is_bent else tracks.bend
        depth = tracks.depth[rows]
        kernels.splat_tracks(
            tracks.flow[rows], bend, tracks.confidence[rows], depth, cv2.exp(depth), self._along,
            rows.start, first_row, sums,
        )  # fmt: skip
