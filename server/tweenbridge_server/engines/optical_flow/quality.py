"""The `quality` profile's synthesis: tracks splatted at full size, keyframes sampled with bicubic weights."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Gap, Image
from . import kernels
from .synthesise import Arrivals, compose
from .tracks import Estimate, Tracks


def in_between(gap: Gap, estimate: Estimate, t: float) -> Image:
    """The picture at time t, of the gap's shape."""
    return compose(gap, _arrivals(estimate.a, t), _arrivals(estimate.b, 1 - t), t, cv2.INTER_CUBIC)


def _arrivals(tracks: Tracks, along: float) -> Arrivals:
    height, width = tracks.depth.shape
    sums = np.zeros((height, width, kernels.SPLAT_CHANNELS), np.float32)
    kernels.splat_tracks(tracks.flow, tracks.bend, tracks.confidence, tracks.depth, np.float32(along), sums)
    means: NDArray[np.float32] = np.divide(sums[..., :6], np.maximum(sums[..., 6:7], np.float32(1e-20)))
    return Arrivals(
        np.ascontiguousarray(means[..., :2]),
        np.ascontiguousarray(means[..., 2:4]),
        means[..., 4],
        means[..., 5],
        np.minimum(sums[..., 7], 1),
    )
