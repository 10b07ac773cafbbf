"""Start at login, and the entry in the start menu: which files do that on each system. Pure: nothing is written here.

Linux: a systemd user unit for the server, or a desktop entry where there is no systemd or where the tray is started,
which needs a desktop. macOS: a LaunchAgent. Windows: a command file in the Startup folder.
"""

from __future__ import annotations

import plistlib
import shlex
from dataclasses import dataclass
from pathlib import Path

from .machine import Machine, System

MARK = "Written by `tweenbridge install`"
"""In every file that is written here: one that has it is ours, even where the record was lost."""
LABEL = "org.tweenbridge.tweenbridge"
_TITLE = "Tweenbridge"
_COMMENT = "In-betweens for animators and editors"


@dataclass(frozen=True)
class Start:
    """What is to be started.

    Attributes:
        command: the program and its arguments.
        window: it shows itself on the desktop (the tray), and is not just a server.
        home: the data folder, where the user chose another than the usual one.
    """

    command: tuple[str, ...]
    window: bool
    home: Path | None = None


@dataclass(frozen=True)
class Written:
    """A file to be written."""

    path: Path
    text: str


@dataclass(frozen=True)
class Linked:
    """A symbolic link to be made."""

    path: Path
    target: str


def at_login(machine: Machine, start: Start) -> tuple[Written | Linked, ...]:
    """What makes it start when the user logs in."""
    if machine.system is System.WINDOWS:
        return (Written(_start_menu(machine) / "Startup/Tweenbridge.cmd", command_file(start)),)
    if machine.system is System.MACOS:
        return (Written(machine.home / f"Library/LaunchAgents/{LABEL}.plist", launch_agent(start)),)
    if start.window or not machine.at("/run/systemd/system").is_dir():
        return (Written(machine.config / "autostart/tweenbridge.desktop", desktop_entry(start)),)
    folder = machine.config / "systemd/user"
    return (
        Written(folder / "tweenbridge.service", systemd_unit(start)),
        Linked(folder / "default.target.wants/tweenbridge.service", "../tweenbridge.service"),
    )


def in_menu(machine: Machine, start: Start) -> tuple[Written, ...]:
    """What puts it into the start menu; () for a server, which shows nothing when it is started."""
    if not start.window:
        return ()
    if machine.system is System.WINDOWS:
        return (Written(_start_menu(machine) / "Tweenbridge.cmd", command_file(start)),)
    if machine.system is System.MACOS:
        # A file that Finder and Spotlight run when it is opened; a bundle would have to be signed.
        return (Written(machine.home / "Applications/Tweenbridge.command", shell_file(start)),)
    return (Written(machine.local / "applications/tweenbridge.desktop", desktop_entry(start)),)


def _start_menu(machine: Machine) -> Path:
    return machine.config / "Microsoft/Windows/Start Menu/Programs"


def _desktop_word(word: str) -> str:
    """One argument of `Exec`, as the Desktop Entry Specification quotes it."""
    escaped = "".join("\\" + letter if letter in '"`$\\' else letter for letter in word.replace("%", "%%"))
    quoted = f'"{escaped}"' if any(letter in " \t\n\"'\\><~|&;$*?#()`%" for letter in word) else word
    return quoted.replace("\\", "\\\\")


def desktop_entry(start: Start) -> str:
    """A desktop entry, for the menu and for `autostart` alike."""
    words = ["env", f"TWEENBRIDGE_HOME={start.home}", *start.command] if start.home else start.command
    lines = [
        "[Desktop Entry]",
        f"# {MARK}",
        "Type=Application",
        f"Name={_TITLE}",
        f"Comment={_COMMENT}",
        "Exec=" + " ".join(map(_desktop_word, words)),
        "Terminal=false",
        "Categories=AudioVideo;Video;",
    ]
    return "\n".join([*lines, "" if start.window else "NoDisplay=true\n"])


def _systemd_word(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def systemd_unit(start: Start) -> str:
    """A user unit. It is not restarted: editors start the server themselves when they need it."""
    # systemd replaces no variables in `Environment`, so a $ there stands for itself.
    home = _systemd_word(f"TWEENBRIDGE_HOME={start.home}").replace("$$", "$")
    environment = [f"Environment={home}"] if start.home else []
    lines = ["[Unit]", f"# {MARK}", f"Description={_TITLE}: {_COMMENT.lower()}", "", "[Service]", *environment]
    # By way of env, because systemd takes no program whose path has a quotation mark or a $ in it.
    command = " ".join(["/usr/bin/env", *map(_systemd_word, start.command)])
    lines += [f"ExecStart={command}", "", "[Install]", "WantedBy=default.target"]
    return "\n".join([*lines, ""])


def launch_agent(start: Start) -> str:
    """A LaunchAgent."""
    content: dict[str, object] = {"Label": LABEL, "ProgramArguments": list(start.command), "RunAtLoad": True}
    if start.home:
        content["EnvironmentVariables"] = {"TWEENBRIDGE_HOME": str(start.home)}
    text = plistlib.dumps(content, sort_keys=False).decode()
    return text.replace("<plist", f"<!-- {MARK} -->\n<plist", 1)


def command_file(start: Start) -> str:
    """A command file for Windows, which starts the program and ends."""

    def word(text: str) -> str:
        return '"' + text.replace("%", "%%") + '"'

    home = [f"set {word(f'TWEENBRIDGE_HOME={start.home}')}"] if start.home else []
    # UTF-8, so that a user's name with other letters than English ones is read as it was written.
    lines = ["@echo off", f"rem {MARK}", "chcp 65001 >nul", *home, f'start "" {" ".join(map(word, start.command))}']
    return "\r\n".join([*lines, ""])


def shell_file(start: Start) -> str:
    """A shell file for macOS, which starts the program and ends."""
    home = [f"TWEENBRIDGE_HOME={shlex.quote(str(start.home))} \\"] if start.home else []
    return "\n".join(["#!/bin/sh", f"# {MARK}", *home, f"nohup {shlex.join(start.command)} >/dev/null 2>&1 &", ""])
