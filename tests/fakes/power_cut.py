"""Ends a program at its n-th change of the file system, as a kill or a power cut does: nothing after it is done.

Python reports every such change to audit hooks before it happens. From the chosen one on each raises `Killed`, so that
the program's own tidying up comes too late, too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.truncate"}


class Killed(BaseException):
    """The program is dead."""


class _Counter:
    def __init__(self) -> None:
        self.active = False
        self.left = 0
        self.seen = 0

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.active or not (event in _CHANGES or (event == "open" and self._writes(arguments))):
            return
        self.seen += 1
        if self.seen > self.left:
            raise Killed

    def _writes(self, arguments: tuple[Any, ...]) -> bool:
        # pyc files are written as Python sees fit; they would make the count depend on what ran before.
        return bool(arguments[2] & _WRITING) and ".pyc" not in str(arguments[0])


_COUNTER = _Counter()
sys.addaudithook(_COUNTER.hook)


@contextmanager
def power_cut(after: int) -> Iterator[None]:
    """Let `after` changes happen, and none beyond them. Nothing is raised to the caller."""
    _COUNTER.active, _COUNTER.left, _COUNTER.seen = True, after, 0
    try:
        yield
    except Killed:
        pass
    finally:
        _COUNTER.active = False


def happened() -> int:
    """How many changes the last `power_cut` saw, those that it kept from happening included."""
    return _COUNTER.seen
