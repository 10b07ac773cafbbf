"""What free-form motion cannot match because something hides it in the other keyframe.

Brightness says nothing of a pixel that is hidden in the other keyframe; its way is that of the ground around it. The
ground is filled in from the pixels that find their way back, those most that move as most of the frame does (the prior
of layers.py: what moves by itself is in front). The explanation stands where that way leads behind a thing that
matches well and moves by itself. Filling occlusions from reliable flow follows Ince & Konrad 2008; the pyramid of
weighted means is the pull-push of Gortler et al. 1996, section 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..base import Flow, Map
from .fields import (
    Mask,
    Picture,
    affine_flow,
    fit_affine,
    grown,
    jump,
    length,
    outside,
    pull_push,
    round_trip,
    sample,
    targets,
)
from .fuse import Features, GuidedFilter, cheapest, match_cost, select
from .pictures import grey

_OWN = 4.0
"""Pixels of own motion by which a thing exceeds what it hides; a neighbour with more hardly counts as ground."""
_GOOD_MATCH = 20.0
"""A pixel that matches up to this and finds its way back is sure."""
_ASTRAY = 2.0
"""Pixels by which neighbours, or a way there and back, must differ to be of different motions."""
_SURE_SHARE = 0.4
"""Share of a thing that must be sure: not so much that a thing which changes its shape is none."""
_HIDING_SHARE = 0.1
"""Share of a thing behind which something must be hidden for it to be in front."""
_EDGE = 4
"""How far, in pixels, the edges of a thing reach: they mix with what is around, and are not sure themselves."""
_GROUND, _THING = 1, 2


@dataclass(frozen=True)
class Scene:
    """One keyframe as things in front of a ground, each of which may move freely.

    Attributes:
        ground: (H, W, 2) the flow of the ground, also behind the things.
        thing: (H, W, 2) the flow of the things, also around them.
        front: the pixel is of a thing in front.
        hidden: the pixel is of the ground, behind a thing in the other keyframe.
    """

    ground: Flow
    thing: Flow
    front: Mask
    hidden: Mask

    @property
    def flow(self) -> Flow:
        """(H, W, 2) of what is seen."""
        return np.where(self.front[..., None], self.thing, self.ground)


@dataclass(frozen=True)
class _View:
    """What matching says of one keyframe.

    Attributes:
        flow: (H, W, 2) to the other keyframe.
        frame: (H, W, 2) the motion of most of the frame.
        own: (H, W) how far each pixel's motion is from that, in pixels.
        sure: the pixel matches and finds its way back.
        lost: it does not, nor does it leave the frame.
        cores: parts that move by themselves, less their edges.
    """

    flow: Flow
    frame: Flow
    own: Map
    sure: Mask
    lost: Mask
    cores: Mask

    @property
    def ground(self) -> Flow:
        """(H, W, 2) the motion of the ground, from the sure pixels around that are likeliest to be of it."""
        return _filled(self.flow, self.sure / np.square(1 + np.square(self.own / np.float32(_OWN))))

    @property
    def thing(self) -> Flow:
        """(H, W, 2) the motion of the nearest thing."""
        return _filled(self.flow, (self.cores & self.sure).astype(np.float32))

    @property
    def things(self) -> Mask:
        """Parts that move by themselves."""
        return self._with_edges(self.cores)

    def hiding(self, places: Flow) -> Mask:
        """The things of which something is hidden behind enough: at `places` (N, 2)."""
        hides = np.zeros(self.lost.shape, np.bool_)
        x, y = np.rint(places).astype(np.intp).T
        hides[y, x] = True
        return self._with_edges(_parts(self.cores, hides, _HIDING_SHARE))

    def strays(self, there: _View) -> Mask:
        """The lost pixels that do not find their way back."""
        return self.lost & (round_trip(self.flow, there.flow) > _ASTRAY)

    def _with_edges(self, cores: Mask) -> Mask:
        return (self.own > _OWN) & grown(cores, _EDGE)


def explain(
    a: Picture, b: Picture, features_a: Features, features_b: Features, flow_a: Flow, flow_b: Flow
) -> tuple[Scene, Scene]:
    """Both keyframes as scenes, given the flow of either to the other."""
    first_a, first_b = _look(features_a, features_b, flow_a, flow_b), _look(features_b, features_a, flow_b, flow_a)
    flow_a = _reconsidered(first_a, a, features_a, features_b)
    flow_b = _reconsidered(first_b, b, features_b, features_a)
    view_a, view_b = _look(features_a, features_b, flow_a, flow_b), _look(features_b, features_a, flow_b, flow_a)
    ground_a, ground_b = view_a.ground, view_b.ground
    missing_a = _hidden(view_a, ground_a, view_b, view_b.things)
    missing_b = _hidden(view_b, ground_b, view_a, view_a.things)
    front_a = _outlined(view_a.hiding(targets(ground_b)[missing_b]), a)
    front_b = _outlined(view_b.hiding(targets(ground_a)[missing_a]), b)
    return _scene(view_a, ground_a, front_a, view_b, front_b), _scene(view_b, ground_b, front_b, view_a, front_a)


def _look(here: Features, there: Features, flow: Flow, back: Flow) -> _View:
    cost = cv2.blur(match_cost(here, there, flow), (3, 3))
    leaves = outside(targets(flow))
    returns = round_trip(flow, back) < 1 + 0.05 * length(flow)
    sure = returns & (cost < _GOOD_MATCH) & ~leaves
    frame = affine_flow(fit_affine(flow, sure.astype(np.float32)), *cost.shape)
    own = length(cv2.subtract(flow, frame))
    smooth = jump(flow, 3) < _ASTRAY
    cores = _parts((own > _OWN) & smooth, sure, _SURE_SHARE)
    return _View(flow, frame, own, sure, ~sure & ~leaves, cores)


def _reconsidered(view: _View, picture: Picture, here: Features, there: Features) -> Flow:
    """The flow in which each lost pixel may also go with the ground or the thing next to it."""
    smooth = GuidedFilter(grey(picture), 2, 10.0)
    lost = view.lost[..., None]
    flows = [view.flow, *(np.where(lost, flow, view.flow) for flow in (view.ground, view.thing))]
    label = cheapest([smooth(match_cost(here, there, flow)) for flow in flows])
    return select(cv2.medianBlur(label.astype(np.uint8), 5), flows)


def _hidden(here: _View, ground: Flow, there: _View, things: Mask) -> Mask:
    """The pixels gone astray whose way along the ground leads behind one of the `things` there."""
    places = targets(ground)
    own = length(cv2.subtract(ground, here.frame))
    behind = sample(there.own * things, places) > own + _OWN
    return here.strays(there) & behind & (round_trip(ground, there.flow) > _ASTRAY) & ~outside(places)


def _outlined(things: Mask, picture: Picture) -> Mask:
    """`things` with their outlines moved to edges of the picture nearby, by flooding (Meyer 1992, OpenCV's)."""
    if not things.any():
        return things
    markers = np.where(grown(things, _EDGE), 0, _GROUND).astype(np.int32)
    markers[~grown(~things, _EDGE)] = _THING
    cv2.watershed(picture, markers)
    return grown(markers == _THING, 1)


def _scene(here: _View, ground: Flow, front: Mask, there: _View, front_there: Mask) -> Scene:
    hidden = _hidden(here, ground, there, front_there) & ~front
    around = here.strays(there) & grown(hidden, _EDGE)
    inner = front & here.cores
    thing = _filled(here.flow, (here.sure & inner).astype(np.float32))
    return Scene(
        np.where((around | grown(front, _EDGE))[..., None], ground, here.flow),
        np.where(inner[..., None], here.flow, thing),
        front,
        hidden | (grown(hidden, 2) & here.lost & ~front),
    )


def _parts(mask: Mask, witnesses: Mask, share: float) -> Mask:
    """The connected parts of `mask` of which more than `share` are `witnesses`."""
    count, parts = cv2.connectedComponents(mask.astype(np.uint8))
    chosen = np.bincount(parts[witnesses], minlength=count) > share * np.bincount(parts.ravel(), minlength=count)
    chosen[0] = False
    found: Mask = chosen[parts]
    return found


def _filled(flow: Flow, weight: Map) -> Flow:
    return pull_push(flow * weight[..., None], weight.astype(np.float32))
