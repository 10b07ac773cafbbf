"""What others want done by the thread that owns an executor's state: every call is short, and no locks are needed."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Errands:
    """An inbox, and the loop of the thread that serves it."""

    def __init__(self, until_deadline: Callable[[], float | None], tend: Callable[[float], None]) -> None:
        """
        Args:
            until_deadline: seconds to the next thing to be done without being asked; None when there is nothing.
            tend: does such things; told the monotonic time after each errand and at each deadline.
        """
        self._until_deadline = until_deadline
        self._tend = tend
        self._inbox: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._ending = False

    def put(self, errand: Callable[[], object]) -> None:
        """Have something done on the thread. Any thread may call."""
        self._inbox.put(errand)

    def is_empty(self) -> bool:
        """Whether nothing more waits."""
        return self._inbox.empty()

    @property
    def ending(self) -> bool:
        """Whether `end` was called."""
        return self._ending

    def end(self) -> None:
        """Let `run` return after this errand. On the thread alone."""
        self._ending = True

    def run(self) -> None:
        """Serve until ended. An errand's mistake is logged, and ends nothing."""
        while not self._ending:
            try:
                self._inbox.get(timeout=self._until_deadline())()
            except queue.Empty:
                log.debug("A deadline has come.")
            except Exception:
                log.exception("The executor met a mistake in the program.")
            self._tend(time.monotonic())
