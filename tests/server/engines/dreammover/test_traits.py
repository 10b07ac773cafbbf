"""What suits a model: known, kept, or found by trying it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from tweenbridge_server.engines.base import Cancelled
from tweenbridge_server.engines.dreammover import devices, identity, traits
from tweenbridge_server.engines.dreammover.builtin import NANO_TRAITS
from tweenbridge_server.engines.dreammover.model import Model, load
from tweenbridge_server.engines.dreammover.settings import Traits
from tweenbridge_server.engines.dreammover.traits import PUBLISHED, traits_of
from tweenbridge_server.engines.dreammover.trial import make_trial

FOUND = Traits(feature_block=2, feature_label=161, neighbourhood=5, strength=0.4)


def stand_in(*channels: int) -> Model:
    """As much of a model as is looked at before it is tried."""
    unet = SimpleNamespace(config=SimpleNamespace(block_out_channels=list(channels)))
    return cast(Model, SimpleNamespace(unet=unet, identity="0123abcd"))


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every self-check, which finds FOUND at once."""
    made: list[str] = []

    def check(model: Model, report: Any) -> Traits:
        report(0.5)
        made.append(model.identity)
        return FOUND

    monkeypatch.setattr(traits, "self_check", check)
    return made


def test_stable_diffusion_is_known(tmp_path: Path, checks: list[str]) -> None:
    assert traits_of(stand_in(320, 640, 1280, 1280), tmp_path) == PUBLISHED
    assert PUBLISHED.feature_block == 1 and PUBLISHED.feature_label == 261 and PUBLISHED.strength == 0.6
    assert not checks and not list(tmp_path.iterdir())


def test_others_are_tried_once(tmp_path: Path, checks: list[str]) -> None:
    model, fractions = stand_in(48, 64, 96, 96), list[float]()
    assert traits_of(model, tmp_path, fractions.append) == FOUND
    assert traits_of(model, tmp_path, fractions.append) == FOUND
    assert checks == ["0123abcd"] and fractions == [0.5]
    assert [path.name for path in (tmp_path / "traits").iterdir()] == ["0123abcd.json"]


def test_without_a_cache_they_are_tried_again(checks: list[str]) -> None:
    for _ in range(2):
        assert traits_of(stand_in(48, 64, 96, 96), None) == FOUND
    assert len(checks) == 2


GOOD = {"version": 1, **asdict(FOUND)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "\x00\xff",
        json.dumps(asdict(FOUND)),
        json.dumps(GOOD | {"version": 0}),
        json.dumps(GOOD | {"feature_block": 9}),
        json.dumps(GOOD | {"neighbourhood": 4}),
        json.dumps(GOOD | {"strength": "much"}),
        json.dumps(GOOD | {"surplus": 1}),
        json.dumps({key: value for key, value in GOOD.items() if key != "strength"} | {"feature_label": None}),
    ],
)
def test_what_is_damaged_is_found_out_again(tmp_path: Path, checks: list[str], text: str) -> None:
    model, kept = stand_in(48, 64, 96, 96), tmp_path / "traits" / "0123abcd.json"
    kept.parent.mkdir()
    kept.write_text(text, encoding="latin-1")
    assert traits_of(model, tmp_path) == FOUND
    assert len(checks) == 1
    assert traits_of(model, tmp_path) == FOUND
    assert len(checks) == 1


def test_a_cache_that_cannot_be_written_is_no_failure(tmp_path: Path, checks: list[str]) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert traits_of(stand_in(48, 64, 96, 96), blocked) == FOUND


def test_nothing_is_kept_of_a_cancelled_check(tmp_path: Path, checks: list[str]) -> None:
    def cancel(fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        traits_of(stand_in(48, 64, 96, 96), tmp_path, cancel)
    assert not list(tmp_path.rglob("*.json"))


def test_a_trials_truth_leads_there_and_back() -> None:
    for seed in range(8):
        trial = make_trial(seed, 256)
        side = trial.seen_a.shape[0]
        assert trial.keyframes.shape == (2, 3, 256, 256) and trial.between.shape == (1, 3, 256, 256) and side == 32
        assert float(trial.keyframes.min()) >= -1 and float(trial.keyframes.max()) <= 1
        row, column = (place[trial.seen_a] for place in torch.meshgrid(*[torch.arange(32)] * 2, indexing="ij"))
        there = trial.forward[:, row, column]
        assert float(there.norm(dim=0).mean()) > 4
        x, y = (column + there[0]).round().long().clamp(0, 31), (row + there[1]).round().long().clamp(0, 31)
        seen = trial.seen_b[y, x]
        assert float(seen.float().mean()) > 0.7
        returned = (there + trial.backward[:, y, x]).norm(dim=0)[seen]
        # Where a cell's middle and its neighbour's lie on different shapes, they part.
        assert float((returned < 1).float().mean()) > 0.9
        assert bool(trial.moved[trial.seen_a].all())


def test_a_trials_seed_says_it_all() -> None:
    first, second, other = make_trial(3, 64), make_trial(3, 64), make_trial(4, 64)
    assert all(torch.equal(value, getattr(second, name)) for name, value in vars(first).items())
    assert not torch.equal(first.keyframes, other.keyframes)


def nano(folder: Path) -> Model:
    return load(identity.find({"model": str(folder)}), devices.choose("cpu"))


@pytest.mark.slow
def test_the_self_check_finds_what_suits_a_small_trained_model(nano_sd: Path, tmp_path: Path) -> None:
    model, fractions = nano(nano_sd), list[float]()
    processors = dict(model.unet.attn_processors)
    found = traits_of(model, tmp_path, fractions.append)
    assert found == NANO_TRAITS, "what is known of the built-in model is what the self-check finds"
    assert found != PUBLISHED
    assert fractions == sorted(fractions) and fractions[0] >= 0 and fractions[-1] <= 1 and len(fractions) > 6
    assert model.unet.attn_processors == processors
    assert traits_of(model, tmp_path, fractions.clear) == found  # type: ignore[arg-type]
    assert fractions


@pytest.mark.slow
def test_the_self_check_says_the_same_twice(nano_sd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traits, "_TRIALS", 1)
    monkeypatch.setattr(traits, "_LABELS", (261,))
    monkeypatch.setattr(traits, "_STRENGTHS", (0.4, 0.3))
    model = nano(nano_sd)
    seen: list[dict[Any, float]] = []

    def kept(inner: Callable[..., dict[Any, float]]) -> Callable[..., dict[Any, float]]:
        def look(*given: Any) -> dict[Any, float]:
            seen.append(inner(*given))
            return seen[-1]

        return look

    monkeypatch.setattr(traits, "_flow_errors", kept(traits._flow_errors))
    monkeypatch.setattr(traits, "_strength_errors", kept(traits._strength_errors))
    first, second = (traits.self_check(model, lambda fraction: None) for _ in range(2))
    assert first == second
    assert len(seen) == 4 and seen[:2] == seen[2:]
