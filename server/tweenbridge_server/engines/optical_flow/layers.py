"""Explaining both keyframes as layers: which hypothesis each pixel follows, and what hides what.

Brightness alone cannot tell which of two layers is in front. The prior is that what moves by itself is in front of
what moves with the frame. The labelling of each keyframe is then checked against the other's: a pixel may be missing
there only where something in front covers it, and must not contradict what the other keyframe shows in front. Pixels
missing in the other keyframe cannot be matched; their colour says whose they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Flow, Map
from . import kernels
from .colours import Bins, colour_bins, rarity
from .confidence import IN_FRONT
from .fields import Mask, Picture, length, outside, round_trip, targets
from .fuse import Features, GuidedFilter, features, select, texture
from .hypotheses import Hypothesis
from .pictures import grey

Labels = NDArray[np.intp]
Standing = NDArray[np.float32]

# Costs are in units of match_cost: mean differences of 255.
_CHANGE = 25.0
"""Change of layer between neighbours of equal colour."""
_CHANGE_AT_EDGE = 0.08
"""The share of it that remains at a strong edge of the picture."""
_EDGE = 15.0
"""Root mean square colour difference of a strong edge."""
_NO_MATCH = 30.0
"""In the first labelling, which knows no other explanation, no mismatch costs more."""
_HIDDEN = 10.0
"""A pixel hidden in the other keyframe."""
_LEAVES = 12.0
"""A pixel that leaves the frame."""
_UNEXPLAINED = 10.0
"""Added where the other keyframe follows another hypothesis that is not in front."""
_CONTRADICTED = 12.0
"""Added where the other keyframe shows that something in front comes to this pixel; half of it for something beside."""
_GOOD_MATCH = 25.0
"""Up to this a match shows that something comes to this pixel."""
_NOT_BACKGROUND = 1.5
_NOT_BACKGROUND_FLAT = 3.0
"""More for a pixel without texture, which matches anything."""
_NOT_AFFINE = 7.0
_ODD_COLOUR = 3.0
"""For each factor e by which a colour is rare in a layer, where a pixel is hidden or leaves."""
_ODD_MATCH = 0.9
"""The same, where it is matched."""

_FEWEST = 0.002
"""Share of the pixels of one keyframe that a hypothesis must explain to be worth its time."""
_MOST_OWN_MOTION = 14.0
_BETWEEN = np.float32(20)
"""Depth, in pixels of own motion, between things of which one comes in front of the other: ways are means, weighed by
depth (see confidence.py), and a hundredth of a way that leads elsewhere is pixels off."""
_WITNESSES = 30
"""Pixels that must agree before they decide which of two layers is in front."""
_SWEEPS = 2


@dataclass(frozen=True)
class Layering:
    """The hypothesis that each pixel of A and of B follows, their depths, and which hypothesis is the ground.

    A pixel's depth is its own motion against the ground, in pixels up to a cap, more or less by what it covers, and
    raised to keep it from the depths of other layers.
    """

    labels_a: Labels
    labels_b: Labels
    depth_a: Map
    depth_b: Map
    background: int


@dataclass(frozen=True)
class _View:
    """One keyframe's side of the labelling; `flows` and `costs` are of each hypothesis, to the other side."""

    picture: Picture
    bins: Bins
    flat: Map
    flows: Sequence[Flow]
    costs: Sequence[Map]

    def only(self, kept: Labels) -> _View:
        """Without the other hypotheses."""
        return replace(self, flows=[self.flows[k] for k in kept], costs=[self.costs[k] for k in kept])


@dataclass(frozen=True)
class _Meeting:
    """What a hypothesis meets in the other keyframe, per pixel.

    Attributes:
        covered: something else is there, in front.
        beside: something else is there, and which is in front is not known.
        unexplained: something else is there, behind.
        leaves: nothing is there.
        agreed: the same motion is there, and matches.
    """

    covered: Mask
    beside: Mask
    unexplained: Mask
    leaves: Mask
    agreed: Mask


