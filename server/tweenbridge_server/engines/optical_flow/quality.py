"""The `quality` profile's synthesis: tracks splatted at full size, keyframes sampled with bicubic weights.

Each keyframe's tracks are splatted to t (softmax splatting, Niklaus & Liu 2020), which gives for every pixel of the
in-between where it was in A and where it will be in B. Splatting the flow rather than the colours resamples the
picture once, and keeps it sharp.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Gap, Image
from . import kernels
from .synthesise import draw, fill
from .tracks import Estimate, Tracks

_BAND = 360
"""Rows drawn at a time: the sums of the splatting are several times the size of the picture."""

_SOFTNESS = 0.8
"""How far an even mix of both keyframes replaces the choice between them where neither is trusted."""


def in_between(gap: Gap, estimate: Estimate, t: float) -> Image:
    """The picture at time t, 0 < t < 1, of the gap's shape."""
    shape = gap.a.shape[:2]
    way_a, way_b = np.zeros((*shape, 2), np.float32), np.zeros((*shape, 2), np.float32)
    share, trust = np.full(shape, 1 - t, np.float32), np.empty(shape, np.float32)
    for first in range(0, shape[0], _BAND):
        band = slice(first, first + _BAND)
        from_a, from_b = _arrivals(estimate.a, t, shape, band), _arrivals(estimate.b, 1 - t, shape, band)
        kernels.meet(from_a, from_b, np.float32(t), way_a[band], way_b[band], share[band], trust[band])
    empty = trust < 0
    if empty.any():
        fill(way_a, empty)
        fill(way_b, empty)
        trust[empty] = 0
    doubt = np.float32(_SOFTNESS) * (1 - cv2.blur(trust, (7, 7)))
    share += doubt * (np.float32(1 - t) - share)
    return draw(gap, way_a, way_b, share, cv2.INTER_CUBIC)


def _arrivals(tracks: Tracks, along: float, shape: tuple[int, ...], band: slice) -> NDArray[np.float32]:
    """What arrives in a band of rows of the in-between, (rows, W, SPLAT_CHANNELS)."""
    rows = min(band.stop, shape[0]) - band.start
    sums = np.zeros((rows, shape[1], kernels.SPLAT_CHANNELS), np.float32)
    kernels.splat_tracks(tracks.flow, tracks.bend, tracks.confidence, tracks.depth, np.float32(along), band.start, sums)
    return sums
