"""Tells the gateway what changed: progress at most ten times a second for each job, frames and final states at once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tweenbridge.protocol.messages import JobInfo

from ..executors.base import Previewed

PROGRESS_INTERVAL = 0.1
"""Seconds between two changes of one job that bring no new frame."""
READY_INTERVAL = 0.02
"""Seconds between two changes of one job that bring new frames."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """A job changed.

    Attributes:
        info: as it is now; None when it is forgotten.
        ready: drawings that became ready since the last change.
        owner: whose job it is.
    """

    job: str
    info: JobInfo | None
    ready: tuple[int, ...] = ()
    owner: str = ""


@dataclass(frozen=True)
class Preview:
    """An unfinished in-between of a job's gap. It is shown or dropped, never kept."""

    job: str
    gap: int
    picture: Previewed
    owner: str = ""


class Notifier:
    """A thread that gathers changes and passes them on, in order."""

    def __init__(self, look_up: Callable[[str], JobInfo | None], on_change: Callable[[Change], None]) -> None:
        self._look_up = look_up
        self._on_change = on_change
        self._pending: dict[str, list[int]] = {}
        self._owners: dict[str, str] = {}
        self._sent: dict[str, float] = {}
        self._urgent: set[str] = set()
        self._condition = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._loop, name="changes", daemon=True)

    def start(self) -> None:
        """Begin to pass changes on."""
        self._thread.start()

    def changed(self, job: str, owner: str, ready: tuple[int, ...] = (), urgent: bool = False) -> None:
        """A job of that owner changed. Never blocks for long; any thread may."""
        with self._condition:
            self._pending.setdefault(job, []).extend(ready)
            self._owners[job] = owner
            if urgent:
                self._urgent.add(job)
            self._condition.notify()

    def close(self) -> None:
        """Pass on what there is, and end."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _due(self, job: str) -> float:
        """When the job's change may go out, on the monotonic clock."""
        if job in self._urgent or self._closing:
            return 0.0
        return self._sent.get(job, 0.0) + (READY_INTERVAL if self._pending[job] else PROGRESS_INTERVAL)

    def _take(self) -> list[tuple[str, str, tuple[int, ...]]] | None:
        """Changes that are due, waiting for the first; None at the end."""
        with self._condition:
            while True:
                now = time.monotonic()
                due = [job for job in self._pending if self._due(job) <= now]
                if due:
                    self._urgent.difference_update(due)
                    for job in due:
                        self._sent[job] = now
                    return [(job, self._owners.pop(job), tuple(self._pending.pop(job))) for job in due]
                if self._closing:
                    return None
                wait = min((self._due(job) for job in self._pending), default=None)
                self._condition.wait(None if wait is None else wait - now)

    def _loop(self) -> None:
        while (changes := self._take()) is not None:
            for job, owner, ready in changes:
                try:
                    info = self._look_up(job)
                    self._on_change(Change(job, info, ready, owner))
                except Exception:
                    log.exception("A change of job %s could not be passed on.", job)
                    continue
                if info is None or info.state.is_final:
                    self._sent.pop(job, None)
