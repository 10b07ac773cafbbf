"""The actor itself, without Ray: what comes in and goes out, and which models it takes for the server's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from bench import environment, flat
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol.codec import to_plain
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.engines import registry
from tweenbridge_server.executors.base import FrameOrder, GapTask, KeyframeFile
from tweenbridge_server.executors.cluster.agent import Agent
from tweenbridge_server.executors.cluster.fitting import Fitter, Wish, names_elsewhere
from tweenbridge_server.executors.cluster.wishes import Wishes

A, B = flat(10), flat(90)


def file_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() + ".png"


def gap(name: str, **settings: Any) -> dict[str, Any]:
    png = PixelFormat(Encoding.PNG)
    _, complete = registry.check("blend", "plain", settings)
    frames = tuple(FrameOrder(f"{n:064x}", n / 4) for n in (1, 2, 3))
    a, b = KeyframeFile(file_of(A), png, "a"), KeyframeFile(file_of(B), png, "b")
    plain: dict[str, Any] = to_plain(GapTask(name, "job", 0, "/nowhere", "blend", "plain", complete, a, b, frames))
    return plain


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    for name, value in {**environment(tmp_path / "home"), "TWEENBRIDGE_HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "home-blend.log").touch()
    agent = Agent("render-2 CPU", 60.0, 1.0, 1, False)
    for data in (A, B):
        assert agent.lacks([file_of(data)]) == [file_of(data)]
        agent.keep(file_of(data), data)
    yield agent
    agent.close()


def run(agent: Agent, task: dict[str, Any], wish: Wish | None = None) -> list[tuple[str, dict[str, Any], bytes | None]]:
    return [item for batch, _ in agent.run(task, to_plain(wish or Wish())) for item in batch]


def test_frames_come_out_as_bytes_and_nothing_is_left(agent: Agent, tmp_path: Path) -> None:
    assert agent.lacks([file_of(A), file_of(B)]) == []
    items = run(agent, gap("t"))
    made = [(fields, data) for kind, fields, data in items if kind == "made"]
    assert len(made) == 3
    for fields, data in made:
        assert data is not None and hashlib.sha256(data).hexdigest() == fields["sha256"] and len(data) == fields["size"]
    assert [kind for kind, _, _ in items if kind in ("related", "computed", "finished")] == [
        "related", "computed", "finished",
    ]  # fmt: skip
    scratch = tmp_path / "home" / "cache" / "cluster"
    assert not list(scratch.rglob("frames/*/*"))
    state = agent.state()
    assert (state["state"], state["device"], state["gap"]) == ("idle", "render-2 CPU", None)
    agent.close()
    assert list(scratch.iterdir()) == [] and not psutil.pid_exists(state["pid"])


def test_a_gap_that_is_cancelled_before_it_comes_does_not_begin(agent: Agent) -> None:
    agent.cancel("t")
    assert [kind for kind, _, _ in run(agent, gap("t"))] == ["stopped"]
    assert run(agent, gap("u"))[-1][0] == "finished"


def test_a_damaged_keyframe_is_refused(agent: Agent) -> None:
    with pytest.raises(ValueError, match="damaged"):
        agent.keep(file_of(A), B)


def test_the_folder_of_an_actor_that_was_killed_is_cleared_away_by_the_next(agent: Agent, tmp_path: Path) -> None:
    base = tmp_path / "home" / "cache" / "cluster"
    (mine,) = base.iterdir()
    host = mine.name.rpartition("-")[0]
    dead = max(psutil.pids()) + 100_000
    for name in (f"{host}-{dead}", f"{host}-{os.getppid()}", f"other-host-{dead}"):
        (base / name).mkdir()
    Agent("again", 60.0, 1.0, 1, False)._executor.close()
    assert not (base / f"{host}-{dead}").exists()
    assert (base / f"{host}-{os.getppid()}").exists() and (base / f"other-host-{dead}").exists()


# ---------------------------------------------------------------- models


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Path, Path]:
    server, node = tmp_path / "server", tmp_path / "node"
    for home in (server, node):
        (home / "models").mkdir(parents=True)
    return server, node


def blend(home: Path, model: str) -> dict[str, Any]:
    _, complete = registry.check("blend", "plain", {"model": model})
    return registry.resolve("blend", "plain", complete, home).settings


def test_a_model_is_found_by_name_in_the_node_s_own_folder(homes: tuple[Path, Path], monkeypatch: Any) -> None:
    server, node = homes
    place = server / "models" / "toon"
    place.write_bytes(b"weights")
    settings = blend(server, str(place))
    monkeypatch.setattr(registry, "places", lambda engine: ("model",))
    wish = Wishes(server).find("blend", "plain", settings)
    assert wish.names == {"model": ("toon", str(place))}
    place.unlink()  # the server's disk is not the node's
    with pytest.raises(TweenbridgeError, match=r"The model toon is not on node") as missing:
        Fitter(node).fit("blend", "plain", settings, wish)
    assert missing.value.code is ErrorCode.MODEL_MISSING and "models get" in missing.value.remedy
    (node / "toon").write_bytes(b"other")
    with pytest.raises(TweenbridgeError, match=r"is another one than on the server") as other:
        Fitter(node).fit("blend", "plain", settings, wish)
    assert other.value.code is ErrorCode.MODEL_FAILED
    (node / "toon").write_bytes(b"weights")
    assert Fitter(node).fit("blend", "plain", settings, wish).settings["model"] == str(node / "toon")


def test_a_node_that_lacks_a_model_says_so_instead_of_working(
    agent: Agent, homes: tuple[Path, Path], monkeypatch: Any
) -> None:
    (homes[0] / "toon").write_bytes(b"weights")
    wish = Wish("no such contents", {"model": ("toon", str(homes[0] / "toon"))})
    items = run(agent, gap("t"), wish)
    assert [kind for kind, _, _ in items] == ["unfit"] and "another one" in items[0][1]["message"]


def test_names_of_models_on_other_machines(homes: tuple[Path, Path]) -> None:
    server, _ = homes
    _, complete = registry.check("dreammover", "draft", {})
    nano = registry.resolve("dreammover", "draft", complete, server).settings
    assert names_elsewhere("dreammover", nano, server)["model"][0] == "nano"
    hub = "/data/hub/models--org--name/snapshots/abc123"
    assert names_elsewhere("dreammover", {"model": hub}, server)["model"] == ("org/name@abc123", hub)


def test_contents_are_the_same_wherever_files_lie_and_others_when_a_byte_is(
    homes: tuple[Path, Path], tmp_path: Path
) -> None:
    import shutil

    server, node = homes
    _, complete = registry.check("dreammover", "draft", {})
    here = registry.resolve("dreammover", "draft", complete, server)
    copy = tmp_path / "copy"
    shutil.copytree(str(here.settings["model"]), copy)
    there = registry.resolve("dreammover", "draft", {**complete, "model": str(copy)}, node)
    os.utime(next(copy.rglob("*.safetensors")), (1, 1))
    there = registry.resolve("dreammover", "draft", {**complete, "model": str(copy)}, node)
    assert there.identity != here.identity
    same = registry.contents("dreammover", here, server)
    assert registry.contents("dreammover", there, node) == same == registry.contents("dreammover", here, server)
    weights = next(copy.rglob("*.safetensors"))
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    changed = registry.resolve("dreammover", "draft", {**complete, "model": str(copy)}, node)
    assert registry.contents("dreammover", changed, node) != same
