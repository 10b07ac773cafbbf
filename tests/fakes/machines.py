"""Computers made up for tests: a folder that looks like one of a system, with a home and Blenders of every flavour."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

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
