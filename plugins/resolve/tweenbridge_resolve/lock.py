"""One window of Tweenbridge at a time: two would move the playhead from under each other."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, Optional

_FILE = "resolve.lock"


class Lock:
    """Held by a process until it lets go or ends: a crash leaves nothing behind.

    Attributes:
        is_held: by us. Where the data folder cannot be written to, everybody holds it.
    """

    def __init__(self, home: Path) -> None:
        self._file: Optional[IO[bytes]] = None
        self.is_held = True
        try:
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = (home / _FILE).open("a+b")
        except OSError:
            return
        self.is_held = _take(self._file.fileno())

    def release(self) -> None:
        """Let go."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _take(file: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file, 0, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
