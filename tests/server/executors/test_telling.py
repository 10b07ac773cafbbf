"""What engines say, on its way out: bounded, whatever they say."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from tweenbridge.protocol.limits import PREVIEW_BYTES, PREVIEW_SIDE
from tweenbridge_server.engines.base import Cancelled
from tweenbridge_server.executors import telling
from tweenbridge_server.executors.base import Advanced, Noted, Previewed, TaskEvent
from tweenbridge_server.executors.telling import MOST_NOTES, Telling


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(telling, "time", clock)
    return clock


@pytest.fixture
def told() -> list[TaskEvent]:
    return []


@pytest.fixture
def progress(told: list[TaskEvent], clock: Clock) -> Telling:
    return Telling(told.append, lambda: False)


def test_the_same_stage_is_reported_now_and_then(progress: Telling, told: list[TaskEvent], clock: Clock) -> None:
    for step in range(100):
        progress(step / 100, "working")
        clock.now += 0.01
    progress(float("nan"), "x" * 1000)
    progress(7, "end")
    assert 18 <= len(told) - 2 <= 26
    assert told[-2:] == [Advanced(0.0, "x" * 100), Advanced(1.0, "end")]


def test_a_cancelled_job_ends_at_the_next_report(told: list[TaskEvent]) -> None:
    with pytest.raises(Cancelled):
        Telling(told.append, lambda: True)(0.5, "working")
    assert told == []


def test_notes_are_said_once_and_bounded(progress: Telling, told: list[TaskEvent]) -> None:
    progress.note("tip", "Better.")
    progress.note("tip", "Better.")
    assert told == [Noted("tip", "Better.")]
    for number in range(1000):
        progress.note("c" * 5000, f"{number} " + "m" * 5000)
    assert len(told) == MOST_NOTES
    assert all(isinstance(event, Noted) and len(event.code) <= 100 for event in told)
    assert max(len(event.message) for event in told if isinstance(event, Noted)) == 1000


def levels(png: bytes) -> np.ndarray:
    """The samples of a PNG."""
    import cv2

    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(8, 6, (8, 6)), (256, 256, (256, 256)), (2160, 3840, (144, 256)), (3000, 4, (256, 1)), (300, 100, (256, 85))],
)
def test_a_preview_is_small_and_shows_the_picture(
    progress: Telling, told: list[TaskEvent], height: int, width: int, expected: tuple[int, int]
) -> None:
    pixels = np.empty((height, width, 3), np.float32)
    pixels[:] = (1.5, 0.4, -0.5)
    progress.preview(0.25, pixels)
    (event,) = told
    assert isinstance(event, Previewed)
    assert (event.t, event.height, event.width) == (0.25, *expected)
    shown = levels(event.png)
    assert shown.shape == (*expected, 3)
    assert (shown == (255, 102, 0)).all()


def test_the_largest_preview_fits_its_limit(progress: Telling, told: list[TaskEvent]) -> None:
    noise = np.random.default_rng(0).random((PREVIEW_SIDE, PREVIEW_SIDE, 3), np.float32)
    progress.preview(0.5, noise)
    (event,) = told
    assert isinstance(event, Previewed)
    assert len(event.png) <= PREVIEW_BYTES
    width, height = struct.unpack(">II", event.png[16:24])
    assert (width, height) == (event.width, event.height)
    assert zlib.crc32(event.png[12:29]) == struct.unpack(">I", event.png[29:33])[0]


def test_previews_come_twice_a_second_at_most(progress: Telling, told: list[TaskEvent], clock: Clock) -> None:
    for _ in range(100):
        progress.preview(0.5, np.zeros((4, 4, 3), np.float32))
        clock.now += 0.05
    assert len(told) == 10


@pytest.mark.parametrize(
    ("t", "pixels"),
    [
        (0.5, np.zeros((4, 4), np.float32)),
        (0.5, np.zeros((4, 4, 9), np.float32)),
        (0.5, np.zeros((0, 4, 3), np.float32)),
        (0.5, "picture"),
        (0.5, None),
        (float("nan"), np.zeros((4, 4, 3), np.float32)),
        (1.5, np.zeros((4, 4, 3), np.float32)),
    ],
)
def test_what_is_no_preview_is_left_out_and_logged_once(
    progress: Telling,
    told: list[TaskEvent],
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    t: float,
    pixels: np.ndarray,
) -> None:
    for _ in range(3):
        progress.preview(t, pixels)
        clock.now += 1
    assert told == []
    assert caplog.text.count("no picture") == 1


def test_values_that_are_no_numbers_do_no_harm(progress: Telling, told: list[TaskEvent]) -> None:
    progress.preview(0.5, np.full((4, 4, 3), np.nan, np.float32))
    (event,) = told
    assert isinstance(event, Previewed)
    assert (levels(event.png) == 0).all()
