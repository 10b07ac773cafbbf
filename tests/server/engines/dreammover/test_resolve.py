"""What the gateway finds out about a dreammover job, without torch and without a model being loaded."""

from __future__ import annotations

import importlib.util
import json
import struct
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.engines import registry
from tweenbridge_server.engines.dreammover.builtin import NANO

TINY = Path(__file__).resolve().parents[5] / "shared/golden/tiny-sd"


def resolved(profile: str = "standard", **settings: Any) -> registry.Resolved:
    profile, complete = registry.check("dreammover", profile, settings)
    return registry.resolve("dreammover", profile, complete, Path("/nowhere"))


def refused(**settings: Any) -> TweenbridgeError:
    with pytest.raises(TweenbridgeError) as error:
        resolved(**settings)
    return error.value


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every library were installed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: ModuleSpec(name, None))


def test_a_missing_library_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else there(name))
    error = refused(model="somewhere")
    assert error.code is ErrorCode.MODEL_FAILED
    assert "torch" in str(error)
    assert "bootstrap.py setup" in error.remedy


@pytest.mark.usefixtures("libraries")
def test_a_missing_model_is_said(tmp_path: Path) -> None:
    assert refused(model=str(tmp_path / "nothing")).code is ErrorCode.MODEL_MISSING


@pytest.mark.usefixtures("libraries")
def test_without_a_model_it_is_the_built_in_one_and_that_is_said() -> None:
    found = resolved()
    assert found.settings["model"] == str(NANO)
    assert [note.code for note in found.notes] == ["demonstration_model"]


@pytest.mark.usefixtures("libraries")
def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    header = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "odd.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    assert refused(model=str(tmp_path / "odd.safetensors")).code is ErrorCode.MODEL_FAILED


@pytest.mark.usefixtures("libraries")
def test_a_model_resolves_to_its_place_and_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not TINY.is_dir():
        pytest.skip("The small test model is not beside this checkout.")
    monkeypatch.chdir(TINY.parent)
    found = resolved(model=TINY.name, seed=7)
    assert found.settings["model"] == str(TINY.resolve())
    assert (found.settings["vae"], found.settings["lora"], found.settings["seed"]) == ("", "", 7)
    assert len(found.identity) >= 16
    assert not found.whole_shot
    best = resolved("best", model=str(TINY))
    assert best.whole_shot
    assert best.identity == found.identity
    again = registry.resolve("dreammover", "standard", found.settings, tmp_path)
    assert again == found