def layer(a: Picture, b: Picture, hypotheses: Sequence[Hypothesis], rounds: int = 2) -> Layering:
    """Label both keyframes.

    Args:
        a, b: the working pictures.
        hypotheses: at least one.
        rounds: how often each keyframe's labelling is checked against the other's.
    """
    features_a, features_b = features(a), features(b)
    view_a = _view(
        a, features_a, [h.forward for h in hypotheses], [h.cost_forward(features_a, features_b) for h in hypotheses]
    )
    view_b = _view(
        b, features_b, [h.backward for h in hypotheses], [h.cost_backward(features_b, features_a) for h in hypotheses]
    )
    is_affine = np.array([h.matrix is not None for h in hypotheses])
    reluctance = np.where(is_affine, 0, np.float32(_NOT_AFFINE)) + np.float32(_NOT_BACKGROUND)
    labels_a, labels_b = (
        _solve(view.picture, [np.minimum(cost, _NO_MATCH) + r for cost, r in zip(view.costs, reluctance)])
        for view in (view_a, view_b)
    )
    kept = _followed(labels_a, labels_b, len(hypotheses))
    view_a, view_b = view_a.only(kept), view_b.only(kept)
    is_affine, reluctance = is_affine[kept], reluctance[kept]
    place = np.searchsorted(kept, np.arange(len(hypotheses))).clip(max=len(kept) - 1)
    labels_a, labels_b = place[labels_a], place[labels_b]
    for _ in range(rounds):
        background = _background(labels_a, labels_b, is_affine)
        own = np.where(np.arange(len(kept)) == background, np.float32(0), reluctance)
        standing = _standing(_before(view_a, labels_a, view_b, labels_b)) * is_affine
        depths_a = _depths(view_a.flows, background, standing)
        depths_b = _depths(view_b.flows, background, standing)
        odd = rarity(
            [(view_a.bins, _sure(view_a, labels_a, number)), (view_b.bins, _sure(view_b, labels_b, number))]
            for number in range(len(kept))
        )
        labels_a = _relabel(view_a, depths_a, own, odd, select(labels_b, view_b.flows), _pick(labels_b, depths_b))
        labels_b = _relabel(view_b, depths_b, own, odd, select(labels_a, view_a.flows), _pick(labels_a, depths_a))
    before = _before(view_a, labels_a, view_b, labels_b)
    standing = _standing(before) * is_affine
    things = np.flatnonzero(is_affine & (np.arange(len(kept)) != background))
    rise = _rises(before, _followers(labels_a, labels_b, len(kept)), things)
    depth_a = _pick(labels_a, _depths(view_a.flows, background, standing)) + rise[labels_a]
    depth_b = _pick(labels_b, _depths(view_b.flows, background, standing)) + rise[labels_b]
    return Layering(kept[labels_a], kept[labels_b], depth_a, depth_b, int(kept[background]))


def _view(picture: Picture, here: Features, flows: Sequence[Flow], raw: Sequence[Map]) -> _View:
    smooth = GuidedFilter(grey(picture), 2, 10.0)
    costs = []
    for flow, cost in zip(flows, raw):
        cost[outside(targets(flow))] = _LEAVES
        costs.append(smooth(cost))
    return _View(picture, colour_bins(picture), 1 - texture(here, reach=9, full=6.0), flows, costs)


def _sure(view: _View, labels: Labels, number: int) -> Mask:
    """The pixels that follow a hypothesis and match."""
    return (labels == number) & (view.costs[number] < _HIDDEN)


def _followed(labels_a: Labels, labels_b: Labels, count: int) -> Labels:
    """The hypotheses that at least a few pixels follow."""
    return np.flatnonzero(_followers(labels_a, labels_b, count) >= _FEWEST * labels_a.size)


def _followers(labels_a: Labels, labels_b: Labels, count: int) -> Labels:
    """How many pixels of both keyframes follow each hypothesis."""
    return np.bincount(labels_a.ravel(), minlength=count) + np.bincount(labels_b.ravel(), minlength=count)


def _background(labels_a: Labels, labels_b: Labels, is_affine: NDArray[np.bool_]) -> int:
    """The hypothesis that most pixels follow; free fields count half, because they follow anything."""
    followers = _followers(labels_a, labels_b, len(is_affine))
    return int(np.argmax(np.where(is_affine, followers, followers / 2)))


def _before(view_a: _View, labels_a: Labels, view_b: _View, labels_b: Labels) -> Mask:
    """Which hypothesis (rows) covers which (columns).

    A pixel of p that is missing where p takes it, with q shown there instead, says that q is in front of p.
    """
    count = len(view_a.flows)
    covered = np.zeros((count, count))
    for view, labels, other in ((view_a, labels_a, labels_b), (view_b, labels_b, labels_a)):
        for number, (flow, cost) in enumerate(zip(view.flows, view.costs)):
            there = cv2.remap(other.astype(np.float32), targets(flow), None, cv2.INTER_NEAREST, borderValue=-1)
            missing = (labels == number) & (there != number) & (there >= 0) & (cost > _HIDDEN)
            covered[number] += np.bincount(there[missing].astype(np.intp), minlength=count)
    return (2 * covered < covered.T) & (covered.T >= _WITNESSES)


