"""Carries a plan out, and undoes what the record lists. Both may be interrupted anywhere and simply be run again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import record as records
from .errors import InstallError
from .lock import locked
from .machine import Run
from .plan import Plan
from .record import Item, Kind, Record
from .steps import AddExtension, explain, make_folders, missing_folders, take_away

Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """How it went: what is there now, and one sentence for everything that did not work."""

    record: Record
    failures: tuple[str, ...]


def workshop(data: Path) -> Path:
    """Where what is installed is built: not among temporary files, which a Flatpak's Blender does not see."""
    return data / "plugins" / ".build"


def clear_workshop(data: Path) -> None:
    """Take the workshop away, with the folder around it where that is empty."""
    shutil.rmtree(workshop(data), ignore_errors=True)
    around = workshop(data).parent
    if around.is_dir() and not any(around.iterdir()):
        around.rmdir()


def carry_out(plan: Plan, version: str, data: Path, run: Run, say: Say) -> Outcome:
    """Do the steps of a plan, then its removals. One that fails does not keep the others from being done.

    Raises:
        OSError, InstallError: the record cannot be read or written. What it says by then is what is there, or more.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(data / "install.lock", say):
        before = records.load(data)
        if not plan.steps and not plan.removals and before.finished and before.version == version:
            return Outcome(before, ())
        intended = before.with_items(_new_items(plan, before))
        records.save(Record(version, False, intended.items), data)
        failures = []
        said = ""
        for step in plan.steps:
            if step.what != said:
                said = step.what
                say(f"{said}...")
            try:
                if not (isinstance(step, AddExtension) and step.blender.command):
                    make_folders(step.item.path)
                step.do(run, say)
            except InstallError as error:
                failures.append(str(error))
            except OSError as error:
                failures.append(explain(error))
        left, problems = _take_all(intended, plan.removals, run)
        failures += problems
        # What an earlier run, interrupted, had begun and this one does not go on with.
        gone = tuple(item for item in left.items if not _exists(item.path))
        failures += _take_all(left, gone, run)[1]
        after = Record(version, not failures, tuple(item for item in left.items if _exists(item.path)))
        records.save(after, data)
        clear_workshop(data)
        return Outcome(after, tuple(failures))


def _new_items(plan: Plan, before: Record) -> tuple[Item, ...]:
    """The items that the steps add: themselves, after the folders that have to be made for them."""
    items: dict[Path, Item] = {}
    for step in plan.steps:
        for folder in missing_folders(step.item.path):
            items.setdefault(folder, Item(Kind.FOLDER, folder))
        items[step.item.path] = step.item
    return tuple(item for item in items.values() if item.kind is not Kind.FOLDER or not before.holds(item.path))


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _take_all(record: Record, items: tuple[Item, ...], run: Run) -> tuple[Record, list[str]]:
    gone = set()
    failures = []
    for item in items:
        try:
            take_away(item, run)
            gone.add(item.path)
        except OSError as error:
            failures.append(explain(error))
    return record.without(frozenset(gone)), failures


def uninstall(data: Path, run: Run, say: Say) -> Outcome:
    """Take away all that the record lists, and nothing else.

    Raises:
        OSError, InstallError: the record cannot be read or written. What it says by then is what is there, or more.
    """
    if not data.is_dir():
        return Outcome(Record(), ())
    with locked(data / "install.lock", say):
        record = records.load(data)
        for item in reversed(record.items):
            if item.kind is not Kind.FOLDER and _exists(item.path):
                say(f"Remove {item.path}")
        clear_workshop(data)
        left, failures = _take_all(record, tuple(reversed(record.items)), run)
        # A folder that others use meanwhile is theirs.
        items = tuple(item for item in left.items if item.kind is not Kind.FOLDER)
        if items:
            records.save(Record(record.version, False, items), data)
        else:
            records.remove(data)
    (data / "install.lock").unlink(missing_ok=True)
    if not any(data.iterdir()):
        data.rmdir()
    return Outcome(Record(record.version, not failures, items), tuple(failures))
