"""Gaps on two nodes of a real Ray cluster: the same frames as on one machine, each made once, whatever is lost."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bench import Bench, flat, request
from ray_studio import Studio
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobInfo, JobRequest, JobState
from tweenbridge_server.commands.cluster import describe
from tweenbridge_server.executors.cluster.ask import survey
from tweenbridge_server.executors.cluster.messages import ClusterSettings

PICTURES = [flat(10), flat(60), flat(110)]
PATIENCE = 200.0
"""Seconds that anything may take on a slow, busy machine."""

pytestmark = pytest.mark.slow


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
    bench.wait_for(lambda: sorted(bench.ready_of("j")) == list(range(6)))
    assert all(worker.memory > 10_000_000 for worker in bench.service.workers())


@pytest.mark.parametrize("engine", ["flow", "dreammover"])
def test_a_gap_goes_to_both_nodes_in_parts_with_the_same_frames(
    studio: Studio, tmp_path: Path, engine: str, caplog: pytest.LogCaptureFixture
) -> None:
    # The engine computes four of these at once: parts end there.
    settings = {"model": "nano"} if engine == "dreammover" else {}
    ask = {"engine": engine, "profile": "draft", "settings": settings, "count": 24 if engine == "flow" else 8}
    bench = studio.server(f"parts-{engine}")
    # Both actors have started then, and it is known what such gaps cost.
    three = [moved(0), moved(14), moved(20)]
    make(bench, "before", three, request(three, **{**ask, "count": 1}))
    pictures = [moved(3), moved(30)]
    wanted = request(pictures, **ask)
    # By name: a test of the log may have left that logger at warnings alone.
    with caplog.at_level(logging.INFO, "tweenbridge_server"):
        together = make(bench, "j", pictures, wanted)
    assert "Gap 1 of job j goes to 2 actors" in caplog.text
    with Bench(tmp_path / "local") as local:
        assert make(local, "j", pictures, wanted) == together


def test_a_lost_node_costs_only_what_was_under_way(studio: Studio) -> None:
    bench = studio.server("loss")
    bench.send("j", PICTURES, request(PICTURES, count=6, settings={"seconds": 0.4}))
    bench.wait_for(lambda: len(studio.makers()) == 2 and bench.service.info("j").done >= 4, PATIENCE)
    studio.kill_node("ben")
    done = finished(bench, "j")
    assert done.state is JobState.DONE, done
    # Of what the node was at, one frame may have been computed and not delivered.
    assert len(studio.computed()) == 12 and sum(studio.computed().values()) <= 13
    bench.wait_for(lambda: sorted(bench.ready_of("j")) == list(range(12)))
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
    folders = [studio.home(name) / "cache" / "cluster" for name in ("anna", "ben")]
    before = {path for folder in folders if folder.exists() for path in folder.iterdir()}
    bench = studio.server("idle", idle_seconds=0.5)
    bench.send("j", PICTURES, slow(0.0))
    assert finished(bench, "j").state is JobState.DONE
    bench.wait_for(lambda: bench.service.workers() == (), PATIENCE)
    bench.wait_for(lambda: {path for folder in folders for path in folder.iterdir()} <= before, PATIENCE)


def test_status_shows_nodes_versions_models_and_who_does_what(studio: Studio, tmp_path: Path) -> None:
    old = tmp_path / "old" / "tweenbridge"
    for package in (old, old.with_name("tweenbridge_server")):
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
    (old / "version.py").write_text("__version__ = '0.0.1'\n")
    studio.add_node("carol", cores=2, PYTHONPATH=str(old.parent))
    bench = studio.server("status", cores=1)
    try:
        bench.send("j", PICTURES, slow(3.0))
        bench.wait_for(lambda: bench.service.info("j").stage == "blending", PATIENCE)
        found = survey(ClusterSettings(studio.address, cores=1))
    finally:
        studio.kill_node("carol")
    bench.service.cancel("j")
    assert found.room == 2 and len(found.nodes) == 4
    assert [node.problem for node in found.nodes if node.cpus == 1.0] == ["", ""]
    (carol,) = [node for node in found.nodes if node.cpus == 2.0]
    assert carol.version == "0.0.1" and "has Tweenbridge 0.0.1, and this server" in carol.problem
    busy = [actor for actor in found.actors if actor.state == "busy"]
    assert busy and all(actor.job == "j" and actor.gap in (1, 2) and actor.memory for actor in busy)
    text = describe(found)
    assert carol.problem in text and "job j, gap" in text and "nano" in text
    assert len(bench.service.workers()) <= 2, "the old node was not used"


def test_a_cluster_that_goes_away_and_comes_back_is_waited_for(studio: Studio) -> None:
    bench = studio.server("away")
    bench.send("j", PICTURES, slow(1.0))
    bench.wait_for(lambda: bench.service.info("j").done >= 1, PATIENCE)
    port = studio.vanish()
    bench.send("k", PICTURES, slow(0.0, says="note"))
    bench.wait_for(lambda: "cluster_away" in [note.code for note in bench.service.info("j").notes], PATIENCE)
    assert bench.service.info("j").state in (JobState.RUNNING, JobState.QUEUED)
    assert bench.service.workers() == ()
    with pytest.raises(TweenbridgeError, match="No Ray cluster answers at") as error:
        survey(ClusterSettings(f"127.0.0.1:{port}"))
    assert "ray start" in error.value.remedy
    studio.come_back(port)
    studio.add_node("anna")
    for job in ("j", "k"):
        assert finished(bench, job).state is JobState.DONE
    assert sum(studio.computed().values()) <= 12 + 2, "but for what was under way"
    assert bench.service.record("j").deaths == 0
