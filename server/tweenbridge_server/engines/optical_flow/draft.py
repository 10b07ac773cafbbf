"""The `draft` profile: small dense flow both ways, splatted small, enlarged smoothly. OpenCV and numpy alone."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from ...imaging.splatting import softmax_splat
from ..base import Flow, Gap, Map
from .confidence import weigh_without_layers
from .exposure import even
from .fields import scaled
from .matching import Speed, dense_flow
from .pictures import grey, working_pictures
from .synthesise import Ways, fill
from .tracks import Estimate, Report, Tracks

_WORKING_SIZE = 400

INTERPOLATION: Final = cv2.INTER_LINEAR


def estimate_draft(gap: Gap, progress: Report) -> Estimate:
    """Tracks of both keyframes at the working size."""
    a, b = working_pictures(gap, _WORKING_SIZE)
    b = even(a, b)
    grey_a, grey_b = grey(a), grey(b)
    forward = dense_flow(grey_a, grey_b, speed=Speed.FAST)
    progress(0.2, "estimating motion")
    backward = dense_flow(grey_b, grey_a, speed=Speed.FAST)
    return Estimate(weigh_without_layers(a, b, forward, backward), weigh_without_layers(b, a, backward, forward))


def ways(estimate: Estimate, size: tuple[int, int], t: float) -> Ways:
    """Where the pixels of the picture at time t have come from, at `size`; see `quality.ways`."""
    height, width = size
    flow_a, seen_a = _arriving(estimate.a, t)
    flow_b, seen_b = _arriving(estimate.b, 1 - t)
    either = np.maximum(seen_a, seen_b)
    # A keyframe that shows nothing of a pixel follows what the other one says of it.
    flow = (flow_a * seen_a[..., None] - flow_b * seen_b[..., None]) / np.maximum(seen_a + seen_b, 1e-6)[..., None]
    from_a = np.where(seen_a[..., None] > 0.5, flow_a, flow)
    from_b = np.where(seen_b[..., None] > 0.5, flow_b, -flow)
    empty = either < 0.05
    if empty.any():
        for way in (from_a, from_b):
            way[empty] = 0
            fill(way, empty)
    of_a, of_b = (1 - t) * (seen_a + 1e-3), t * (seen_b + 1e-3)
    share = np.asarray(of_a / (of_a + of_b), np.float32)
    way_a, way_b = from_a * np.float32(t), from_b * np.float32(1 - t)
    if share.shape != (height, width):
        share, either = cv2.resize(share, (width, height)), cv2.resize(either, (width, height))
        way_a, way_b = scaled(way_a, height, width), scaled(way_b, height, width)
    return Ways(way_a, way_b, share, either)


def _arriving(tracks: Tracks, along: float) -> tuple[Flow, Map]:
    """The flow of what arrives at each pixel a share `along` of the way, and how far the pixel is covered, 0 to 1."""
    flow, coverage = softmax_splat(tracks.flow, tracks.flow * np.float32(along), tracks.depth)
    return flow, np.minimum(coverage, 1)
