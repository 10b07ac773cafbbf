"""Stages 5 and 6: what an in-between starts from, made of both keyframes' latents.

DreamMover (arXiv 2409.09605), two-level fusion: the clean latents (what is to be seen) are moved by softmax splatting
and blended; of the noise (what decides fine structure) each pixel takes one keyframe's, never a mean of both, because
the variance of noise must stay 1. `*_as_published` follow the public implementation, the others mend it.
Latents are (4, h, w) or, of both keyframes, (2, 4, h, w); flows (2, h, w); times lie between 0 and 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .correspondence import Correspondence
from .splatting import gather_warp, softsplat, splat_nearest, splat_sum

METRIC_WEIGHT = 8.0
"""Of the mean difference of the latents in the splatting metric; 10 over five channels, one of which never differs."""
METRIC_FLOOR = -10.0
_NOISE_SCORE = 0.3
_LEAST_SCORE = 0.001
_FRONT = 3.0
"""What moves unlike the rest counts e ** 3 times as much where several land."""
_LEAST_TRUST = 0.02
"""What is not trusted still counts where nothing else is."""


@dataclass(frozen=True)
class Splatted:
    """Both keyframes' clean latents moved to one time.

    Attributes:
        from_a, from_b: (5, h, w), the latents and their soft coverage.
        fused: (4, h, w).
    """

    from_a: Tensor
    from_b: Tensor
    fused: Tensor


def metric(values: Tensor, others: Tensor, flow: Tensor) -> Tensor:
    """How much each pixel counts where several land: less, the more it differs from what the flow says it becomes.

    Returns:
        (1, h, w) in [-10, 0].
    """
    difference = (values - gather_warp(others[None], flow[None])[0]).abs().mean(0, keepdim=True)
    return (-METRIC_WEIGHT * difference).clamp(METRIC_FLOOR, -METRIC_FLOOR)


def fuse_clean_as_published(clean: Tensor, matches: Correspondence, t: float) -> Splatted:
    """The clean latents of the in-between at time t; holes are filled with a cross-fade.

    Anything that lands counts as full cover, however little it is.
    """
    ones = torch.ones_like(clean[:, :1])
    with_cover = torch.cat([clean, ones], 1)
    metric_a = metric(clean[0], clean[1], matches.forward)
    metric_b = metric(clean[1], clean[0], matches.backward)
    a = softsplat(with_cover[:1], t * matches.forward[None], metric_a[None])[0]
    b = softsplat(with_cover[1:], (1 - t) * matches.backward[None], metric_b[None])[0]
    cover_a, cover_b = a[4:], b[4:]
    both = cover_a * cover_b
    fused = (
        both * ((1 - t) * a[:4] + t * b[:4])
        + (cover_a - both).clamp(min=0) * a[:4]
        + (cover_b - both).clamp(min=0) * b[:4]
        + (1 - (cover_a + cover_b).clamp(max=1)) * ((1 - t) * clean[0] + t * clean[1])
    )
    return Splatted(a, b, fused)


@dataclass(frozen=True)
class Importance:
    """How much each pixel of A and of B counts where several land: (1, h, w) each, in the exponent."""

    a: Tensor
    b: Tensor


def importance(clean: Tensor, matches: Correspondence, layered: bool) -> Importance:
    """By how well a pixel agrees with its match and how far that is trusted.

    Args:
        clean: (2, 4, h, w).
        layered: what moves unlike most of its picture is in front. Agreement alone cannot tell what hides what.
    """

    def of(values: Tensor, others: Tensor, flow: Tensor, trust: Tensor) -> Tensor:
        counts = metric(values, others, flow) + (trust[None] + _LEAST_TRUST).log()
        return counts + _in_front(flow) if layered else counts

    return Importance(
        of(clean[0], clean[1], matches.forward, matches.trust_a),
        of(clean[1], clean[0], matches.backward, matches.trust_b),
    )


def _in_front(flow: Tensor) -> Tensor:
    """(1, h, w) from 0 for what moves as most pixels do, towards _FRONT for what does not."""
    most = flow.flatten(1).median(1).values.reshape(2, 1, 1)
    apart: Tensor = (flow - most).norm(dim=0, keepdim=True)
    return _FRONT * apart / (apart + 1)


def fuse_clean(clean: Tensor, matches: Correspondence, counts: Importance, t: float) -> Tensor:
    """The clean latents of the in-between at time t, weighed by real coverage, trust and nearness in time.

    A pixel that only a sliver of something reached is a hole; what is trusted pushes aside what is not.

    Args:
        clean: (2, C, h, w): latents, or whatever else moves along.
        counts: from `importance`.
    """
    a, weight_a = _moved(clean[0], t * matches.forward, matches.trust_a, counts.a)
    b, weight_b = _moved(clean[1], (1 - t) * matches.backward, matches.trust_b, counts.b)
    weight_a, weight_b = weight_a * (1 - t), weight_b * t
    hole = (1 - (weight_a + weight_b) / (_LEAST_TRUST * min(t, 1 - t))).clamp(0, 1)
    blend = (weight_a * a + weight_b * b) / (weight_a + weight_b).clamp(min=1e-6)
    return blend * (1 - hole) + ((1 - t) * clean[0] + t * clean[1]) * hole


def _moved(values: Tensor, way: Tensor, trust: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """One keyframe's latents at their time, and their weight (1, h, w): coverage times trust."""
    count = softsplat(torch.cat([values, trust[None] + _LEAST_TRUST])[None], way[None], counts[None])[0]
    cover = splat_sum(torch.ones_like(trust)[None, None], way[None])[0].clamp(max=1)
    # Half covered is covered; a tenth is not.
    cover = ((cover - 0.1) / 0.4).clamp(0, 1)
    return count[:-1], cover * count[-1:]


