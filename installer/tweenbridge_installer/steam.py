"""Where Steam keeps its programs: its own folder and the libraries on other disks that it lists."""

from __future__ import annotations

import re
from pathlib import Path

from .machine import Machine, System

_PATH = re.compile(r'"path"\s+"((?:[^"\\]|\\.)*)"')


def _folders(machine: Machine) -> tuple[Path, ...]:
    if machine.system is System.WINDOWS:
        return tuple(folder / "Steam" for folder in machine.programs())
    if machine.system is System.MACOS:
        return (machine.config / "Steam",)
    home = machine.home
    return (
        home / ".steam/steam",
        machine.local / "Steam",
        home / ".var/app/com.valvesoftware.Steam/.local/share/Steam",
        home / "snap/steam/common/.local/share/Steam",
    )


def library_paths(text: str) -> tuple[str, ...]:
    """The folders that `libraryfolders.vdf` lists. Pure."""
    return tuple(path.replace("\\\\", "\\") for path in _PATH.findall(text))


def programs(machine: Machine, name: str) -> tuple[Path, ...]:
    """The folders that Steam has a program of this name in."""
    libraries: dict[Path, None] = {}
    for folder in _folders(machine):
        libraries[folder] = None
        try:
            text = (folder / "steamapps/libraryfolders.vdf").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        libraries |= {Path(path): None for path in library_paths(text)}
    found = {(library / "steamapps/common" / name).resolve(): None for library in libraries}
    return tuple(folder for folder in found if folder.is_dir())
