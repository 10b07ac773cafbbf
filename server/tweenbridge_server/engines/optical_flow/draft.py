"""The `draft` profile: small dense flow both ways, splatted small, enlarged smoothly. OpenCV and numpy alone."""

from __future__ import annotations

import cv2
import numpy as np

from ...imaging.splatting import softmax_splat
from ..base import Flow, Gap, Image, Progress
from .confidence import weigh_without_layers
from .matching import Speed, dense_flow
from .pictures import grey, working_pictures
from .synthesise import Arrivals, compose
from .tracks import Estimate, Tracks

_WORKING_SIZE = 480


def estimate_draft(gap: Gap, progress: Progress) -> Estimate:
    """Tracks of both keyframes at the working size."""
    a, b = working_pictures(gap, _WORKING_SIZE)
    grey_a, grey_b = grey(a), grey(b)
    forward = dense_flow(grey_a, grey_b, speed=Speed.FAST)
    progress(0.2, "estimating motion")
    backward = dense_flow(grey_b, grey_a, speed=Speed.FAST)
    return Estimate(weigh_without_layers(a, b, forward, backward), weigh_without_layers(b, a, backward, forward))


def in_between(gap: Gap, estimate: Estimate, t: float) -> Image:
    """The picture at time t, of the gap's shape."""
    return compose(gap, _arrivals(estimate.a, t), _arrivals(estimate.b, 1 - t), t, cv2.INTER_LINEAR)


def _arrivals(tracks: Tracks, along: float) -> Arrivals:
    way: Flow = tracks.flow * np.float32(along)
    values = np.dstack([tracks.flow, tracks.confidence, tracks.depth])
    means, coverage = softmax_splat(values, way, tracks.depth)
    flow = np.ascontiguousarray(means[..., :2])
    return Arrivals(flow * np.float32(along), flow, means[..., 2], means[..., 3], np.minimum(coverage, 1))
