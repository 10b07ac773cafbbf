"""Stage 7: from noise back to clean latents, keyframes and in-betweens alike.

DDIM: Song et al. 2020, arXiv 2010.02502, eq. 12, sigma 0. DPM-Solver++(2M): Lu et al. 2022, arXiv 2211.01095,
algorithm 2: the same steps with the change of the last two estimates carried on, so that fewer are needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from .schedule import Schedule
from .settings import Solver

Predict = Callable[[Tensor, int], Tensor]
"""(latents, level k) to the noise in the latents."""

OnStep = Callable[[int, Tensor, Tensor], None]
"""Called after the step from level k with k, the latents of level k - 1 and the estimate of the clean latents."""

Saw = Callable[[str, Tensor], None]
"""Called with results on the way, for comparisons with recorded data."""


def clean_estimate(latents: Tensor, noise: Tensor, level: float) -> Tensor:
    """The clean latents, if `noise` is what is in `latents`."""
    return (latents - math.sqrt(1 - level) * noise) / math.sqrt(level)


def mixed(clean: Tensor, noise: Tensor, level: float) -> Tensor:
    """Latents of a level made of clean latents and noise."""
    return math.sqrt(level) * clean + math.sqrt(1 - level) * noise


def impose_clean(
    start: Tensor, clean: Tensor, schedule: Schedule, predict_at: Predict, saw: Saw | None = None
) -> tuple[Tensor, Tensor]:
    """The published first step: evaluate twice, so that `clean` is what the step assumes.

    Args:
        start: (N, 4, h, w) noisy latents of the top level.
        clean: (N, 4, h, w) the clean latents to impose.

    Returns:
        Latents of the level below the top, and `clean`.
    """
    top = schedule.steps
    first = predict_at(start, top)
    imposed = mixed(clean, first, schedule.levels[top])
    if saw:
        saw("noise_first", first)
        saw("imposed", imposed)
    second = predict_at(imposed, top)
    if saw:
        saw("noise_second", second)
    return mixed(clean, second, schedule.levels[top - 1]), clean


def denoise(
    start: Tensor, first_level: int, schedule: Schedule, solver: Solver, predict_at: Predict, on_step: OnStep
) -> Tensor:
    """Denoise from `first_level` down to level 0.

    Args:
        start: (N, 4, h, w) latents of `first_level`.
    """
    x, before = start, None
    for k in range(first_level, 0, -1):
        clean = clean_estimate(x, predict_at(x, k), schedule.levels[k])
        x = _step(x, clean, before, k, schedule, solver)
        before = clean
        on_step(k, x, clean)
    return x


def _step(x: Tensor, clean: Tensor, before: Tensor | None, k: int, schedule: Schedule, solver: Solver) -> Tensor:
    """From level k to k - 1; `before` is the clean estimate of level k + 1, if there was one."""
    level, following = schedule.levels[k], schedule.levels[k - 1]
    if solver is Solver.DPM and before is not None and k > 1:
        ratio = (_snr(following) - _snr(level)) / (_snr(level) - _snr(schedule.levels[k + 1]))
        target = clean + 0.5 * ratio * (clean - before)
    else:
        # The last step is of first order: there the signal-to-noise ratio rises too fast to extrapolate.
        target = clean
    # With target = clean this is DDIM's step in other words.
    shrink = math.sqrt((1 - following) / (1 - level))
    return shrink * x + (math.sqrt(following) - shrink * math.sqrt(level)) * target


def _snr(level: float) -> float:
    """Half the logarithm of the signal-to-noise ratio (lambda in the paper)."""
    return 0.5 * math.log(level / (1 - level))


def denoise_keyframes(start: Tensor, clean: Tensor, schedule: Schedule, predict_at: Predict, on_step: OnStep) -> Tensor:
    """Both keyframes' own denoising, as published: by DDIM, the first step pulled to `clean`.

    Args:
        start, clean: (2, 4, h, w): x_N and p_N of the inversion.
    """
    top = schedule.steps
    x = mixed(clean, predict_at(start, top), schedule.levels[top - 1])
    on_step(top, x, clean)
    return denoise(x, top - 1, schedule, Solver.DDIM, predict_at, on_step)
