"""Every way in which a Blender comes to a computer of every system is found, with the folder that it reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from machines import STEAM_LIST, blender, machine, put
from tweenbridge_installer import steam
from tweenbridge_installer.blender import Blender, Flavour, find, installed_version
from tweenbridge_installer.machine import Answer, Machine, System

NOBODY = Answer(None, "there is no such program")


def _find(computer: Machine, *programs: Path, shown: str = "") -> tuple[Blender, ...]:
    return find(computer, lambda command: Answer(0, shown) if shown else NOBODY, programs)


def _on_linux(path: str) -> Callable[[Machine], None]:
    return lambda computer: _make(computer.root / path, System.LINUX)


def _make(folder: Path, system: System) -> None:
    blender(folder, "4.5", system)


def _steam_elsewhere(computer: Machine) -> None:
    disk = computer.root / "mnt/games"
    put(computer.home / ".local/share/Steam/steamapps/libraryfolders.vdf", STEAM_LIST.format(disk))
    _make(disk / "steamapps/common/Blender", System.LINUX)


LINUX = {
    "zip in Downloads": (_on_linux("home/mia/Downloads/blender-4.5.3-linux-x64"), Flavour.ARCHIVE),
    "zip in the home": (_on_linux("home/mia/blender-4.5.3-linux-x64"), Flavour.ARCHIVE),
    "zip of zips": (_on_linux("home/mia/Downloads/blender/blender-4.5.3-linux-x64"), Flavour.ARCHIVE),
    "opt": (_on_linux("opt/blender-4.5"), Flavour.ARCHIVE),
    "steam": (_on_linux("home/mia/.steam/steam/steamapps/common/Blender"), Flavour.STEAM),
    "steam on another disk": (_steam_elsewhere, Flavour.STEAM),
    "steam in flatpak": (
        _on_linux("home/mia/.var/app/com.valvesoftware.Steam/.local/share/Steam/steamapps/common/Blender"),
        Flavour.STEAM,
    ),
    "snap": (_on_linux("snap/blender/current"), Flavour.SNAP),
    "flatpak of all users": (
        _on_linux("var/lib/flatpak/app/org.blender.Blender/current/active/files/blender"), Flavour.FLATPAK,
    ),
    "flatpak of one user": (
        _on_linux("home/mia/.local/share/flatpak/app/org.blender.Blender/current/active/files/blender"),
        Flavour.FLATPAK,
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", LINUX)
def test_linux(tmp_path: Path, way: str) -> None:
    make, flavour = LINUX[way]
    computer = machine(tmp_path, System.LINUX)
    make(computer)
    (found,) = _find(computer)
    assert (found.version, found.flavour, found.obstacle) == ("4.5", flavour, "")
    base = computer.home / (
        ".var/app/org.blender.Blender/config" if flavour is Flavour.FLATPAK else ".config"
    )  # fmt: skip
    assert found.place == base / "blender/4.5/extensions/user_default/tweenbridge"
    if flavour is Flavour.FLATPAK:
        assert found.command == ("flatpak", "run", "org.blender.Blender")
    elif flavour is Flavour.SNAP:
        assert found.command == (str(tmp_path / "snap/bin/blender"),)
    else:
        assert Path(found.command[0]).is_file()


WINDOWS = {
    "installer": ("Program Files/Blender Foundation/Blender 4.5", Flavour.INSTALLER),
    "zip": ("Users/mia/Downloads/blender-4.5.3-windows-x64/blender-4.5.3-windows-x64", Flavour.ARCHIVE),
    "zip on the disk": ("blender-4.5.3-windows-x64", Flavour.ARCHIVE),
    "steam": ("Program Files (x86)/Steam/steamapps/common/Blender", Flavour.STEAM),
    "scoop": ("Users/mia/scoop/apps/blender/current", Flavour.SCOOP),
}


@pytest.mark.parametrize("way", WINDOWS)
def test_windows(tmp_path: Path, way: str) -> None:
    path, flavour = WINDOWS[way]
    computer = machine(tmp_path, System.WINDOWS)
    _make(computer.root / path, System.WINDOWS)
    (found,) = _find(computer)
    assert (found.version, found.flavour) == ("4.5", flavour)
    assert Path(found.command[0]).name == "blender.exe"
    foundation = computer.home / "AppData/Roaming/Blender Foundation/Blender"
    assert found.place == foundation / "4.5/extensions/user_default/tweenbridge"


def test_the_microsoft_store_shows_only_its_users_folders(tmp_path: Path) -> None:
    computer = machine(tmp_path, System.WINDOWS)
    package = computer.local / "Packages/BlenderFoundation.Blender4.2LTS_ppwjx1n5r4v9t"
    kept = package / "LocalCache/Roaming/Blender Foundation/Blender/4.2"
    put(kept / "config/userpref.blend")
    (found,) = _find(computer)
    assert (found.version, found.flavour, found.command) == ("4.2", Flavour.STORE, ())
    assert found.extensions == kept / "extensions"


MACOS = {
    "installer": ("Applications/Blender.app", Flavour.INSTALLER),
    "two versions side by side": ("Applications/Blender 4.5/Blender.app", Flavour.INSTALLER),
    "of one user": ("Users/mia/Applications/Blender.app", Flavour.INSTALLER),
    "unpacked": ("Users/mia/Downloads/Blender.app", Flavour.ARCHIVE),
    "steam": ("Users/mia/Library/Application Support/Steam/steamapps/common/Blender/Blender.app", Flavour.STEAM),
}


@pytest.mark.parametrize("way", MACOS)
def test_macos(tmp_path: Path, way: str) -> None:
    path, flavour = MACOS[way]
    computer = machine(tmp_path, System.MACOS)
    _make(tmp_path / path, System.MACOS)
    (found,) = _find(computer)
    assert (found.version, found.flavour) == ("4.5", flavour)
    assert found.command == (str(tmp_path / path / "Contents/MacOS/Blender"),)
    assert found.extensions == computer.home / "Library/Application Support/Blender/4.5/extensions"


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
