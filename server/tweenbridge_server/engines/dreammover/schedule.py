"""Noise levels: which time labels the steps have, and how much signal is left at each.

DDIM, Song et al. 2020, arXiv 2010.02502: x = sqrt(a) x0 + sqrt(1 - a) e, where a is the cumulative product of alphas.
Time labels are spaced as the method's scheduler spaces them: multiples of one step, plus 1; the level before the
first step is that of label 0, which is not quite clean. Few steps are better spaced by the noise itself (Karras et al.
2022, arXiv 2206.00364, eq. 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .settings import Spacing

STEPS_OF_THE_METHOD = 50
"""Into so many steps the method divides the whole way; 30 of them are a strength of 0.6."""
_RHO = 7.0


@dataclass(frozen=True)
class Schedule:
    """N steps between noise levels 0 (the picture) and N (the noisiest).

    Attributes:
        labels: N time labels; the network is told labels[k - 1] for the step between levels k - 1 and k.
        levels: N + 1 cumulative products of alphas, decreasing; levels[k] belongs to level k.
    """

    labels: tuple[int, ...]
    levels: tuple[float, ...]

    @property
    def steps(self) -> int:
        """N."""
        return len(self.labels)

    def label(self, k: int) -> int:
        """The time label of level k, 1 <= k <= N."""
        return self.labels[k - 1]

    def nearest(self, label: int) -> int:
        """The level, 1 to N, whose label is nearest to `label`; the noisier of two."""
        return min(range(self.steps, 0, -1), key=lambda k: abs(self.label(k) - label))


def make_schedule(alphas: Tensor, steps: int, strength: float, spacing: Spacing = Spacing.EVEN) -> Schedule:
    """Steps up to the noise level that `strength` means.

    Args:
        alphas: (1000,) cumulative products of alphas of the model's training steps.
        steps: how many, at least 1.
        strength: 0 < strength < 1, the share of the training steps. 0.6 in 30 even steps is the published method.
    """
    training = len(alphas)
    top = max(steps, round(training * (strength - 1 / STEPS_OF_THE_METHOD)) + 1)
    labels = _even(top, steps) if spacing is Spacing.EVEN else _karras(alphas, top, steps)
    return Schedule(labels, (float(alphas[0]), *(float(alphas[label]) for label in labels)))


def _even(top: int, steps: int) -> tuple[int, ...]:
    """From 1 to `top`."""
    return tuple(1 + round((top - 1) * k / (steps - 1)) for k in range(steps)) if steps > 1 else (top,)


def _karras(alphas: Tensor, top: int, steps: int) -> tuple[int, ...]:
    """From 1 to `top`, with equal steps of the noise-to-signal ratio's seventh root."""
    sigmas = ((1 - alphas) / alphas).sqrt()
    ends = (float(sigmas[1]) ** (1 / _RHO), float(sigmas[top]) ** (1 / _RHO))
    wanted = torch.linspace(*ends, steps, dtype=torch.float64) ** _RHO if steps > 1 else sigmas[top : top + 1]
    labels: list[int] = []
    for sigma in wanted:
        nearest = int((sigmas - sigma).abs().argmin())
        # Near the clean end several may fall on one label.
        labels.append(max(nearest, labels[-1] + 1 if labels else 1))
    return tuple(labels)
