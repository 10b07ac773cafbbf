"""What clients saw, line by line, in files that survive whatever happens to their writer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any


class Saw(Enum):
    """What a client may note of a job."""

    BEGAN = "began"
    """A process of clients began to run (no job)."""
    ACCEPTED = "accepted"
    """The server acknowledged the job."""
    FRAME = "frame"
    """`value` is [drawing, hash that was announced, hash of the bytes that came]."""
    CANCELLING = "cancelling"
    RELEASING = "releasing"
    ENDED = "ended"
    """`value` is [state, error code or "", sentence]."""
    LOST = "lost"
    """The client heard that there is no session; `value` is [error code, sentence]."""
    FINISHED = "finished"
    """The client is through with the job."""


@dataclass(frozen=True)
class Entry:
    """One line."""

    saw: Saw
    client: str
    job: str = ""
    value: tuple[Any, ...] = ()


class Journal:
    """Appends entries to a file, each in one write."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, entry: Entry) -> None:
        """Append an entry."""
        line = json.dumps([entry.saw.value, entry.client, entry.job, list(entry.value)])
        os.write(self._file, (line + "\n").encode())


def entries(paths: Iterable[Path]) -> Iterator[Entry]:
    """All entries of journals; a last line that was cut off by a kill is left out."""
    for path in paths:
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                saw, client, job, value = json.loads(line)
            except ValueError:
                continue
            yield Entry(Saw(saw), client, job, tuple(value))
