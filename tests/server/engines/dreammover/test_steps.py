"""Noise levels, steps, attention control and feature caching."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from tweenbridge_server.engines.dreammover.attention import AttentionControl, Bank
from tweenbridge_server.engines.dreammover.deep_cache import DeepCache
from tweenbridge_server.engines.dreammover.denoising import denoise, mixed
from tweenbridge_server.engines.dreammover.devices import choose
from tweenbridge_server.engines.dreammover.identity import find
from tweenbridge_server.engines.dreammover.inversion import invert
from tweenbridge_server.engines.dreammover.latents import decode
from tweenbridge_server.engines.dreammover.model import load
from tweenbridge_server.engines.dreammover.schedule import make_schedule
from tweenbridge_server.engines.dreammover.settings import Solver, Spacing

BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
ALPHAS = torch.cumprod(1 - BETAS, 0)


def test_the_published_schedule() -> None:
    schedule = make_schedule(ALPHAS, 30, 0.6)
    assert schedule.labels == tuple(range(1, 582, 20))
    assert schedule.levels[0] == float(ALPHAS[0])
    assert schedule.levels[30] == float(ALPHAS[581])
    assert schedule.label(schedule.nearest(261)) == 261
    assert schedule.nearest(261) == 14


@given(steps=st.integers(1, 100), strength=st.floats(0.02, 0.999), spacing=st.sampled_from(Spacing))
def test_levels_fall_from_step_to_step(steps: int, strength: float, spacing: Spacing) -> None:
    schedule = make_schedule(ALPHAS, steps, strength, spacing)
    assert schedule.steps == steps
    assert len(schedule.levels) == steps + 1
    assert all(before > after for before, after in zip(schedule.levels, schedule.levels[1:]))
    assert schedule.labels[0] >= 1 and schedule.labels[-1] < 1000


def ideal(clean: Tensor) -> Callable[[Tensor, float], Tensor]:
    """The noise that a perfect network sees when all pictures are `clean` plus Gaussians of variance 1 / 4."""

    def noise(x: Tensor, level: float) -> Tensor:
        mean = math.sqrt(level) * clean
        variance = level / 4 + 1 - level
        return math.sqrt(1 - level) * (x - mean) / variance

    return noise


def error(steps: int, solver: Solver, spacing: Spacing) -> float:
    """How far a solver with few steps ends from one with very many."""
    clean = torch.tensor([[[[0.5, -1.0]]]], dtype=torch.float64)
    start = torch.tensor([[[[0.3, 1.2]]]], dtype=torch.float64)
    network = ideal(clean)

    def end(count: int, by: Solver, spread: Spacing) -> Tensor:
        schedule = make_schedule(ALPHAS, count, 0.6, spread)
        return denoise(start, count, schedule, by, lambda x, k: network(x, schedule.levels[k]), lambda *_: None)

    return float((end(steps, solver, spacing) - end(560, Solver.DDIM, Spacing.EVEN)).abs().max())


def test_more_steps_lead_nearer_and_the_better_solver_needs_fewer() -> None:
    for solver in Solver:
        for spacing in Spacing:
            assert error(40, solver, spacing) < 0.7 * error(10, solver, spacing)
    assert error(10, Solver.DPM, Spacing.KARRAS) < 0.3 * error(10, Solver.DDIM, Spacing.KARRAS)
    assert error(10, Solver.DPM, Spacing.KARRAS) < 0.3 * error(10, Solver.DDIM, Spacing.EVEN)


def test_denoising_undoes_inversion() -> None:
    latents = torch.tensor([[[[0.2, -0.7]]], [[[0.9, 0.1]]]], dtype=torch.float64)
    network = ideal(torch.zeros(1, 1, 1, 2, dtype=torch.float64))
    schedule = make_schedule(ALPHAS, 200, 0.6)
    inversion = invert(latents, schedule, lambda x, k, _: network(x, schedule.levels[k]))
    assert torch.allclose(inversion.latents[-1], mixed(inversion.clean, inversion.noise, schedule.levels[-1]))
    back = denoise(
        inversion.latents[-1], 200, schedule, Solver.DDIM, lambda x, k: network(x, schedule.levels[k]), lambda *_: None
    )
    assert torch.allclose(back, latents, atol=5e-3)


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    torch.manual_seed(0)
    network = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(16, 16, 16, 16),
        attention_head_dim=4,
        cross_attention_dim=8,
        norm_num_groups=8,
    )
    return network.eval().requires_grad_(False)


def evaluate(unet: UNet2DConditionModel, latents: Tensor) -> Tensor:
    words = torch.zeros(len(latents), 3, 8)
    output: Tensor = unet(latents, torch.tensor(100), encoder_hidden_states=words, return_dict=False)[0]
    return output


def test_without_control_nothing_changes_and_recording_changes_nothing(unet: UNet2DConditionModel) -> None:
    latents = torch.randn(2, 4, 16, 16)
    plain = evaluate(unet, latents)
    control, bank = AttentionControl(unet), Bank()
    assert torch.allclose(evaluate(unet, latents), plain, atol=1e-5)
    with control.recording(bank, 3):
        assert torch.allclose(evaluate(unet, latents), plain, atol=1e-5)
    # Three transformers in each of the last two up blocks; keys and values of both keyframes in each.
    assert len(bank.steps[3]) == 6
    assert bank.size == 4 * 2 * 2 * 16 * (3 * 8 * 8 + 3 * 16 * 16)


def test_in_betweens_see_the_keyframes_and_nothing_of_each_other(unet: UNet2DConditionModel) -> None:
    control, bank = AttentionControl(unet), Bank()
    with control.recording(bank, 1):
        evaluate(unet, torch.randn(2, 4, 16, 16))
    latents = torch.randn(3, 4, 16, 16)
    with control.sharing(bank, 1, None):
        together = evaluate(unet, latents)
        alone = torch.cat([evaluate(unet, each[None]) for each in latents])
    assert torch.allclose(together, alone, atol=1e-5)
    assert not torch.allclose(evaluate(unet, latents), together, atol=1e-3)


def test_the_nearer_keyframe_counts_more_and_at_its_own_time_alone(unet: UNet2DConditionModel) -> None:
    control, bank, other = AttentionControl(unet), Bank(), Bank()
    keyframes = torch.randn(2, 4, 16, 16)
    latents = torch.randn(1, 4, 16, 16)
    with control.recording(bank, 1):
        evaluate(unet, keyframes)
    with control.recording(other, 1):
        evaluate(unet, keyframes[:1].expand(2, -1, -1, -1))

    def seen(by: Bank, t: float | None) -> Tensor:
        with control.sharing(by, 1, None if t is None else torch.tensor([t])):
            return evaluate(unet, latents)

    only_a = seen(other, None)
    distances = [float((seen(bank, t) - only_a).abs().mean()) for t in (1e-6, 0.3, 0.9)]
    assert distances[0] < 1e-4 < distances[1] < distances[2]
    assert torch.allclose(seen(bank, 0.5), seen(bank, None), atol=1e-4)


def test_cached_evaluations_are_exact_where_the_deep_half_has_not_changed(unet: UNet2DConditionModel) -> None:
    AttentionControl(unet)
    cache = DeepCache(unet, 3)
    latents, words, time = torch.randn(2, 4, 16, 16), torch.zeros(2, 3, 8), torch.tensor(100)
    full = evaluate(unet, latents)
    assert torch.allclose(cache(latents, time, words), full, atol=1e-6)
    assert torch.allclose(cache(latents, time, words), full, atol=1e-5)
    changed = latents + 0.1 * torch.randn_like(latents)
    shallow = cache(changed, time, words)
    assert not torch.allclose(shallow, evaluate(unet, changed), atol=1e-6)
    # The fourth evaluation is a full one again.
    assert torch.allclose(cache(changed, time, words), evaluate(unet, changed), atol=1e-6)


def test_a_vae_that_overflows_half_precision_goes_on_in_float32(tiny_sd: Path) -> None:
    model = load(find({"model": str(tiny_sd)}), choose("cpu"))
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    scale = 1.0

    def swell(module: object, given: object, output: Tensor) -> Tensor:
        return output * scale / scale

    model.vae.decoder.conv_in.register_forward_hook(swell)
    right = decode(model, latents)
    model.vae.half()
    # Beyond what float16 holds, well within float32.
    scale = 1e6
    assert torch.allclose(decode(model, latents), right, atol=0.02)
    assert model.vae.dtype is torch.float32
