"""What the options of `tweenbridge interpolate` mean, and what is said of those that mean nothing."""

from __future__ import annotations

import pytest
from tweenbridge.pixels import Encoding, SampleType
from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge.timing import Spacing, Timing
from tweenbridge_server.commands import options


def test_without_options_there_are_seven_evenly_spaced() -> None:
    assert options.timing(None, "linear", "", 1, False) == Timing(count=7)


def test_a_chart_says_how_many() -> None:
    timing = options.timing(None, "linear", "0.1, 0.5,0.9", 2, True)
    assert timing == Timing(count=None, chart=(0.1, 0.5, 0.9), hold=2, loop=True)
    assert options.timing(9, "linear", "0.5", 1, False).count == 9


def test_every_spacing_has_a_name() -> None:
    for spacing in Spacing:
        assert options.timing(3, spacing.value, "", 1, False).spacing is spacing


@pytest.mark.parametrize(("spacing", "chart", "words"), [("fast", "", "ease-in-out"), ("linear", "0.1;0.5", "commas")])
def test_what_is_wrong_is_named_with_what_is_right(spacing: str, chart: str, words: str) -> None:
    with pytest.raises(TweenbridgeError) as error:
        options.timing(7, spacing, chart, 1, False)
    assert (chart or spacing) in str(error.value)
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
