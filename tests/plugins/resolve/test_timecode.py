"""Timecode and frame numbers: every frame of a day at every rate, and what is no timecode."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tweenbridge_resolve import timecode
from tweenbridge_resolve.errors import PluginError
from tweenbridge_resolve.timecode import AbsoluteFrame, Rate, RelativeFrame, parse, parse_rate, text

RATES = {
    "23.976": Rate(24, True), "24": Rate(24), "25": Rate(25), "29.97": Rate(30, True), "29.97 DF": Rate(30, True, True),
    "30": Rate(30), "50": Rate(50), "59.94": Rate(60, True), "59.94 DF": Rate(60, True, True), "60": Rate(60),
}  # fmt: skip
DAY = {"29.97 DF": 2_589_408, "59.94 DF": 5_178_816}
"""Frames of 24 hours of drop frame, as SMPTE ST 12-1 has them; the others have 86,400 times the nominal rate."""


@pytest.fixture(params=RATES.items(), ids=RATES)
def named(request: pytest.FixtureRequest) -> tuple[str, Rate]:
    return request.param


def _numbers(hours: range, rate: Rate) -> np.ndarray:
    """All numbers that a clock of these hours shows, in order, by writing them down and striking out the dropped."""
    h, m, s, f = np.meshgrid(hours, np.arange(60), np.arange(60), np.arange(rate.nominal), indexing="ij")
    numbers = np.stack([h.ravel(), m.ravel(), s.ravel(), f.ravel()])
    if rate.drop:
        struck = (numbers[2] == 0) & (numbers[1] % 10 != 0) & (numbers[3] < rate.nominal // 15)
        numbers = numbers[:, ~struck]
    return numbers


def test_every_frame_of_a_day_has_its_number_and_every_number_its_frame(named: tuple[str, Rate]) -> None:
    name, rate = named
    frame = 0
    for hour in range(24):
        numbers = _numbers(range(hour, hour + 1), rate)
        frames = np.arange(frame, frame + numbers.shape[1])
        assert (np.stack(timecode.fields(frames, rate)) == numbers).all()
        assert (timecode.frame_of(*numbers, rate) == frames).all()
        frame += numbers.shape[1]
    assert frame == DAY.get(name, 86_400 * rate.nominal)


@given(rate=st.sampled_from(list(RATES.values())), part=st.floats(0, 1, exclude_max=True))
def test_text_and_back(rate: Rate, part: float) -> None:
    frame = int(part * 24 * 3600 * rate.nominal * 0.998)
    assert parse(text(frame, rate), rate) == frame


def test_text_around_every_minute_of_a_day_in_drop_frame() -> None:
    for rate in (RATES["29.97 DF"], RATES["59.94 DF"]):
        for minute in range(1, 24 * 60):
            first = timecode.frame_of(minute // 60, minute % 60, 0, rate.dropped if minute % 10 else 0, rate)
            before, after = text(first - 1, rate), text(first, rate)
            assert before.endswith(f":59;{rate.nominal - 1}")
            assert after.endswith(f":00;{rate.dropped if minute % 10 else 0:02}")
            assert (parse(before, rate), parse(after, rate)) == (first - 1, first)


def test_known_values() -> None:
    assert text(1800, RATES["29.97 DF"]) == "00:01:00;02"
    assert text(17982, RATES["29.97 DF"]) == "00:10:00;00"
    assert text(107_892, RATES["29.97 DF"]) == "01:00:00;00"
    assert text(86_400, RATES["23.976"]) == "01:00:00:00"
    assert text(107_999, RATES["29.97"]) == "00:59:59:29"
    assert parse("01:00:00;04", RATES["59.94 DF"]) == 215_788


@pytest.mark.parametrize(
    ("setting", "drop", "rate", "exact"),
    [
        ("23.976", False, Rate(24, True), Fraction(24000, 1001)),
        (23.976, False, Rate(24, True), Fraction(24000, 1001)),
        ("24", True, Rate(24), Fraction(24)),
        (25.0, False, Rate(25), Fraction(25)),
        ("29.97", True, Rate(30, True, True), Fraction(30000, 1001)),
        ("29.97 DF", False, Rate(30, True, True), Fraction(30000, 1001)),
        ("30", True, Rate(30), Fraction(30)),
        ("47.952", False, Rate(48, True), Fraction(48000, 1001)),
        (59.94, True, Rate(60, True, True), Fraction(60000, 1001)),
        ("119.88", True, Rate(120, True, True), Fraction(120000, 1001)),
    ],
)
def test_rates_as_resolve_says_them(setting: str | float, drop: bool, rate: Rate, exact: Fraction) -> None:
    assert parse_rate(setting, drop) == rate
    assert rate.exact == exact
    assert parse_rate(str(rate)) == rate


@pytest.mark.parametrize("setting", ["", "fast", "0", "-24", "nan", "inf", "1e9"])
def test_what_is_no_rate(setting: str) -> None:
    with pytest.raises(PluginError, match="which is not a rate"):
        parse_rate(setting)


@pytest.mark.parametrize(
    "wrong", ["", "01:00:00", "01:00:00:24", "01:60:00:00", "01:00:60:00", "a:b:c:d", "-1:00:00:00"]
)
def test_what_is_no_timecode(wrong: str) -> None:
    with pytest.raises(PluginError, match="is not a timecode at 24 frames"):
        parse(wrong, RATES["24"])


@pytest.mark.parametrize(("number", "rate"), [("00:01:00;01", "29.97 DF"), ("00:59:00;03", "59.94 DF")])
def test_numbers_that_drop_frame_leaves_out_are_refused(number: str, rate: str) -> None:
    with pytest.raises(PluginError, match="is not a timecode"):
        parse(number, RATES[rate])


def test_frames_before_timecode_zero_have_none() -> None:
    with pytest.raises(PluginError, match="lies before timecode"):
        text(-1, RATES["24"])


@given(start=st.integers(0, 10**7), frame=st.integers(-(10**6), 10**7))
def test_frame_spaces(start: int, frame: int) -> None:
    absolute = timecode.absolute(RelativeFrame(frame), AbsoluteFrame(start))
    assert absolute == start + frame
    assert timecode.relative(absolute, AbsoluteFrame(start)) == frame
