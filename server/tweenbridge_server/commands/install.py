"""`tweenbridge install` and `uninstall`: what is found, what will be done, and doing it."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import tweenbridge_installer
import typer
from tweenbridge.client import Client
from tweenbridge.launcher import record_command, this_installation
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.version import __version__
from tweenbridge_installer import blender_build, editors, installation, record, resolve_build, wheels
from tweenbridge_installer.editors import Found
from tweenbridge_installer.errors import InstallError
from tweenbridge_installer.login import Start
from tweenbridge_installer.machine import Machine, run_program
from tweenbridge_installer.plan import LOGIN, MENU, Made, Plan, for_blenders, for_login, for_menu, for_resolves
from tweenbridge_installer.record import Record

from .console import in_users_words, plural, print_json, say, size

_ROOT = Path(tweenbridge_installer.__file__).resolve().parents[2]


@dataclass(frozen=True)
class Wanted:
    """What the user asked for.

    Attributes:
        only: editors' ids, "login" or "menu": nothing else is touched. () means everything.
        skip: of the same kind: left as they are.
        autostart: start at login on or off; None leaves that to the first installation, and then as it is.
        programs: Blenders in unusual places.
        again: also what is there already, because it does not work.
    """

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    autostart: bool | None = None
    programs: tuple[Path, ...] = ()
    again: bool = False

    def takes(self, part: str) -> bool:
        """Whether it is to be looked after."""
        if part == LOGIN and self.autostart is not None:
            return True
        # To turn start at login on or off is no reason to touch the editors.
        chosen = part in self.only if self.only else self.autostart is None
        return chosen and part not in self.skip


def start_command(home: Path, *, at_login: bool) -> Start:
    """What starts at login or from the menu: the tray where it is installed, else the server."""
    python = Path(sys.executable)
    if sys.platform == "win32" and python.with_name("pythonw.exe").is_file():
        python = python.with_name("pythonw.exe")
    has_tray = all(importlib.util.find_spec(name) is not None for name in ("tweenbridge_tray", "PySide6"))
    # At login the tray shows its icon alone; whoever asks for it wants to see its window.
    words = (("tray", "--hidden") if at_login else ("tray",)) if has_tray else ("serve",)
    unusual = home if os.environ.get("TWEENBRIDGE_HOME") else None
    return Start((str(python), "-I", "-m", "tweenbridge_server", *words), has_tray, unusual)


def made(folder: Path) -> Made:
    """What is put into the editors, for this computer, built into a folder when it is needed.

    Raises:
        InstallError: this is no checkout; the sentence says so.
    """
    here = resolve_build.this_platform()
    platforms = (here,) if here in wheels.PLATFORMS else wheels.PLATFORMS

    @cache
    def extension() -> Path:
        return blender_build.build(_ROOT, folder, say, platforms=platforms)[0]

    @cache
    def script() -> Path:
        return resolve_build.build(_ROOT, folder, say, platforms=(here,), folder=True)[0] / resolve_build.BUNDLE

    digest = blender_build.digest(_ROOT, platforms)
    launcher = (_ROOT / resolve_build.SOURCES / resolve_build.LAUNCHER).read_text(encoding="utf-8")
    return Made(__version__, extension, digest, script, _script_digest(here), launcher)


def _script_digest(platform: str) -> str:
    """Names all that the script for Resolve is made of, without making it."""
    total = hashlib.sha256(platform.encode() + resolve_build.LOCK.read_bytes())
    for folder in (_ROOT / resolve_build.SOURCES, _ROOT / "shared/tweenbridge"):
        for path in sorted(folder.rglob("*.py")):
            total.update(path.relative_to(_ROOT).as_posix().encode() + path.read_bytes())
    return total.hexdigest()


def make_plan(wanted: Wanted, found: Found, things: Callable[[], Made], machine: Machine, kept: Record) -> Plan:
    """What has to be done for what the user asked for.

    Args:
        things: what is put into editors; asked for when there are any.

    Raises:
        TweenbridgeError: BAD_REQUEST when something is asked for that is not there.
    """
    ids = [editor.id for editor in found.editors]
    unknown = sorted({*wanted.only, *wanted.skip} - {*ids, LOGIN, MENU})
    if unknown:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, f"There is no {unknown[0]} here.",
            remedy=f"There are: {', '.join([*ids, LOGIN, MENU])}.",
        )  # fmt: skip
    # An interrupted installation is finished, whatever else is asked for.
    unfinished = {item.part for item in kept.items} if not kept.finished else set()
    chosen = {part for part in (*ids, MENU, LOGIN) if wanted.takes(part)} | unfinished
    if wanted.again:
        kept = replace(kept, finished=False)
    plan = Plan()
    if chosen & set(ids):
        ready = things()
        plan += for_blenders([host for host in found.blenders if host.id in chosen], ready, kept)
        plan += for_resolves([host for host in found.resolves if host.id in chosen], ready, machine.data, kept)
    if MENU in chosen:
        plan += for_menu(machine, start_command(machine.data, at_login=False), kept)
    if LOGIN in chosen:
        on = bool(kept.of(LOGIN)) or not kept.version if wanted.autostart is None else wanted.autostart
        plan += for_login(machine, start_command(machine.data, at_login=True), on, kept)
    return plan


def install(home: Path, wanted: Wanted, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Show what there is and what will be done, and do it."""
    machine = Machine.here(home)
    for program in wanted.programs:
        if not program.expanduser().exists():
            raise TweenbridgeError(
                ErrorCode.BAD_REQUEST, f"There is no Blender at {program}.",
                remedy="Name its folder, its program, or on macOS its bundle (Blender.app).",
            )  # fmt: skip
    try:
        kept = record.load(home)
        found = editors.find(machine, run_program, wanted.programs)
        plan = make_plan(wanted, found, lambda: made(installation.workshop(home)), machine, kept)
        if dry_run or not as_json:
            _show(found, plan, kept, as_json)
        if dry_run:
            return
        if (plan.steps or plan.removals) and wanted.autostart is None:
            _confirm(yes)
        outcome = installation.carry_out(plan, __version__, home, run_program, say)
        # From here on editors find this installation, and start its server.
        record_command(this_installation(), home)
    except InstallError as error:
        say(f"Error: {error}")
        raise typer.Exit(1) from None
    if as_json:
        _show(found, Plan(notes=plan.notes + outcome.failures), outcome.record, as_json)
    for failure in outcome.failures:
        say(f"Error: {failure}")
    if outcome.failures:
        say("Everything else is installed. Run the same command again when that is mended.")
        raise typer.Exit(1)
    if not as_json and (plan.steps or plan.removals):
        print(f"Done. Keep the folder {_ROOT}: it is the installation." if _is_checkout() else "Done.")


