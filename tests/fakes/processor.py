"""How long processes waited for a processor: on a machine that is busy with other things, most of what anything takes.

Linux counts it for every thread; elsewhere it is taken for nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path


def waited(pid: int) -> float:
    """Seconds that a process was ready to run and had no processor; of its threads, the one that waited most counts.

    They are the second number of Linux's schedstat, in nanoseconds.
    """
    waits = [0.0]
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # the thread has ended
            waits.append(int(path.read_text().split()[1]) / 1e9)
    return max(waits)


class Patience:
    """So many seconds, without those in which the processes that are waited for could not run.

    Args:
        seconds: how long something may take that the machine lets happen.
        processes: the ids of those that have to do it, whenever it is asked. The one that waited most counts.
    """

    def __init__(self, seconds: float, processes: Callable[[], Iterable[int]]) -> None:
        self._seconds = seconds
        self._processes = processes
        self._before = {pid: waited(pid) for pid in processes()}
        self._began = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether they had their time."""
        passed = time.monotonic() - self._began
        lost = [waited(pid) - self._before.get(pid, 0.0) for pid in self._processes()]
        return passed - max(lost, default=0.0) > self._seconds
