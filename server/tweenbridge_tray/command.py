"""Running `tweenbridge` commands of this installation beside the event loop: for what a client cannot ask for."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment
from tweenbridge.launcher import this_installation


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit status (-1: it could not run, or crashed) and what it said."""

    status: int
    output: str
    errors: str

    @property
    def ok(self) -> bool:
        """It did what it was asked."""
        return self.status == 0

    @property
    def problem(self) -> str:
        """The last sentences that it said of what went wrong."""
        lines = [line.strip() for line in self.errors.splitlines() if line.strip()]
        return " ".join(lines[-2:])[:400] or "The command did not answer."

    def read_json(self) -> Any:
        """What it printed, or None where that is no JSON."""
        try:
            return json.loads(self.output)
        except ValueError:
            return None


def command_line(arguments: Sequence[str]) -> list[str]:
    """The command of this installation's `tweenbridge`."""
    return [*this_installation()[:-1], *arguments]


class Commands(QObject):
    """Runs commands on a data folder; those that still run when this is closed are ended."""

    def __init__(self, home: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._home = home
        self._running: set[QProcess] = set()

    def run(
        self,
        arguments: Sequence[str],
        then: Callable[[Outcome], None],
        on_line: Callable[[str], None] | None = None,
    ) -> QProcess:
        """Start a command and return at once.

        Args:
            arguments: of `tweenbridge`.
            then: called once, when it has ended.
            on_line: called with every whole line of its output, as it comes; `then` gets none of them.
        """
        process = QProcess(self)
        process.setProcessEnvironment(self._environment())
        said = _Lines(process, on_line) if on_line is not None else None
        self._running.add(process)

        def end(status: int) -> None:
            if process not in self._running:
                return
            self._running.discard(process)
            output = "" if said is not None else _text(process.readAllStandardOutput().data())
            then(Outcome(status, output, _text(process.readAllStandardError().data())))
            process.deleteLater()

        def ended(status: int, how: QProcess.ExitStatus) -> None:
            end(status if how is QProcess.ExitStatus.NormalExit else -1)

        def broke(error: QProcess.ProcessError) -> None:
            if error is QProcess.ProcessError.FailedToStart:
                end(-1)

        process.finished.connect(ended)
        process.errorOccurred.connect(broke)
        program, *rest = command_line(arguments)
        process.start(program, rest)
        process.closeWriteChannel()
        return process

    def close(self) -> None:
        """End what still runs; nobody hears of it."""
        running, self._running = self._running, set()
        for process in running:
            process.kill()
            process.waitForFinished(1000)

    def _environment(self) -> QProcessEnvironment:
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("TWEENBRIDGE_HOME", str(self._home))
        environment.insert("PYTHONIOENCODING", "utf-8")
        if not sys.flags.isolated and "PYTHONPATH" in os.environ:
            environment.insert("PYTHONPATH", os.environ["PYTHONPATH"])
        return environment


class _Lines:
    """Cuts a process's output into lines."""

    def __init__(self, process: QProcess, on_line: Callable[[str], None]) -> None:
        self._process = process
        self._on_line = on_line
        self._rest = b""
        process.readyReadStandardOutput.connect(self._read)

    def _read(self) -> None:
        *lines, self._rest = (self._rest + bytes(self._process.readAllStandardOutput().data())).split(b"\n")
        for line in lines:
            self._on_line(_text(line))


def _text(data: bytes | bytearray | memoryview) -> str:
    return bytes(data).decode("utf-8", "replace")