def _standing(before: Mask) -> Standing:
    """Per hypothesis, how many others it covers less how many cover it, as a share of the hypotheses."""
    return np.divide(before.sum(axis=1) - before.sum(axis=0), len(before)).astype(np.float32)


def _depths(flows: Sequence[Flow], background: int, standing: Standing) -> list[Map]:
    """Per hypothesis the depth that each pixel has when it follows it."""
    own_motions = (length(cv2.subtract(flow, flows[background])) for flow in flows)
    return [np.minimum(motion, _MOST_OWN_MOTION) * (1 + rise) for motion, rise in zip(own_motions, standing)]


def _rises(before: Mask, followers: Labels, things: Labels) -> Standing:
    """Per hypothesis what is added to its depth, so that all `things` are before the ground, and no two equally deep.

    They may meet on their way though no keyframe shows which is in front. Then either order is right, and both at once
    is not. The smaller one comes in front: behind, it might be hidden altogether.
    """
    standing = _standing(before[np.ix_(things, things)])
    order = things[np.lexsort((-followers[things], standing))]
    rises = np.zeros(len(before), np.float32)
    rises[order] = _BETWEEN * np.arange(1, len(order) + 1, dtype=np.float32)
    return rises


def _pick(labels: Labels, maps: Sequence[Map]) -> Map:
    """Per pixel the value of the hypothesis it follows."""
    picked = np.empty(labels.shape, np.float32)
    for number, values in enumerate(maps):
        np.copyto(picked, values, where=labels == number)
    return picked


def _relabel(
    view: _View, depths: Sequence[Map], reluctance: Standing, odd: Map, other_flow: Flow, other_depth: Map
) -> Labels:
    """Label one keyframe again, given where the other's pixels go and how deep they are."""
    meetings = []
    shown = np.zeros_like(other_depth)
    for flow, cost, depth in zip(view.flows, view.costs, depths):
        meeting = _meet(flow, cost, depth, other_flow, other_depth)
        np.maximum(shown, np.where(meeting.agreed, depth, 0), out=shown)
        meetings.append(meeting)
    totals = []
    for cost, depth, extra, rare, meeting in zip(view.costs, depths, reluctance, odd, meetings):
        oddity = rare[view.bins]
        missing = _ODD_COLOUR * oddity
        total = np.where(meeting.covered | meeting.beside, np.minimum(cost, _HIDDEN + missing), cost)
        np.copyto(total, _LEAVES + missing, where=meeting.leaves)
        ahead = shown - depth
        in_front = (ahead > IN_FRONT) & ~meeting.agreed
        beside = (np.abs(ahead) <= IN_FRONT) & (depth > IN_FRONT) & ~meeting.agreed
        total += _UNEXPLAINED * meeting.unexplained + _ODD_MATCH * oddity
        total += _CONTRADICTED * in_front + _CONTRADICTED / 2 * beside
        if extra > 0:
            total += extra + _NOT_BACKGROUND_FLAT * view.flat
        totals.append(total)
    return _solve(view.picture, totals)


def _meet(flow: Flow, cost: Map, depth: Map, other_flow: Flow, other_depth: Map) -> _Meeting:
    places = targets(flow)
    ahead = cv2.remap(other_depth, places, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE) - depth
    leaves = outside(places)
    disagrees = (round_trip(flow, other_flow) > 1.5 + 0.02 * length(flow)) & ~leaves
    covered = disagrees & (ahead > IN_FRONT)
    beside = disagrees & (np.abs(ahead) <= IN_FRONT) & (depth > IN_FRONT)
    return _Meeting(
        covered=covered,
        beside=beside,
        unexplained=disagrees & ~covered & ~beside,
        leaves=leaves,
        agreed=~disagrees & ~leaves & (cost < _GOOD_MATCH),
    )


def _solve(picture: Picture, costs: Sequence[Map]) -> Labels:
    """The labelling that is cheap per pixel and changes along edges of the picture."""
    volume = np.ascontiguousarray(np.stack(costs, axis=-1), np.float32)
    colour = picture.astype(np.float32)
    across = _change_price(np.diff(colour, axis=1, append=colour[:, -1:]))
    down = _change_price(np.diff(colour, axis=0, append=colour[-1:]))
    kernels.pass_messages(volume, across, down, np.zeros((4, *volume.shape), np.float32), _SWEEPS)
    return volume.argmin(axis=-1)


def _change_price(difference: NDArray[np.float32]) -> Map:
    squared = (difference * difference).sum(axis=2)
    smoothness = np.exp(-squared / (2 * 3 * _EDGE**2))
    return np.ascontiguousarray(_CHANGE * (_CHANGE_AT_EDGE + (1 - _CHANGE_AT_EDGE) * smoothness), np.float32)
