"""The extension in a real Blender window, driven as an artist drives it. Runs where there is a Blender 3.4 and Xvfb.

pytest tests/plugins/blender/window --basetemp FOLDER     leaves the pictures in FOLDER
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import hosts
import psutil
import pytest
from tweenbridge import launcher
from tweenbridge.discovery import read_address

LOOK = Path(__file__).with_name("look.py")
LONGEST_STEP = 0.3
PATIENCE = 200.0


@pytest.fixture
def display(tmp_path: Path) -> Iterator[str]:
    """A screen of its own."""
    if shutil.which("Xvfb") is None:
        pytest.skip("There is no Xvfb here.")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1600x1000x24", "+extension", "GLX"]
    process = subprocess.Popen(command, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as told:
            yield f":{told.readline().strip()}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Tweenbridge's data folder, which tells how to start the real server; what was started is ended."""
    folder = tmp_path / "home"
    launcher.record_command(launcher.this_installation(), folder)
    yield folder
    address = read_address(folder)
    if address is not None and psutil.pid_exists(address.pid):
        server = psutil.Process(address.pid)
        server.terminate()
        server.wait(20)


def blender() -> str:
    """A Blender 3.4 whose Python is this one's version, so that it can use this one's libraries. Skips without one."""
    program = shutil.which("blender")
    if program is None:
        pytest.skip("There is no Blender with a window here.")
    tell = "import sys, bpy; print('VERSIONS', bpy.app.version[:2] == (3, 4), sys.version_info[:2])"
    said = subprocess.run([program, "-b", "--factory-startup", "--python-expr", tell], capture_output=True, text=True)
    if f"VERSIONS True {sys.version_info[:2]}" not in said.stdout:
        pytest.skip("The Blender here is not 3.4, or has another Python than this.")
    return program


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE + 60)
def test_a_shot_in_a_window(display: str, home: Path, tmp_path: Path) -> None:
    from tweenbridge_server.demo_scene import write_keyframes

    keyframes = write_keyframes(tmp_path / "keyframes")[:2]
    libraries = [sysconfig.get_path("platlib"), str(hosts.ROOT / "shared")]
    command = [
        blender(), "--factory-startup", "-noaudio", "-p", "0", "0", "1600", "1000", "-P", str(LOOK), "--",
        str(hosts.ROOT / "plugins" / "blender"), ":".join(libraries), str(tmp_path), *map(str, keyframes),
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {
        "DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1", "HOME": str(tmp_path), "TWEENBRIDGE_HOME": str(home)
    }  # fmt: skip
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert (tmp_path / "facts.json").is_file(), done.stdout + done.stderr
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert done.returncode == 0
    keys = ["pose_a", "pose_b"]
    assert facts["strips"] == sorted([*keys, "pose_a-pose_b t1"])
    assert facts["after undo"] == keys
    assert facts["after redo"] == facts["strips"]
    assert facts["after cancel"] == keys
    assert facts["after reload"] == keys
    assert facts["offered"] == 1
    assert facts["in the end"] == sorted([*keys, "pose_a-pose_b t2"])
    # The last shot was under way when Blender was closed: its record is there for the next time.
    assert len(list((tmp_path / "user" / "jobs").glob("*.json"))) == 1
    # What the extension does between two events of the window. What Blender then draws takes it as long as it takes.
    assert max(seconds for name, seconds in facts["longest"].items() if name.startswith("step")) < LONGEST_STEP
    assert all((tmp_path / f"blender-{name}.png").stat().st_size > 10_000 for name in ("panel", "progress", "result"))
