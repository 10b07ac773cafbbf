"""A thread that stores frames while the engine makes the next ones, those of the next gap included.

It stores one frame at a time, and at most one more waits for it: storing costs next to nothing, and memory stays flat.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

_FRAMES_BEING_STORED = 2
"""One is encoded while one waits: more would only hold memory."""


class Storing:
    """The thread, and the room for frames that all tasks share."""

    def __init__(self) -> None:
        self.thread = ThreadPoolExecutor(1, "storing")
        self.room = threading.BoundedSemaphore(_FRAMES_BEING_STORED)


class Batch:
    """The frames of one task on their way to the disk."""

    def __init__(self, storing: Storing) -> None:
        self._thread = storing.thread
        self._room = storing.room
        self._frames: list[Future[None]] = []

    def put(self, store: Callable[[], None]) -> None:
        """Store a frame soon. Waits for room; raises what storing an earlier one of the task raised."""
        self._room.acquire()
        for frame in self._frames:
            if frame.done() and frame.exception():
                self._room.release()
                frame.result()
        self._frames.append(self._thread.submit(self._run, store))

    def _run(self, store: Callable[[], None]) -> None:
        try:
            store()
        finally:
            self._room.release()

    def wait(self) -> BaseException | None:
        """Wait for everything; the first error."""
        errors = [frame.exception() for frame in self._frames]
        return next((error for error in errors if error), None)

    def when_stored(self, call: Callable[[BaseException | None], None]) -> None:
        """Have the thread call, once everything is stored, with the first error."""
        self._thread.submit(lambda: call(self.wait()))