@dataclass(frozen=True)
class Chosen:
    """Noise chosen without moving it. Scores and the choice are (1, h, w); `is_a` is where keyframe A's was taken."""

    latents: Tensor
    score_a: Tensor
    score_b: Tensor
    is_a: Tensor


def choose_noise_as_published(noisy: Tensor, matches: Correspondence, t: float) -> Chosen:
    """Each pixel's noisy latents from A or B, at its own place: whichever changes less along its flow, weighed by time.

    Equal scores take A's.
    """
    scores = []
    for own, other, flow in ((noisy[0], noisy[1], matches.forward), (noisy[1], noisy[0], matches.backward)):
        change = (own - gather_warp(other[None], flow[None])[0]).abs().mean(0, keepdim=True)
        scores.append((_NOISE_SCORE - change).clamp(_LEAST_SCORE, 1))
    score_a, score_b = scores[0] * (1 - t), scores[1] * t
    is_a = score_a >= score_b
    return Chosen(torch.where(is_a, noisy[0], noisy[1]), score_a, score_b, is_a)


def splat_noise(noise: Tensor, matches: Correspondence, counts: Importance, t: float) -> Tensor:
    """Noise that has moved with what it belongs to: winner takes all, first within each keyframe, then between them.

    Where nothing lands it is the nearer keyframe's, unmoved.

    Args:
        noise: (2, 4, h, w) of unit variance.
        counts: from `importance`.
    """
    a, score_a = splat_nearest(noise[:1], t * matches.forward[None], counts.a[None])
    b, score_b = splat_nearest(noise[1:], (1 - t) * matches.backward[None], counts.b[None])
    score_a, score_b = score_a + math.log1p(-t), score_b + math.log(t)
    chosen = torch.where(score_a >= score_b, a, b)
    landed = torch.maximum(score_a, score_b) > -torch.inf
    return torch.where(landed, chosen, noise[0 if t <= 0.5 else 1])[0]
