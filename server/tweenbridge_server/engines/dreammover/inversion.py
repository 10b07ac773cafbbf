"""Stage 2, DDIM inversion: from a keyframe's latents to the noise that would have made them.

Song et al. 2020, arXiv 2010.02502, run backwards. One pass serves everything: its latents are kept for the feature,
its last clean estimate for the fusion, and its attention keys and values for the in-betweens.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .model import Model
from .schedule import Schedule
from .unet import predict

Predict = Callable[[Tensor, int, int], Tensor]
"""(latents, level k, its time label) to the noise in the latents."""


@dataclass(frozen=True)
class Inversion:
    """What the inversion saw of both keyframes.

    Attributes:
        latents: N + 1 of (2, 4, h, w): x_0 to x_N.
        clean: (2, 4, h, w) p_N, the clean latents as the last step saw them.
        noise: (2, 4, h, w) what x_N is made of beside `clean`: x_N = sqrt(a) clean + sqrt(1 - a) noise.
        first_noise, clean_at: kept for comparisons with recorded data: e of step 1, and p_k by k.
    """

    latents: tuple[Tensor, ...]
    clean: Tensor
    noise: Tensor
    first_noise: Tensor
    clean_at: tuple[Tensor, ...]


def invert(latents: Tensor, schedule: Schedule, predict_at: Predict) -> Inversion:
    """Noise both keyframes step by step, so that denoising leads back.

    Args:
        latents: (2, 4, h, w), of both keyframes.
        predict_at: the network; it is given the label of the level that the step leads to, while the latents are
            still at the level before (the usual approximation).
    """
    x = latents
    kept, clean_at = [x], []
    noise = first = torch.zeros_like(x)
    for k in range(1, schedule.steps + 1):
        noise = predict_at(x, k, schedule.label(k))
        first = noise if k == 1 else first
        before, after = schedule.levels[k - 1], schedule.levels[k]
        clean = (x - math.sqrt(1 - before) * noise) / math.sqrt(before)
        x = math.sqrt(after) * clean + math.sqrt(1 - after) * noise
        kept.append(x)
        clean_at.append(clean)
    return Inversion(tuple(kept), clean_at[-1], noise, first, tuple(clean_at))


def plain(model: Model, context: Tensor) -> Predict:
    """The network without any interplay between pictures."""
    return lambda latents, _, label: predict(model, latents, label, context)
