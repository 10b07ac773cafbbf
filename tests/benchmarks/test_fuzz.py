"""What fuzzing has found worth keeping is replayed: no target may fail, none may take long."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tweenbridge_server.imaging import headers

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
fuzz: Any = importlib.import_module("fuzz.targets")
runner: Any = importlib.import_module("fuzz.run")

SLOWEST = 5.0
"""Seconds that one small input may take on a busy machine."""


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # A target lowers it.
    monkeypatch.setattr(headers, "MAX_PIXELS", headers.MAX_PIXELS)
    yield


@pytest.mark.parametrize("name", [name for name in fuzz.TARGETS if name not in fuzz.WITH_TORCH])
def test_the_corpus_is_replayed_without_a_find(name: str) -> None:
    inputs = runner.load_corpus(name)
    assert len(inputs) > 5
    for data in [*inputs, *fuzz.seeds(name)]:
        began = time.monotonic()
        try:
            fuzz.TARGETS[name](data)
        except Exception as error:
            raise AssertionError(f"{name} fails at {data!r}") from error
        assert time.monotonic() - began < SLOWEST, data


@pytest.mark.slow
def test_checkpoints_are_replayed_without_a_find() -> None:
    for library in ("torch", "diffusers", "transformers"):
        if importlib.util.find_spec(library) is None:
            pytest.skip("The dreammover engine's libraries are not installed.")
    inputs = runner.load_corpus("checkpoint")
    assert len(inputs) > 5
    for data in inputs:
        fuzz.TARGETS["checkpoint"](data)


@pytest.mark.parametrize("name", ["wire", "opening", "png", "weights"])
def test_a_target_tells_what_must_not_happen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that could not fail would prove nothing."""

    def wrong(*_arguments: object, **_options: object) -> None:
        raise IndexError

    places = {
        "wire": ("tweenbridge.protocol.codec.from_plain", wrong),
        "opening": ("tweenbridge.protocol.handshake.matches", lambda *_: True),
        "png": ("tweenbridge_server.imaging.headers._check_png", wrong),
        "weights": ("tweenbridge_server.engines.dreammover.recognise.json.loads", wrong),
    }
    place, behaviour = places[name]
    if name != "weights":
        monkeypatch.setattr(place, behaviour)
    else:
        monkeypatch.setattr(fuzz, "recognise", behaviour)
    with pytest.raises((IndexError, AssertionError)):
        for data in [*runner.load_corpus(name), *fuzz.seeds(name), bytes(range(256))]:
            fuzz.TARGETS[name](data)
