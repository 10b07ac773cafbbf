"""Finds DaVinci Resolve on a computer, and the folder of menu scripts that it reads for this user."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .machine import Machine, System, listed

UTILITY = "Utility"
"""The folder of scripts that Resolve lists on every page."""
_SCRIPTS = "Fusion/Scripts"
_VENDOR = "Blackmagic Design/DaVinci Resolve"


@dataclass(frozen=True)
class Resolve:
    """One DaVinci Resolve.

    Attributes:
        path: its program, or the folder by which it was noticed.
        scripts: the user's folder of scripts; it need not exist.
        id: names it on the command line.
    """

    path: Path
    scripts: Path
    id: str = "resolve"

    @property
    def name(self) -> str:
        """Names it to a person."""
        return "DaVinci Resolve" if self.id == "resolve" else "DaVinci Resolve (App Store)"

    @property
    def menu(self) -> Path:
        """The folder that the launcher goes into."""
        return self.scripts / UTILITY


def find(machine: Machine) -> tuple[Resolve, ...]:
    """The Resolve of this computer, and that of Apple's App Store, which keeps its files elsewhere."""
    found = []
    noticed = next((path for path in _signs(machine) if path.exists()), None)
    if noticed is not None:
        found.append(Resolve(noticed, scripts_folder(machine)))
    if machine.system is System.MACOS:
        for container in listed(machine.home / "Library/Containers", "com.blackmagic-design.DaVinciResolve*"):
            support = container / "Data/Library/Application Support"
            folder = next((folder for folder in listed(support, "**/Fusion") if folder.is_dir()), None)
            if folder is not None:
                found.append(Resolve(container, folder / "Scripts", "resolve-app-store"))
                break
    return tuple(found)


def scripts_folder(machine: Machine) -> Path:
    """Where Resolve looks for this user's scripts."""
    if machine.system is System.WINDOWS:
        return machine.config / _VENDOR / "Support" / _SCRIPTS
    if machine.system is System.MACOS:
        return machine.config / _VENDOR / _SCRIPTS
    # Not $XDG_DATA_HOME: Resolve does not look at it.
    return machine.home / ".local/share/DaVinciResolve" / _SCRIPTS


def _signs(machine: Machine) -> Iterator[Path]:
    """What is there where Resolve is: its program, else the folder that it makes for a user at its first start."""
    if machine.system is System.WINDOWS:
        for programs in machine.programs():
            yield programs / _VENDOR / "Resolve.exe"
        yield machine.config / _VENDOR
    elif machine.system is System.MACOS:
        for base in (machine.at("/Applications"), machine.home / "Applications"):
            yield base / "DaVinci Resolve/DaVinci Resolve.app"
            yield base / "DaVinci Resolve.app"
            yield base / "DaVinci Resolve Studio.app"
        yield machine.config / _VENDOR
    else:
        yield machine.at("/opt/resolve/bin/resolve")
        yield machine.home / ".local/share/DaVinciResolve"
