"""Every way in which a Blender comes to a computer of every system is found, with the folder that it reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from machines import STEAM_LIST, WAYS, arrange, blender, machine, put
from tweenbridge_installer import steam
from tweenbridge_installer.blender import Blender, Flavour, find, installed_version
from tweenbridge_installer.machine import Answer, Machine, System

NOBODY = Answer(None, "there is no such program")


def _find(computer: Machine, *programs: Path, shown: str = "") -> tuple[Blender, ...]:
    return find(computer, lambda command: Answer(0, shown) if shown else NOBODY, programs)


@pytest.mark.parametrize("name", WAYS)
def test_every_way_in_which_it_comes(tmp_path: Path, name: str) -> None:
    way = WAYS[name]
    computer = arrange(tmp_path, way)
    (found,) = _find(computer)
    assert (found.version, found.flavour, found.obstacle) == ("4.5", way.flavour, "")
    assert found.place == computer.home / way.kept / "user_default/tweenbridge"
    if way.flavour is Flavour.STORE:
        # It shows nothing but the folders that it keeps for its user, and cannot be started from outside.
        assert found.command == ()
    elif way.flavour is Flavour.FLATPAK:
        assert found.command == ("flatpak", "run", "org.blender.Blender")
    elif way.flavour is Flavour.SNAP:
        assert found.command == (str(tmp_path / "snap/bin/blender"),)
    else:
        (program,) = found.command
        assert Path(program).is_file()
        assert Path(program).is_relative_to(found.path)


def test_a_package_is_asked_for_its_version(tmp_path: Path) -> None:
    computer = machine(tmp_path, System.LINUX, PATH=f"{tmp_path / 'sbin'}:{tmp_path / 'usr/bin'}")
    put(tmp_path / "usr/bin/blender")
    (found,) = _find(computer, shown="Blender 3.4.1\n\tbuild date: 2023\n")
    assert (found.version, found.flavour) == ("3.4", Flavour.PACKAGE)
    assert "too old" in found.obstacle
    (mute,) = _find(computer)
    assert mute.obstacle == "its version could not be told"


def test_a_link_on_the_path_is_not_a_second_installation(tmp_path: Path) -> None:
    computer = machine(tmp_path, System.LINUX, PATH=str(tmp_path / "home/mia/bin"))
    folder = blender(tmp_path / "opt/blender-4.5", "4.5", System.LINUX)
    (computer.home / "bin").mkdir()
    (computer.home / "bin/blender").symlink_to(folder / "blender")
    (found,) = _find(computer)
    assert found.flavour is Flavour.ARCHIVE


def test_versions_are_in_order_and_have_ids_of_their_own(tmp_path: Path) -> None:
    computer = machine(tmp_path, System.LINUX)
    for version in ("5.0", "4.2", "4.10"):
        blender(computer.home / f"blender-{version}", version, System.LINUX)
    blender(computer.home / "Downloads/blender-4.2.9", "4.2", System.LINUX)
    portable = blender(computer.home / "Desktop/blender-4.2", "4.2", System.LINUX)
    (portable / "portable").mkdir()
    found = _find(computer)
    assert [host.id for host in found] == [
        "blender-4.2-zip", "blender-4.2-zip-2", "blender-4.10-zip", "blender-5.0-zip",
    ]  # fmt: skip
    assert portable / "portable/extensions" in {host.extensions for host in found}


@pytest.mark.parametrize("given", ["folder", "program"])
def test_one_in_an_unusual_place_can_be_named(tmp_path: Path, given: str) -> None:
    computer = machine(tmp_path, System.LINUX)
    folder = blender(tmp_path / "studio/tools/b3d", "4.5", System.LINUX)
    (found,) = _find(computer, folder if given == "folder" else folder / "blender")
    assert (found.version, found.path, found.command) == ("4.5", folder, (str(folder / "blender"),))


def test_a_studios_folders_come_first(tmp_path: Path) -> None:
    computer = machine(tmp_path, System.LINUX, BLENDER_USER_RESOURCES=str(tmp_path / "studio"))
    blender(computer.home / "blender", "4.5", System.LINUX)
    assert _find(computer)[0].extensions == tmp_path / "studio/extensions"


def test_what_is_installed_is_read_from_the_manifest(tmp_path: Path) -> None:
    computer = machine(tmp_path, System.LINUX)
    blender(computer.home / "blender", "4.5", System.LINUX)
    (found,) = _find(computer)
    assert installed_version(found) is None
    put(
        found.extensions / "a_repository/tweenbridge/blender_manifest.toml", 'schema_version = "1"\nversion = "0.0.9"\n'
    )
    assert installed_version(found) == "0.0.9"


def test_steams_list_of_libraries_on_windows_is_understood() -> None:
    assert steam.library_paths(STEAM_LIST.format("D:\\\\Games\\\\Steam")) == ("D:\\Games\\Steam",)
