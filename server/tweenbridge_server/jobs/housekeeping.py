"""The thread that looks after a job service: old results go, and a clock that was set makes nothing old."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from tweenbridge.protocol.errors import TweenbridgeError

log = logging.getLogger(__name__)

AGE_COUNTS_AFTER = 3600.0
"""Seconds that a server has to run before anything goes for its age: at a start, nobody knows whether the clock is
right, and a machine that gets the time from the network puts it right within that."""
_SET_SECONDS = 60.0
"""A step of the clock beyond this was somebody's doing; less is a clock that is kept right."""
_STEADY = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
"""A clock that nobody sets, and that goes on while the machine sleeps."""


def steady() -> float:
    """Seconds of a clock that nobody sets."""
    return time.monotonic() if _STEADY is None else time.clock_gettime(_STEADY)


class WallClock:
    """Notices when the wall clock is set."""

    def __init__(self) -> None:
        self._offset = time.time() - steady()

    def follow(self, *shift: Callable[[float], None]) -> None:
        """Where the clock was set since the last call, have everything that is remembered be earlier or later by as
        many seconds: nothing grows old by it. When the first of them raises, the next call tells of it again.
        """
        offset = time.time() - steady()
        step = offset - self._offset
        if abs(step) > _SET_SECONDS:
            for each in shift:
                each(step)
            log.warning("The clock was set by %.0f seconds; what was stored before is as old as it was.", step)
        self._offset = offset


class Housekeeper:
    """Calls `keep_house` every `interval` seconds, with whether things may go for their age."""

    def __init__(self, keep_house: Callable[[bool], None], interval: float) -> None:
        self._keep_house = keep_house
        self._interval = interval
        self._begun = steady()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="retention", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End; waits for what is being done."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _loop(self) -> None:
        while not self._closing.wait(self._interval):
            try:
                self._keep_house(steady() >= self._begun + AGE_COUNTS_AFTER)
            except (OSError, TweenbridgeError) as error:
                log.warning("Old results could not be cleared away: %s", error)
