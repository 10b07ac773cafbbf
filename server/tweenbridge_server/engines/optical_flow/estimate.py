"""Motion between the keyframes of a gap: once per gap, at a working size, then brought to full size."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..base import Flow, Gap, Progress
from .confidence import weigh_layers, weigh_without_layers
from .fields import Matrix, Picture, affine_flow, fit_affine, length, pixel_grid, round_trip, sample, targets
from .fuse import GuidedFilter, cheapest, features, match_cost, select
from .layers import Hypothesis, Labels, layer
from .matching import dense_flow, feature_motions, long_jumps
from .pictures import grey, working_pictures
from .tracks import Estimate, Tracks, enlarge

WORKING_SIZE = 640

_MOST_LOST = 0.05


def estimate_quality(gap: Gap, progress: Progress) -> Estimate:
    """Tracks of both keyframes at full size, by the recipe that suits the size of the motion."""
    height, width = gap.a.shape[:2]
    a, b = working_pictures(gap, WORKING_SIZE)
    hypotheses = find_hypotheses(a, b)
    progress(0.2, "matching layers")
    if _is_small(hypotheses[0]):
        tracks_a, tracks_b = _dense_recipe(a, b, hypotheses)
    else:
        tracks_a, tracks_b = _layered_recipe(a, b, hypotheses)
    return Estimate(enlarge(tracks_a, height, width), enlarge(tracks_b, height, width))


def _is_small(plain: Hypothesis) -> bool:
    """The plain dense flow finds its way there and back nearly everywhere."""
    lost = round_trip(plain.forward, plain.backward) > 1 + 0.05 * length(plain.forward)
    return bool(lost.mean() < _MOST_LOST)


def _dense_recipe(a: Picture, b: Picture, hypotheses: Sequence[Hypothesis]) -> tuple[Tracks, Tracks]:
    """Free-form motion: the cheapest hypothesis per pixel, refined, with no opinion on what is in front."""
    features_a, features_b = features(a), features(b)
    smooth_a, smooth_b = GuidedFilter(grey(a), 7, 20.0), GuidedFilter(grey(b), 7, 20.0)

    def fuse(forward: list[Flow], backward: list[Flow], reluctance: float) -> tuple[Flow, Flow]:
        costs_a = [smooth_a(match_cost(features_a, features_b, flow)) for flow in forward]
        costs_b = [smooth_b(match_cost(features_b, features_a, flow)) for flow in backward]
        for cost in costs_a[1:] + costs_b[1:]:
            cost += reluctance
        return select(cheapest(costs_a)[0], forward), select(cheapest(costs_b)[0], backward)

    flow_a, flow_b = fuse([h.forward for h in hypotheses], [h.backward for h in hypotheses], 1.5)
    refined = dense_flow(grey(a), grey(b), flow_a), dense_flow(grey(b), grey(a), flow_b)
    reversed_ = -sample(flow_b, targets(flow_a)), -sample(flow_a, targets(flow_b))
    flow_a, flow_b = fuse([flow_a, refined[0], reversed_[0]], [flow_b, refined[1], reversed_[1]], 0.3)
    return weigh_without_layers(a, b, flow_a, flow_b), weigh_without_layers(b, a, flow_b, flow_a)


def _layered_recipe(a: Picture, b: Picture, hypotheses: Sequence[Hypothesis]) -> tuple[Tracks, Tracks]:
    """Large motion: layers that move as a whole, in front of one another."""
    layering = layer(a, b, hypotheses)
    flow_a = select(layering.labels_a, [h.forward for h in hypotheses])
    flow_b = select(layering.labels_b, [h.backward for h in hypotheses])
    bends_a, bends_b = _bends(hypotheses, layering.labels_a, layering.background)
    bend_a = select(layering.labels_a, bends_a)
    bend_b = select(layering.labels_b, bends_b)
    return (
        weigh_layers(a, b, flow_a, flow_b, bend_a, layering.depth_a),
        weigh_layers(b, a, flow_b, flow_a, bend_b, layering.depth_b),
    )


def find_hypotheses(a: Picture, b: Picture) -> list[Hypothesis]:
    """Motions that may explain a part of the frame. The first is the plain dense flow."""
    grey_a, grey_b = grey(a), grey(b)
    height, width = grey_a.shape

    def dense(forward: Flow | None = None, backward: Flow | None = None) -> Hypothesis:
        return Hypothesis(dense_flow(grey_a, grey_b, forward), dense_flow(grey_b, grey_a, backward))

    def affine(matrix: Matrix) -> Hypothesis:
        inverse: Matrix = cv2.invert(matrix)[1]
        return Hypothesis(affine_flow(matrix, height, width), affine_flow(inverse, height, width), matrix)

    plain = dense()
    found = [plain, affine(fit_affine(plain.forward, np.ones((height, width), np.float32)))]
    for rank, motion in enumerate(feature_motions(grey_a, grey_b)):
        hypothesis = affine(motion.matrix)
        found.append(hypothesis)
        if rank < 2 and motion.support >= 12:
            found.append(dense(hypothesis.forward, hypothesis.backward))
    found.append(dense(*long_jumps(a, b)))
    return found


def _bends(hypotheses: Sequence[Hypothesis], labels_a: Labels, background: int) -> tuple[list[Flow], list[Flow]]:
    """How the ways of turning layers curve, on A's and on B's pixels.

    An affine motion x -> c' + L (x - c) of a thing centred at c, with L = R S its turn and its stretch, passes through
    R(angle/2) (I + S)/2 (x - c) half-way; the straight way passes through (I + L)/2 (x - c).
    """
    height, width = labels_a.shape
    straight = np.zeros((height, width, 2), np.float32)
    bends_a, bends_b = [], []
    for number, hypothesis in enumerate(hypotheses):
        matrix = hypothesis.matrix
        members = labels_a == number
        if matrix is None or not members.any():
            bends_a.append(straight)
            bends_b.append(straight)
            continue
        if number == background:
            centre = np.array([(width - 1) / 2, (height - 1) / 2])
        else:
            centre = pixel_grid(height, width)[members].mean(axis=0).astype(np.float64)
        linear = matrix[:2, :2]
        left, stretch, right = np.linalg.svd(linear)
        turn = left @ right
        angle = np.arctan2(turn[1, 0], turn[0, 0]) / 2
        half_turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        stretching = right.T @ np.diag(stretch) @ right
        identity = np.eye(2)
        curve = 4 * (half_turn @ (identity + stretching) / 2 - (identity + linear) / 2)
        bends_a.append(_linear_field(curve, centre, height, width))
        moved = linear @ centre + matrix[:2, 2]
        bends_b.append(_linear_field(curve @ np.linalg.inv(linear), moved, height, width))
    return bends_a, bends_b


def _linear_field(linear: Matrix, centre: Matrix, height: int, width: int) -> Flow:
    shift = np.column_stack([linear, -linear @ centre]).astype(np.float32)
    return cv2.transform(pixel_grid(height, width), shift)
