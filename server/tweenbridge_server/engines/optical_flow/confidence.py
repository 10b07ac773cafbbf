"""How far a pixel's way is trusted, and what is in front where several meet."""

from __future__ import annotations

import cv2
import numpy as np

from ..base import Flow, Map
from .fields import Mask, Picture, grown, jump, length, outside, round_trip, targets
from .tracks import STRAIGHT, Tracks

IN_FRONT = 2.0
"""Pixels of own motion by which a layer must exceed another to be in front of it."""

_DEPTH_PER_PIXEL = 0.35
"""Log importance for each pixel of own motion."""
_ONE_SIDED = 0.35
"""Confidence of a pixel rightly missing in the other keyframe: enough to be drawn from its own without doubt."""
_BEHIND, _AHEAD = -2.0, 5.0
"""Log importance of what is hidden behind a thing, and what a thing that hides it has more than any other pixel."""
_LEAST = np.float32(1e-3)


def weigh_without_layers(here: Picture, there: Picture, flow: Flow, back: Flow) -> Tracks:
    """Tracks of free-form motion: the better a pixel matches, the more it counts; nothing is said of what is in front.

    Args:
        here, there: the working pictures from which and to which `flow` goes.
        back: the flow of the other picture.
    """
    places = targets(flow)
    mismatch = _mismatch(here, there, places)
    returns = np.minimum(round_trip(flow, back) / (1 + 0.05 * length(flow)), 20)
    confidence = _confidence(mismatch, returns)
    leaves = outside(places)
    confidence[leaves] = 1
    returns[leaves] = 0
    mismatch[leaves] = 8
    importance = np.maximum(-0.05 * mismatch - 0.35 * returns, -10)
    return Tracks(flow, STRAIGHT, confidence, importance)


def weigh_scene(here: Picture, there: Picture, flow: Flow, back: Flow, front: Mask, hidden: Mask) -> Tracks:
    """Tracks of free-form motion of which it is known what is in front.

    Args:
        here, there, flow, back: as for `weigh_without_layers`.
        front: which pixels are of things in front.
        hidden: which pixels are rightly missing in the other picture.
    """
    tracks = weigh_without_layers(here, there, flow, back)
    tracks.confidence[hidden] = _ONE_SIDED
    tracks.depth[hidden] = _BEHIND
    tracks.depth[front] += _AHEAD
    _doubt(tracks.confidence, tracks.depth, grown(front, 2) & ~front)
    return tracks


def weigh_layers(
    here: Picture, there: Picture, flow: Flow, back: Flow, bend: Flow, depth: Map, depth_there: Map
) -> Tracks:
    """Tracks of layered motion: deeper layers are in front, and what is missing in the other keyframe needs a reason.

    Args:
        here, there, flow, back: as for `weigh_without_layers`.
        bend: how the ways curve.
        depth, depth_there: of each pixel of either picture, in pixels of own motion.
    """
    places = targets(flow)
    mismatch = _mismatch(here, there, places)
    returns = np.minimum(round_trip(flow, back) / (1 + 0.03 * length(flow)), 20)
    confidence = _confidence(mismatch, returns)
    leaves = outside(places)
    facing = cv2.remap(depth_there, places, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    hidden = (facing > depth + IN_FRONT) & (returns > 1.5)
    confidence[leaves | hidden] = _ONE_SIDED
    importance: Map = _DEPTH_PER_PIXEL * depth * np.sqrt(confidence) - 0.04 * mismatch - np.float32(0.3) * returns
    importance[leaves] = 0
    _doubt(confidence, importance, _behind_edges(flow, depth))
    return Tracks(flow, bend, confidence, importance)


def _confidence(mismatch: Map, returns: Map) -> Map:
    """1 for a pixel that matches and finds its way back, towards 0 for one that does neither."""
    doubt = 0.03 * np.maximum(mismatch - 3, 0) + 0.4 * np.maximum(returns - 0.5, 0)
    return np.maximum(np.exp(-doubt), _LEAST)


def _mismatch(here: Picture, there: Picture, places: Flow) -> Map:
    """Mean colour difference of each pixel's surroundings to the place it goes to, 0 to 255."""
    moved = cv2.remap(there, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    difference = cv2.absdiff(moved, here).astype(np.float32)
    return cv2.blur(cv2.transform(difference, np.full((1, 3), 1 / 3, np.float32)), (3, 3))


def _doubt(confidence: Map, importance: Map, rim: Mask) -> None:
    """Mark, in place, the rim behind something in front: it mixes the colours of both, and would leave a ghost."""
    confidence[rim] = np.maximum(confidence[rim] * np.float32(0.03), _LEAST)
    importance[rim] -= 2


def _behind_edges(flow: Flow, depth: Map) -> Mask:
    """Pixels just behind the edge of a deeper layer."""
    ones = np.ones((3, 3), np.uint8)
    near = cv2.dilate((jump(flow, 3) > 2).astype(np.uint8), ones) > 0
    return near & (cv2.dilate(depth, np.ones((5, 5), np.uint8)) - depth > 1.5)
