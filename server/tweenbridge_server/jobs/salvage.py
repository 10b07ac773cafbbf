"""Getting out of a damaged database what can still be read of it, row by row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tweenbridge.protocol.errors import TweenbridgeError

from .job import JobRecord
from .plan import params_hash
from .store import Store, readable_frame, readable_text


@dataclass(frozen=True)
class Saved:
    """What came of it.

    Attributes:
        jobs: how many were saved.
        lost: how many could not be read, as far as the rest of the file tells; None when it tells nothing.
    """

    jobs: int
    lost: int | None

    @property
    def sentence(self) -> str:
        """The same for the log."""
        if self.lost is None:
            return f"Jobs kept: {self.jobs}; how many could not be read cannot be told."
        return f"Jobs kept: {self.jobs}; jobs that could not be read: {self.lost}."


def copy(path: Path, fresh: Store) -> Saved:
    """Copy all rows that can be read of the damaged database at `path` into a fresh one."""
    with closing(sqlite3.connect(path, timeout=5.0, isolation_level=None)) as damaged, fresh.transaction():
        damaged.text_factory = readable_text
        # Has SQLite read a file that is shorter than its header says.
        damaged.execute("PRAGMA writable_schema = ON")
        jobs, lost = _jobs(damaged)
        for record in jobs:
            fresh.add_job(record)
        for key, size, used in _rows(damaged, "keyframes", "name", "name, size, used"):
            if isinstance(size, int) and isinstance(used, float):
                fresh.add_keyframe(key, size, used)
        for *row, used in _rows(damaged, "frames", "key", "key, format, sha256, size, relation, used"):
            frame = readable_frame(row)
            if frame is not None and isinstance(frame.size, int) and isinstance(used, float):
                fresh.add_frame(frame, used)
    return Saved(len(jobs), lost)


def _jobs(damaged: sqlite3.Connection) -> tuple[list[JobRecord], int | None]:
    """The jobs that can be read, oldest first, and how many of their numbers cannot."""
    store = Store(damaged)
    found: list[JobRecord] = []
    lost = 0
    first, last = _end(damaged, "MIN(number) FROM jobs"), _end(damaged, "seq FROM sqlite_sequence WHERE name = 'jobs'")
    if last is None:
        last = _end(damaged, "MAX(number) FROM jobs")
    if last is None:
        return [], None if first is None else 1
    # Each by itself: one that cannot be read does not hide those behind it.
    for number in range(first or 1, last + 1):
        try:
            there = damaged.execute("SELECT 1 FROM jobs WHERE number = ?", (number,)).fetchone()
            record = store.numbered(number)
        except (sqlite3.Error, TweenbridgeError):
            lost += 1
            continue
        if record is not None and params_hash(record.request) == record.params:
            found.append(record)
        elif there:
            lost += 1
    # Indexes are copies of what they sort by: they know of jobs whose own page is gone.
    ids = {row[0] for row in _rows(damaged, "jobs INDEXED BY sqlite_autoindex_jobs_1", "id", "id")}
    numbers = {row[1] for row in _rows(damaged, "jobs INDEXED BY jobs_by_owner", "owner", "owner, number")}
    known = max(len(ids), len(numbers))
    return found, max(lost, len(ids - {record.id for record in found}), known - len(found))


def _end(damaged: sqlite3.Connection, what: str) -> int | None:
    try:
        row = damaged.execute(f"SELECT {what}").fetchone()
    except sqlite3.Error:
        return None
    return row[0] if row and isinstance(row[0], int) else None


def _rows(damaged: sqlite3.Connection, table: str, key: str, columns: str) -> Iterator[Any]:
    """Rows from both ends of a table to where it cannot be read."""
    seen = set()
    for order in ("ASC", "DESC"):
        try:
            for row in damaged.execute(f"SELECT {columns} FROM {table} ORDER BY {key} {order}"):
                if row not in seen and isinstance(row[0], str):
                    seen.add(row)
                    yield row
        except sqlite3.Error:
            continue
