"""A wall clock that is set makes nothing old, and nothing goes for its age before the clock can be trusted."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bench import Bench, flat, request
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobState
from tweenbridge_server.jobs import housekeeping
from tweenbridge_server.jobs.housekeeping import Housekeeper, WallClock
from tweenbridge_server.jobs.retention import Retention

DAY = 86400.0
PICTURES = [flat(10), flat(90)]


class Clock:
    """A wall clock that can be set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.offset = 0.0
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + self.offset)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.parametrize("days", [30.0, -30.0, 4000.0])
def test_a_clock_that_is_set_makes_nothing_old(tmp_path: Path, clock: Clock, days: float) -> None:
    with Bench(tmp_path / "home", retention=Retention(max_age=7 * DAY)) as bench:
        bench.send("done", PICTURES)
        bench.wait("done")
        bench.submit("waits", request([flat(20), flat(30)]))
        clock.offset += days * DAY
        bench.service.keep_house()
        assert bench.service.info("done").state is JobState.DONE
        assert len([bench.bytes_of("done", frame) for frame in range(3)]) == 3
        assert bench.service.info("waits").state is JobState.RECEIVING
        assert abs(time.time() - bench.service.info("done").created) < 60, "it was made just now by the new clock, too"
        clock.offset -= days * DAY
        bench.service.keep_house()
        assert bench.service.info("done").state is JobState.DONE
        assert abs(time.time() - bench.service.info("waits").created) < 60
        assert len([bench.bytes_of("done", frame) for frame in range(3)]) == 3


def test_time_that_passes_is_no_step_of_the_clock(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[float] = []
    watch = WallClock()
    watch.follow(steps.append)
    assert steps == []
    clock.offset = 3600.0
    watch.follow(steps.append)
    watch.follow(steps.append)
    assert steps == [pytest.approx(3600, abs=1)]
    later = housekeeping.steady() + 9 * DAY
    monkeypatch.setattr(housekeeping, "steady", lambda: later)
    clock.offset += 9 * DAY
    watch.follow(steps.append)
    assert len(steps) == 1, "both clocks went on"


def test_a_step_that_could_not_be_followed_is_told_again(clock: Clock) -> None:
    steps: list[float] = []

    def refuse(step: float) -> None:
        raise TweenbridgeError(ErrorCode.DISK_FULL, "Full.")

    watch = WallClock()
    clock.offset = -9 * DAY
    with pytest.raises(TweenbridgeError):
        watch.follow(refuse, steps.append)
    watch.follow(steps.append)
    assert steps == [pytest.approx(-9 * DAY, abs=1)]


def test_nothing_goes_for_its_age_in_the_first_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []
    now = [1000.0]
    monkeypatch.setattr(housekeeping, "steady", lambda: now[0])
    keeper = Housekeeper(told.append, interval=0.01)
    keeper.start()
    _wait_for(lambda: len(told) >= 2)
    assert not any(told)
    now[0] += housekeeping.AGE_COUNTS_AFTER
    _wait_for(lambda: told[-1])
    keeper.close()


def _wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
