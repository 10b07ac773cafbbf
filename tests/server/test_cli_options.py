"""What the options of `tweenbridge interpolate` mean, and what is said of those that mean nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tweenbridge.pixels import Encoding, SampleType
from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge.timing import Spacing, Timing
from tweenbridge_server.commands import options


def test_without_options_there_are_seven_evenly_spaced() -> None:
    assert options.timing(None, "linear", None, 1, False) == Timing(count=7)


def test_a_chart_says_how_many() -> None:
    timing = options.timing(None, "linear", "0.1, 0.5,0.9", 2, True)
    assert timing == Timing(count=None, chart=(0.1, 0.5, 0.9), hold=2, loop=True)
    assert options.timing(9, "linear", "0.5", 1, False).count == 9


def test_every_spacing_has_a_name() -> None:
    for spacing in Spacing:
        assert options.timing(3, spacing.value, None, 1, False).spacing is spacing


@pytest.mark.parametrize(
    ("spacing", "chart", "words"),
    [
        ("fast", None, "ease-in-out"),
        ("linear", "0.1;0.5", "commas"),
        ("linear", "", "rising"),
        ("linear", " , ", "rising"),
        ("linear", "0.5,0.1", "rising"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_right(spacing: str, chart: str | None, words: str) -> None:
    with pytest.raises(TweenbridgeError) as error:
        options.timing(7, spacing, chart, 1, False)
    assert (spacing if chart is None else chart) in str(error.value)
    assert words in error.value.remedy


def test_formats() -> None:
    assert options.output_format("") is None
    wanted = options.output_format("PNG16")
    assert wanted is not None
    assert (wanted.encoding, wanted.dtype) == (Encoding.PNG, SampleType.UINT16)
    with pytest.raises(TweenbridgeError, match="gif") as error:
        options.output_format("gif")
    assert "tiff16" in error.value.remedy


def test_settings_have_types() -> None:
    given = ["steps=25", "strength=0.5", "fast=yes", "slow=off", "model=some/name", "prompt=a=b"]
    assert options.engine_settings(given) == {
        "steps": 25, "strength": 0.5, "fast": True, "slow": False, "model": "some/name", "prompt": "a=b",
    }  # fmt: skip
    for wrong in ("steps", "=5", " =5"):
        with pytest.raises(TweenbridgeError, match="is not a setting"):
            options.engine_settings([wrong])


def test_text_stays_text_and_options_count_more_than_set() -> None:
    texts = options.text_settings("dreammover")
    assert {"model", "prompt"} <= texts
    assert options.text_settings("no such engine") == frozenset()
    given = options.engine_settings(
        ["prompt=24", "seed=3", "model=25"], {"prompt": None, "seed": 7, "model": None}, texts
    )
    assert given == {"prompt": "24", "seed": 7, "model": "25"}
    assert options.engine_settings([], {"model": None, "prompt": None, "seed": None}) == {}


def test_files_are_named_as_the_server_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toon").mkdir()
    (tmp_path / "fine.safetensors").touch()
    given = options.engine_settings(["lora=fine.safetensors", "vae=org/vae", "prompt=toon"], {"model": "toon"})
    assert given == {
        "model": str(tmp_path / "toon"), "lora": str(tmp_path / "fine.safetensors"), "vae": "org/vae", "prompt": "toon",
    }  # fmt: skip
    assert options.engine_settings(["model="]) == {"model": ""}
