"""What an installation will do: the steps, what goes, and what is left alone and why. Looks, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from . import blender as blenders
from .blender import Blender
from .editors import LAUNCHER, RESOLVE_FILE, installed_script
from .login import MARK, Linked, Start, Written, at_login, in_menu
from .machine import Machine
from .record import Item, Record
from .resolve import Resolve
from .steps import AddExtension, PutFile, PutLink, PutTree, Step

LOGIN = "login"
MENU = "menu"


@dataclass(frozen=True)
class Made:
    """What is put into the editors.

    Attributes:
        version: of all of it.
        extension: makes the zip for Blender and returns where it is.
        extension_digest: names what the zip is made of.
        script: makes the folder with `package` and `vendor` for Resolve and returns where it is.
        script_digest: names what that is made of.
        launcher: the text of the file in Resolve's menu.
    """

    version: str
    extension: Callable[[], Path]
    extension_digest: str
    script: Callable[[], Path]
    script_digest: str
    launcher: str


@dataclass(frozen=True)
class Plan:
    """What is going to happen.

    Attributes:
        steps: to be done, in this order.
        removals: items of the record that go, in this order, after the steps.
        notes: what is left alone, with the reason; one sentence each.
    """

    steps: tuple[Step, ...] = ()
    removals: tuple[Item, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.steps + other.steps, self.removals + other.removals, self.notes + other.notes)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The steps and removals for a person, each said once."""
        said = [step.what for step in self.steps] + [f"Remove {item.path}" for item in self.removals]
        return tuple(dict.fromkeys(said))


def for_blenders(found: Iterable[Blender], made: Made, record: Record) -> Plan:
    """Put the extension into Blenders; one that has just this already is left alone."""
    steps: list[Step] = []
    notes = []
    planned: set[Path] = set()
    for blender in found:
        if blender.obstacle:
            notes.append(f"{blender.name} is left alone: {blender.obstacle}.")
            continue
        if blender.place in planned:
            notes.append(f"{blender.name} shares its extensions with another one of this list.")
            continue
        planned.add(blender.place)
        ours = next((item for item in record.items if item.path == blender.place), None)
        there = blenders.installed_version(blender)
        if record.finished and ours is not None and ours.digest == made.extension_digest and there == made.version:
            continue
        what = f"{blender.name}: install the extension {made.version}"
        if there and there != made.version:
            what = f"{blender.name}: replace the extension {there} by {made.version}"
        steps.append(AddExtension(blender.id, what, blender, made.extension, made.extension_digest))
    return Plan(tuple(steps), (), tuple(notes))


def for_resolves(found: Iterable[Resolve], made: Made, data: Path, record: Record) -> Plan:
    """Put the launcher into Resolve's menu, and what it starts into the data folder, where every Python finds it."""
    plan = Plan()
    place = data / "plugins" / f"resolve-{made.version}-{made.script_digest[:12]}"
    told = {"package": str(place / "package"), "vendor": str(place / "vendor"), "version": made.version, "by": MARK}
    for host in found:
        there = installed_script(host, data)
        what = f"{host.name}: install the script {made.version}"
        if there and there != made.version:
            what = f"{host.name}: replace the script {there} by {made.version}"
        # The launcher comes last: what is in the menu works.
        files = (
            PutTree(host.id, what, place, made.script, made.script_digest),
            PutFile(host.id, what, Written(data / RESOLVE_FILE, json.dumps(told, indent=1) + "\n")),
            PutFile(host.id, what, Written(host.menu / LAUNCHER, f"{made.launcher.rstrip()}\n\n# {MARK}\n")),
        )
        plan += for_files(host.id, what, files, record)
    return plan


def for_files(part: str, what: str, files: Iterable[PutFile | PutLink | PutTree], record: Record) -> Plan:
    """Put files of one part there, and take away what an earlier version of it had elsewhere."""
    wanted = tuple(files)
    paths = {step.item.path for step in wanted}
    old = tuple(item for item in reversed(record.of(part)) if item.path not in paths)
    # A tree goes into our own data folder, under a name that says what is in it.
    foreign = [
        step.item.path for step in wanted if not isinstance(step, PutTree) and not _is_ours(step.item.path, record)
    ]
    if foreign:
        return Plan(notes=(f"{what}: left out, because {foreign[0]} is there and is not Tweenbridge's. Move it away.",))
    if not old and record.finished and all(_is_done(step, record) for step in wanted):
        return Plan()
    return Plan(wanted, old)


def _is_ours(path: Path, record: Record) -> bool:
    if record.holds(path) or not (path.exists() or path.is_symlink()):
        return True
    try:
        return path.is_symlink() or MARK in path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False


def _is_done(step: PutFile | PutLink | PutTree, record: Record) -> bool:
    if not record.holds(step.item.path):
        return False
    if isinstance(step, PutTree):
        return step.path.is_dir()
    if isinstance(step, PutLink):
        return step.link.path.is_symlink()
    try:
        return step.file.path.read_bytes() == step.file.text.encode("utf-8")
    except OSError:
        return False


def for_login(machine: Machine, start: Start, on: bool, record: Record) -> Plan:
    """Turn start at login on or off."""
    what = "Start when you log in"
    if not on:
        return Plan((), tuple(reversed(record.of(LOGIN))))
    return for_files(LOGIN, what, _putting(LOGIN, what, at_login(machine, start)), record)


def for_menu(machine: Machine, start: Start, record: Record) -> Plan:
    """Put an entry into the start menu, where there is something to show."""
    what = "Add Tweenbridge to the start menu"
    return for_files(MENU, what, _putting(MENU, what, in_menu(machine, start)), record)


def _putting(part: str, what: str, files: Iterable[Written | Linked]) -> list[PutFile | PutLink]:
    return [PutFile(part, what, file) if isinstance(file, Written) else PutLink(part, what, file) for file in files]
