"""How far a pixel's way is trusted, and what is in front where several meet."""

from __future__ import annotations

import cv2
import numpy as np

from ..base import Flow, Map
from .fields import Picture, length, outside, round_trip, targets
from .tracks import STRAIGHT, Tracks

_DEPTH_PER_PIXEL = 0.35


def weigh_without_layers(here: Picture, there: Picture, flow: Flow, back: Flow) -> Tracks:
    """Tracks of free-form motion: the better a pixel matches, the more it counts; nothing is said of what is in front.

    Args:
        here, there: the working pictures from which and to which `flow` goes.
        back: the flow of the other picture.
    """
    places = targets(flow)
    mismatch = _mismatch(here, there, places)
    returns = np.minimum(round_trip(flow, back) / (1 + 0.05 * length(flow)), 20)
    leaves = outside(places)
    returns[leaves] = 0
    mismatch[leaves] = 8
    depth = np.maximum(-0.05 * mismatch - 0.35 * returns, -10)
    return Tracks(flow, STRAIGHT, np.ones_like(depth), depth)


def weigh_layers(here: Picture, there: Picture, flow: Flow, back: Flow, bend: Flow, depth: Map) -> Tracks:
    """Tracks of layered motion: pixels missing in the other keyframe are not trusted, deeper layers are in front.

    Args:
        here, there, flow, back: as for `weigh_without_layers`.
        bend: how the ways curve.
        depth: of each pixel of `here`, in pixels of motion of its own.
    """
    places = targets(flow)
    mismatch = _mismatch(here, there, places)
    returns = np.minimum(round_trip(flow, back) / (1 + 0.03 * length(flow)), 20)
    confidence = np.exp(-0.03 * np.maximum(mismatch - 3, 0) - 0.4 * np.maximum(returns - 0.5, 0))
    leaves = outside(places)
    confidence[leaves] = 0.02
    importance = _DEPTH_PER_PIXEL * depth * np.sqrt(confidence) - 0.04 * mismatch - 0.3 * returns
    importance[leaves] = 0
    behind = _behind_edges(flow, depth)
    confidence *= 1 - 0.97 * behind
    importance -= 2 * behind
    return Tracks(flow, bend, np.maximum(confidence, 1e-3).astype(np.float32), importance.astype(np.float32))


def _mismatch(here: Picture, there: Picture, places: Flow) -> Map:
    """Mean colour difference of each pixel's surroundings to the place it goes to, 0 to 255."""
    moved = cv2.remap(there, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    difference = cv2.absdiff(moved, here).astype(np.float32)
    return cv2.blur(cv2.transform(difference, np.full((1, 3), 1 / 3, np.float32)), (3, 3))


def _behind_edges(flow: Flow, depth: Map) -> Map:
    """1 just behind the edge of something in front, where pixels mix the colours of both and would leave a ghost."""
    ones = np.ones((3, 3), np.uint8)
    jump = np.maximum(*(cv2.morphologyEx(part, cv2.MORPH_GRADIENT, ones) for part in cv2.split(flow)))
    near = cv2.dilate((jump > 2).astype(np.float32), ones)
    return near * (cv2.dilate(depth, np.ones((5, 5), np.uint8)) - depth > 1.5)
