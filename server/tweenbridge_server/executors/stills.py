"""Decoded keyframes in a worker: those of the gap at hand, and those that arrived for the next one."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from ..disk import is_lost
from ..imaging import io
from ..jobs.spool import Spool, hash_file
from .base import KeyframeFile

_EXPECTED = 2
"""Keyframes of one gap; a longer list would be for a job that never came to run."""


class Stills:
    """Keyframes decoded on threads of their own, each once for the gaps on both its sides. Any thread may call."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(2, "reading")
        self._lock = threading.Lock()
        self._found: dict[KeyframeFile, Future[io.Still]] = {}
        self._expected: deque[KeyframeFile] = deque()

    def expect(self, keyframe: KeyframeFile, spool: Spool) -> None:
        """Begin to read a keyframe that a task will ask for soon. What is wrong with it, the task will hear."""
        with self._lock:
            if keyframe not in self._found:
                self._read(keyframe, spool)
                self._expected.append(keyframe)
            while len(self._expected) > _EXPECTED:
                self._found.pop(self._expected.popleft(), None)

    def pair(self, a: KeyframeFile, b: KeyframeFile, spool: Spool) -> tuple[io.Still, io.Still]:
        """Both keyframes of a gap, decoded at the same time; all others are forgotten.

        Raises:
            TweenbridgeError: as `read_keyframe`.
        """
        with self._lock:
            self._expected.clear()
            self._found = {keyframe: still for keyframe, still in self._found.items() if keyframe in (a, b)}
            for keyframe in (a, b):
                if keyframe not in self._found:
                    self._read(keyframe, spool)
            reading = self._found[a], self._found[b]
        try:
            return reading[0].result(), reading[1].result()
        except BaseException:
            self.clear()
            raise

    def forget_expected(self) -> bool:
        """Forget what was read for tasks that did not come; whether there was anything."""
        with self._lock:
            forgotten, self._expected = self._expected, deque()
            for keyframe in forgotten:
                self._found.pop(keyframe, None)
        return bool(forgotten)

    def clear(self) -> None:
        """Forget all keyframes."""
        with self._lock:
            self._found.clear()
            self._expected.clear()

    def _read(self, keyframe: KeyframeFile, spool: Spool) -> None:
        self._found[keyframe] = self._threads.submit(read_keyframe, keyframe, spool)


def read_keyframe(keyframe: KeyframeFile, spool: Spool) -> io.Still:
    """A keyframe as it was sent. One that the disk has damaged is deleted, so that its client is asked for it again.

    Raises:
        TweenbridgeError: DISK_FAILED when the disk lost or damaged it; else as `imaging.io.read`.
    """
    path = spool.keyframe_path(keyframe.file)
    try:
        if hash_file(path) == keyframe.file[:64]:
            return io.read(path, keyframe.format, keyframe.name)
    except OSError as error:
        if not is_lost(error):
            raise TweenbridgeError(
                ErrorCode.DISK_FAILED, f"A keyframe cannot be read from the server's disk ({error.strerror})."
            ) from error
    with suppress(OSError):
        path.unlink()
    raise TweenbridgeError(
        ErrorCode.DISK_FAILED,
        f"{keyframe.name[:1].upper()}{keyframe.name[1:]} was lost or damaged on the server's disk.",
        remedy="Generate again: the keyframe is sent again. If it happens often, check the server's disk.",
    )
