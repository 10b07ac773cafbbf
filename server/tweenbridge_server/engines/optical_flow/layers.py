"""Explaining both keyframes as layers: which hypothesis each pixel follows, and what hides what.

Brightness alone cannot tell which of two layers is in front. The prior is that what moves by itself is in front of
what moves with the frame; the labelling of each keyframe is then checked against the other's: a pixel may be missing
there only where something in front covers it, and must not contradict what the other keyframe shows in front.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Flow, Map
from . import kernels
from .fields import Matrix, Picture, length, outside, round_trip, targets
from .fuse import Features, GuidedFilter, features, match_cost, select
from .pictures import grey

Labels = NDArray[np.intp]

_CHANGE = 25.0
"""Price of a change of label between neighbours of equal colour; costs reach fuse.COST_CAP."""
_CHANGE_AT_EDGE = 0.08
"""The share of it that remains at a strong edge of the picture."""
_EDGE = 15.0
"""Root mean square colour difference of a strong edge, of 255."""

_HIDDEN = 14.0
"""Cost of a pixel explained as hidden in the other keyframe."""
_LEAVES = 16.0
"""Cost of a pixel that leaves the frame."""
_UNEXPLAINED = 10.0
"""Added where the other keyframe follows another hypothesis that is not in front."""
_CONTRADICTED = 12.0
"""Added where the other keyframe shows that something in front comes to this pixel."""
_GOOD_MATCH = 25.0
_NOT_BACKGROUND = 1.5
_NOT_AFFINE = 4.0
_MOST_DEPTH = 14.0
_IN_FRONT = 2.0


@dataclass(frozen=True)
class Hypothesis:
    """A motion of the whole frame. `matrix` is A to B where the motion is affine, None where it is a free field."""

    forward: Flow
    backward: Flow
    matrix: Matrix | None = None


@dataclass(frozen=True)
class Layering:
    """The hypothesis that each pixel of A and of B follows, and its depth (residual motion, in pixels, capped)."""

    labels_a: Labels
    labels_b: Labels
    depth_a: Map
    depth_b: Map
    background: int


@dataclass(frozen=True)
class _View:
    """One keyframe's side of the labelling: its picture, and per hypothesis the flow to the other side and its cost."""

    picture: Picture
    flows: Sequence[Flow]
    costs: Sequence[Map]


def layer(a: Picture, b: Picture, hypotheses: Sequence[Hypothesis], rounds: int = 2) -> Layering:
    """Label both keyframes.

    Args:
        a, b: the working pictures.
        hypotheses: at least one.
        rounds: how often each keyframe's labelling is checked against the other's.
    """
    features_a, features_b = features(a), features(b)
    view_a = _view(a, features_a, features_b, [h.forward for h in hypotheses])
    view_b = _view(b, features_b, features_a, [h.backward for h in hypotheses])
    reluctance = np.array([_NOT_BACKGROUND + (_NOT_AFFINE if h.matrix is None else 0) for h in hypotheses], np.float32)
    labels_a = _solve(view_a.picture, [cost + r for cost, r in zip(view_a.costs, reluctance)])
    labels_b = _solve(view_b.picture, [cost + r for cost, r in zip(view_b.costs, reluctance)])
    background = 0
    depths_a: list[Map] = []
    depths_b: list[Map] = []
    for _ in range(rounds):
        background = _background(labels_a, labels_b, hypotheses)
        own = reluctance.copy()
        own[background] = 0
        depths_a, depths_b = _depths(view_a.flows, background), _depths(view_b.flows, background)
        labels_a = _relabel(view_a, depths_a, own, labels_b, view_b.flows, depths_b)
        labels_b = _relabel(view_b, depths_b, own, labels_a, view_a.flows, depths_a)
    return Layering(labels_a, labels_b, _pick(labels_a, depths_a), _pick(labels_b, depths_b), background)


def _view(picture: Picture, here: Features, there: Features, flows: Sequence[Flow]) -> _View:
    smooth = GuidedFilter(grey(picture), radius=2, contrast=10.0)
    costs = []
    for flow in flows:
        cost = match_cost(here, there, flow)
        cost[outside(targets(flow))] = _LEAVES
        costs.append(smooth(cost))
    return _View(picture, flows, costs)


def _background(labels_a: Labels, labels_b: Labels, hypotheses: Sequence[Hypothesis]) -> int:
    """The hypothesis that most pixels follow; free fields count half, because they follow anything."""
    followers = np.bincount(labels_a.ravel(), minlength=len(hypotheses)).astype(float)
    followers += np.bincount(labels_b.ravel(), minlength=len(hypotheses))
    return int(np.argmax([count * (0.5 if h.matrix is None else 1) for count, h in zip(followers, hypotheses)]))


def _depths(flows: Sequence[Flow], background: int) -> list[Map]:
    return [np.minimum(length(cv2.subtract(flow, flows[background])), _MOST_DEPTH) for flow in flows]


def _pick(labels: Labels, maps: Sequence[Map]) -> Map:
    picked = np.empty(labels.shape, np.float32)
    for number, values in enumerate(maps):
        mask = labels == number
        picked[mask] = values[mask]
    return picked


def _relabel(
    view: _View,
    depths: Sequence[Map],
    reluctance: NDArray[np.float32],
    labels: Labels,
    flows: Sequence[Flow],
    other_depths: Sequence[Map],
) -> Labels:
    """Label one keyframe again, given the other's `labels`."""
    other_flow = select(labels, flows)
    other_depth = _pick(labels, other_depths)
    costs = []
    misses = []
    shown = np.zeros(labels.shape, np.float32)
    for flow, cost, depth in zip(view.flows, view.costs, depths):
        places = targets(flow)
        there = cv2.remap(other_depth, places, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        leaves = outside(places)
        disagrees = (round_trip(flow, other_flow) > 1.5 + 0.02 * length(flow)) & ~leaves
        covered = there > depth + _IN_FRONT
        agreed = ~disagrees & ~leaves & (cost < _GOOD_MATCH)
        np.maximum(shown, np.where(agreed, depth, 0), out=shown)
        misses.append((disagrees & covered, disagrees & ~covered, leaves))
    for cost, depth, extra, (hidden, unexplained, leaves) in zip(view.costs, depths, reluctance, misses):
        total = np.where(hidden, np.minimum(cost, _HIDDEN), cost)
        total[leaves] = _LEAVES
        total += _UNEXPLAINED * unexplained
        total += _CONTRADICTED * (shown > depth + _IN_FRONT)
        costs.append(total + extra)
    return _solve(view.picture, costs)


def _solve(picture: Picture, costs: Sequence[Map]) -> Labels:
    """The labelling that is cheap per pixel and changes along edges of the picture."""
    volume = np.ascontiguousarray(np.stack(costs, axis=-1), np.float32)
    colour = picture.astype(np.float32)
    across = _change_price(np.diff(colour, axis=1, append=colour[:, -1:]))
    down = _change_price(np.diff(colour, axis=0, append=colour[-1:]))
    kernels.pass_messages(volume, across, down, np.zeros((4, *volume.shape), np.float32), 3)
    return volume.argmin(axis=-1)


def _change_price(difference: NDArray[np.float32]) -> Map:
    squared = (difference * difference).sum(axis=2)
    smoothness = np.exp(-squared / (2 * 3 * _EDGE**2))
    return np.ascontiguousarray(_CHANGE * (_CHANGE_AT_EDGE + (1 - _CHANGE_AT_EDGE) * smoothness), np.float32)
