"""`tweenbridge install` and `uninstall`: what is found, what will be done, and doing it."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import tweenbridge_installer
import typer
from tweenbridge.client import Client
from tweenbridge.launcher import record_command, this_installation
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.version import __version__
from tweenbridge_installer import blender, blender_build, installation, record, wheels
from tweenbridge_installer.blender import Blender
from tweenbridge_installer.errors import InstallError
from tweenbridge_installer.login import Start
from tweenbridge_installer.machine import Machine, run_program
from tweenbridge_installer.plan import LOGIN, MENU, Made, Plan, for_blenders, for_login, for_menu
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
    """

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    autostart: bool | None = None
    programs: tuple[Path, ...] = ()

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
    """What is put into the editors, for this computer, built into a folder when it is needed."""
    machine = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}.get(platform.machine().lower())
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    here = f"{system}-{machine}"
    platforms = (here,) if here in wheels.PLATFORMS else wheels.PLATFORMS

    @cache
    def extension() -> Path:
        return blender_build.build(_ROOT, folder, say, platforms=platforms)[0]

    return Made(__version__, extension, blender_build.digest(_ROOT, platforms))


def make_plan(wanted: Wanted, found: Sequence[Blender], things: Made, machine: Machine, kept: Record) -> Plan:
    """What has to be done for what the user asked for.

    Raises:
        TweenbridgeError: BAD_REQUEST when something is asked for that is not there.
    """
    ids = [host.id for host in found]
    unknown = sorted({*wanted.only, *wanted.skip} - {*ids, LOGIN, MENU})
    if unknown:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, f"There is no {unknown[0]} here.",
            remedy=f"There are: {', '.join([*ids, LOGIN, MENU])}.",
        )  # fmt: skip
    # An interrupted installation is finished, whatever else is asked for.
    unfinished = {item.part for item in kept.items} if not kept.finished else set()
    hosts = [host for host in found if wanted.takes(host.id) or host.id in unfinished]
    plan = for_blenders(hosts, things, kept)
    if wanted.takes(MENU) or MENU in unfinished:
        plan += for_menu(machine, start_command(machine.data, at_login=False), kept)
    if wanted.takes(LOGIN) or LOGIN in unfinished:
        on = bool(kept.of(LOGIN)) or not kept.version if wanted.autostart is None else wanted.autostart
        plan += for_login(machine, start_command(machine.data, at_login=True), on, kept)
    return plan


def install(home: Path, wanted: Wanted, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Show what there is and what will be done, and do it."""
    machine = Machine.here(home)
    try:
        with tempfile.TemporaryDirectory(prefix="tweenbridge-install-") as folder:
            kept = record.load(home)
            found = blender.find(machine, run_program, wanted.programs)
            things = made(Path(folder))
            plan = make_plan(wanted, found, things, machine, kept)
            if dry_run:
                _show(found, plan, kept, as_json)
                return
            if not as_json:
                _show(found, plan, kept, as_json)
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
        print(f"Done. Keep the folder {_ROOT}: it is the installation." if not wanted.only else "Done.")


def _show(found: Sequence[Blender], plan: Plan, kept: Record, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "hosts": [_described(host) for host in found],
                "steps": list(plan.sentences),
                "notes": list(plan.notes),
                "autostart": bool(kept.of(LOGIN)),
            }
        )
        return
    print("Found:" if found else "Found no Blender. --blender FOLDER names one in an unusual place.")
    for host in found:
        there = blender.installed_version(host)
        print(f"  {host.name:<32} {host.id:<24} {f'has Tweenbridge {there}' if there else ''}".rstrip())
    if plan.notes:
        print("\n".join(("Notes:", *(f"  {note}" for note in plan.notes))))
    if not kept.finished:
        print("An installation was interrupted; this finishes it.")
    if plan.sentences:
        print("\n".join(("To do:", *(f"  {sentence}" for sentence in plan.sentences))))
    else:
        print("Nothing to do.")


def _described(host: Blender) -> dict[str, Any]:
    """An editor for other programs, the tray among them."""
    return {
        "id": host.id, "name": host.name, "kind": "blender", "version": host.version, "path": str(host.path),
        "installed": blender.installed_version(host), "obstacle": host.obstacle,
    }  # fmt: skip


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
        if not things and not stored:
            print("Nothing is installed outside this folder and the data folder.")
        else:
            print("\n".join(("To do:", *(f"  Remove {path}" for path in (*things, *stored)))))
            if dry_run:
                return
            _confirm_removal(yes)
            _stop(home)
            outcome = installation.uninstall(home, run_program, lambda sentence: None)
            for failure in outcome.failures:
                say(f"Error: {failure}")
            if outcome.failures:
                raise typer.Exit(1)
            for folder in stored:
                _remove_models(folder)
            print("Done.")
        if not dry_run:
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
    import shutil

    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    total = sum(path.stat().st_size for path in files)
    shutil.rmtree(folder)
    print(f"Removed {plural(len(files), 'file')} of models, {size(total)}.")


def _say_what_is_left(home: Path) -> None:
    if home.is_dir():
        print(f"Settings, jobs and the rest of your data are in {home}.")
    print(f"Tweenbridge itself is the folder {_ROOT}. Delete both folders, and nothing is left.")
