"""Fitting a LoRA to a shot: that it learns with a small trained model, all else with a random one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.engines.base import Cancelled
from tweenbridge_server.engines.dreammover import devices, lora, lora_files, lora_steps
from tweenbridge_server.engines.dreammover.identity import find
from tweenbridge_server.engines.dreammover.lora import FitSettings, applied, fit
from tweenbridge_server.engines.dreammover.lora_samples import Posterior, Sampler
from tweenbridge_server.engines.dreammover.memory import frame_bytes
from tweenbridge_server.engines.dreammover.model import Model, Prediction, embed, load

# Both models are far smaller than what the engine's own rate is meant for.
SHORT = FitSettings(rank=4, learning_rate=2e-3, least_steps=1, most_steps=4, check_every=2)


def loaded(folder: Path) -> Model:
    return load(find({"model": str(folder)}), devices.choose("cpu"))


@pytest.fixture(scope="module")
def tiny(tiny_sd: Path) -> Model:
    return loaded(tiny_sd)


@pytest.fixture
def model(tiny: Model) -> Iterator[Model]:
    """The random model, which every test must leave as it was, whatever happens in it."""
    before = outputs(tiny), [(name, id(part)) for name, part in tiny.unet.named_modules()]
    flags = [(name, id(part), part.requires_grad, part.grad) for name, part in tiny.unet.named_parameters()]
    known = set(vars(tiny.unet))
    yield tiny
    assert torch.equal(outputs(tiny), before[0])
    assert [(name, id(part)) for name, part in tiny.unet.named_modules()] == before[1]
    assert [(n, id(p), p.requires_grad, p.grad) for n, p in tiny.unet.named_parameters()] == flags
    assert set(vars(tiny.unet)) == known
    assert not tiny.unet.is_gradient_checkpointing


@pytest.fixture(scope="module")
def context(tiny: Model) -> Tensor:
    return embed(tiny, "")[0]


@torch.no_grad()
def outputs(model: Model) -> Tensor:
    noise = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    words = torch.zeros(2, 77, model.unet.config.cross_attention_dim)
    output: Tensor = model.unet(noise, torch.tensor(300), encoder_hidden_states=words).sample
    return output


def pictures(side: int = 64) -> list[Tensor]:
    """Two keyframes: a disc on a gradient, here and there."""
    y, x = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(0, 1, side), indexing="ij")
    shot = []
    for place in (0.3, 0.7):
        disc = ((x - place) ** 2 + (y - 0.5) ** 2 < 0.04).float()
        shot.append(torch.stack([0.2 + 0.6 * disc, 0.3 + 0.4 * x * (1 - disc), 0.5 * y + 0.4 * disc]) * 2 - 1)
    return shot


def unwatched(_: float) -> None:
    """Progress that nobody watches."""


def bytes_of(fitted: lora_files.Fitted) -> list[bytes]:
    return [part.numpy().tobytes() for pair in fitted.weights.values() for part in pair]


@pytest.mark.slow
def test_a_trained_model_learns_the_shot(nano_sd: Path) -> None:
    nano = loaded(nano_sd)
    settings = FitSettings(learning_rate=3e-3, least_steps=24, most_steps=24, check_every=24)
    fitted = fit(nano, pictures(128), embed(nano, "")[0], 0, None, unwatched, settings)
    assert fitted.steps == 24
    assert fitted.loss_after < 0.9 * fitted.loss_before
    # Measured anew, with the LoRA as the engine uses it, on noise that was seen neither in training nor validation.
    posteriors = [Posterior.of(nano, each) for each in pictures(128)]
    samples = Sampler(posteriors, 1234, nano.training_side).draw(12)
    measure = lora_steps.Trainer(nano, embed(nano, "")[0], [torch.nn.Parameter(torch.zeros(1))], settings)
    before = sum(measure.losses(samples))
    with applied(nano, fitted):
        after = sum(measure.losses(samples))
    assert after < 0.9 * before
    assert sum(measure.losses(samples)) == before


def test_fitting_reaches_the_outputs_only_while_applied(model: Model, context: Tensor) -> None:
    plain = outputs(model)
    fitted = fit(model, pictures(), context, 0, None, unwatched, SHORT)
    assert fitted.steps == 4 and len(fitted.weights) == 32 * 4
    assert torch.equal(outputs(model), plain)
    with applied(model, fitted):
        assert (outputs(model) - plain).abs().max() > 1e-3
    assert torch.equal(outputs(model), plain)
    with applied(model, fitted, 0.0):
        assert torch.equal(outputs(model), plain)


def test_applying_is_what_was_trained(model: Model, context: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[Tensor] = []
    original = lora_steps.Trainer.losses

    def spy(self: Any, samples: Any) -> list[float]:
        trained.append(outputs(model))
        return original(self, samples)

    monkeypatch.setattr(lora_steps.Trainer, "losses", spy)
    fitted = fit(model, pictures(), context, 0, None, unwatched, SHORT)
    with applied(model, fitted):
        assert torch.allclose(outputs(model), trained[-1], atol=1e-4)


def test_an_error_while_applied_leaves_the_model_as_it_was(model: Model, context: Tensor) -> None:
    fitted = fit(model, pictures(), context, 0, None, unwatched, SHORT)
    with pytest.raises(Cancelled), applied(model, fitted):
        raise Cancelled


@pytest.mark.parametrize("after", [0, 2])
def test_cancelling_leaves_the_model_as_it_was(model: Model, context: Tensor, tmp_path: Path, after: int) -> None:
    told: list[float] = []

    def progress(done: float) -> None:
        told.append(done)
        if len(told) > after:
            raise Cancelled

    with pytest.raises(Cancelled):
        fit(model, pictures(), context, 0, tmp_path, progress, SHORT)
    assert len(told) == after + 1
    assert not list(tmp_path.rglob("*.*")), "nothing half-fitted is kept"


def test_the_same_seed_gives_the_same_bytes(model: Model, context: Tensor) -> None:
    first = fit(model, pictures(), context, 5, None, unwatched, SHORT)
    torch.manual_seed(99)
    expected = torch.rand(3, generator=torch.Generator().manual_seed(99))
    assert bytes_of(fit(model, pictures(), context, 5, None, unwatched, SHORT)) == bytes_of(first)
    assert torch.equal(torch.rand(3), expected), "others' random numbers stay as they were"
    assert bytes_of(fit(model, pictures(), context, 6, None, unwatched, SHORT)) != bytes_of(first)


def test_a_known_shot_is_not_fitted_again(
    model: Model, context: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fit(model, pictures(), context, 0, tmp_path, unwatched, SHORT)
    [file] = (tmp_path / "lora").iterdir()
    assert file.suffix == ".safetensors" and len(file.stem) == 64
    told: list[float] = []
    with monkeypatch.context() as untrained:
        untrained.delattr(lora_steps.Trainer, "step")
        again = fit(model, pictures(), context, 0, tmp_path, told.append, SHORT)
    assert bytes_of(again) == bytes_of(first) and told == [1.0]
    assert (again.steps, again.loss_before, again.loss_after) == (first.steps, first.loss_before, first.loss_after)


def test_whatever_it_depends_on_is_fitted_anew(model: Model, context: Tensor, tmp_path: Path) -> None:
    one_step = replace(SHORT, most_steps=1)
    changed = pictures()
    changed[1][0, 5, 5] += 0.01

    def files(model: Model, shot: list[Tensor], words: Tensor, settings: FitSettings) -> int:
        fit(model, shot, words, 0, tmp_path, unwatched, settings)
        return len(list((tmp_path / "lora").iterdir()))

    assert files(model, pictures(), context, one_step) == 1
    assert files(model, pictures(), context, one_step) == 1
    assert files(model, changed, context, one_step) == 2
    assert files(model, pictures()[:1], context, one_step) == 3
    assert files(model, pictures(), context + 0.01, one_step) == 4
    assert files(replace(model, identity="another"), pictures(), context, one_step) == 5
    assert files(model, pictures(), context, replace(one_step, rank=2)) == 6


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "of another rank"])
def test_a_damaged_file_is_fitted_again(model: Model, context: Tensor, tmp_path: Path, damage: str) -> None:
    first = fit(model, pictures(), context, 0, tmp_path, unwatched, SHORT)
    [file] = (tmp_path / "lora").iterdir()
    whole = file.read_bytes()
    if damage == "of another rank":
        other = {name: (down[:2], up[:, :2]) for name, (down, up) in first.weights.items()}
        lora_files.save(file, replace(first, weights=other))
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
        file.write_bytes({"cut": whole[:-100], "flipped": flipped, "empty": b""}[damage])
    again = fit(model, pictures(), context, 0, tmp_path, unwatched, SHORT)
    assert bytes_of(again) == bytes_of(first)
    told: list[float] = []
    fit(model, pictures(), context, 0, tmp_path, told.append, SHORT)
    assert told == [1.0], "the file is whole again"


def test_the_least_recently_used_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lora_files, "KEPT", 3)
    fitted = lora_files.Fitted({"mid.to_q": (torch.ones(2, 3), torch.ones(4, 2))}, 1, 1.0, 0.5)
    for age, name in enumerate("abc"):
        lora_files.save(tmp_path / f"{name}.safetensors", fitted)
        os.utime(tmp_path / f"{name}.safetensors", (age + 1000, age + 1000))
    abandoned = tmp_path / ".a.safetensors.1234.part"
    abandoned.write_bytes(b"half")
    os.utime(abandoned, (1000, 1000))
    assert lora_files.load(tmp_path / "a.safetensors", {"mid.to_q": (3, 4)}, 2) is not None
    lora_files.save(tmp_path / "d.safetensors", fitted)
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["a", "c", "d"]


def test_a_cache_that_cannot_be_written_loses_nothing(model: Model, context: Tensor, tmp_path: Path) -> None:
    (tmp_path / "lora").write_text("A file where the folder should be.")
    assert fit(model, pictures(), context, 0, tmp_path, unwatched, SHORT).steps == 4


def test_fitting_ends_when_nothing_is_gained_any_more(model: Model, context: Tensor) -> None:
    told: list[float] = []
    settings = replace(SHORT, learning_rate=1e-9, least_steps=6, most_steps=50, patience=2)
    assert fit(model, pictures(), context, 0, None, told.append, settings).steps == 6
    assert told == [step / 50 for step in range(6)] + [1.0]


def test_numbers_beyond_all_bounds_are_told(model: Model, context: Tensor) -> None:
    with pytest.raises(TweenbridgeError) as raised:
        fit(model, pictures(), context, 0, None, unwatched, replace(SHORT, learning_rate=1e30))
    assert raised.value.code is ErrorCode.MODEL_FAILED and "Standard" in raised.value.remedy


def test_keyframes_of_different_sizes_and_callers_in_inference_mode(model: Model) -> None:
    with torch.inference_mode():
        shot = [pictures(64)[0], pictures(128)[1][:, :64]]
        fitted = fit(model, shot, embed(model, "")[0], 0, None, unwatched, SHORT)
    assert fitted.steps == 4


def test_a_batch_of_keyframes_is_taken_apart(model: Model, context: Tensor) -> None:
    single = fit(model, pictures(), context, 0, None, unwatched, replace(SHORT, most_steps=1))
    batch = fit(model, [torch.stack(pictures())], context, 0, None, unwatched, replace(SHORT, most_steps=1))
    assert bytes_of(batch) == bytes_of(single)


def test_little_memory_changes_the_way_but_not_the_gradients(
    model: Model, context: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    roomy = fit(model, pictures(), context, 0, None, unwatched, SHORT)
    samples, checkpointed, original = [], [], lora_steps.Trainer._loss

    def short_of_memory(self: Any, group: Any) -> Tensor:
        samples.append(len(group))
        checkpointed.append(model.unet.is_gradient_checkpointing)
        if len(group) > 1 and torch.is_grad_enabled():
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(self, group)

    monkeypatch.setattr(lora_steps.Trainer, "_loss", short_of_memory)
    tight = fit(model, pictures(), context, 0, None, unwatched, SHORT)
    steps = [(size, kept) for size, kept in zip(samples, checkpointed)][8:14]
    assert steps == [(2, False), (2, True), (1, True), (1, True), (1, True), (1, True)]
    with applied(model, roomy):
        expected = outputs(model)
    with applied(model, tight):
        assert torch.allclose(outputs(model), expected, atol=2e-3)


def test_short_memory_is_seen_beforehand(model: Model, context: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    original = lora_steps.Trainer._loss

    def watched(self: Any, group: Any) -> Tensor:
        seen.append(model.unet.is_gradient_checkpointing)
        return original(self, group)

    monkeypatch.setattr(lora_steps.Trainer, "_loss", watched)
    free = int(20 * frame_bytes(model.device, model, (8, 8)))
    poor = replace(model, device=replace(model.device, free=lambda: free))
    fit(poor, pictures(), context, 0, None, unwatched, replace(SHORT, most_steps=1))
    assert seen[8] is True


def test_without_enough_memory_for_one_keyframe_it_says_so(
    model: Model, context: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(self: Any, group: Any) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(lora_steps.Trainer, "_loss", none_left)
    with pytest.raises(TweenbridgeError) as raised:
        fit(model, pictures(), context, 0, None, unwatched, SHORT)
    assert raised.value.code is ErrorCode.OUT_OF_MEMORY and "working_size" in raised.value.remedy


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_fits_in_full(tiny_sd: Path, model: Model, context: Tensor, dtype: torch.dtype) -> None:
    """What is learned is kept in float32 all the same."""
    half = loaded(tiny_sd)
    half.unet.to(dtype)
    half = replace(half, device=replace(half.device, dtype=dtype))
    fitted = fit(half, pictures(), context, 0, None, unwatched, replace(SHORT, learning_rate=2e-4))
    full = fit(model, pictures(), context, 0, None, unwatched, replace(SHORT, learning_rate=2e-4))
    changes = []
    for name, (down, up) in full.weights.items():
        half_down, half_up = fitted.weights[name]
        assert half_down.dtype is half_up.dtype is torch.float32
        changes += [torch.nn.functional.cosine_similarity((up @ down).flatten(), (half_up @ half_down).flatten(), 0)]
    assert torch.stack(changes).mean() > 0.8
    with applied(half, fitted):
        assert {part.dtype for part in half.unet.parameters()} == {dtype}


def test_gradients_beyond_half_precision_cost_a_step_and_nothing_else(
    model: Model, context: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = replace(model, device=replace(model.device, dtype=torch.float16))
    weight = torch.nn.Parameter(torch.ones(3))
    trainer = lora_steps.Trainer(half, context, [weight], SHORT)
    told: list[Tensor] = []

    def overflowing(_: Any) -> None:
        # Gradients reach the step times the scale; beyond 65504 half precision knows no number.
        told.append(torch.full((3,), 2.0) * trainer._scale)
        weight.grad = told[-1].half().float()

    monkeypatch.setattr(trainer, "_gradients", overflowing)
    trainer.step([])
    assert torch.equal(weight.detach(), torch.ones(3)), "no step without numbers"
    while not torch.isfinite(told[-1].half()).all():
        trainer.step([])
    trainer.step([])
    assert weight.detach().max() < 1 and torch.isfinite(weight.detach()).all()


def test_models_that_predict_velocity_learn_velocity(model: Model, context: Tensor) -> None:
    other = replace(model, prediction=Prediction.VELOCITY)
    sample = Sampler([Posterior.of(model, each) for each in pictures()], 0, 256).draw(1)[0]
    measure = lora_steps.Trainer(other, context, [torch.nn.Parameter(torch.zeros(1))], SHORT)
    level = float(model.alphas[sample.label])
    with torch.no_grad():
        noisy = level**0.5 * sample.clean + (1 - level) ** 0.5 * sample.noise
        predicted = model.unet(noisy[None], torch.tensor(sample.label), encoder_hidden_states=context).sample[0]
    velocity = level**0.5 * sample.noise - (1 - level) ** 0.5 * sample.clean
    assert measure.losses([sample])[0] == pytest.approx(float(((predicted - velocity) ** 2).mean()), rel=1e-4)


def test_every_keyframe_is_seen_equally_often_and_large_ones_also_in_parts() -> None:
    posteriors = [Posterior(torch.full((4, 16, 40), float(i)), torch.zeros(4, 16, 40)) for i in range(3)]
    samples = Sampler(posteriors, 0, training_side=128).draw(300)
    counts = [sum(float(sample.clean[0, 0, 0]) == i for sample in samples) for i in range(3)]
    assert counts == [100, 100, 100]
    shapes = {tuple(sample.clean.shape[-2:]) for sample in samples}
    assert shapes == {(16, 40), (16, 16)}
    labels = [sample.label for sample in samples]
    assert min(labels) >= 0 and max(labels) <= 999 and 400 < sum(labels) / len(labels) < 600


def test_more_keyframes_may_take_more_steps() -> None:
    settings = FitSettings()
    assert [settings.bound(count) for count in (1, 2, 4, 100)] == [200, 200, 400, 800]


def test_the_engine_finds_all_attention(model: Model) -> None:
    names = lora.attention_layers(model.unet)
    assert len(names) == 128 and {name.rsplit(".to_", 1)[1] for name in names} == {"q", "k", "v", "out.0"}
