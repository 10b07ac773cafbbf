"""Start at login and the start menu: the right files on each system, in words that the systems' own tools accept."""

from __future__ import annotations

import os
import plistlib
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from machines import machine
from tweenbridge_installer.login import Linked, Start, Written, at_login, desktop_entry, in_menu, systemd_unit
from tweenbridge_installer.machine import Machine, System

SERVER = Start(("/home/mia/tweenbridge/.venv/bin/python", "-I", "-m", "tweenbridge_server", "serve"), window=False)
TRAY = Start(("/home/mia/tweenbridge/.venv/bin/python", "-I", "-m", "tweenbridge_server", "tray"), window=True)
AWKWARD = Start(('/home/mia/100% "new" $HOME `x`/a\\b/python', "-I"), window=False, home=Path("/data/mia's $1 50%"))


def _paths(computer: Machine, files: tuple[Written | Linked, ...]) -> list[str]:
    return [file.path.relative_to(computer.home).as_posix() for file in files]


def test_on_linux_a_user_unit_starts_the_server(tmp_path: Path) -> None:
    computer = machine(tmp_path, System.LINUX)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    unit, link = at_login(computer, SERVER)
    assert _paths(computer, (unit, link)) == [
        ".config/systemd/user/tweenbridge.service",
        ".config/systemd/user/default.target.wants/tweenbridge.service",
    ]
    assert isinstance(link, Linked)
    assert link.path.parent / link.target == link.path.parent / "../tweenbridge.service"


def test_a_desktop_entry_does_it_where_there_is_no_systemd_and_for_the_tray(tmp_path: Path) -> None:
    computer = machine(tmp_path, System.LINUX)
    assert _paths(computer, at_login(computer, SERVER)) == [".config/autostart/tweenbridge.desktop"]
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert _paths(computer, at_login(computer, TRAY)) == [".config/autostart/tweenbridge.desktop"]
    assert _paths(computer, in_menu(computer, TRAY)) == [".local/share/applications/tweenbridge.desktop"]


@pytest.mark.parametrize("start", [SERVER, AWKWARD])
def test_on_macos_a_launch_agent_starts_it(tmp_path: Path, start: Start) -> None:
    computer = machine(tmp_path, System.MACOS)
    (agent,) = at_login(computer, start)
    assert isinstance(agent, Written)
    assert _paths(computer, (agent,)) == ["Library/LaunchAgents/org.tweenbridge.tweenbridge.plist"]
    content = plistlib.loads(agent.text.encode())
    assert content["ProgramArguments"] == list(start.command)
    assert content["RunAtLoad"] is True
    assert content.get("EnvironmentVariables", {}).get("TWEENBRIDGE_HOME") == (str(start.home) if start.home else None)


def test_on_windows_the_startup_folder_has_a_command_file(tmp_path: Path) -> None:
    computer = machine(tmp_path, System.WINDOWS)
    start = Start(("C:\\Users\\Mia Müller\\100%\\pythonw.exe", "-I"), window=True, home=Path("D:/data"))
    (login,) = at_login(computer, start)
    (menu,) = in_menu(computer, start)
    menu_folder = "AppData/Roaming/Microsoft/Windows/Start Menu/Programs"
    assert _paths(computer, (login, menu)) == [
        f"{menu_folder}/Startup/Tweenbridge.cmd",
        f"{menu_folder}/Tweenbridge.cmd",
    ]
    assert isinstance(login, Written)
    lines = login.text.split("\r\n")
    assert 'start "" "C:\\Users\\Mia Müller\\100%%\\pythonw.exe" "-I"' in lines
    assert 'set "TWEENBRIDGE_HOME=D:/data"' in [line.replace("\\", "/") for line in lines]
    assert "\n" not in login.text.replace("\r\n", "")


def test_a_server_alone_has_nothing_to_show_in_a_menu(tmp_path: Path) -> None:
    for system in System:
        assert in_menu(machine(tmp_path / system.value, system), SERVER) == ()


def test_on_macos_the_menu_runs_a_file_of_the_shell(tmp_path: Path) -> None:
    computer = machine(tmp_path, System.MACOS)
    (file,) = in_menu(computer, Start(AWKWARD.command, True, AWKWARD.home))
    assert isinstance(file, Written)
    result = subprocess.run(["sh", "-n"], input=file.text, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
@pytest.mark.parametrize("home", [None, Path("/data/mia's $1 50%")])
def test_systemd_finds_no_fault(tmp_path: Path, home: Path | None) -> None:
    program = tmp_path / 'with space 50% $x "q"/python'
    program.parent.mkdir()
    program.symlink_to(sys.executable)
    unit = tmp_path / "tweenbridge.service"
    unit.write_text(systemd_unit(Start((str(program), "-I", "serve"), False, home)))
    result = subprocess.run(
        ["systemd-analyze", "--user", "--man=no", "verify", str(unit)], capture_output=True, text=True, check=False,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )  # fmt: skip
    assert (result.returncode, [line for line in result.stderr.splitlines() if "tweenbridge" in line]) == (0, [])


@pytest.mark.skipif(shutil.which("desktop-file-validate") is None, reason="needs desktop-file-utils")
@pytest.mark.parametrize("start", [SERVER, TRAY, AWKWARD])
def test_the_desktop_accepts_the_entry(tmp_path: Path, start: Start) -> None:
    path = tmp_path / "tweenbridge.desktop"
    path.write_text(desktop_entry(start))
    result = subprocess.run(["desktop-file-validate", str(path)], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.skipif(shutil.which("sh") is None, reason="a shell undoes the quoting, which is the specification's")
def test_awkward_folders_survive_the_quoting_of_desktop_entries() -> None:
    line = next(line for line in desktop_entry(AWKWARD).splitlines() if line.startswith("Exec="))
    value = line.removeprefix("Exec=").replace("\\\\", "\\").replace("%%", "%")
    said = subprocess.run(["sh", "-c", f'printf "%s\\n" {value}'], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["env", f"TWEENBRIDGE_HOME={AWKWARD.home}", *AWKWARD.command]
    assert shlex.split(line) != []
