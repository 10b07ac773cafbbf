"""What the tray asks of everybody's jobs: another order, a pause, another try, a closer look."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import Bench, flat, request
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobState, Priority
from tweenbridge.protocol.oversight import GapInfo, GetThumbnail
from tweenbridge_server.jobs.job import JobRecord

A, B, C = flat(10), flat(60), flat(110)


@pytest.fixture
def paused(bench: Bench) -> Iterator[Bench]:
    bench.service.oversight.pause(True)
    yield bench


def order_of(bench: Bench) -> list[str]:
    """Jobs in the order in which they were finished."""
    finished = [change.job for change in bench.changes if change.info and change.info.state is JobState.DONE]
    return list(dict.fromkeys(finished))


def test_paused_nothing_is_begun_until_it_goes_on(paused: Bench) -> None:
    paused.send("j", [A, B])
    time.sleep(0.5)
    assert paused.service.info("j").state is JobState.QUEUED
    assert not paused.computed()
    paused.service.oversight.pause(False)
    assert paused.wait("j").state is JobState.DONE


def test_a_gap_at_work_is_finished_before_the_pause(bench: Bench) -> None:
    bench.send("j", [A, B, C], request([A, B, C], settings={"seconds": 0.1}))
    bench.wait_for(lambda: bench.computed())
    bench.service.oversight.pause(True)
    bench.wait_for(lambda: bench.service.oversight.details("j").gaps[0].done == 3)
    time.sleep(0.4)
    assert bench.service.oversight.details("j").gaps[1] == GapInfo(3, 0, 0.0)
    assert bench.service.info("j").state is JobState.RUNNING
    bench.service.oversight.pause(False)
    assert bench.wait("j").done == 6


def test_a_raised_job_overtakes_and_its_frames_are_made_once(paused: Bench) -> None:
    for number in range(4):
        paused.send(f"j{number}", [flat(10 * number), flat(200 - number)])
    oversight = paused.service.oversight
    for priority in (Priority.INTERACTIVE, Priority.BACKGROUND, Priority.NORMAL, Priority.INTERACTIVE):
        assert oversight.set_priority("j3", priority).priority is priority
    oversight.pause(False)
    for number in range(4):
        paused.wait(f"j{number}")
    paused.wait_for(lambda: len(order_of(paused)) == 4)
    assert order_of(paused) == ["j3", "j0", "j1", "j2"]
    assert set(paused.computed().values()) == {1}


def test_priority_survives_a_restart_and_leaves_finished_jobs_alone(tmp_path: Path) -> None:
    with Bench(tmp_path / "home") as bench:
        bench.send("done", [A, B])
        bench.wait("done")
        assert bench.service.oversight.set_priority("done", Priority.INTERACTIVE).priority is Priority.NORMAL
        bench.service.oversight.pause(True)
        bench.send("j", [A, C])
        bench.service.oversight.set_priority("j", Priority.INTERACTIVE)
    with Bench(tmp_path / "home") as bench:
        assert not bench.service.oversight.paused
        assert bench.wait("j").priority is Priority.INTERACTIVE


def test_a_failed_job_goes_on_from_anywhere(bench: Bench) -> None:
    bench.send("j", [A, B], request([A, B], settings={"mischief": "exit once", "seconds": 0.01}))
    bench.service.cancel("j")
    cancelled: JobRecord = bench.service.record("j")
    assert cancelled.state is JobState.CANCELLED
    assert bench.service.oversight.retry("j").state in (JobState.QUEUED, JobState.RUNNING)
    assert bench.wait("j").state is JobState.DONE
    assert bench.service.record("j").owner == cancelled.owner
    assert bench.service.oversight.retry("j").state is JobState.DONE, "a finished job stays as it is"


def test_without_its_keyframes_a_job_cannot_go_on(bench: Bench) -> None:
    bench.submit("j", request([A, B]))
    bench.service.cancel("j")
    with pytest.raises(TweenbridgeError) as refused:
        bench.service.oversight.retry("j")
    assert refused.value.code is ErrorCode.EXPIRED
    assert bench.service.info("j").state is JobState.CANCELLED


def test_details_tell_how_far_each_gap_is(bench: Bench) -> None:
    wanted = request([A, B, C], settings={"seconds": 0.15})
    bench.send("j", [A, B, C], wanted)
    bench.wait_for(lambda: 0 < bench.service.oversight.details("j").gaps[0].fraction < 1)
    moving = bench.service.oversight.details("j")
    assert moving.request == wanted
    assert moving.gaps[1] == GapInfo(3, 0)
    bench.wait_for(lambda: bench.service.oversight.details("j").gaps[0].eta is not None)
    bench.wait("j")
    over = bench.service.oversight.details("j")
    assert (over.gaps, over.ready) == ((GapInfo(3, 3, 1.0), GapInfo(3, 3, 1.0)), tuple(range(6)))


def test_details_of_a_job_that_failed_half_way(bench: Bench) -> None:
    bench.send("j", [A, B], request([A, B], settings={"mischief": "raise", "at": 0.5}))
    assert bench.wait("j").state is JobState.FAILED
    bench.wait_for(lambda: bench.service.oversight.details("j").ready == (0,))
    (gap,) = bench.service.oversight.details("j").gaps
    assert (gap.total, gap.done, gap.eta) == (3, 1, None)


def test_thumbnails_of_keyframes_and_frames(bench: Bench) -> None:
    wide = flat(200, width=64, height=16)
    bench.send("j", [wide, flat(100, width=64, height=16)])
    bench.wait("j")
    oversight = bench.service.oversight
    picture = oversight.thumbnail(GetThumbnail("j", keyframe=0, side=32))
    assert (picture.width, picture.height) == (32, 8)
    assert picture.png.startswith(b"\x89PNG")
    assert oversight.thumbnail(GetThumbnail("j", frame=2)).width == 64, "small pictures stay as they are"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (GetThumbnail("j"), ErrorCode.BAD_REQUEST),
        (GetThumbnail("j", frame=0, keyframe=0), ErrorCode.BAD_REQUEST),
        (GetThumbnail("j", keyframe=2), ErrorCode.BAD_REQUEST),
        (GetThumbnail("j", keyframe=0, side=4096), ErrorCode.BAD_REQUEST),
        (GetThumbnail("j", frame=1), ErrorCode.NOT_READY),
        (GetThumbnail("k", keyframe=0), ErrorCode.UNKNOWN_JOB),
        (GetThumbnail("j", keyframe=1), ErrorCode.EXPIRED),
    ],
)
def test_thumbnails_that_there_are_none_of(paused: Bench, wanted: GetThumbnail, code: ErrorCode) -> None:
    paused.submit("j", request([A, B]))
    paused.service.put("j", 0, memoryview(A))
    with pytest.raises(TweenbridgeError) as refused:
        paused.service.oversight.thumbnail(wanted)
    assert refused.value.code is code


def test_a_damaged_file_is_named_and_the_next_is_shown(bench: Bench, tmp_path: Path) -> None:
    thumbnailer = bench.service.oversight._thumbnailer
    damaged, whole = tmp_path / "a.png", tmp_path / "b.png"
    damaged.write_bytes(A[:40])
    whole.write_bytes(A)
    with pytest.raises(TweenbridgeError, match=r"^a\.png is damaged"):
        thumbnailer.make(damaged, PixelFormat(Encoding.PNG), "a.png", 64)
    assert thumbnailer.make(whole, PixelFormat(Encoding.PNG), "b", 64).width == 16
