"""Choosing, per pixel, the hypothesis that explains both keyframes: a cost volume smoothed along the picture's edges.

Published methods: cost-volume filtering (Hosni et al. 2013) with the guided filter (He et al. 2010, eq. 5, 6 and 8).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Flow, Map
from .fields import Matrix, Picture, length, outside, targets
from .pictures import grey

Features = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Colour (H, W, 3) and doubled luma gradient (H, W, 2), 0 to 255."""

COST_CAP = 60.0
"""A mismatch above this says no more than this."""

COST_OUTSIDE = 36.0
"""What leaving the frame costs: more than a fair match, less than a mismatch."""


def features(picture: Picture) -> Features:
    """What is compared between keyframes."""
    luma = cv2.GaussianBlur(grey(picture).astype(np.float32), (0, 0), 0.7)
    gradient = [2 * cv2.Sobel(luma, -1, dx, dy, scale=0.25) for dx, dy in ((1, 0), (0, 1))]
    return picture.astype(np.float32), cv2.merge(gradient)


def match_cost(here: Features, there: Features, flow: Flow, linear: Matrix | None = None) -> Map:
    """Mismatch, 0 to COST_CAP, of each pixel with the place that `flow` says it goes to.

    What turns takes its gradients along: by the `linear` part (2, 2) of an affine flow they are turned back.
    """
    places = targets(flow)
    cost = np.zeros(flow.shape[:2], np.float32)
    for own, other in zip(here, there):
        moved = cv2.remap(other, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if linear is not None and own.shape[2] == 2:
            moved = cv2.transform(moved, linear.T.astype(np.float32))
        channels = own.shape[2]
        cost += cv2.transform(cv2.absdiff(moved, own), np.full((1, channels), 1 / channels, np.float32))
    np.minimum(cost, COST_CAP, out=cost)
    cost[outside(places)] = COST_OUTSIDE
    return cost


def texture(here: Features, reach: int, full: float) -> Map:
    """How much there is to match around each pixel: the mean gradient within `reach` pixels, 1 from `full` on."""
    return np.minimum(cv2.blur(length(here[1]), (reach, reach)) / np.float32(full), 1)


class GuidedFilter:
    """Smoothing within the edges of one guide: (H, W) luma, 0 to 255."""

    def __init__(self, guide: NDArray[np.uint8], radius: int, contrast: float) -> None:
        """Edges of the guide much weaker than `contrast` are smoothed across."""
        self._guide = guide.astype(np.float32)
        self._size = (2 * radius + 1, 2 * radius + 1)
        self._mean = self._box(self._guide)
        variance = self._box(self._guide * self._guide) - self._mean * self._mean
        self._scale: Map = np.reciprocal(variance + np.float32(contrast * contrast))

    def __call__(self, values: Map) -> Map:
        """`values` (H, W) smoothed."""
        mean = self._box(values)
        slope = (self._box(self._guide * values) - self._mean * mean) * self._scale
        return self._box(slope) * self._guide + self._box(mean - slope * self._mean)

    def _box(self, values: Map) -> Map:
        return cv2.blur(values, self._size, borderType=cv2.BORDER_REFLECT)


def cheapest(costs: Sequence[Map]) -> NDArray[np.intp]:
    """Per pixel the number of the cheapest hypothesis; the earlier on a tie."""
    return np.stack(costs).argmin(axis=0)


def select(label: NDArray[np.intp], flows: Sequence[Flow]) -> Flow:
    """Per pixel the vector of the hypothesis numbered `label`."""
    chosen = flows[0].copy()
    for number, flow in enumerate(flows[1:], start=1):
        mask = label == number
        chosen[mask] = flow[mask]
    return chosen
