"""`tweenbridge install` and `uninstall` as the user and the tray call them, in a home that was made up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from machines import blender, put, tree
from tweenbridge_installer.blender_hosts import find_interpreter
from tweenbridge_installer.machine import System
from tweenbridge_installer.wheels import cache_folder

MENU = Path(__file__).resolve().parents[1] / "fakes/resolve/menu.py"
"""A Resolve that stands in for the real one, and a user who chooses the script from its menu."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the home is a Linux one")


class Home:
    """A user's home with a Blender that takes extensions."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "mia"
        host = blender(self.path / "Downloads/blender-4.5", "4.5", System.LINUX)
        self.extensions = self.path / ".config/blender/4.5/extensions/user_default"
        # Does what Blender would, in the words of the shell.
        (host / "blender").write_text(
            "#!/bin/sh\n"
            f'place="{self.extensions}/tweenbridge"\n'
            'case "$3" in\n'
            'install-file) for last; do :; done; mkdir -p "$place"\n'
            f'"{sys.executable}" -m zipfile -e "$last" "$place";;\n'
            'remove) rm -r "$place";;\n'
            "esac\n"
        )
        (host / "blender").chmod(0o755)
        # The wheels that this computer has already; the link can be taken away.
        cache = folder / "cache"
        cache_folder().mkdir(parents=True, exist_ok=True)
        (cache / "tweenbridge").mkdir(parents=True)
        (cache / "tweenbridge/wheels").symlink_to(cache_folder())
        self.environment = {"HOME": str(self.path), "PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(cache)}
        self.environment |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}

    def run(self, *words: str, answer: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-m", "tweenbridge_server", *words], env=self.environment, input=answer,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def start(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command[0], "-I", *command[1:]], env=self.environment, cwd=self.path, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip

    def json(self, *words: str) -> Any:
        result = self.run(*words, "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    @property
    def login(self) -> list[Path]:
        return [*self.path.glob(".config/autostart/tweenbridge*"), *self.path.glob(".config/systemd/user/tweenbridge*")]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    if (home.path / ".local/share/tweenbridge/run/server.json").exists():
        home.run("stop")


def test_a_dry_run_changes_nothing_and_tells_everything(home: Home) -> None:
    before = tree(home.path)
    found = home.json("install", "--dry-run")
    (host,) = [host for host in found["hosts"] if host["version"] == "4.5"]
    assert (host["id"], host["name"], host["kind"]) == ("blender-4.5-zip", "Blender 4.5 (zip)", "blender")
    assert (host["path"], host["installed"]) == (str(home.path / "Downloads/blender-4.5"), None)
    assert found["autostart"] is False
    assert any("install the extension" in step for step in found["steps"])
    assert "Start when you log in" in found["steps"]
    assert "blender-4.5-zip" in home.run("install", "--dry-run").stdout
    assert tree(home.path) == before


def test_all_of_it_and_back(home: Home) -> None:
    before = tree(home.path)
    result = home.run("install", "--yes")
    assert result.returncode == 0, result.stderr
    assert "Done. Keep the folder" in result.stdout
    assert (home.extensions / "tweenbridge/blender_manifest.toml").is_file()
    assert home.login
    assert home.json("install", "--dry-run")["autostart"] is True
    assert "Nothing to do." in home.run("install", "--yes").stdout
    (home.extensions / "tweenbridge/__init__.py").unlink()
    assert home.run("install", "--again", "--yes").returncode == 0
    assert (home.extensions / "tweenbridge/__init__.py").is_file()
    # The user's own things stay, and the rest is as it was.
    data = home.path / ".local/share/tweenbridge"
    put(data / "models/toon.safetensors", "weights")
    put(data / "config.toml", "")
    result = home.run("uninstall", "--yes")
    assert result.returncode == 0, result.stderr
    assert str(data) in result.stdout
    assert list(Path(home.environment["XDG_CACHE_HOME"]).iterdir()) == []
    assert (data / "models/toon.safetensors").is_file()
    left = {name for name in tree(home.path).keys() - before.keys() if not name.startswith(".local/share")}
    assert left == {".local"} | {name for name in left if name.startswith(".config/blender")}
    assert not (home.extensions / "tweenbridge").exists()
    assert data.stat().st_mode & 0o077 == 0
    assert home.run("uninstall", "--models", "--yes").returncode == 0
    assert not (data / "models").exists()
    assert (data / "config.toml").is_file()


def test_one_editor_alone_as_the_tray_asks(home: Home) -> None:
    assert home.run("install", "--only", "blender-4.5-zip", "--yes").returncode == 0
    assert (home.extensions / "tweenbridge").is_dir()
    assert home.login == []
    found = home.json("install", "--dry-run")
    assert [host["installed"] is not None for host in found["hosts"] if host["version"] == "4.5"] == [True]


def test_start_at_login_alone_as_the_tray_asks(home: Home) -> None:
    assert home.run("install", "--autostart", "on").returncode == 0
    assert home.login
    assert not (home.extensions / "tweenbridge").exists()
    assert home.json("install", "--dry-run")["autostart"] is True
    assert home.run("install", "--autostart", "off").returncode == 0
    assert home.login == []
    # What was turned off stays off.
    assert home.run("install", "--yes").returncode == 0
    assert home.login == []


def test_what_was_refused_before_the_first_installation_stays_off(home: Home) -> None:
    assert home.run("install", "--autostart", "off").returncode == 0
    assert home.run("install", "--skip", "blender-4.5-zip", "--yes").returncode == 0
    assert home.login == []


def test_nothing_is_done_without_an_answer(home: Home) -> None:
    before = tree(home.path)
    result = home.run("install", answer="")
    assert result.returncode == 1
    assert "Nothing was done." in result.stderr
    assert tree(home.path) == before


def test_what_is_not_there_is_named_with_what_is(home: Home) -> None:
    result = home.run("install", "--only", "maya", "--yes")
    assert result.returncode == 1
    assert "There is no maya here." in result.stderr
    assert "There is no Blender at /nowhere." in home.run("install", "--blender", "/nowhere", "--yes").stderr
    assert "blender-4.5-zip, " in result.stderr


def test_a_failure_of_one_is_told_and_the_rest_is_there(home: Home) -> None:
    (home.path / "Downloads/blender-4.5/blender").write_text("#!/bin/sh\necho the disk is on fire\nexit 1\n")
    result = home.run("install", "--yes")
    assert result.returncode == 1
    assert "did not take the extension: the disk is on fire" in result.stderr
    assert home.login
    assert "An installation was interrupted" in home.run("install", "--dry-run").stdout


@pytest.mark.slow
def test_a_resolve_finds_its_launcher_and_the_launcher_everything_else(home: Home) -> None:
    scripts = home.path / ".local/share/DaVinciResolve"
    scripts.mkdir(parents=True)
    assert home.run("install", "--only", "resolve", "--yes").returncode == 0
    launcher = scripts / "Fusion/Scripts/Utility/Tweenbridge.py"
    old = find_interpreter("3.8")
    for python in {old or sys.executable, sys.executable}:
        # Without a Resolve around it, it is the command of its package: found, and imported with its libraries.
        result = home.start(python, str(launcher), "--help")
        assert (result.returncode, "usage: tweenbridge resolve" in result.stdout) == (0, True), result.stderr
    # From the menu of a Resolve, by way of the server that this installation starts, to the timeline.
    result = home.start(old or sys.executable, str(MENU), str(launcher), "--windows")
    assert result.returncode == 0, result.stdout + result.stderr
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["tracks"]["In-betweens"] == [[4, 5]], told
    assert {host["id"]: host["installed"] for host in home.json("install", "--dry-run")["hosts"]}["resolve"]
    result = home.run("uninstall", "--yes")
    assert result.returncode == 0, result.stderr
    assert list(scripts.iterdir()) == []
    assert home.run("status").returncode == 3
