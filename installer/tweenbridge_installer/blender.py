"""Finds the Blender installations of a computer, however they came there, and puts the extension into them.

A Blender keeps its own files in a folder named by its version ("4.5"), beside its program or, on macOS, in its
bundle: that names the version without starting it. Installations of one version share the user's settings, and so
share the extension; only a portable one, with a folder `portable` beside its program, has settings of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from . import steam
from .machine import Machine, Run, System, listed

OLDEST = (4, 2)
"""The first Blender that has extensions."""
REPOSITORY = "user_default"
"""Blender's own name for the repository of what is installed from files."""
EXTENSION = "tweenbridge"
_FLATPAK = "org.blender.Blender"
_STORE = "BlenderFoundation.Blender*"
_VERSION = re.compile(r"\d+\.\d+")


class Flavour(str, Enum):
    """How a program came to a computer."""

    INSTALLER = "installer"
    ARCHIVE = "zip"
    STEAM = "Steam"
    SNAP = "Snap"
    FLATPAK = "Flatpak"
    STORE = "Microsoft Store"
    SCOOP = "Scoop"
    PACKAGE = "package"


@dataclass(frozen=True)
class Blender:
    """One installation.

    Attributes:
        version: "4.5", or "" when it could not be told.
        flavour: how it came here.
        path: its folder, bundle or program, to show.
        command: the program and what precedes its arguments; () when it cannot be started from outside.
        extensions: the user's folder of extensions that it reads.
        id: names it on the command line; no two have the same.
    """

    version: str
    flavour: Flavour
    path: Path
    command: tuple[str, ...]
    extensions: Path
    id: str = ""

    @property
    def name(self) -> str:
        """Names it to a person."""
        return f"Blender {self.version}".strip() + f" ({self.flavour.value})"

    @property
    def obstacle(self) -> str:
        """Why the extension cannot go into it; "" when it can."""
        if not self.version:
            return "its version could not be told"
        if tuple(int(part) for part in self.version.split(".")) < OLDEST:
            return "it is too old: the extension needs Blender 4.2 or newer"
        return ""

    @property
    def place(self) -> Path:
        """The folder that the extension is in once it is installed."""
        return self.extensions / REPOSITORY / EXTENSION


def find(machine: Machine, run: Run, programs: tuple[Path, ...] = ()) -> tuple[Blender, ...]:
    """All installations, oldest version first, each once.

    Args:
        run: starts a program that does not tell its version by its files.
        programs: further ones that the user names: a program, its folder, or a bundle.
    """
    found: dict[Path, Blender] = {}
    for flavour, path, command in (*_named(machine, programs), *_candidates(machine)):
        if path.resolve() not in found:
            found[path.resolve()] = _described(machine, run, flavour, path, command)
    if machine.system is System.WINDOWS:
        found |= {blender.path: blender for blender in _of_store(machine)}
    # Of those of one flavour that share their settings (4.5.1 and 4.5.2, say) one stands for all.
    distinct = {(blender.version, blender.flavour, blender.extensions): blender for blender in found.values()}
    return tuple(_with_ids(sorted(distinct.values(), key=_order)))


def _order(blender: Blender) -> tuple[tuple[int, ...], str, str]:
    return tuple(int(part) for part in blender.version.split(".") if part), blender.flavour.value, str(blender.path)


def _with_ids(blenders: list[Blender]) -> Iterator[Blender]:
    taken: dict[str, int] = {}
    for blender in blenders:
        base = f"blender-{blender.version or 'unknown'}-{blender.flavour.value.lower().replace(' ', '-')}"
        taken[base] = taken.get(base, 0) + 1
        yield replace(blender, id=base if taken[base] == 1 else f"{base}-{taken[base]}")


Candidate = tuple[Flavour, Path, tuple[str, ...]]
"""Flavour, folder or bundle, command."""


def _named(machine: Machine, programs: tuple[Path, ...]) -> Iterator[Candidate]:
    for given in programs:
        path = given.expanduser().absolute()
        if path.suffix == ".app":
            yield Flavour.ARCHIVE, path, (str(path / "Contents/MacOS/Blender"),)
        else:
            program = path / _program(machine) if path.is_dir() else path
            yield Flavour.ARCHIVE, program.parent, (str(program),)


def _program(machine: Machine) -> str:
    return "blender.exe" if machine.system is System.WINDOWS else "blender"


def _candidates(machine: Machine) -> Iterator[Candidate]:
    if machine.system is System.MACOS:
        places = [*steam.programs(machine, "Blender"), machine.at("/Applications"), machine.home / "Applications"]
        places += [machine.home / "Downloads", machine.home / "Desktop"]
        for place in places:
            kept = place.name in ("Downloads", "Desktop")
            flavour = Flavour.STEAM if place.name == "Blender" else Flavour.ARCHIVE if kept else Flavour.INSTALLER
            for bundle in (*listed(place, "Blender*.app"), *listed(place, "Blender*/Blender*.app")):
                yield flavour, bundle, (str(bundle / "Contents/MacOS/Blender"),)
        return
    program = _program(machine)
    for flavour, folder in _folders(machine):
        if (folder / program).is_file():
            yield flavour, folder, (str(folder / program),)
    if machine.system is System.LINUX:
        yield from _of_linux(machine)


