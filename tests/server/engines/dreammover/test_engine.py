"""The engine as its callers see it: sizes, channels, progress, cancelling, repeatability, memory that runs out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import Scalar
from tweenbridge_server.engines.base import Cancelled, Frame, Gap, Image, Workplace
from tweenbridge_server.engines.dreammover import pipeline
from tweenbridge_server.engines.dreammover.engine import DreamMoverEngine


@dataclass
class Watcher:
    """A `Progress` that keeps what it is told, and cancels when asked to."""

    fractions: list[float] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    previews: list[tuple[float, Image]] = field(default_factory=list)
    cancel_at: str = ""

    def __call__(self, fraction: float, stage: str) -> None:
        self.fractions.append(fraction)
        self.stages.append(stage)
        if self.cancel_at and stage == self.cancel_at:
            raise Cancelled

    def note(self, code: str, message: str) -> None:
        self.notes.append(f"{code}: {message}")

    def preview(self, t: float, pixels: Image) -> None:
        self.previews.append((t, pixels))


def picture(height: int, width: int, shift: int) -> NDArray[np.float32]:
    """A bright square on a gradient."""
    image = np.empty((height, width, 3), np.float32)
    image[...] = np.linspace(0.2, 0.6, width, dtype=np.float32)[None, :, None]
    top, left = height // 3, width // 8 + shift
    image[top : top + height // 3, left : left + width // 4] = (0.9, 0.3, 0.1)
    return image


def gap(height: int = 96, width: int = 128) -> Gap:
    return Gap(picture(height, width, 0), picture(height, width, width // 3))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> DreamMoverEngine:
    made = DreamMoverEngine()
    made.settle(Workplace("cpu", tmp_path_factory.mktemp("cache")))
    return made


Make = Callable[..., list[Frame]]


@pytest.fixture
def make(engine: DreamMoverEngine, nano_sd: Path) -> Make:
    def made(
        between: Gap, times: Sequence[float] = (0.5,), profile: str = "draft", watcher: Watcher | None = None,
        **settings: Scalar,
    ) -> list[Frame]:  # fmt: skip
        chosen = {"model": str(nano_sd), "working_size": 128, **settings}
        return list(engine.interpolate(between, times, profile, chosen, watcher or Watcher()))

    return made


@pytest.mark.parametrize(("height", "width"), [(96, 128), (101, 67), (40, 200)])
def test_frames_have_the_keyframes_size_whatever_it_is(make: Make, height: int, width: int) -> None:
    (frame,) = make(gap(height, width))
    assert frame.pixels.shape == (height, width, 3)
    assert frame.pixels.dtype == np.float32
    assert np.isfinite(frame.pixels).all()
    # It is a picture of this scene, not noise.
    assert abs(float(frame.pixels.mean()) - float(picture(height, width, 0).mean())) < 0.1


@pytest.mark.parametrize("profile", ["standard", "draft", "reference"])
def test_every_profile_puts_the_square_between(make: Make, profile: str) -> None:
    between = gap()
    (frame,) = make(between, (0.5,), profile, prompt="a red square")
    wanted = picture(96, 128, 128 // 6)
    cross_fade = (between.a + between.b) / 2
    assert np.abs(frame.pixels - wanted).mean() < np.abs(cross_fade - wanted).mean() * 1.5
    if profile != "reference":
        assert np.abs(frame.pixels - wanted).mean() < 0.5 * np.abs(cross_fade - wanted).mean()


def test_alpha_moves_with_the_picture(make: Make) -> None:
    def with_alpha(image: NDArray[np.float32], shift: int) -> NDArray[np.float32]:
        alpha = np.zeros((96, 128, 1), np.float32)
        alpha[32:64, 16 + shift : 48 + shift] = 1
        return np.concatenate([image * alpha, alpha], 2)

    between = Gap(with_alpha(picture(96, 128, 0), 0), with_alpha(picture(96, 128, 42), 42))
    (frame,) = make(between)
    alpha = frame.pixels[..., 3]
    assert frame.pixels.shape == (96, 128, 4)
    assert alpha[40:56, 45:60].mean() > 0.9
    assert alpha[:20].max() < 0.1 and alpha[:, 100:].max() < 0.1
    # Premultiplied: no colour where nothing is.
    assert (frame.pixels[..., :3] <= alpha[..., None] + 1e-5).all()


def test_progress_rises_to_the_end_and_previews_come(make: Make) -> None:
    watcher = Watcher()
    make(gap(), (0.25, 0.5, 0.75), "standard", watcher)
    assert watcher.fractions == sorted(watcher.fractions)
    assert watcher.fractions[0] == 0.0
    assert watcher.fractions[-1] == pytest.approx(1.0, abs=0.01)
    assert {"estimating motion", "inverting keyframes", "drawing in-betweens", "decoding"} <= set(watcher.stages)
    t, preview = watcher.previews[0]
    assert t in (0.25, 0.5, 0.75)
    assert preview.ndim == 3 and preview.shape[2] == 3 and preview.min() >= 0 and preview.max() <= 1


@pytest.mark.parametrize("stage", ["inverting keyframes", "drawing in-betweens", "decoding"])
def test_cancelling_ends_it_at_that_step_and_the_next_gap_is_as_ever(make: Make, stage: str) -> None:
    before = make(gap())
    watcher = Watcher(cancel_at=stage)
    with pytest.raises(Cancelled):
        make(gap(), watcher=watcher)
    assert watcher.stages.count(stage) == 1
    assert np.array_equal(make(gap())[0].pixels, before[0].pixels)


def test_frames_do_not_depend_on_who_they_are_made_with(make: Make) -> None:
    together = make(gap(), (0.25, 0.5, 0.75), "standard")
    (alone,) = make(gap(), (0.5,), "standard")
    assert [frame.t for frame in together] == [0.25, 0.5, 0.75]
    assert np.abs(together[1].pixels - alone.pixels).max() < 1e-3
    again = make(gap(), (0.25, 0.5, 0.75), "standard")
    assert all(np.array_equal(one.pixels, other.pixels) for one, other in zip(together, again))


def test_a_long_prompt_is_cut_with_a_note(make: Make) -> None:
    watcher = Watcher()
    make(gap(), watcher=watcher, prompt="a very red square " * 40)
    assert [note.partition(":")[0] for note in watcher.notes] == ["prompt_cut"]


def test_when_memory_runs_out_groups_are_halved_and_the_frames_are_the_same(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = (0.2, 0.4, 0.6, 0.8)
    calm = make(gap(), times)
    draw, groups = pipeline.draw, []

    def scarce(*arguments: object, **named: object) -> torch.Tensor:
        group = arguments[2]
        assert isinstance(group, Sequence)
        groups.append(len(group))
        if len(group) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return draw(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "draw", scarce)
    cramped = make(gap(), times)
    assert max(groups) > 1 and groups.count(1) == 4
    assert max(np.abs(one.pixels - other.pixels).max() for one, other in zip(calm, cramped)) < 1e-3


def test_when_nothing_fits_the_error_says_what_to_do(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> Iterator[None]:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(pipeline, "draw", never)
    with pytest.raises(TweenbridgeError) as caught:
        make(gap())
    assert caught.value.code is ErrorCode.OUT_OF_MEMORY
    assert "working_size" in caught.value.remedy


def test_unknown_settings_and_missing_models_have_their_errors(engine: DreamMoverEngine, tmp_path: Path) -> None:
    def error(**settings: Scalar) -> TweenbridgeError:
        with pytest.raises(TweenbridgeError) as caught:
            list(engine.interpolate(gap(), (0.5,), "standard", settings, Watcher()))
        return caught.value

    assert error(sparkle=1).code is ErrorCode.BAD_REQUEST
    assert error(strength=2.0).code is ErrorCode.BAD_REQUEST
    assert error().code is ErrorCode.MODEL_MISSING
    assert error(model=str(tmp_path / "nowhere")).code is ErrorCode.MODEL_MISSING
    assert error(model=str(tmp_path)).code is ErrorCode.MODEL_FAILED
