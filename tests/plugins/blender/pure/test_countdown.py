"""The time left is said once it is settled, and not before."""

from __future__ import annotations

import pytest
from tween_blender.countdown import Countdown


def told(estimates: list[tuple[float, float | None]]) -> list[float | None]:
    """What is shown after each estimate."""
    countdown, shown = Countdown(), []
    for now, left in estimates:
        countdown.add(now, left)
        shown.append(countdown.left(now))
    return shown


def test_nothing_is_said_in_the_first_two_seconds() -> None:
    assert told([(0.1 * i, 60.0 - 0.1 * i) for i in range(20)]) == [None] * 20


def test_a_steady_estimate_is_said() -> None:
    assert told([(0.1 * i, 60.0 - 0.1 * i) for i in range(31)])[-1] == pytest.approx(57.0)


def test_an_estimate_that_jumps_is_not_said_until_it_agrees_again() -> None:
    steady = [(0.1 * i, 60.0 - 0.1 * i) for i in range(31)]
    after = [(3.0 + 0.1 * i, 300.0 - 0.1 * i) for i in range(1, 31)]
    shown = told(steady + after)
    assert shown[31:50] == [None] * 19
    assert shown[-1] == pytest.approx(297.0)


def test_what_nobody_knows_is_not_said() -> None:
    assert told([(0.1 * i, 60.0) for i in range(31)] + [(3.1, None)])[-1] is None


def test_it_is_never_less_than_nothing() -> None:
    countdown = Countdown()
    for i in range(31):
        countdown.add(0.1 * i, max(0.0, 2.0 - 0.1 * i))
    assert countdown.left(3.0) == 0.0
