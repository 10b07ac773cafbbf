"""Gaps on two nodes of a real Ray cluster: the same frames as on one machine, each made once, whatever is lost."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bench import Bench, flat, request
from ray_studio import Studio
from tweenbridge.protocol.errors import ErrorCode
from tweenbridge.protocol.messages import JobInfo, JobRequest, JobState

PICTURES = [flat(10), flat(60), flat(110)]
PATIENCE = 60.0


def moved(shift: int, side: int = 96) -> bytes:
    """A PNG of a textured square on a ground, moved right."""
    random = np.random.default_rng(1)
    image = np.ascontiguousarray(cv2.resize(random.integers(40, 180, (12, 12, 3), np.uint8), (side, side)))
    square = cv2.resize(random.integers(120, 255, (6, 6, 3), np.uint8), (side // 3, side // 3))
    image[side // 3 : side // 3 + square.shape[0], 8 + shift : 8 + shift + square.shape[1]] = square
    done, data = cv2.imencode(".png", image)
    assert done
    return data.tobytes()


def make(bench: Bench, job: str, pictures: Sequence[bytes], wanted: JobRequest) -> list[str]:
    """The hashes of a job's frames."""
    bench.send(job, pictures, wanted)
    done = bench.wait(job, seconds=PATIENCE)
    assert done.state is JobState.DONE, done
    return [hashlib.sha256(bench.bytes_of(job, index)).hexdigest() for index in range(done.total)]


def finished(bench: Bench, job: str) -> JobInfo:
    return bench.wait(job, seconds=PATIENCE)


def slow(seconds: float, **settings: Any) -> JobRequest:
    return request(PICTURES, settings={"seconds": seconds, **settings})


def test_both_nodes_work_and_what_they_do_is_seen(studio: Studio) -> None:
    bench = studio.server("one")
    bench.send("j", PICTURES, slow(0.4, says="note"))
    bench.wait_for(lambda: sum(worker.state == "busy" for worker in bench.service.workers()) == 2, PATIENCE)
    assert all(worker.job == "j" and worker.pid for worker in bench.service.workers())
    bench.wait_for(lambda: bench.service.info("j").stage == "blending")
    done = finished(bench, "j")
    assert done.state is JobState.DONE and [note.code for note in done.notes] == ["tip"]
    assert set(studio.computed().values()) == {1} and len(studio.computed()) == 6
    assert len(studio.makers()) == 2
    assert sorted(bench.ready_of("j")) == list(range(6))
    assert all(worker.memory > 10_000_000 for worker in bench.service.workers())


@pytest.mark.parametrize(("engine", "profile"), [("flow", "draft"), ("dreammover", "draft")])
def test_frames_are_those_of_one_machine_bit_for_bit(studio: Studio, tmp_path: Path, engine: str, profile: str) -> None:
    pictures = [moved(0), moved(14), moved(30)]
    wanted = request(pictures, engine=engine, profile=profile, count=2)
    with Bench(tmp_path / "local") as local:
        alone = make(local, "j", pictures, wanted)
    assert make(studio.server(f"same-{engine}"), "j", pictures, wanted) == alone


def test_a_gap_goes_to_both_nodes_in_parts_where_that_is_faster(studio: Studio, tmp_path: Path) -> None:
    first, second = [moved(0), moved(14)], [moved(3), moved(30)]
    ask = {"engine": "flow", "profile": "draft", "count": 24}
    bench = studio.server("parts")
    for number, pictures in enumerate([first, [moved(1), moved(9)], [moved(2), moved(11)]]):
        make(bench, f"measured-{number}", pictures, request(pictures, **ask))
    # Both actors have started, and it is known what such gaps cost.
    both = [*first, second[1]]
    make(bench, "both", both, request(both, **ask))
    bench.send("j", second, request(second, **ask))
    together = make(bench, "j", second, request(second, **ask))
    with Bench(tmp_path / "local") as local:
        assert make(local, "j", second, request(second, **ask)) == together


def test_a_lost_node_costs_only_what_was_under_way(studio: Studio) -> None:
    bench = studio.server("loss")
    bench.send("j", PICTURES, request(PICTURES, count=6, settings={"seconds": 0.4}))
    bench.wait_for(lambda: len(studio.makers()) == 2 and bench.service.info("j").done >= 4, PATIENCE)
    before = set(bench.ready_of("j"))
    studio.kill_node("ben")
    done = finished(bench, "j")
    assert done.state is JobState.DONE, done
    # Of what the node was at, one frame may have been computed and not delivered.
    assert len(studio.computed()) == 12 and sum(studio.computed().values()) <= 13
    announced = bench.ready_of("j")
    assert sorted(announced) == list(range(12)) and before <= set(announced)
    assert bench.service.record("j").deaths == 0


def test_a_worker_that_dies_on_a_node_counts_as_locally(studio: Studio) -> None:
    bench = studio.server("death")
    bench.send("j", PICTURES, slow(0.0, mischief="exit"))
    failed = finished(bench, "j")
    assert failed.error is not None and failed.error.code is ErrorCode.WORKER_DIED
    assert "last words" in failed.error.message
    bench.send("good", PICTURES, slow(0.0))
    assert finished(bench, "good").state is JobState.DONE


def test_a_cancelled_job_stops_and_the_next_one_begins(studio: Studio) -> None:
    bench = studio.server("cancel", cancel_seconds=0.5)
    bench.send("j", PICTURES, slow(30.0))
    bench.wait_for(lambda: bench.service.info("j").stage == "blending", PATIENCE)
    began = time.monotonic()
    assert bench.service.cancel("j").state is JobState.CANCELLED
    bench.wait_for(lambda: all(worker.state == "idle" for worker in bench.service.workers()))
    assert time.monotonic() - began < 3.0
    bench.send("k", PICTURES, slow(0.0))
    assert finished(bench, "k").state is JobState.DONE
    count, held = bench.service.unload()
    assert count == len(bench.service.workers()) or count > 0
    assert held > 10_000_000
    bench.wait_for(lambda: bench.service.workers() == ())


def test_an_idle_actor_is_released(studio: Studio) -> None:
    bench = studio.server("idle", idle_seconds=0.5)
    bench.send("j", PICTURES, slow(0.0))
    assert finished(bench, "j").state is JobState.DONE
    bench.wait_for(lambda: bench.service.workers() == (), PATIENCE)
    assert not list((studio.home("anna") / "cache" / "cluster").iterdir()), "nothing is left behind"


def test_a_model_that_nodes_lack_or_have_otherwise_is_said_and_never_used(studio: Studio) -> None:
    bench = studio.server("models")
    (studio.home("models") / "toon").write_bytes(b"weights")
    wanted = slow(0.0, model="toon")
    bench.send("j", PICTURES, wanted)
    failed = finished(bench, "j")
    assert failed.error is not None and failed.error.code is ErrorCode.MODEL_MISSING
    assert "toon" in failed.error.message and "node" in failed.error.message
    (studio.home("anna") / "toon").write_bytes(b"other weights")
    bench.send("j", PICTURES, wanted)
    failed = finished(bench, "j")
    assert failed.error is not None and failed.error.code in (ErrorCode.MODEL_FAILED, ErrorCode.MODEL_MISSING)
    assert not studio.computed()
    (studio.home("ben") / "toon").write_bytes(b"weights")
    bench.send("j", PICTURES, wanted)
    done = finished(bench, "j")
    assert done.state is JobState.DONE, done
    assert len(studio.makers()) == 1
