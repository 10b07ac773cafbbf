"""The extension in a real, current Blender window, driven as an artist drives it, with a scene for the sequencer alone.

pytest tests/plugins/blender/window --basetemp FOLDER     leaves the pictures in FOLDER
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import hosts
import psutil
import pytest
from tweenbridge import launcher
from tweenbridge.discovery import read_address

sys.path.insert(0, str(Path(__file__).parent))
import debian

LOOK = Path(__file__).with_name("look.py")
LONGEST_STEP = 0.3
PATIENCE = 400.0


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


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE + debian.PATIENCE * 3)
def test_a_shot_in_a_window(home: Path, tmp_path: Path) -> None:
    from tweenbridge_server.demo_scene import write_keyframes

    reason = debian.obstacle() or debian.ensure()
    if reason:
        pytest.skip(reason)
    # The server is this machine's: Blender finds it in the data folder, which it shares.
    launcher.start_server(home, timeout=60.0)
    extension = hosts.build_extension(tmp_path / "extension")
    keyframes = write_keyframes(tmp_path / "keyframes")[:2]
    arguments = [str(extension), str(tmp_path), *map(str, keyframes)]
    environment = {"HOME": str(tmp_path), "TWEENBRIDGE_HOME": str(home)}
    done = debian.run(LOOK, arguments, [tmp_path, LOOK.parent], environment, PATIENCE)
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
    assert facts["executing took"] < LONGEST_STEP
    assert len(facts["executed"]) == len(facts["in the end"]) + 1
    # The last shot was under way when Blender was closed: its record is there for the next time.
    assert len(list((home / "blender" / "jobs").glob("*.json"))) == 1
    # What the extension does between two events of the window. What Blender then draws takes it as long as it takes.
    assert max(seconds for name, seconds in facts["longest"].items() if name.startswith("step")) < LONGEST_STEP
    assert all((tmp_path / f"blender-{name}.png").stat().st_size > 10_000 for name in ("panel", "progress", "result"))
