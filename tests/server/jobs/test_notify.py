"""What the gateway hears, and how often."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from processor import Stopwatch
from tweenbridge.protocol.messages import JobInfo, JobState
from tweenbridge_server.jobs.notify import Change, Notifier


class Listener:
    def __init__(self) -> None:
        self.state: JobState | None = JobState.RUNNING
        self.changes: list[Change] = []
        self.times: list[float] = []
        self.block = threading.Event()
        self.block.set()
        self.notifier = Notifier(self._look_up, self._hear)
        self.notifier.start()

    def _look_up(self, job: str) -> JobInfo | None:
        return JobInfo(job, self.state, 9, 0, "blend", "plain") if self.state else None

    def _hear(self, change: Change) -> None:
        self.block.wait()
        self.changes.append(change)
        self.times.append(time.monotonic())


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.block.set()
    made.notifier.close()


def test_progress_comes_ten_times_a_second_and_the_last_always(listener: Listener) -> None:
    end = time.monotonic() + 0.55
    while time.monotonic() < end:
        listener.notifier.changed("j", "me")
        time.sleep(0.001)
    time.sleep(0.15)
    assert 3 <= len(listener.changes) <= 8
    assert listener.times[-1] >= end - 0.01


def test_every_ready_frame_comes_once_and_in_order(listener: Listener) -> None:
    for index in range(500):
        listener.notifier.changed("j", "me", (index,))
        listener.notifier.changed("k", "me", (1000 + index,))
    listener.notifier.close()
    for job, first in (("j", 0), ("k", 1000)):
        assert [i for c in listener.changes if c.job == job for i in c.ready] == list(range(first, first + 500))


def test_a_final_state_comes_at_once(listener: Listener) -> None:
    listener.notifier.changed("j", "me")
    time.sleep(0.03)
    listener.state = JobState.DONE
    watch, began = Stopwatch(), time.monotonic()
    listener.notifier.changed("j", "me", urgent=True)
    while len(listener.changes) < 2:
        assert time.monotonic() < began + 5
        time.sleep(0.001)
    assert watch.own() < 0.08
    assert listener.changes[-1].info is not None
    assert listener.changes[-1].info.state is JobState.DONE


def test_a_forgotten_job_has_no_info(listener: Listener) -> None:
    listener.state = None
    listener.notifier.changed("j", "me", urgent=True)
    listener.notifier.close()
    assert listener.changes == [Change("j", None, owner="me")]


def test_a_slow_listener_does_not_hold_up_the_service(listener: Listener) -> None:
    listener.block.clear()
    watch = Stopwatch()
    for index in range(1000):
        listener.notifier.changed("j", "me", (index,))
    assert watch.own() < 0.5
    listener.block.set()
    listener.notifier.close()
    assert sum(len(change.ready) for change in listener.changes) == 1000


def test_a_listener_s_mistake_ends_nothing(listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    listener.changes = None  # type: ignore[assignment]
    listener.notifier.changed("j", "me")
    time.sleep(0.05)
    listener.changes = []
    listener.notifier.changed("j", "me", urgent=True)
    listener.notifier.close()
    assert len(listener.changes) == 1
    assert "could not be passed on" in caplog.text
