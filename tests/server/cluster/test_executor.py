"""The server's side of a cluster: nothing of Ray in its process, and what users see while there is no cluster."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from bench import Bench, flat, request
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobState
from tweenbridge_server.config import load_config
from tweenbridge_server.diagnostics import surroundings
from tweenbridge_server.diagnostics.checks import Verdict
from tweenbridge_server.executors.base import WorkerSettings
from tweenbridge_server.executors.choice import choose
from tweenbridge_server.executors.cluster import ask, executor
from tweenbridge_server.executors.cluster.executor import ClusterExecutor
from tweenbridge_server.executors.cluster.messages import ClusterSettings, NodeInfo
from tweenbridge_server.executors.local import LocalExecutor

PICTURES = [flat(10), flat(60)]
NOWHERE = ClusterSettings("127.0.0.1:1")
has_ray = importlib.util.find_spec("ray") is not None


def test_the_gateway_process_loads_nothing_of_ray() -> None:
    program = "import tweenbridge_server.app, tweenbridge_server.executors.cluster.executor, sys; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"ray", "google", "numpy", "cv2", "torch"} & {name.partition(".")[0] for name in result.stdout.split()}


def test_the_setting_chooses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(choose("local", tmp_path, WorkerSettings(), NOWHERE), LocalExecutor)
    monkeypatch.setattr(executor, "check_ray", lambda: None)
    assert isinstance(choose("cluster", tmp_path, WorkerSettings(), NOWHERE), ClusterExecutor)


def test_without_ray_server_and_status_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TweenbridgeError, match="Ray is not installed here") as error:
        choose("cluster", tmp_path, WorkerSettings(), NOWHERE)
    assert error.value.code is ErrorCode.START_FAILED and "tweenbridge[cluster]" in error.value.remedy
    with pytest.raises(TweenbridgeError, match="not installed here") as error:
        ask.survey(NOWHERE)
    assert "tweenbridge[cluster]" in error.value.remedy


@pytest.mark.parametrize(
    ("text", "named", "allowed"),
    [
        ('[workers]\nexecutor = "cloud"', "workers.executor", "one of local, cluster"),
        ('[cluster]\naddress = "ray://head:10001"', "cluster.address", "HOST:PORT"),
        ('[cluster]\naddress = "head:99999"', "cluster.address", "HOST:PORT"),
        ('[cluster]\nnodes = "fast"', "cluster.nodes", "auto, gpu, cpu"),
        ("[cluster]\ngpus = 2", "cluster.gpus", "from 0.1 to 1"),
        ("[cluster]\ncores = -1", "cluster.cores", "from 0 to 1024"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, text: str, named: str, allowed: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(TweenbridgeError) as error:
        load_config(tmp_path, {})
    assert named in str(error.value) and allowed in str(error.value)


def test_settings_are_read(tmp_path: Path) -> None:
    text = '[workers]\nexecutor = "Cluster"\n[cluster]\naddress = "head.studio:6379"\nnodes = "gpu"\ngpus = 0.5\n'
    (tmp_path / "config.toml").write_text(text)
    config = load_config(tmp_path, {"TWEENBRIDGE_CLUSTER_MOST_ACTORS": "7"})
    assert config.executor == "cluster"
    assert config.cluster == ClusterSettings("head.studio:6379", "gpu", 0.5, 0, 7)


def test_the_doctor_looks_at_the_cluster_where_one_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert surroundings.cluster(tmp_path) is None
    (tmp_path / "config.toml").write_text('[workers]\nexecutor = "cluster"\n')
    node = NodeInfo("1", "render-2", "10.0.0.2", 8.0, 1.0)

    def found(room: int, problem: str = "") -> None:
        nodes = (replace(node, problem=problem),)
        monkeypatch.setattr(ask, "survey", lambda settings: ask.Survey("10.0.0.1:6379", "2.60.0", room, nodes))

    found(1)
    check = surroundings.cluster(tmp_path)
    assert check is not None and check.verdict is Verdict.OK and "1 node" in check.found
    found(0, "Node render-2 has Tweenbridge 0.0.9, and this server 0.1.0.")
    check = surroundings.cluster(tmp_path)
    assert check is not None and check.verdict is Verdict.WRONG and "0.0.9" in check.remedy

    def silent(settings: ClusterSettings) -> ask.Survey:
        raise TweenbridgeError(ErrorCode.START_FAILED, "No Ray cluster runs on this machine.")

    monkeypatch.setattr(ask, "survey", silent)
    check = surroundings.cluster(tmp_path)
    assert check is not None and check.verdict is Verdict.WRONG and "No Ray cluster" in check.found


@pytest.mark.skipif(not has_ray, reason="Ray is not installed")
def test_without_a_cluster_jobs_wait_and_say_why(tmp_path: Path) -> None:
    with Bench(tmp_path / "home", executor=ClusterExecutor(tmp_path / "home", WorkerSettings(), NOWHERE)) as bench:
        bench.send("j", PICTURES, request(PICTURES, engine="flow"))
        bench.wait_for(lambda: bench.service.info("j").notes, 60.0)
        info = bench.service.info("j")
        assert info.state is JobState.RUNNING and info.stage == "waiting for the cluster"
        (note,) = info.notes
        assert note.code == "cluster_away"
        assert "No Ray cluster answers at 127.0.0.1:1" in note.message and "ray start" in note.message
        assert bench.service.workers() == () and bench.service.unload() == (0, 0)
        began = time.monotonic()
        assert bench.service.cancel("j").state is JobState.CANCELLED
        assert time.monotonic() - began < 1.0
        bench.send("k", PICTURES, request(PICTURES, engine="flow", count=2))
    # Nothing is lost when the server ends meanwhile.
    with Bench(tmp_path / "home") as bench:
        assert bench.wait("k", seconds=60.0).state is JobState.DONE


def test_a_process_that_crashes_is_started_again_and_jobs_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "check_ray", lambda: None)
    monkeypatch.setattr(executor, "_DRIVER", "tweenbridge_server.no_such_module")
    monkeypatch.setattr(executor, "_PAUSES", (0.05, 0.05))
    with Bench(tmp_path / "home", executor=ClusterExecutor(tmp_path / "home", WorkerSettings(), NOWHERE)) as bench:
        bench.send("j", PICTURES, request(PICTURES, engine="flow"))
        bench.wait_for(lambda: bench.service.info("j").notes, 20.0)
        assert "lost" in bench.service.info("j").notes[0].message
        assert bench.service.info("j").state is JobState.RUNNING