def _show(found: Found, plan: Plan, kept: Record, as_json: bool) -> None:
    if as_json:
        hosts = [asdict(editor) | {"path": str(editor.path)} for editor in found.editors]
        steps, notes = list(plan.sentences), list(plan.notes)
        print_json({"hosts": hosts, "steps": steps, "notes": notes, "autostart": bool(kept.of(LOGIN))})
        return
    lines = ["Found:" if found.editors else "Found no editor. --blender FOLDER names a Blender in an unusual place."]
    for editor in found.editors:
        there = f"has Tweenbridge {editor.installed}" if editor.installed else ""
        lines.append(f"  {editor.name:<32} {editor.id:<24} {there}".rstrip())
    if plan.notes:
        lines += ["Notes:", *(f"  {note}" for note in plan.notes)]
    if not kept.finished:
        lines.append("An installation was interrupted; this finishes it.")
    lines += ["To do:", *(f"  {sentence}" for sentence in plan.sentences)] if plan.sentences else ["Nothing to do."]
    # At once, so that it comes before what is told on standard error.
    print("\n".join(lines), flush=True)


def _confirm(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        say(in_users_words("Nothing was done. `tweenbridge install --yes` does it without asking."))
        raise typer.Exit(1)
    if not typer.confirm("Go on?", default=True):
        say("Nothing was done.")
        raise typer.Exit(1)


def uninstall(home: Path, *, models: bool, dry_run: bool, yes: bool) -> None:
    """Take away what `install` put there; settings and jobs stay, and models unless they are to go."""
    try:
        kept = record.load(home)
        things = [item.path for item in reversed(kept.items) if item.kind is not record.Kind.FOLDER]
        stored = [home / "models"] if models and (home / "models").is_dir() else []
        if things or stored:
            print("\n".join(("To do:", *(f"  Remove {path}" for path in (*things, *stored)))), flush=True)
        else:
            print("Nothing is installed outside this folder and the data folder.")
        if dry_run:
            return
        if things or stored:
            _confirm_removal(yes)
        _stop(home)
        outcome = installation.uninstall(home, run_program, lambda sentence: None)
        for failure in outcome.failures:
            say(f"Error: {failure}")
        if outcome.failures:
            raise typer.Exit(1)
        for folder in stored:
            _remove_models(folder)
        wheels.clear_cache()
        print("Done.")
        _say_what_is_left(home)
    except InstallError as error:
        say(f"Error: {error}")
        raise typer.Exit(1) from None


def _confirm_removal(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty() or not typer.confirm("Go on?", default=False):
        say("Nothing was removed. `--yes` does it without asking.")
        raise typer.Exit(1)


def _stop(home: Path) -> None:
    """End the server, which would go on using what is removed."""
    with Client(home, name="command line", start_server=False) as client:
        try:
            client.stop_server()
        except TweenbridgeError as error:
            if error.code is not ErrorCode.NOT_RUNNING:
                say(f"The server could not be ended: {error}")


def _remove_models(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    total = sum(path.stat().st_size for path in files)
    shutil.rmtree(folder)
    print(f"Removed {plural(len(files), 'file')} of models, {size(total)}.")


def _say_what_is_left(home: Path) -> None:
    if home.is_dir():
        print(f"Settings, jobs and the rest of your data are in {home}.")
    if _is_checkout():
        print(f"Tweenbridge itself is the folder {_ROOT}. Delete it, too, and nothing is left.")
    else:
        print("Tweenbridge itself is a package of this Python: `pip uninstall tweenbridge`.")


def _is_checkout() -> bool:
    return (_ROOT / "bootstrap.py").is_file()
