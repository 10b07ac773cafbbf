"""Computers made up for tests: a folder that looks like one of a system, with a home and Blenders of every flavour."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tweenbridge_installer.blender import Flavour
from tweenbridge_installer.machine import Answer, Machine, System

STEAM_LIST = '"libraryfolders"\n{{\n "0"\n {{\n  "path"\t\t"{}"\n  "apps" {{ "365670" "1" }}\n }}\n}}\n'


def machine(folder: Path, system: System, **environment: str) -> Machine:
    """A computer in a folder, whose user has not much yet."""
    home = folder / {"linux": "home/mia", "macos": "Users/mia", "windows": "C/Users/mia"}[system.value]
    root = folder / "C" if system is System.WINDOWS else folder
    variables = dict(environment)
    if system is System.WINDOWS:
        variables |= {
            "APPDATA": str(home / "AppData/Roaming"), "LOCALAPPDATA": str(home / "AppData/Local"),
            "ProgramFiles": str(root / "Program Files"), "ProgramFiles(x86)": str(root / "Program Files (x86)"),
        }  # fmt: skip
    home.mkdir(parents=True)
    return Machine(system, home, home / "tweenbridge-data", variables, root)


def put(path: Path, text: str = "") -> Path:
    """A file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def blender(folder: Path, version: str, system: System) -> Path:
    """What the folder of an unpacked or installed Blender holds, as far as it tells anything."""
    if system is System.MACOS:
        put(folder / "Contents/MacOS/Blender")
        put(folder / f"Contents/Resources/{version}/scripts/startup/bl_ui/__init__.py")
        return folder
    put(folder / ("blender.exe" if system is System.WINDOWS else "blender"))
    put(folder / f"{version}/scripts/startup/bl_ui/__init__.py")
    put(folder / f"{version}/python/bin/python3.11")
    return folder


@dataclass(frozen=True)
class Way:
    """How a Blender 4.5 came to a computer.

    Attributes:
        path: where it is, from the root of the file system; for the Microsoft Store, where its user's folder is.
        kept: where it keeps extensions, from the user's home.
    """

    system: System
    flavour: Flavour
    path: str
    kept: str


_CONFIG = ".config/blender/4.5/extensions"
_FLATPAK = ".var/app/org.blender.Blender/config/blender/4.5/extensions"
_ROAMING = "AppData/Roaming/Blender Foundation/Blender/4.5/extensions"
_SUPPORT = "Library/Application Support/Blender/4.5/extensions"
_STORE = "AppData/Local/Packages/BlenderFoundation.Blender4.5LTS_x/LocalCache/Roaming/Blender Foundation/Blender/4.5"
_L, _M, _W = System.LINUX, System.MACOS, System.WINDOWS
WAYS = {
    "zip in Downloads": Way(_L, Flavour.ARCHIVE, "home/mia/Downloads/blender-4.5.3-linux-x64", _CONFIG),
    "zip in the home": Way(_L, Flavour.ARCHIVE, "home/mia/blender-4.5.3-linux-x64", _CONFIG),
    "zip of zips": Way(_L, Flavour.ARCHIVE, "home/mia/Downloads/blender/blender-4.5.3-linux-x64", _CONFIG),
    "opt": Way(_L, Flavour.ARCHIVE, "opt/blender-4.5", _CONFIG),
    "steam on linux": Way(_L, Flavour.STEAM, "home/mia/.steam/steam/steamapps/common/Blender", _CONFIG),
    "steam on another disk": Way(_L, Flavour.STEAM, "mnt/games/steamapps/common/Blender", _CONFIG),
    "steam in flatpak": Way(
        _L, Flavour.STEAM, "home/mia/.var/app/com.valvesoftware.Steam/.local/share/Steam/steamapps/common/Blender",
        _CONFIG,
    ),
    "snap": Way(_L, Flavour.SNAP, "snap/blender/current", _CONFIG),
    "flatpak of all users": Way(
        _L, Flavour.FLATPAK, "var/lib/flatpak/app/org.blender.Blender/current/active/files/blender", _FLATPAK
    ),
    "flatpak of one user": Way(
        _L, Flavour.FLATPAK, "home/mia/.local/share/flatpak/app/org.blender.Blender/current/active/files/blender",
        _FLATPAK,
    ),
    "installer on windows": Way(_W, Flavour.INSTALLER, "Program Files/Blender Foundation/Blender 4.5", _ROAMING),
    "zip on windows": Way(
        _W, Flavour.ARCHIVE, "Users/mia/Downloads/blender-4.5.3-windows-x64/blender-4.5.3-windows-x64", _ROAMING
    ),
    "zip on the disk": Way(_W, Flavour.ARCHIVE, "blender-4.5.3-windows-x64", _ROAMING),
    "steam on windows": Way(_W, Flavour.STEAM, "Program Files (x86)/Steam/steamapps/common/Blender", _ROAMING),
    "scoop": Way(_W, Flavour.SCOOP, "Users/mia/scoop/apps/blender/current", _ROAMING),
    "microsoft store": Way(_W, Flavour.STORE, f"Users/mia/{_STORE}", f"{_STORE}/extensions"),
    "applications": Way(_M, Flavour.INSTALLER, "Applications/Blender.app", _SUPPORT),
    "two versions side by side": Way(_M, Flavour.INSTALLER, "Applications/Blender 4.5/Blender.app", _SUPPORT),
    "of one user": Way(_M, Flavour.INSTALLER, "Users/mia/Applications/Blender.app", _SUPPORT),
    "unpacked on macos": Way(_M, Flavour.ARCHIVE, "Users/mia/Downloads/Blender.app", _SUPPORT),
    "steam on macos": Way(
        _M, Flavour.STEAM, "Users/mia/Library/Application Support/Steam/steamapps/common/Blender/Blender.app", _SUPPORT
    ),
}  # fmt: skip
"""Every way in which a Blender comes to a computer of every system."""


def arrange(folder: Path, way: Way) -> Machine:
    """A computer to which a Blender came in this way."""
    computer = machine(folder, way.system)
    place = computer.root / way.path
    if way.flavour is Flavour.STORE:
        put(place / "config/userpref.blend")
    else:
        blender(place, "4.5", way.system)
    if way.path.startswith("mnt/"):
        listing = STEAM_LIST.format(place.parents[2])
        put(computer.home / ".local/share/Steam/steamapps/libraryfolders.vdf", listing)
    return computer


class FakeBlender:
    """Stands in for the `blender` of a made-up computer: takes extensions as the real one does, and can misbehave.

    Attributes:
        extensions: where it keeps them.
        commands: what it was asked.
        answer: what it answers instead of working; None while it works.
    """

    def __init__(self, extensions: Path) -> None:
        self.extensions = extensions
        self.commands: list[tuple[str, ...]] = []
        self.answer: Answer | None = None

    def __call__(self, command: Sequence[str]) -> Answer:
        self.commands.append(tuple(command))
        if self.answer is not None:
            return self.answer
        place = self.extensions / "user_default/tweenbridge"
        if "install-file" in command:
            shutil.rmtree(place, ignore_errors=True)
            with zipfile.ZipFile(command[-1]) as archive:
                archive.extractall(place)
        elif "remove" in command:
            shutil.rmtree(place)
        return Answer(0, "")


def tree(folder: Path) -> dict[str, str]:
    """Everything in a folder: files with their content, links with their target, folders."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink().as_posix()}"
        else:
            found[name] = path.read_bytes().hex() if path.is_file() else "folder"
    return found
