"""Workers: what goes wrong in them, and that it stays there."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from bench import Bench, environment, flat, request
from processor import Stopwatch
from tweenbridge.protocol.errors import ErrorCode
from tweenbridge.protocol.messages import JobInfo, JobState

PICTURES = [flat(10), flat(60), flat(110)]


def misbehave(bench: Bench, job: str, mischief: str, **settings: Any) -> JobInfo:
    bench.send(job, PICTURES, request(PICTURES, settings={"mischief": mischief, **settings}))
    return bench.wait(job)


@pytest.mark.parametrize(
    ("mischief", "expected", "words"),
    [
        ("raise", ErrorCode.INTERNAL, "the engine broke"),
        ("wrong shape", ErrorCode.INTERNAL, "blend"),
        ("too few", ErrorCode.INTERNAL, "blend"),
        ("memory", ErrorCode.OUT_OF_MEMORY, "memory"),
    ],
)
def test_an_engine_s_error_fails_its_job_alone(
    bench: Bench, mischief: str, expected: ErrorCode, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        failed = misbehave(bench, "bad", mischief)
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert failed.error.code is expected
    assert words in failed.error.message
    assert ("Traceback" in caplog.text) == (expected is ErrorCode.INTERNAL)
    worker = bench.service.workers()[0].pid
    assert misbehave(bench, "good", "none").state is JobState.DONE
    assert bench.service.workers()[0].pid == worker


def test_frames_made_before_the_error_are_kept(bench: Bench) -> None:
    failed = misbehave(bench, "j", "raise", at=0.6)
    assert failed.done == 2
    bench.bytes_of("j", 0), bench.bytes_of("j", 1)
    bench.service.cancel("j")
    assert bench.service.info("j").state is JobState.FAILED


def test_a_dead_worker_s_job_goes_on_where_it_was(bench: Bench) -> None:
    done = misbehave(bench, "j", "exit once")
    assert done.state is JobState.DONE
    assert len(bench.computed()) == 6
    assert sum(bench.computed().values()) <= 7


def test_a_job_whose_worker_dies_twice_fails_with_its_last_words(bench: Bench) -> None:
    failed = misbehave(bench, "j", "exit")
    assert failed.error is not None
    assert failed.error.code is ErrorCode.WORKER_DIED
    assert "status 7" in failed.error.message
    assert "last words" in failed.error.message
    assert bench.log.read_text().count("exit") == 2
    assert misbehave(bench, "good", "none").state is JobState.DONE
    bench.submit("j", request(PICTURES, settings={"mischief": "exit"}))
    assert bench.wait("j").state is JobState.FAILED
    assert bench.log.read_text().count("exit") == 4


def test_what_libraries_print_does_not_disturb_the_events(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert misbehave(bench, "j", "print").state is JobState.DONE
    assert "and so does native code" in caplog.text


@pytest.mark.parametrize("mischief", ["hang", "stubborn"])
def test_a_worker_that_does_not_stop_is_killed(tmp_path: Path, mischief: str, caplog: pytest.LogCaptureFixture) -> None:
    with Bench(tmp_path / "home", cancel_seconds=0.3) as bench:
        seconds = 5.0 if mischief == "stubborn" else 0.0
        # From the first frame on: between two frames it would obey.
        wanted = request(PICTURES, settings={"mischief": mischief, "seconds": seconds, "at": 0.0})
        bench.send("j", PICTURES, wanted)
        # On a busy machine the worker takes seconds to begin, and until then it would obey, too.
        bench.wait_for(lambda: bench.service.info("j").stage == "blending")
        before = bench.service.workers()[0].pid
        bench.service.cancel("j")
        bench.wait_for(lambda: not psutil.pid_exists(before), seconds=5)
        assert misbehave(bench, "good", "none").state is JobState.DONE
        assert bench.service.info("j").state is JobState.CANCELLED
    # What was meant is no error, and is not blamed on the machine.
    assert "did not stop a cancelled task" in caplog.text
    assert not [entry for entry in caplog.records if entry.levelno >= logging.ERROR]


def test_an_obedient_engine_s_worker_survives_a_cancel(bench: Bench) -> None:
    bench.send("j", PICTURES, request(PICTURES, settings={"seconds": 3.0}))
    bench.wait("j", JobState.RUNNING)
    bench.wait_for(lambda: bench.service.info("j").stage == "blending")
    pid = bench.service.workers()[0].pid
    watch = Stopwatch(pid)
    bench.service.cancel("j")
    bench.wait_for(lambda: bench.service.workers()[0].state == "idle")
    assert watch.own() < 1.0
    assert bench.service.workers()[0].pid == pid


def test_a_worker_is_prepared_before_the_keyframes_come(bench: Bench) -> None:
    bench.submit("j", request(PICTURES))
    bench.wait_for(lambda: "warm" in bench.log.read_text())
    worker = bench.service.workers()[0]
    assert worker.state == "idle"
    assert worker.device == "auto"
    assert worker.memory > 10_000_000
    bench.send("j", PICTURES)
    bench.wait("j")
    assert f"frame {worker.pid}" in bench.log.read_text()


def test_an_idle_worker_is_released_and_another_started_when_needed(tmp_path: Path) -> None:
    with Bench(tmp_path / "home", idle_seconds=0.3) as bench:
        misbehave(bench, "j", "none")
        first = bench.service.workers()
        bench.wait_for(lambda: bench.service.workers() == ())
        assert not psutil.pid_exists(first[0].pid)
        misbehave(bench, "k", "none", at=0.1)
        assert bench.service.workers()[0].pid != first[0].pid


def test_an_idle_worker_gives_its_memory_back_when_asked(bench: Bench) -> None:
    assert bench.service.unload() == (0, 0)
    bench.send("j", PICTURES, request(PICTURES, settings={"seconds": 1.0}))
    bench.wait_for(lambda: bool(bench.computed()))
    assert bench.service.unload() == (0, 0), "one that works is left alone"
    assert bench.wait("j").state is JobState.DONE
    bench.wait_for(lambda: bench.service.workers()[0].state == "idle")
    (worker,) = bench.service.workers()
    count, held = bench.service.unload()
    assert count == 1 and held > 10_000_000
    bench.wait_for(lambda: bench.service.workers() == ())
    assert not psutil.pid_exists(worker.pid)
    assert misbehave(bench, "k", "none", at=0.1).state is JobState.DONE


def test_the_model_that_a_worker_holds_is_told_while_it_works(bench: Bench, tmp_path: Path) -> None:
    model = tmp_path / "toon.model"
    model.write_bytes(b"weights")
    bench.send("j", PICTURES, request(PICTURES, settings={"model": str(model), "seconds": 0.5}))
    bench.wait_for(lambda: any(worker.model for worker in bench.service.workers()))
    (worker,) = bench.service.workers()
    assert (worker.state, worker.model, worker.model_memory) == ("busy", str(model), 12345)
    bench.wait("j")
    misbehave(bench, "k", "none", at=0.1)
    bench.wait_for(lambda: not any(worker.model for worker in bench.service.workers()))


def test_two_devices_work_at_once_and_never_on_the_same_frames(tmp_path: Path) -> None:
    slow = {"seconds": 0.15}
    with Bench(tmp_path / "home", devices=("cpu", "cpu")) as bench:
        bench.send("j", PICTURES, request(PICTURES, settings=slow))
        bench.send("k", PICTURES, request(PICTURES, settings=slow))
        bench.wait("j"), bench.wait("k")
        assert set(bench.computed().values()) == {1}
        pids = {line.split()[1] for line in bench.log.read_text().splitlines() if "frame" in line}
        assert len(pids) == 2


def test_closing_the_service_ends_its_workers_at_once(tmp_path: Path) -> None:
    with Bench(tmp_path / "home") as bench:
        bench.send("j", PICTURES, request(PICTURES, settings={"mischief": "hang"}))
        bench.wait_for(lambda: bench.service.info("j").stage == "blending")
        pid = bench.service.workers()[0].pid
        watch = Stopwatch()
    assert watch.own() < 2.0
    assert not psutil.pid_exists(pid)
    with Bench(tmp_path / "home") as bench:
        assert bench.service.info("j").state in (JobState.QUEUED, JobState.RUNNING)


@pytest.mark.parametrize("garbage", [b"", b"\x10\0\0\0half", b"\x03\0\0\0abc"])
def test_a_worker_alone_ends_with_its_input(tmp_path: Path, garbage: bytes) -> None:
    command = [sys.executable, "-m", "tweenbridge_server.executors.worker", "1"]
    variables = {**os.environ, **environment(tmp_path)}
    result = subprocess.run(command, input=garbage, capture_output=True, env=variables, timeout=30, check=False)
    assert result.stdout == b""
