"""DaVinci Resolve is found on all systems, and gets a launcher that knows where everything else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from machines import machine, put, tree
from tweenbridge_installer import editors, installation, record
from tweenbridge_installer.machine import Answer, Machine, System
from tweenbridge_installer.plan import Made, Plan, for_resolves
from tweenbridge_installer.resolve import find

PROGRAMS = {
    System.LINUX: "opt/resolve/bin/resolve",
    System.MACOS: "Applications/DaVinci Resolve/DaVinci Resolve.app/Contents/MacOS/Resolve",
    System.WINDOWS: "Program Files/Blackmagic Design/DaVinci Resolve/Resolve.exe",
}
MENUS = {
    System.LINUX: ".local/share/DaVinciResolve/Fusion/Scripts/Utility",
    System.MACOS: "Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion/Scripts/Utility",
    System.WINDOWS: "AppData/Roaming/Blackmagic Design/DaVinci Resolve/Support/Fusion/Scripts/Utility",
}


def _nothing(command: object) -> Answer:
    return Answer(None, "")


def _made(folder: Path, version: str = "0.1.0") -> Made:
    def script() -> Path:
        put(folder / version / "package/tweenbridge_resolve/__init__.py", f"# {version}")
        put(folder / version / "vendor/py3/msgpack/__init__.py")
        return folder / version

    return Made(version, folder.joinpath, "", script, f"digest of {version}", "print('menu')\n")


def _install(computer: Machine, made: Made) -> Plan:
    plan = for_resolves(find(computer), made, computer.data, record.load(computer.data))
    assert installation.carry_out(plan, made.version, computer.data, _nothing, lambda _: None).failures == ()
    return plan


@pytest.mark.parametrize("system", System)
def test_install_update_and_uninstall(tmp_path: Path, system: System) -> None:
    computer = machine(tmp_path / "computer", system)
    assert find(computer) == ()
    put(computer.root / PROGRAMS[system])
    before = tree(computer.root)
    _install(computer, _made(tmp_path))
    (host,) = find(computer)
    assert host.menu == computer.home / MENUS[system]
    assert (host.menu / "Tweenbridge.py").read_text().startswith("print('menu')\n")
    told = json.loads((computer.data / "resolve.json").read_text())
    assert (Path(told["package"]) / "tweenbridge_resolve/__init__.py").read_text() == "# 0.1.0"
    assert (Path(told["vendor"]) / "py3/msgpack/__init__.py").is_file()
    assert editors.installed_script(host, computer.data) == "0.1.0"
    assert _install(computer, _made(tmp_path)) == Plan()

    plan = _install(computer, _made(tmp_path, "0.2.0"))
    assert "DaVinci Resolve: replace the script 0.1.0 by 0.2.0" in plan.sentences
    assert editors.installed_script(host, computer.data) == "0.2.0"
    assert [path.name.split("-")[1] for path in (computer.data / "plugins").iterdir()] == ["0.2.0"]

    assert installation.uninstall(computer.data, _nothing, lambda _: None).failures == ()
    assert tree(computer.root) == before


def test_the_folder_of_a_first_start_is_enough_to_notice_it(tmp_path: Path) -> None:
    computer = machine(tmp_path, System.LINUX)
    (computer.home / ".local/share/DaVinciResolve").mkdir(parents=True)
    assert [host.name for host in find(computer)] == ["DaVinci Resolve"]


def test_the_app_stores_resolve_keeps_its_scripts_in_its_container(tmp_path: Path) -> None:
    computer = machine(tmp_path, System.MACOS)
    support = computer.home / "Library/Containers/com.blackmagic-design.DaVinciResolveAppStore/Data/Library"
    (support / "Application Support/Fusion").mkdir(parents=True)
    (host,) = find(computer)
    assert (host.id, host.scripts) == ("resolve-app-store", support / "Application Support/Fusion/Scripts")


def test_a_launcher_without_what_it_starts_is_no_installation(tmp_path: Path) -> None:
    computer = machine(tmp_path / "computer", System.LINUX)
    put(computer.root / PROGRAMS[System.LINUX])
    _install(computer, _made(tmp_path))
    (host,) = find(computer)
    (computer.data / "resolve.json").unlink()
    assert editors.installed_script(host, computer.data) is None
    assert _install(computer, _made(tmp_path)) != Plan()
    assert editors.installed_script(host, computer.data) == "0.1.0"


def test_all_editors_are_one_list(tmp_path: Path) -> None:
    from machines import blender

    computer = machine(tmp_path, System.LINUX)
    put(computer.root / PROGRAMS[System.LINUX])
    blender(computer.home / "blender", "4.5", System.LINUX)
    found = editors.find(computer, _nothing)
    assert [(editor.id, editor.kind) for editor in found.editors] == [
        ("blender-4.5-zip", "blender"), ("resolve", "resolve"),
    ]  # fmt: skip
