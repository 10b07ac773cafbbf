"""The job service with real workers: what a client sees of it."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest
from bench import Bench, flat, keyframe, request
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import Limits
from tweenbridge.protocol.messages import JobRequest, JobState, Priority
from tweenbridge.timing import Timing

PICTURES = [flat(10), flat(60), flat(110)]


def code(error: pytest.ExceptionInfo[TweenbridgeError]) -> ErrorCode:
    assert str(error.value).endswith(".")
    assert error.value.remedy
    return error.value.code


def test_from_submit_to_frames(bench: Bench) -> None:
    accepted = bench.send("j", PICTURES)
    assert (accepted.state, accepted.need, accepted.done, accepted.total) == (JobState.RECEIVING, (0, 1, 2), (), 6)
    done = bench.wait("j")
    assert (done.state, done.done, done.fraction, done.error) == (JobState.DONE, 6, 1.0, None)
    for frame in range(6):
        assert bench.bytes_of("j", frame).startswith(b"\x89PNG")
    assert bench.service.counts()["done"] == 1
    bench.wait_for(lambda: len(bench.ready_of("j")) == 6)
    assert sorted(bench.ready_of("j")) == list(range(6))
    assert bench.changes[-1].info == done


def test_the_same_submit_again_is_the_same_job(bench: Bench) -> None:
    first = bench.submit("j", request(PICTURES))
    assert bench.submit("j", request(PICTURES)) == first
    bench.send("j", PICTURES)
    bench.wait("j")
    again = bench.submit("j", request(PICTURES))
    assert (again.state, again.need, again.done) == (JobState.DONE, (), tuple(range(6)))
    assert set(bench.computed().values()) == {1}


def test_the_same_id_with_another_request_is_a_conflict(bench: Bench) -> None:
    bench.submit("j", request(PICTURES))
    with pytest.raises(TweenbridgeError) as refused:
        bench.submit("j", request(PICTURES, count=4))
    assert code(refused) is ErrorCode.CONFLICT


def test_a_keyframe_that_the_spool_has_is_not_needed(bench: Bench) -> None:
    bench.send("j", PICTURES)
    bench.wait("j")
    assert bench.submit("k", request([PICTURES[1], flat(200)])).need == (1,)


def test_equal_keyframes_are_needed_once(bench: Bench) -> None:
    accepted = bench.send("j", [PICTURES[0], PICTURES[1], PICTURES[0]])
    assert accepted.need == (0, 1)
    assert bench.wait("j").state is JobState.DONE


def test_two_jobs_share_their_frames(bench: Bench) -> None:
    wanted = request(PICTURES, settings={"seconds": 0.05})
    bench.send("j", PICTURES, wanted)
    bench.send("k", PICTURES[:2], request(PICTURES[:2], settings={"seconds": 0.05}))
    bench.wait("j"), bench.wait("k")
    assert len(bench.computed()) == 6
    assert set(bench.computed().values()) == {1}
    assert [bench.bytes_of("j", frame) for frame in range(3)] == [bench.bytes_of("k", frame) for frame in range(3)]


def test_a_changed_keyframe_costs_its_two_gaps(bench: Bench) -> None:
    pictures = [flat(level) for level in (10, 60, 110, 160, 210)]
    bench.send("j", pictures)
    bench.wait("j")
    before = bench.computed()
    accepted = bench.send("k", [*pictures[:2], flat(111), *pictures[3:]])
    bench.wait("k")
    assert accepted.done == (0, 1, 2, 9, 10, 11)
    assert len(bench.computed() - before) == 6


def test_times_0_and_1_are_copies_of_the_keyframes(bench: Bench) -> None:
    wanted = request(PICTURES[:2], timing=Timing(count=3, chart=(0.0, 0.5, 1.0)))
    bench.send("j", PICTURES[:2], wanted)
    bench.wait("j")
    assert bench.bytes_of("j", 0) == PICTURES[0]
    assert bench.bytes_of("j", 2) == PICTURES[1]
    assert len(bench.computed()) == 1


def test_a_timing_chart_may_go_back_and_repeat(bench: Bench) -> None:
    wanted = request(PICTURES[:2], timing=Timing(count=4, chart=(0.75, 0.25, 0.25, 0.75)))
    bench.send("j", PICTURES[:2], wanted)
    assert bench.wait("j").done == 4
    frames = [bench.bytes_of("j", frame) for frame in range(4)]
    assert frames[0] == frames[3] != frames[1] == frames[2]
    assert len(bench.computed()) == 2


def test_identical_keyframes_are_copied_and_a_note_says_so(bench: Bench) -> None:
    bench.send("j", [PICTURES[0], PICTURES[0], PICTURES[1]])
    done = bench.wait("j")
    assert [(note.code, note.gap) for note in done.notes] == [("identical", 0)]
    assert {bench.bytes_of("j", frame) for frame in range(3)} == {PICTURES[0]}
    assert len(bench.computed()) == 3
    bench.service.release("j")
    bench.send("k", [PICTURES[0], PICTURES[0], PICTURES[1]])
    assert bench.wait("k").notes == done.notes


def test_a_job_without_in_betweens_is_done_at_once(bench: Bench) -> None:
    accepted = bench.submit("j", request(PICTURES, count=0))
    assert (accepted.state, accepted.need, accepted.total) == (JobState.DONE, (), 0)


def test_an_interactive_job_goes_before_a_long_one_at_the_next_gap(bench: Bench) -> None:
    long = [flat(level) for level in range(10, 90, 10)]
    slow = {"seconds": 0.05}
    bench.send("long", long, request(long, settings=slow))
    bench.wait("long", JobState.RUNNING)
    bench.send("now", PICTURES[:2], request(PICTURES[:2], settings=slow), priority=Priority.INTERACTIVE)
    bench.wait("now")
    after_how_many = bench.service.info("long").done
    assert after_how_many < 15
    bench.wait("long")


# ---------------------------------------------------------------- refusals


def changed(wanted: JobRequest, **fields: Any) -> JobRequest:
    first = dataclasses.replace(wanted.keyframes[0], **fields)
    return dataclasses.replace(wanted, keyframes=(first, *wanted.keyframes[1:]))


BASE = request(PICTURES)
RAW = PixelFormat(Encoding.RAW, width=16, height=12, channels=3)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (changed(BASE, sha256="../../../../etc/passwd"), ErrorCode.BAD_REQUEST),
        (changed(BASE, sha256="A" * 64), ErrorCode.BAD_REQUEST),
        (changed(BASE, sha256="a" * 64 + "\n"), ErrorCode.BAD_REQUEST),
        (changed(BASE, size=0), ErrorCode.BAD_KEYFRAME),
        (changed(BASE, size=-5), ErrorCode.BAD_KEYFRAME),
        (changed(BASE, size=2**40), ErrorCode.TOO_LARGE),
        (changed(BASE, format=RAW), ErrorCode.UNSUPPORTED_FORMAT),
        (changed(BASE, position=10**17), ErrorCode.BAD_REQUEST),
        (dataclasses.replace(BASE, keyframes=BASE.keyframes[:1]), ErrorCode.BAD_REQUEST),
        (dataclasses.replace(BASE, keyframes=BASE.keyframes * 99), ErrorCode.TOO_LARGE),
        (dataclasses.replace(BASE, keyframes=tuple(reversed(BASE.keyframes))), ErrorCode.BAD_REQUEST),
        (dataclasses.replace(BASE, timing=Timing(count=6000)), ErrorCode.TOO_LARGE),
        (dataclasses.replace(BASE, timing=Timing(count=2**62)), ErrorCode.TOO_LARGE),
        (dataclasses.replace(BASE, timing=Timing(hold=0)), ErrorCode.BAD_REQUEST),
        (dataclasses.replace(BASE, engine="teleport"), ErrorCode.BAD_REQUEST),
        (dataclasses.replace(BASE, profile="best"), ErrorCode.BAD_REQUEST),
        (dataclasses.replace(BASE, settings={"seconds": 99.0}), ErrorCode.BAD_REQUEST),
    ],
)
def test_a_bad_request_is_refused_in_a_sentence(bench: Bench, wanted: JobRequest, expected: ErrorCode) -> None:
    with pytest.raises(TweenbridgeError) as refused:
        bench.submit("j", wanted)
    assert code(refused) is expected
    assert bench.service.jobs(9) == ()


@pytest.mark.parametrize("job", ["", "a" * 65, "../x", "a b", "a\n", "ä"])
def test_a_bad_job_id_is_refused(bench: Bench, job: str) -> None:
    with pytest.raises(TweenbridgeError) as refused:
        bench.submit(job, BASE)
    assert code(refused) is ErrorCode.BAD_REQUEST


def test_a_full_server_says_when_to_come_back(tmp_path: Path) -> None:
    with Bench(tmp_path / "home", Limits(queued_jobs=3, jobs_per_client=2)) as bench:
        bench.submit("a", BASE)
        bench.submit("b", BASE)
        with pytest.raises(TweenbridgeError) as refused:
            bench.submit("c", BASE)
        assert code(refused) is ErrorCode.BUSY
        assert refused.value.info.retry_after
        bench.submit("c", BASE, owner="somebody else")
        with pytest.raises(TweenbridgeError):
            bench.submit("d", BASE, owner="a third")
        bench.service.cancel("a")
        bench.submit("d", BASE, owner="a third")


# ---------------------------------------------------------------- keyframes


def test_damaged_bytes_may_be_sent_again(bench: Bench) -> None:
    bench.submit("j", BASE)
    for wrong in (PICTURES[1], PICTURES[0][:-1], b"", PICTURES[0] + b"x"):
        with pytest.raises(TweenbridgeError) as refused:
            bench.service.put("j", 0, memoryview(wrong))
        assert code(refused) is ErrorCode.BAD_KEYFRAME
        assert "k0.png" in str(refused.value)
    assert bench.service.put("j", 0, memoryview(PICTURES[0])).need == (1, 2)
    assert bench.service.put("j", 0, memoryview(PICTURES[0])).need == (1, 2)
    for index in (1, 2):
        bench.service.put("j", index, memoryview(PICTURES[index]))
    assert bench.wait("j").state is JobState.DONE


def test_a_file_of_another_kind_fails_the_job(bench: Bench) -> None:
    text = b"this is no picture"
    wanted = JobRequest((keyframe(text, 0), keyframe(PICTURES[1], 9)), engine="blend")
    bench.submit("j", wanted)
    with pytest.raises(TweenbridgeError) as refused:
        bench.service.put("j", 0, memoryview(text))
    assert code(refused) is ErrorCode.BAD_KEYFRAME
    failed = bench.wait("j")
    assert failed.error == refused.value.info


def test_an_unreadable_keyframe_fails_the_job_by_name(bench: Bench) -> None:
    broken = PICTURES[0][:50] + b"\0" * 60
    bench.send("j", [broken, PICTURES[1]])
    failed = bench.wait("j")
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert failed.error.code is ErrorCode.BAD_KEYFRAME
    assert "k0.png" in failed.error.message


def test_keyframes_of_unequal_size_fail_the_job_naming_both(bench: Bench) -> None:
    bench.send("j", [PICTURES[0], flat(60, width=17)])
    failed = bench.wait("j")
    assert failed.error is not None
    assert failed.error.code is ErrorCode.BAD_KEYFRAME
    assert "k0.png" in failed.error.message
    assert "k100.png" in failed.error.message


def test_put_to_what_is_not_there(bench: Bench) -> None:
    with pytest.raises(TweenbridgeError) as refused:
        bench.service.put("nobody", 0, memoryview(b""))
    assert code(refused) is ErrorCode.UNKNOWN_JOB
    bench.submit("j", BASE)
    for index in (-1, 3):
        with pytest.raises(TweenbridgeError) as refused:
            bench.service.put("j", index, memoryview(b""))
        assert code(refused) is ErrorCode.BAD_REQUEST


# ---------------------------------------------------------------- fetch, cancel, release


def test_frames_that_cannot_be_had(bench: Bench) -> None:
    bench.submit("j", BASE)
    for job, frame, expected in (
        ("nobody", 0, ErrorCode.UNKNOWN_JOB),
        ("j", 0, ErrorCode.NOT_READY),
        ("j", 6, ErrorCode.BAD_REQUEST),
        ("j", -1, ErrorCode.BAD_REQUEST),
    ):
        with pytest.raises(TweenbridgeError) as refused:
            bench.service.frame(job, frame)
        assert code(refused) is expected
    bench.service.cancel("j")
    with pytest.raises(TweenbridgeError) as refused:
        bench.service.frame("j", 0)
    assert code(refused) is ErrorCode.CANCELLED


@pytest.mark.parametrize("how", ["deleted", "cut off"])
def test_a_frame_somebody_removed_is_expired_and_made_again(bench: Bench, how: str) -> None:
    bench.send("j", PICTURES)
    bench.wait("j")
    path = bench.service.frame("j", 2).path
    before = path.read_bytes()
    path.unlink()
    if how == "cut off":
        path.write_bytes(before[:20])
    with pytest.raises(TweenbridgeError) as refused:
        bench.service.frame("j", 2)
    assert code(refused) is ErrorCode.EXPIRED
    path.unlink(missing_ok=True)
    again = bench.submit("j", request(PICTURES))
    assert again.done == (0, 1, 3, 4, 5)
    bench.wait("j")
    assert bench.bytes_of("j", 2) == before
    assert sum(bench.computed().values()) == 7


def test_cancelling_stops_soon_and_the_rest_is_made_when_submitted_again(bench: Bench) -> None:
    wanted = request(PICTURES, count=9, settings={"seconds": 0.03})
    bench.send("j", PICTURES, wanted)
    bench.wait_for(lambda: bench.service.info("j").done >= 2)
    info = bench.service.cancel("j")
    assert info.state is JobState.CANCELLED
    assert bench.service.cancel("j").state is JobState.CANCELLED
    bench.wait_for(lambda: bench.service.workers()[0].state == "idle", seconds=2.0)
    computed = sum(bench.computed().values())
    assert computed < 18
    bench.bytes_of("j", 0)
    again = bench.submit("j", wanted)
    assert again.need == ()
    assert len(again.done) >= 2
    done = bench.wait("j")
    assert (done.state, done.done) == (JobState.DONE, 18)
    assert set(bench.computed().values()) == {1}


def test_released_jobs_are_gone_but_their_frames_stay_for_others(bench: Bench) -> None:
    bench.send("j", PICTURES)
    bench.wait("j")
    bench.service.release("j")
    with pytest.raises(TweenbridgeError) as refused:
        bench.service.info("j")
    assert code(refused) is ErrorCode.UNKNOWN_JOB
    bench.wait_for(lambda: bench.changes and bench.changes[-1].info is None)
    assert bench.submit("k", request(PICTURES)).state is JobState.DONE


def test_releasing_a_running_job_stops_it(bench: Bench) -> None:
    wanted = request(PICTURES, settings={"seconds": 0.2})
    bench.send("j", PICTURES, wanted)
    bench.wait("j", JobState.RUNNING)
    bench.service.release("j")
    bench.send("j", PICTURES, wanted)
    assert bench.wait("j").state is JobState.DONE
    assert set(bench.computed().values()) <= {1, 2}


def test_lists(bench: Bench) -> None:
    for number in range(4):
        bench.submit(f"j{number}", request(PICTURES, count=number + 1))
    bench.service.cancel("j1")
    assert [info.job for info in bench.service.jobs(3)] == ["j3", "j2", "j1"]
    assert [info.job for info in bench.service.snapshot()] == ["j0", "j2", "j3", "j1"]
    assert bench.service.counts()["receiving"] == 3
    assert "blend" in [engine.name for engine in bench.service.engines()]


def test_progress_rises_and_estimates_the_time_left(bench: Bench) -> None:
    bench.send("j", PICTURES, request(PICTURES, count=6, settings={"seconds": 0.06}))
    bench.wait("j")
    bench.wait_for(lambda: bench.changes[-1].info and bench.changes[-1].info.state.is_final)
    infos = [change.info for change in bench.changes if change.info]
    fractions = [info.fraction for info in infos]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {"blending"} <= {info.stage for info in infos}
    estimates = [info.eta for info in infos if info.eta is not None and info.fraction > 0.5]
    assert estimates
    assert all(0 <= eta < 10 for eta in estimates)


def test_progress_is_throttled_and_nothing_is_lost(bench: Bench) -> None:
    began = time.monotonic()
    bench.send("j", PICTURES, request(PICTURES, count=40))
    bench.wait("j")
    bench.wait_for(lambda: bench.changes[-1].info and bench.changes[-1].info.state.is_final)
    # The last drawing may follow the news that the job is done.
    bench.wait_for(lambda: len(bench.ready_of("j")) >= 80)
    took = time.monotonic() - began
    assert sorted(bench.ready_of("j")) == list(range(80))
    assert len(bench.changes) <= took / 0.02 + 10
