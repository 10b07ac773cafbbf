"""What an installation must know of the computer: its system, whose home it is, and the environment's variables.

Everything that looks for editors or decides where files go takes a `Machine`, and nothing there asks the real one: so
the rules for all three systems can be tried on any of them, in a folder that only looks like a computer.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

PATIENCE = 180.0
"""Seconds that another program may take to answer."""


@dataclass(frozen=True)
class Answer:
    """What a program ended with and printed; the status is None where it could not be started or took too long."""

    status: int | None
    output: str

    @property
    def could_not_start(self) -> bool:
        """Whether it was no answer at all: it crashed (a negative status), or a shell could not start it."""
        return self.status is None or self.status < 0 or self.status in (126, 127)


Run = Callable[[Sequence[str]], Answer]
"""Runs a program to its end."""


def run_program(command: Sequence[str]) -> Answer:
    """Run a program of another project: without what would make its Python load our modules."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        result = subprocess.run(
            list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=PATIENCE, env=environment, check=False,
            # On Windows the tray, which has no console, would open one for each program.
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return Answer(None, str(error))
    return Answer(result.returncode, result.stdout.decode("utf-8", "replace"))


class System(str, Enum):
    """The kinds of computer that Tweenbridge runs on."""

    LINUX = "linux"
    MACOS = "macos"
    WINDOWS = "windows"


@dataclass(frozen=True)
class Machine:
    """One computer, as one of its users sees it.

    Attributes:
        system: its operating system.
        home: the user's home folder.
        data: Tweenbridge's data folder.
        environment: variables, by which Windows and studios tell where folders are.
        root: where its file system begins; another folder than "/" is a computer made up for a test.
    """

    system: System
    home: Path
    data: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    root: Path = Path("/")

    @classmethod
    def here(cls, data: Path) -> Machine:
        """This computer."""
        system = {"win32": System.WINDOWS, "darwin": System.MACOS}.get(sys.platform, System.LINUX)
        return cls(system, Path.home(), data, dict(os.environ))

    def at(self, path: str) -> Path:
        """A place that is the same on every computer of this system, such as "/opt"."""
        return self.root / path.lstrip("/")

    def variable(self, name: str, otherwise: Path) -> Path:
        """The folder that a variable of the environment names, or another where it names none."""
        value = self.environment.get(name)
        return Path(value) if value else otherwise

    @property
    def config(self) -> Path:
        """The folder of programs' settings."""
        if self.system is System.WINDOWS:
            return self.variable("APPDATA", self.home / "AppData/Roaming")
        if self.system is System.MACOS:
            return self.home / "Library/Application Support"
        return self.variable("XDG_CONFIG_HOME", self.home / ".config")

    @property
    def local(self) -> Path:
        """The folder of programs' data that stays on this computer."""
        if self.system is System.WINDOWS:
            return self.variable("LOCALAPPDATA", self.home / "AppData/Local")
        if self.system is System.MACOS:
            return self.home / "Library/Application Support"
        return self.variable("XDG_DATA_HOME", self.home / ".local/share")

    def programs(self) -> tuple[Path, ...]:
        """Windows' folders of installed programs."""
        names = (("ProgramFiles", "C:/Program Files"), ("ProgramFiles(x86)", "C:/Program Files (x86)"))
        return tuple(self.variable(name, self.root / usual) for name, usual in names)

    def search_path(self) -> tuple[Path, ...]:
        """The folders that commands are looked for in."""
        mark = ";" if self.system is System.WINDOWS else ":"
        return tuple(Path(folder) for folder in self.environment.get("PATH", "").split(mark) if folder)


def listed(folder: Path, pattern: str) -> Iterator[Path]:
    """What a folder holds under a pattern, in order; nothing where the folder cannot be read."""
    try:
        yield from sorted(folder.glob(pattern))
    except OSError:
        return
