"""The Server page's state: how the server is, its memory over time, and what `tweenbridge doctor` finds."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal
from tweenbridge import Status
from tweenbridge.protocol import messages as wire

from ..command import Commands, Outcome
from ..session import Answer, Link, Session
from ..words import problem

EVERY = 2000
"""Milliseconds between two looks while somebody watches."""
POINTS = 150
"""Points of the memory graph: five minutes."""


@dataclass(frozen=True)
class MemoryPoint:
    """Resident bytes of the server's process and of its workers together, at a time of the monotonic clock."""

    time: float
    server: int
    workers: int


@dataclass(frozen=True)
class Check:
    """One line of `tweenbridge doctor`. `verdict` is "ok", "note" or "wrong"."""

    name: str
    verdict: str
    found: str
    remedy: str


class ServerState(QObject):
    """Asks only while it is watched, and once at every new session."""

    changed = Signal()
    status_seen = Signal(object)
    checks_changed = Signal()
    key_made = Signal(str)
    """A key file was written, or why it was not."""

    def __init__(self, session: Session, commands: Commands, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.status: Status | None = None
        self.memory: deque[MemoryPoint] = deque(maxlen=POINTS)
        self.checks: tuple[Check, ...] = ()
        self.checking = False
        self.check_problem = ""
        self._session = session
        self._commands = commands
        self._timer = QTimer(self)
        self._timer.setInterval(EVERY)
        self._timer.timeout.connect(self._ask)
        session.link_changed.connect(self._link_changed)

    @property
    def link(self) -> Link:
        """How the tray stands with the server."""
        return self._session.link

    @property
    def problem(self) -> str:
        """Why there is no session, in a paragraph; "" when there is one."""
        error = self._session.error
        return problem(error) if error is not None else ""

    @property
    def endpoint(self) -> str:
        """Where the server listens; "" when it does not run."""
        address = self._session.address
        return address.endpoint if address is not None and self.link is Link.ON else ""

    @property
    def serves_others(self) -> bool:
        """This machine's server runs, and other machines may use it."""
        address = self._session.address
        # A key file, which tells of another machine's server, knows no process.
        return address is not None and bool(address.curve_key and address.pid) and self.link is Link.ON

    def make_key(self, target: Path) -> None:
        """Make a key called as the file is, and write its key file; `key_made` tells how it went."""

        def made(outcome: Outcome) -> None:
            if outcome.ok:
                self._commands.run(["keys", "export", target.stem, str(target)], written)
            else:
                self.key_made.emit(outcome.problem)

        def written(outcome: Outcome) -> None:
            self.key_made.emit("" if outcome.ok else outcome.problem)

        self._commands.run(["keys", "create", target.stem], made)

    def watch(self, on: bool) -> None:
        """Keep the status fresh while somebody looks."""
        if on:
            self._ask()
            self._timer.start()
        else:
            self._timer.stop()

    def start(self) -> None:
        """Start the server."""
        self._session.start_server()

    def stop(self) -> None:
        """End the server; unfinished jobs go on at its next start."""
        self._session.stop_server()

    def examine(self) -> None:
        """Run the doctor."""
        if not self.checking:
            self.checking, self.check_problem = True, ""
            self.checks_changed.emit()
            self._commands.run(["doctor", "--json"], self._examined)

    def _examined(self, outcome: Outcome) -> None:
        self.checking = False
        found = outcome.read_json()
        try:
            self.checks = tuple(
                Check(check["name"], check["verdict"], check["found"], check.get("remedy", "")) for check in found
            )
        except (TypeError, KeyError):
            self.check_problem = outcome.problem
        self.checks_changed.emit()

    def _link_changed(self) -> None:
        if self.link is Link.ON:
            self._ask()
        else:
            self.status = None
        self.changed.emit()

    def _ask(self) -> None:
        if self.link is Link.ON:
            self._session.ask(wire.GetStatus(), self._take)

    def _take(self, answer: Answer) -> None:
        if isinstance(answer.message, Status):
            self.status = answer.message
            workers = sum(worker.memory for worker in self.status.workers)
            self.memory.append(MemoryPoint(time.monotonic(), self.status.memory, workers))
            self.status_seen.emit(self.status)
            self.changed.emit()
