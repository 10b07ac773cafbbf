"""`tweenbridge install` on a computer with a real Blender, which puts the extension in and takes it out."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hosts import ROOT, python_of, versions
from tweenbridge.version import __version__
from tweenbridge_installer.wheels import cache_folder

PROGRAM = ROOT / "tests/fakes/blender_program.py"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-in for the program is a shell file")

ENABLE = """
import os, bpy
bpy.ops.preferences.addon_enable(module="bl_ext.user_default.tweenbridge")
import zmq, msgpack, tweenbridge
print("works with", zmq.__file__, flush=True)
os._exit(0)
"""


class Computer:
    """A home with one Blender on its PATH, and nothing else."""

    def __init__(self, folder: Path, version: str) -> None:
        self.home = folder / "home"
        self.python = python_of(version)
        program = folder / "bin/blender"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec {shlex.join([str(self.python), "-I", str(PROGRAM)])} "$@"\n')
        program.chmod(0o755)
        self.home.mkdir()
        # The wheels that this computer has already; the link can be taken away.
        cache = folder / "cache/tweenbridge/wheels"
        cache.parent.mkdir(parents=True)
        cache_folder().mkdir(parents=True, exist_ok=True)
        cache.symlink_to(cache_folder())
        self.environment = {
            "HOME": str(self.home), "PATH": f"{program.parent}:/usr/bin:/bin", "LANG": "C.UTF-8",
            "XDG_CACHE_HOME": str(folder / "cache"),
        } | {name: value for name, value in os.environ.items() if name.startswith("PIP_")}  # fmt: skip
        self.program = program

    def run(self, *command: str | Path) -> str:
        result = subprocess.run(
            [str(word) for word in command], env=self.environment, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def tweenbridge(self, *words: str) -> str:
        return self.run(sys.executable, "-I", "-m", "tweenbridge_server", *words)

    def host(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.tweenbridge("install", "--dry-run", "--json"))
        (host,) = [host for host in found["hosts"] if host["path"] == str(self.program)]
        return host

    def enabled(self) -> str:
        return self.run(self.python, "-I", "-c", ENABLE)


@pytest.mark.parametrize("version", sorted({*versions()[:1], *versions()[-1:]}))
def test_installed_by_blender_itself_and_gone_again(tmp_path: Path, version: str) -> None:
    computer = Computer(tmp_path, version)
    host = computer.host()
    assert (host["version"], host["installed"], host["obstacle"]) == (version, None, "")
    computer.tweenbridge("install", "--only", host["id"], "--yes")
    assert computer.host()["installed"] == __version__
    place = computer.home / f".config/blender/{version}/extensions/user_default/tweenbridge"
    assert "wheels" in {path.name for path in place.iterdir()}
    assert f"extensions{os.sep}.local" in computer.enabled()
    assert "Nothing to do." in computer.tweenbridge("install", "--only", host["id"], "--yes")
    computer.tweenbridge("uninstall", "--yes")
    assert not place.exists()
    assert computer.host()["installed"] is None


@pytest.mark.parametrize("version", versions()[-1:])
def test_put_into_its_folder_it_works_once_it_is_turned_on(tmp_path: Path, version: str) -> None:
    computer = Computer(tmp_path, version)
    host = computer.host()
    # It tells its version and nothing else, like one that cannot be started from outside.
    computer.program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "Blender {version}.0" || kill -KILL $$\n')
    computer.program.chmod(0o755)
    output = subprocess.run(
        [sys.executable, "-I", "-m", "tweenbridge_server", "install", "--only", host["id"], "--yes"],
        env=computer.environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert output.returncode == 0, output.stderr
    assert "turn Tweenbridge on in Preferences > Add-ons" in output.stderr
    assert f"extensions{os.sep}.local" in computer.enabled()
