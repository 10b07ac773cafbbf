"""Motion between the keyframes of a gap: once per gap, at a working size, then brought to full size.

Two recipes. Small and free-form motion is followed pixel by pixel; parts that move far and as wholes are explained as
layers. Which one suits a gap is measured, not asked.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..base import Flow, Gap, Map
from .bends import bends
from .confidence import weigh_layers, weigh_scene
from .enlarge import enlarge_layers
from .exposure import even
from .fields import Mask, Picture, length, outside, round_trip, sample, targets
from .fuse import Features, GuidedFilter, cheapest, features, match_cost, select, texture
from .hypotheses import Hypotheses, Hypothesis, find_hypotheses, is_flat
from .layers import layer
from .matching import dense_flow, feature_motions
from .occlusion import Scene, explain
from .pictures import grey, working_pictures
from .tracks import STRAIGHT, Estimate, Report, Tracks, enlarge

_WORKING_SIZE = 576

_TRIED = 3
"""How many motions are tried to tell a change of light."""
_FEW_LOST = 0.045
"""Where a smaller share of pixels than this is lost by the plain dense flow, the motion is small."""
_LOST = 20.0
"""A pixel that matches no better than this is lost."""
_AS_WELL = 1.06
"""Affine motions match as well as free fields up to this ratio of costs."""
_TAKEN = 12.0
"""A place that matches this well under a motion is explained by it."""
_MISMATCH = 30.0
"""Above this a match is none, however much above."""


def estimate_quality(gap: Gap, progress: Report) -> Estimate:
    """Tracks of both keyframes at full size."""
    a, b = working_pictures(gap, _WORKING_SIZE)
    motions = feature_motions(grey(a), grey(b))
    # Most of the picture should be still under one of those with most support.
    b = even(a, b, [motion.matrix for motion in motions[:_TRIED]])
    hypotheses = find_hypotheses(a, b, motions)
    progress(0.2, "choosing motions")
    if hypotheses.affine and _is_layered(a, b, hypotheses):
        return _layered_recipe(gap, a, b, [hypotheses.plain, *hypotheses.affine, hypotheses.jumped], progress)
    return _dense_recipe(gap, a, b, [*hypotheses.free, *hypotheses.affine])


def _is_layered(a: Picture, b: Picture, hypotheses: Hypotheses) -> bool:
    """Whether parts move far and as wholes: the plain flow gets lost, and affine motions match as well as free ones.

    Flat drawings count as layered too: next to nothing in them can tell one motion from another.
    """
    plain = hypotheses.plain
    here, there = features(a), features(b)
    lost = round_trip(plain.forward, plain.backward) > 1 + 0.05 * length(plain.forward)
    lost |= cv2.blur(match_cost(here, there, plain.forward), (5, 5)) > _LOST
    if lost.mean() < _FEW_LOST:
        return False
    if is_flat(here):
        return True
    worth = texture(here, reach=5, full=10.0)
    costs = [np.minimum(motion.cost_forward(here, there), _MISMATCH) for motion in hypotheses.affine]
    ground = int(np.argmin([(worth * cost).sum() for cost in costs]))
    # Where the true motion leads to nothing, free fields find chance matches, and are no better for that.
    worth[_covered(here, there, hypotheses.affine, ground)] = 0
    worth[outside(targets(hypotheses.affine[ground].forward))] = 0
    free = np.minimum.reduce([match_cost(here, there, field.forward) for field in hypotheses.free])
    affine_total = float((worth * np.minimum.reduce(costs)).sum())
    return affine_total < _AS_WELL * float((worth * np.minimum(free, _MISMATCH)).sum())


def _covered(here: Features, there: Features, motions: Sequence[Hypothesis], ground: int) -> Mask:
    """Pixels that, moving with the ground, come to a place which another motion explains and the ground does not."""
    others = [motion for number, motion in enumerate(motions) if number != ground]
    if not others:
        return np.zeros(here[0].shape[:2], np.bool_)

    def cost(motion: Hypothesis) -> Map:
        return cv2.blur(motion.cost_backward(there, here), (5, 5))

    taken = (np.minimum.reduce([cost(motion) for motion in others]) < _TAKEN) & (cost(motions[ground]) > _LOST)
    return sample(taken.astype(np.float32), targets(motions[ground].forward)) > 0.3


def _dense_recipe(gap: Gap, a: Picture, b: Picture, hypotheses: Sequence[Hypothesis]) -> Estimate:
    """Free-form motion: the cheapest hypothesis per pixel, refined; what then matches nothing may be hidden."""
    features_a, features_b = features(a), features(b)
    smooth_a, smooth_b = GuidedFilter(grey(a), 7, 20.0), GuidedFilter(grey(b), 7, 20.0)

    def fuse(forward: list[Flow], backward: list[Flow], reluctance: float) -> tuple[Flow, Flow]:
        costs_a = [smooth_a(match_cost(features_a, features_b, flow)) for flow in forward]
        costs_b = [smooth_b(match_cost(features_b, features_a, flow)) for flow in backward]
        for cost in costs_a[1:] + costs_b[1:]:
            cost += reluctance
        return select(cheapest(costs_a), forward), select(cheapest(costs_b), backward)

    flow_a, flow_b = fuse([h.forward for h in hypotheses], [h.backward for h in hypotheses], 1.5)
    # Each direction's matches, turned round, repair places where only the other direction found its way.
    again_a, again_b = dense_flow(grey(a), grey(b), flow_a), dense_flow(grey(b), grey(a), flow_b)
    turned_a, turned_b = -sample(flow_b, targets(flow_a)), -sample(flow_a, targets(flow_b))
    flow_a, flow_b = fuse([flow_a, again_a, turned_a], [flow_b, again_b, turned_b], 0.3)
    scene_a, scene_b = explain(a, b, features_a, features_b, flow_a, flow_b)
    tracks_a = weigh_scene(a, b, scene_a.flow, scene_b.flow, scene_a.front, scene_a.hidden)
    tracks_b = weigh_scene(b, a, scene_b.flow, scene_a.flow, scene_b.front, scene_b.hidden)
    if not (scene_a.front.any() or scene_b.front.any()):
        height, width = gap.a.shape[:2]
        return Estimate(enlarge(tracks_a, height, width), enlarge(tracks_b, height, width))
    large_a, large_b = working_pictures(gap, max(gap.a.shape))
    return Estimate(_enlarge_scene(tracks_a, scene_a, a, large_a), _enlarge_scene(tracks_b, scene_b, b, large_b))


def _enlarge_scene(tracks: Tracks, scene: Scene, small: Picture, large: Picture) -> Tracks:
    labels = scene.front.astype(np.intp)
    return enlarge_layers(tracks, labels, [scene.ground, scene.thing], [STRAIGHT, STRAIGHT], small, large)


def _layered_recipe(gap: Gap, a: Picture, b: Picture, hypotheses: Sequence[Hypothesis], progress: Report) -> Estimate:
    """Large motion: layers that move as wholes, in front of one another."""
    layering = layer(a, b, hypotheses)
    progress(0.4, "drawing layers' edges")
    labels_a, labels_b = layering.labels_a, layering.labels_b
    flows_a, flows_b = [h.forward for h in hypotheses], [h.backward for h in hypotheses]
    curves = [bends(h, labels_a, number, number == layering.background) for number, h in enumerate(hypotheses)]
    bends_a, bends_b = [bend for bend, _ in curves], [bend for _, bend in curves]
    flow_a, flow_b = select(labels_a, flows_a), select(labels_b, flows_b)
    tracks_a = weigh_layers(a, b, flow_a, flow_b, select(labels_a, bends_a), layering.depth_a, layering.depth_b)
    tracks_b = weigh_layers(b, a, flow_b, flow_a, select(labels_b, bends_b), layering.depth_b, layering.depth_a)
    large_a, large_b = working_pictures(gap, max(gap.a.shape))
    return Estimate(
        enlarge_layers(tracks_a, labels_a, flows_a, bends_a, a, large_a),
        enlarge_layers(tracks_b, labels_b, flows_b, bends_b, b, large_b),
    )
