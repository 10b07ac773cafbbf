"""Ctrl-C, and processes killed in mid-run: the same command finishes the work, and nothing is lost."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import bench
import pytest

from .conftest import PATIENCE, Studio, draw, frames, install_blend, interrupt, until

COUNT = 12
BEFORE = 6
"""In-betweens that come before the middle of the gap, where the engine waits."""
COMMAND = (
    "interpolate", "a.png", "b.png", "--count", str(COUNT), "--engine", "blend", "--set", "mischief=wait",
    "--out", "out",
)  # fmt: skip


def _with_stills(studio: Studio) -> Studio:
    draw(studio.folder / "a.png", 0)
    draw(studio.folder / "b.png", 24)
    return studio


@pytest.fixture
def shot(blending: Studio) -> Studio:
    """Two keyframes, and an engine that stops in the middle of the job until `bench.go_on`."""
    return _with_stills(blending)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the command gives when nothing happens to it."""
    base = tmp_path_factory.mktemp("undisturbed")
    studio = _with_stills(install_blend(Studio(base / "work", base / "home")))
    bench.go_on(studio.home)
    try:
        studio.expect(*COMMAND)
    finally:
        studio.shut()
    return _contents(studio.folder / "out")


def half_done(studio: Studio) -> bool:
    """The frames before the middle have been written, and the engine waits."""
    return len(frames(studio.folder / "out")) == BEFORE


def _contents(folder: Path) -> list[str]:
    """Hashes: of megabytes that differ, pytest would take minutes to show how."""
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in frames(folder)]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")
def test_after_ctrl_c_the_same_command_goes_on(shot: Studio, undisturbed: list[str]) -> None:
    out = shot.folder / "out"
    with shot.start(*COMMAND) as process:
        until(lambda: half_done(shot))
        interrupt(process)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert f"Stopped after {BEFORE} of {COUNT} frames" in errors
    assert "Run the same command again" in errors
    assert "Traceback" not in errors
    before = {path: path.stat().st_mtime_ns for path in frames(out)}
    assert len(before) == BEFORE
    bench.go_on(shot.home)
    shot.expect(*COMMAND)
    assert _contents(out) == undisturbed
    assert {path: path.stat().st_mtime_ns for path in before} == before, "what was there was not written again"


@pytest.mark.slow
def test_the_server_is_killed(shot: Studio, undisturbed: list[str]) -> None:
    with shot.start(*COMMAND) as process:
        until(lambda: half_done(shot))
        server = shot.server()
        assert server is not None
        server.kill()
        bench.go_on(shot.home)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert _contents(shot.folder / "out") == undisturbed


@pytest.mark.slow
def test_the_worker_is_killed(shot: Studio, undisturbed: list[str]) -> None:
    with shot.start(*COMMAND) as process:
        until(lambda: half_done(shot))
        worker = shot.worker()
        assert worker is not None
        worker.kill()
        bench.go_on(shot.home)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert _contents(shot.folder / "out") == undisturbed


@pytest.mark.slow
def test_the_server_ends_while_the_command_is_gone(shot: Studio, undisturbed: list[str]) -> None:
    with shot.start(*COMMAND) as process:
        until(lambda: half_done(shot))
        process.kill()
        process.communicate(timeout=PATIENCE)
    shot.expect("stop")
    assert shot.server() is None
    bench.go_on(shot.home)
    shot.expect(*COMMAND)
    assert _contents(shot.folder / "out") == undisturbed
    assert not [path for path in (shot.folder / "out").iterdir() if path.name.endswith(".part")]


@pytest.mark.slow
def test_the_server_is_stopped_in_the_middle(shot: Studio, undisturbed: list[str]) -> None:
    with shot.start(*COMMAND) as process:
        until(lambda: half_done(shot))
        shot.expect("stop")
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "The server was stopped in the middle of the job." in errors
    bench.go_on(shot.home)
    shot.expect(*COMMAND)
    assert _contents(shot.folder / "out") == undisturbed


def test_a_server_that_cannot_start_is_said(studio: Studio) -> None:
    draw(studio.folder / "a.png", 0)
    draw(studio.folder / "b.png", 8)
    studio.environment["TWEENBRIDGE_SERVER_COMMAND"] = f"{sys.executable} -c exit(1)"
    result = studio.run("interpolate", "a.png", "b.png")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: The Tweenbridge server did not start")


def test_a_remembered_installation_that_is_gone_is_replaced(studio: Studio) -> None:
    draw(studio.folder / "a.png", 0)
    draw(studio.folder / "b.png", 8)
    run = studio.home / "run"
    run.mkdir(parents=True)
    (run / "launch.json").write_text('{"command": ["/nowhere/python", "-m", "tweenbridge_server", "serve"]}')
    studio.expect("interpolate", "a.png", "b.png", "-n", 1, "--profile", "draft")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a folder that this user may not write to")
def test_a_folder_that_cannot_be_written(studio: Studio) -> None:
    draw(studio.folder / "a.png", 0)
    draw(studio.folder / "b.png", 8)
    locked = studio.folder / "locked"
    locked.mkdir(mode=0o500)
    result = studio.run("interpolate", "a.png", "b.png", "--out", "locked")
    assert result.returncode == 1
    assert "Choose a folder" in result.stderr