def _folders(machine: Machine) -> Iterator[tuple[Flavour, Path]]:
    """Folders that may hold the program itself, on Windows and Linux."""
    home = machine.home
    for folder in steam.programs(machine, "Blender"):
        yield Flavour.STEAM, folder
    if machine.system is System.WINDOWS:
        for programs in machine.programs():
            for folder in listed(programs / "Blender Foundation", "Blender*"):
                yield Flavour.INSTALLER, folder
        for folder in listed(home / "scoop/apps", "blender*/current"):
            yield Flavour.SCOOP, folder
        places = [home / name for name in ("Downloads", "Desktop", "Documents")] + [machine.root]
    else:
        places = [home, *(home / name for name in ("Downloads", "Desktop", "Applications", "bin", ".local/opt", "opt"))]
        places += [machine.at("/opt"), machine.at("/usr/local")]
    for place in places:
        for pattern in ("[Bb]lender*", "[Bb]lender*/[Bb]lender*"):
            for folder in listed(place, pattern):
                yield Flavour.ARCHIVE, folder


def _of_linux(machine: Machine) -> Iterator[Candidate]:
    snap = machine.at("/snap/blender/current")
    if snap.is_dir():
        yield Flavour.SNAP, snap, (str(machine.at("/snap/bin/blender")),)
    for base in (machine.at("/var/lib/flatpak"), machine.local / "flatpak"):
        folder = base / f"app/{_FLATPAK}/current/active/files/blender"
        if folder.is_dir():
            yield Flavour.FLATPAK, folder, ("flatpak", "run", _FLATPAK)
    for place in machine.search_path():
        program = place / "blender"
        if program.is_file() and "snap" not in place.parts and "flatpak" not in place.parts:
            resolved = program.resolve()
            yield Flavour.PACKAGE, resolved if resolved.parent == place.resolve() else resolved.parent, (str(program),)


def _described(machine: Machine, run: Run, flavour: Flavour, path: Path, command: tuple[str, ...]) -> Blender:
    version = _version_by_files(path) or _version_by_asking(run, command)
    portable = (path / "Contents/Resources" if path.suffix == ".app" else path) / "portable"
    if portable.is_dir():
        return Blender(version, flavour, path, command, portable / "extensions")
    return Blender(version, flavour, path, command, extensions_folder(machine, version, flavour))


def _version_by_files(path: Path) -> str:
    inside = path / "Contents/Resources" if path.suffix == ".app" else path
    names = [folder.parent.name for folder in listed(inside, "*/scripts") if _VERSION.fullmatch(folder.parent.name)]
    return names[-1] if names else ""


def _version_by_asking(run: Run, command: tuple[str, ...]) -> str:
    shown = re.search(r"Blender (\d+\.\d+)", run([*command, "--version"]).output) if command else None
    return shown[1] if shown else ""


def extensions_folder(machine: Machine, version: str, flavour: Flavour) -> Path:
    """The user's folder of extensions for a version of Blender."""
    for name, inside in (("BLENDER_USER_EXTENSIONS", ""), ("BLENDER_USER_RESOURCES", "extensions")):
        if machine.environment.get(name):
            return Path(machine.environment[name], inside)
    if flavour is Flavour.FLATPAK:
        return machine.home / f".var/app/{_FLATPAK}/config/blender" / version / "extensions"
    family = {System.WINDOWS: "Blender Foundation/Blender", System.MACOS: "Blender", System.LINUX: "blender"}
    return machine.config / family[machine.system] / version / "extensions"


def _of_store(machine: Machine) -> Iterator[Blender]:
    """The Microsoft Store's Blenders, which show nothing but the folders that they keep for their user."""
    for package in listed(machine.local / "Packages", _STORE):
        for folder in listed(package / "LocalCache/Roaming/Blender Foundation/Blender", "*"):
            if _VERSION.fullmatch(folder.name):
                yield Blender(folder.name, Flavour.STORE, folder, (), folder / "extensions")


def installed_version(blender: Blender) -> str | None:
    """The version of the extension that is in it, or None."""
    for manifest in listed(blender.extensions, f"*/{EXTENSION}/blender_manifest.toml"):
        try:
            said = re.search(r'^version = "([^"]+)"', manifest.read_text(encoding="utf-8"), re.MULTILINE)
        except OSError:
            continue
        if said:
            return said[1]
    return None


def add_command(blender: Blender, extension: Path) -> list[str]:
    """The command by which Blender installs the extension and turns it on."""
    return [
        *blender.command, "--command", "extension", "install-file", "--repo", REPOSITORY, "--enable", str(extension),
    ]  # fmt: skip


def remove_command(command: tuple[str, ...]) -> list[str]:
    """The command by which Blender turns the extension off and removes it."""
    return [*command, "--command", "extension", "remove", EXTENSION]
