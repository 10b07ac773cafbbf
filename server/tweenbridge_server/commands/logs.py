"""`tweenbridge logs`: the server's log for people, and as it grows."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from ..diagnostics.logs import log_file, readable

_PAUSE = 0.3


def show(home: Path, lines: int, follow: bool, raw: bool) -> None:
    """Print the end of the log.

    Raises:
        TweenbridgeError: NOT_RUNNING when there is no log yet.
    """
    path = log_file(home)
    if not path.is_file() and not follow:
        raise TweenbridgeError(
            ErrorCode.NOT_RUNNING,
            f"There is no log yet in {path.parent}: the server has not run.",
            remedy="It starts by itself when in-betweens are asked for, or with `tweenbridge serve`.",
        )
    for line in _last(path, lines):
        _print(line, raw)
    if follow:
        for line in _grow(path):
            _print(line, raw)


def _print(line: str, raw: bool) -> None:
    print(line.rstrip("\n") if raw else readable(line), flush=True)


def _last(path: Path, lines: int) -> list[str]:
    """The last lines, from the file before where this one has only begun."""
    kept: deque[str] = deque(maxlen=lines)
    for part in (path.with_name(path.name + ".1"), path):
        if part.is_file():
            with part.open(encoding="utf-8", errors="replace") as file:
                kept.extend(file)
    return list(kept)


def _grow(path: Path) -> Iterator[str]:
    """New lines as they come, across rotations; ends with Ctrl-C."""
    file: TextIO | None = None
    at_start = not path.is_file()
    try:
        while True:
            if file is None and path.is_file():
                file = path.open(encoding="utf-8", errors="replace")
                if not at_start:
                    file.seek(0, 2)
            if file is not None:
                pending = ""
                while chunk := file.readline():
                    pending += chunk
                    if pending.endswith("\n"):
                        yield pending
                        pending = ""
                    else:
                        time.sleep(_PAUSE)
                if _replaced(path, file):
                    file.close()
                    file, at_start = None, True
                    continue
            time.sleep(_PAUSE)
    except KeyboardInterrupt:
        return
    finally:
        if file is not None:
            file.close()


def _replaced(path: Path, file: TextIO) -> bool:
    """Whether the log began anew under its name."""
    import os

    try:
        now, opened = path.stat(), os.fstat(file.fileno())
    except OSError:
        return True
    return (now.st_dev, now.st_ino) != (opened.st_dev, opened.st_ino) or now.st_size < file.tell()
