"""Motion between the keyframes of a gap: once per gap, at a working size, then brought to full size.

Two recipes. Small and free-form motion is followed pixel by pixel; parts that move far and as wholes are explained as
layers. Which one suits a gap is measured, not asked: where there may be layers, both are made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..base import Gap, Map
from . import quality
from .bends import bends
from .confidence import weigh_layers, weigh_scene, weigh_without_layers
from .correspondences import Correspondences
from .enlarge import enlarge_layers
from .exposure import even
from .fields import Mask, Picture, length, outside, pixel_grid, pull_push, round_trip, sample, targets
from .fuse import Features, GuidedFilter, cheapest, features, match_cost, select, texture
from .hypotheses import Hypotheses, Hypothesis, dense, find_hypotheses, is_flat
from .layers import layer
from .matching import feature_motions
from .occlusion import explain
from .pictures import grey, working_pictures
from .tracks import Estimate, Report, Tracks

Match = Callable[[Picture, Picture], Correspondences]
"""What looks like what in two working pictures."""

WORKING_SIZE = 576

_RELUCTANCE, _RELUCTANCE_TURNED = 1.5, 0.3
"""By how much another flow must match better than the plain one, and one turned round better than that."""
_AROUND = 0.04
"""As a share of the longer side: how much around a pixel says whether its flow is trusted."""
_TORN, _FIRM = np.float32(0.15), np.float32(0.45)
"""Mean confidence around a pixel below which its flow is chance, and from which it is taken as it is."""
_TRIED = 3
"""How many motions are tried to tell a change of light."""
_FEW_LOST = 0.045
"""Where a smaller share of pixels than this is lost by the plain dense flow, the motion is small."""
_LOST = 20.0
"""A pixel that matches no better than this is lost."""
_AS_WELL = 1.06
"""Affine motions match as well as the free fields that are searched, up to this ratio of costs."""
_NEARLY = 1.15
"""And nearly as well as these and the network's together, which follow a drawing's changes of shape better."""
_CLEARLY, _FAVOURED = 0.9, 1.4
"""Where they match better than this, layers may bring the keyframes together so much worse than free motion does, which
has chance matches."""
_UNDECIDED = 1.0
"""The cost of layers in flat drawings: what brings the keyframes together better decides."""
_BY_ITSELF = 1.0
"""Depth, in pixels of own motion, from which a pixel counts as moving by itself."""
_UNFOUND = 0.2
"""Confidence below which it is not found again; what is rightly hidden has more."""
_LOST_THINGS = 0.33
"""Up to this share of such pixels may be lost; in rendered layers 0.23 at most are, of figures that walk 0.44."""
_LOST_IN_FRONT = 0.08
"""Up to this share of what is said to be in front may be lost; else nothing is said of what is in front."""
_TAKEN = 12.0
"""A place that matches this well under a motion is explained by it."""
_MISMATCH = 30.0
"""Above this a match is none, however much above."""


def estimate_quality(gap: Gap, progress: Report, match: Match) -> Estimate:
    """Tracks of both keyframes: at full size where they are layers, at the working size where they are free."""
    a, b = working_pictures(gap, WORKING_SIZE)
    lit = even(a, b)
    plain = dense(a, lit)
    progress(0.2, "choosing motions")
    if not _is_lost(a, lit, plain):
        return follow(a, lit, [plain])
    motions = feature_motions(grey(a), grey(b))
    # Most of the picture should be still under one of those with most support.
    relit = even(a, b, [motion.matrix for motion in motions[:_TRIED]])
    if not np.array_equal(relit, lit):
        plain = dense(a, relit)
    progress(0.4, "choosing motions")
    hypotheses = find_hypotheses(a, relit, motions, plain, match(a, relit))
    cost = _cost_of_layers(a, relit, hypotheses)
    layered = None
    if cost < _NEARLY:
        layered = _layered_recipe(gap, a, relit, [plain, *hypotheses.affine, hypotheses.jumped], progress)
    free = follow(a, relit, [plain, hypotheses.matched, hypotheses.coarse])
    if layered is None:
        return free
    favour = _FAVOURED if cost < _CLEARLY else 1.0
    is_better = _unlike(a, relit, layered.tracks) < favour * _unlike(a, relit, free)
    return layered.enlarged() if is_better else free


def _is_lost(a: Picture, b: Picture, plain: Hypothesis) -> bool:
    """Whether the plain flow loses more than a few pixels: they move far, or appear."""
    lost = round_trip(plain.forward, plain.backward) > 1 + 0.05 * length(plain.forward)
    lost |= cv2.blur(match_cost(features(a), features(b), plain.forward), (5, 5)) > _LOST
    return bool(lost.mean() >= _FEW_LOST)


def _cost_of_layers(a: Picture, b: Picture, hypotheses: Hypotheses) -> float:
    """How well affine motions match, relative to free ones: up to about 1, parts move as wholes.

    Infinite where nothing moves affinely. Flat drawings are undecided: next to nothing in them can tell one motion from
    another.
    """
    if not hypotheses.affine:
        return math.inf
    here, there = features(a), features(b)
    if is_flat(here):
        return _UNDECIDED
    worth = texture(here, reach=5, full=10.0)
    costs = [np.minimum(motion.cost_forward(here, there), _MISMATCH) for motion in hypotheses.affine]
    ground = int(np.argmin([(worth * cost).sum() for cost in costs]))
    # Where the true motion leads to nothing, free fields find chance matches, and are no better for that.
    worth[_covered(here, there, hypotheses.affine, ground)] = 0
    worth[outside(targets(hypotheses.affine[ground].forward))] = 0
    affine_total = float((worth * np.minimum.reduce(costs)).sum())

    def total(fields: Sequence[Hypothesis]) -> float:
        least = np.minimum.reduce([match_cost(here, there, field.forward) for field in fields])
        return float((worth * np.minimum(least, _MISMATCH)).sum())

    if affine_total >= _AS_WELL * total(hypotheses.searched):
        return math.inf
    return affine_total / max(total(hypotheses.free), 1.0)


def _unlike(a: Picture, b: Picture, estimate: Estimate) -> float:
    """Mean difference, 0 to 255, of the keyframes as they come together half-way, where both are shown."""
    ways = quality.ways(estimate, estimate.a.depth.shape, 0.5)
    grid = pixel_grid(*ways.share.shape)
    of_a, of_b = (
        sample(picture.astype(np.float32), cv2.subtract(grid, way))
        for picture, way in ((a, ways.from_a), (b, ways.from_b))
    )
    apart = cv2.absdiff(of_a, of_b).mean(axis=2)
    return float((apart * np.minimum(ways.share, 1 - ways.share)).mean())


def _covered(here: Features, there: Features, motions: Sequence[Hypothesis], ground: int) -> Mask:
    """Pixels that, moving with the ground, come to a place which another motion explains and the ground does not."""
    others = [motion for number, motion in enumerate(motions) if number != ground]
    if not others:
        return np.zeros(here[0].shape[:2], np.bool_)

    def cost(motion: Hypothesis) -> Map:
        return cv2.blur(motion.cost_backward(there, here), (5, 5))

    taken = (np.minimum.reduce([cost(motion) for motion in others]) < _TAKEN) & (cost(motions[ground]) > _LOST)
    return sample(taken.astype(np.float32), targets(motions[ground].forward)) > 0.3


def follow(a: Picture, b: Picture, hypotheses: Sequence[Hypothesis]) -> Estimate:
    """Free-form motion, at the working size: per pixel the cheapest of the hypotheses and of no motion at all, where it
    can be trusted."""
    grey_a, grey_b = grey(a), grey(b)
    still = np.zeros_like(hypotheses[0].forward)
    flows_a = [*(each.forward for each in hypotheses), still]
    flows_b = [*(each.backward for each in hypotheses), still]
    features_a, features_b = features(a), features(b)
    smooth_a, smooth_b = GuidedFilter(grey_a, 7, 20.0), GuidedFilter(grey_b, 7, 20.0)
    costs_a = [smooth_a(match_cost(features_a, features_b, flow)) for flow in flows_a]
    costs_b = [smooth_b(match_cost(features_b, features_a, flow)) for flow in flows_b]
    for cost in costs_a[1:] + costs_b[1:]:
        cost += np.float32(_RELUCTANCE)
    flow_a, flow_b = select(cheapest(costs_a), flows_a), select(cheapest(costs_b), flows_b)
    # Each direction's matches, turned round, repair places where only the other direction found its way.
    turned_a, turned_b = -sample(flow_b, targets(flow_a)), -sample(flow_a, targets(flow_b))
    again_a = smooth_a(match_cost(features_a, features_b, turned_a)) + np.float32(_RELUCTANCE_TURNED)
    again_b = smooth_b(match_cost(features_b, features_a, turned_b)) + np.float32(_RELUCTANCE_TURNED)
    flow_a = select(cheapest([np.minimum.reduce(costs_a), again_a]), [flow_a, turned_a])
    flow_b = select(cheapest([np.minimum.reduce(costs_b), again_b]), [flow_b, turned_b])
    scene_a, scene_b = explain(a, b, features_a, features_b, flow_a, flow_b)
    tracks_a = weigh_scene(a, b, scene_a.flow, scene_b.flow, scene_a.front, scene_a.hidden)
    tracks_b = weigh_scene(b, a, scene_b.flow, scene_a.flow, scene_b.front, scene_b.hidden)
    if _lost_share((tracks_a, scene_a.front), (tracks_b, scene_b.front)) > _LOST_IN_FRONT:
        tracks_a, tracks_b = weigh_without_layers(a, b, flow_a, flow_b), weigh_without_layers(b, a, flow_b, flow_a)
    return Estimate(_whole(tracks_a), _whole(tracks_b), (a, b))


def _whole(tracks: Tracks) -> Tracks:
    """The tracks, smoothed where most of what is around is not trusted.

    There they follow the nearest tracks that are trusted. Chance matches would tear a thing to pieces; a wrong motion
    that is smooth leaves it whole.
    """
    flow, confidence = tracks.flow, tracks.confidence
    around = max(3, round(_AROUND * max(confidence.shape))) | 1
    mean = cv2.blur(confidence, (around, around), borderType=cv2.BORDER_REFLECT)
    trusted = np.clip((mean - _TORN) / (_FIRM - _TORN), 0, 1)[..., None]
    weight = np.square(confidence) * trusted[..., 0] + np.float32(1e-5)
    smooth = cv2.blur(pull_push(flow * weight[..., None], weight), (around, around), borderType=cv2.BORDER_REFLECT)
    return replace(tracks, flow=smooth + trusted * (flow - smooth))


@dataclass(frozen=True)
class _Layered:
    """Layers of a gap that move as wholes, in front of one another, at the working size.

    Attributes:
        tracks: of both keyframes.
        enlarged: brings them to the keyframes' size; slow.
    """

    tracks: Estimate
    enlarged: Callable[[], Estimate]


def _layered_recipe(
    gap: Gap, a: Picture, b: Picture, hypotheses: Sequence[Hypothesis], progress: Report
) -> _Layered | None:
    """Large motion as layers.

    Returns:
        None where much of what moves by itself is not found in the other keyframe: then it does not move as a whole.
    """
    layering = layer(a, b, hypotheses)
    progress(0.6, "drawing layers' edges")
    labels_a, labels_b = layering.labels_a, layering.labels_b
    flows_a, flows_b = [h.forward for h in hypotheses], [h.backward for h in hypotheses]
    curves = [bends(h, labels_a, number, number == layering.background) for number, h in enumerate(hypotheses)]
    bends_a, bends_b = [bend for bend, _ in curves], [bend for _, bend in curves]
    flow_a, flow_b = select(labels_a, flows_a), select(labels_b, flows_b)
    tracks_a = weigh_layers(a, b, flow_a, flow_b, select(labels_a, bends_a), layering.depth_a, layering.depth_b)
    tracks_b = weigh_layers(b, a, flow_b, flow_a, select(labels_b, bends_b), layering.depth_b, layering.depth_a)
    things_a, things_b = layering.depth_a > _BY_ITSELF, layering.depth_b > _BY_ITSELF
    if _lost_share((tracks_a, things_a), (tracks_b, things_b)) > _LOST_THINGS:
        return None

    def enlarged() -> Estimate:
        large_a, large_b = working_pictures(gap, max(gap.a.shape))
        return Estimate(
            enlarge_layers(tracks_a, labels_a, flows_a, bends_a, a, large_a),
            enlarge_layers(tracks_b, labels_b, flows_b, bends_b, b, large_b),
        )

    return _Layered(Estimate(tracks_a, tracks_b), enlarged)


def _lost_share(*seen: tuple[Tracks, Mask]) -> float:
    """Which share of some pixels of the keyframes is not found in the other one, and not hidden there."""
    lost = [float((tracks.confidence[pixels] < _UNFOUND).mean()) for tracks, pixels in seen if pixels.any()]
    return float(np.mean(lost)) if lost else 0.0
