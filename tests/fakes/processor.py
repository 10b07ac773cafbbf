"""How long processes waited for a processor: on a machine that is busy with other things, most of what anything takes.

Linux counts it for every thread; elsewhere it is taken for nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

Waits = Mapping[str, float]
"""Seconds that each thread of a process was ready to run and had no processor, by the thread's id."""


def waits(pid: int) -> Waits:
    """Of a process, so far: the second number of Linux's schedstat, which is in nanoseconds."""
    found = {}
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # the thread has ended
            found[path.parent.name] = int(path.read_text().split()[1]) / 1e9
    return found


def _since(before: Waits, pid: int) -> float:
    """Seconds that a process waited since then; of its threads, the one that waited most counts."""
    return max((now - before.get(thread, 0.0) for thread, now in waits(pid).items()), default=0.0)


def own_processes() -> list[int]:
    """The ids of this process and of those that it started, such as a server and its workers."""
    this = psutil.Process()
    return [this.pid, *(child.pid for child in this.children(recursive=True))]


class Patience:
    """So many seconds, without those in which the processes that are waited for could not run.

    Args:
        seconds: how long something may take that the machine lets happen.
        processes: the ids of those that have to do it, whenever it is asked. The one that waited most counts.
    """

    def __init__(self, seconds: float, processes: Callable[[], Iterable[int]]) -> None:
        self._seconds = seconds
        self._processes = processes
        self._before = {pid: waits(pid) for pid in processes()}
        self._began = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether they had their time."""
        passed = time.monotonic() - self._began
        if passed <= self._seconds:
            return False
        lost = [_since(self._before.get(pid, {}), pid) for pid in self._processes()]
        return passed - max(lost, default=0.0) > self._seconds


class Stopwatch:
    """Seconds since it was made, without those in which one after the other of some processes could not run.

    Args:
        others: processes that work with this one.
    """

    def __init__(self, *others: int) -> None:
        self._before = {pid: waits(pid) for pid in (os.getpid(), *others)}
        self._began = time.monotonic()

    def own(self, *younger: int) -> float:
        """What has passed. `younger`: processes that have been started since."""
        passed = time.monotonic() - self._began
        return passed - sum(_since(self._before.get(pid, {}), pid) for pid in {*self._before, *younger})
