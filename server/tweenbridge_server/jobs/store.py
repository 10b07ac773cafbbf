"""The job store: one SQLite file in WAL mode that says which jobs, keyframes and frames there are.

Every change of state is one transaction. WAL with synchronous=NORMAL: a killed process loses nothing that was
committed; a power cut may lose the last moments, never the file's soundness, and clients submit again what they miss.
Not thread-safe: the service calls it under its lock.
"""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgpack
from tweenbridge.pixels import PixelFormat
from tweenbridge.protocol.codec import from_plain, to_plain
from tweenbridge.protocol.errors import ErrorCode, ErrorInfo, TweenbridgeError
from tweenbridge.protocol.messages import JobRequest, JobState, Note, Priority

from .job import JobRecord
from .plan import Making, Relation

log = logging.getLogger(__name__)

_JOB_COLUMNS = (
    "id", "owner", "params", "request", "making", "total", "priority", "title", "origin", "state", "done",
    "created", "started", "finished", "error", "notes", "deaths",
)  # fmt: skip

_UNREADABLE = (ValueError, TypeError, msgpack.UnpackException, TweenbridgeError)
"""What reading a row raises whose bytes the disk has damaged."""
_DAMAGE = ("malformed", "not a database", "corrupt", "no such table", "no such column", "already exists")
"""What SQLite says when the file itself is damaged."""

_MOST_VARIABLES = 512
"""Placeholders per statement; old SQLite builds allow 999. A power of two."""


@dataclass(frozen=True)
class FrameRow:
    """One finished frame. `relation` is None for a frame that was found on disk without a row."""

    key: str
    format: PixelFormat
    sha256: str
    size: int
    relation: Relation | None = None


@dataclass(frozen=True)
class StoredThing:
    """What retention weighs: a keyframe's file name or a frame's key, its bytes and when it was last used."""

    name: str
    size: int
    used: float


def _pack(value: Any) -> bytes:
    packed: bytes = msgpack.packb(to_plain(value))
    return packed


def _unpack(kind: Any, data: bytes | None) -> Any:
    return None if data is None else from_plain(kind, msgpack.unpackb(data))


def _to_row(record: JobRecord) -> tuple[Any, ...]:
    error = None if record.error is None else _pack(record.error)
    return (
        record.id, record.owner, record.params, _pack(record.request), _pack(record.making), record.total,
        int(record.priority), record.title, record.origin, record.state.value, record.done,
        record.created, record.started, record.finished, error, _pack(record.notes), record.deaths,
    )  # fmt: skip


def _from_row(row: Sequence[Any]) -> JobRecord:
    values: dict[str, Any] = dict(zip(("order", *_JOB_COLUMNS), row))
    values["request"] = _unpack(JobRequest, values["request"])
    values["making"] = _unpack(Making, values["making"])
    values["error"] = _unpack(ErrorInfo, values["error"])
    values["notes"] = _unpack(tuple[Note, ...], values["notes"])
    values["state"] = JobState(values["state"])
    values["priority"] = Priority(values["priority"])
    return JobRecord(**values)


def _frame_from_row(row: Sequence[Any]) -> FrameRow:
    key, form, sha256, size, relation = row
    if not isinstance(sha256, str):
        raise TypeError("it has no hash")
    return FrameRow(key, _unpack(PixelFormat, form), sha256, size, Relation(relation) if relation else None)


def readable_text(data: bytes) -> str:
    """Text as the database has it; what the disk has damaged must not keep the rows around it from being read."""
    return data.decode("utf-8", "replace")


def readable_frame(row: Sequence[Any]) -> FrameRow | None:
    """A row of a frame; None when the disk has damaged it, which is as if the frame were not listed."""
    try:
        return _frame_from_row(row)
    except _UNREADABLE as error:
        log.error("A frame cannot be read from the list and is left out: %s", error)
        return None


def _of(owner: str | None) -> tuple[str, tuple[str, ...]]:
    """A condition on jobs, and its values: of that owner, or any."""
    return ("TRUE", ()) if owner is None else ("owner = ?", (owner,))


def is_damage(error: BaseException) -> bool:
    """Whether the file of the database is damaged, and not just its disk full or busy."""
    return isinstance(error, sqlite3.DatabaseError) and any(words in str(error) for words in _DAMAGE)


def translated(error: sqlite3.Error) -> TweenbridgeError:
    """An error of the database as the user's."""
    if "disk is full" in str(error) or "disk I/O error" in str(error):
        return TweenbridgeError(ErrorCode.DISK_FULL, "The disk that holds the job list is full or failing.")
    if is_damage(error):
        return TweenbridgeError(
            ErrorCode.DISK_FAILED,
            "The job list is damaged on the server's disk.",
            remedy="The server mends it and starts again by itself; then generate again. Check the server's disk.",
        )
    if "readonly" in str(error) or "unable to open" in str(error):
        return TweenbridgeError(ErrorCode.DISK_FAILED, "The server's folder cannot be written: the job list is in it.")
    return TweenbridgeError(ErrorCode.INTERNAL, f"The job list could not be read or written: {error}.")


class Store:
    """The open database. All writing methods are called inside `transaction()`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._bytes: int | None = None
        self.damaged = False
        """The file has turned out to be damaged: it has to be opened again, which mends it."""

    def close(self) -> None:
        """Close the file; everything committed is in it."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside happen, or none.

        Raises:
            TweenbridgeError: DISK_FULL; DISK_FAILED when the database is damaged or cannot be written.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except BaseException as error:
            self._bytes = None
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise self._failed(error) from error
            raise

    def _read(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error) -> TweenbridgeError:
        self.damaged = self.damaged or is_damage(error)
        return translated(error)

    # ------------------------------------------------------------ jobs

    def add_job(self, record: JobRecord) -> int:
        """Insert a job; returns its place in the order of submission. An unreadable one is replaced."""
        marks = ", ".join("?" for _ in _JOB_COLUMNS)
        # Not "INSERT OR REPLACE": its rule would also hold for what the triggers insert.
        self.remove_job(record.id)
        sql = f"INSERT INTO jobs ({', '.join(_JOB_COLUMNS)}) VALUES ({marks})"
        number = self._connection.execute(sql, _to_row(record)).lastrowid
        assert number is not None
        return number

    def update_job(self, record: JobRecord) -> None:
        """Write what can change in a job."""
        assignments = ", ".join(f"{column} = ?" for column in _JOB_COLUMNS)
        sql = f"UPDATE jobs SET {assignments} WHERE number = ?"
        self._connection.execute(sql, (*_to_row(record), record.order))

    def remove_job(self, job: str) -> None:
        """Forget a job."""
        self._connection.execute("DELETE FROM jobs WHERE id = ?", (job,))

    def _jobs(self, condition: str, values: Sequence[Any]) -> list[JobRecord]:
        sql = f"SELECT number, {', '.join(_JOB_COLUMNS)} FROM jobs {condition}"
        records = []
        for row in self._read(sql, values):
            try:
                records.append(_from_row(row))
            except _UNREADABLE as error:
                log.error("Job %s cannot be read from the list and is left out: %s", row[1], error)
        return records

    def job(self, job: str) -> JobRecord | None:
        """The job of that id."""
        return next(iter(self._jobs("WHERE id = ?", (job,))), None)

    def numbered(self, number: int) -> JobRecord | None:
        """The job of that place in the order of submission."""
        return next(iter(self._jobs("WHERE number = ?", (number,))), None)

    def unfinished(self) -> list[JobRecord]:
        """Jobs that are receiving, queued or running, oldest first."""
        states = [state.value for state in JobState if not state.is_final]
        return self._jobs("WHERE state IN (?, ?, ?) ORDER BY number", states)

    def newest(self, limit: int, skip: int = 0, owner: str | None = None) -> list[JobRecord]:
        """The newest jobs, of one owner or of all, but for the `skip` newest, newest first."""
        whose, values = _of(owner)
        return self._jobs(f"WHERE {whose} ORDER BY number DESC LIMIT ? OFFSET ?", (*values, limit, skip))

    def newest_finished(self, limit: int, owner: str | None = None) -> list[JobRecord]:
        """The newest jobs in a final state, of one owner or of all, newest first."""
        whose, values = _of(owner)
        return self._jobs(f"WHERE finished IS NOT NULL AND {whose} ORDER BY number DESC LIMIT ?", (*values, limit))

    def counts(self, owner: str | None = None) -> dict[str, int]:
        """How many jobs, of one owner or of all, there are in each state that has any."""
        whose, values = _of(owner)
        return dict(self._read(f"SELECT state, SUM(jobs) FROM totals WHERE {whose} GROUP BY state", values))

    def trim_history(self, most: int, before: float) -> list[tuple[str, str]]:
        """Forget finished jobs beyond the `most` newest, or finished before that time. Returns ids and owners."""
        counts = self.counts()
        beyond = max(0, sum(counts.get(state.value, 0) for state in JobState if state.is_final) - most)
        rows = self._read(
            "SELECT id, owner FROM jobs WHERE number IN (SELECT number FROM jobs WHERE finished < ? UNION SELECT number"
            " FROM (SELECT number FROM jobs WHERE finished IS NOT NULL ORDER BY number LIMIT ?)) ORDER BY number",
            (before, beyond),
        )
        self._connection.executemany("DELETE FROM jobs WHERE id = ?", [(row[0],) for row in rows])
        return rows

    # ------------------------------------------------------------ keyframes and frames

    def add_keyframe(self, name: str, size: int, used: float) -> None:
        """A keyframe file lies in the spool."""
        before = self._size("keyframes", "name", (name,))
        self._connection.execute("INSERT OR REPLACE INTO keyframes VALUES (?, ?, ?)", (name, size, used))
        self._count(size - before)

    def add_frame(self, frame: FrameRow, used: float) -> None:
        """A frame file lies in the spool."""
        before = self._size("frames", "key", (frame.key,))
        relation = frame.relation.value if frame.relation else None
        row = (frame.key, _pack(frame.format), frame.sha256, frame.size, relation, used)
        self._connection.execute("INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?, ?, ?)", row)
        self._count(frame.size - before)

    def set_relation(self, keys: Iterable[str], relation: Relation) -> None:
        """Say how the keyframes of these frames' gap relate."""
        rows = [(relation.value, key) for key in keys]
        self._connection.executemany("UPDATE frames SET relation = ? WHERE key = ?", rows)

    def touch_frames(self, used: Mapping[str, float]) -> None:
        """Frames, by key, were used at these times."""
        rows = [(moment, key) for key, moment in used.items()]
        self._connection.executemany("UPDATE frames SET used = ? WHERE key = ?", rows)

    def touch_keyframes(self, used: Mapping[str, float]) -> None:
        """Keyframes, by name, were used at these times."""
        rows = [(moment, name) for name, moment in used.items()]
        self._connection.executemany("UPDATE keyframes SET used = ? WHERE name = ?", rows)

    def remove_frames(self, keys: Iterable[str]) -> None:
        """These frames' files are gone."""
        gone = list(keys)
        self._count(-self._size("frames", "key", gone))
        self._connection.executemany("DELETE FROM frames WHERE key = ?", [(key,) for key in gone])

    def remove_keyframes(self, names: Iterable[str]) -> None:
        """These keyframes' files are gone."""
        gone = list(names)
        self._count(-self._size("keyframes", "name", gone))
        self._connection.executemany("DELETE FROM keyframes WHERE name = ?", [(name,) for name in gone])

    def frames(self, keys: Iterable[str]) -> dict[str, FrameRow]:
        """Those of the frames that there are."""
        sql = "SELECT key, format, sha256, size, relation FROM frames WHERE key IN ({})"
        rows = (readable_frame(row) for row in self._in_batches(sql, keys))
        return {row.key: row for row in rows if row is not None}

    def keyframes(self, names: Iterable[str]) -> set[str]:
        """Those of the keyframes that there are."""
        return {row[0] for row in self._in_batches("SELECT name FROM keyframes WHERE name IN ({})", names)}

    def _in_batches(self, sql: str, values: Iterable[str]) -> Iterator[Any]:
        wanted = list(dict.fromkeys(values))
        for start in range(0, len(wanted), _MOST_VARIABLES):
            batch = wanted[start : start + _MOST_VARIABLES]
            # As many as the next power of two, the last one again and again: the statements for every number there is
            # would take megabytes in SQLite's memory, where the last hundred are kept.
            batch += batch[-1:] * (2 ** (len(batch) - 1).bit_length() - len(batch))
            yield from self._read(sql.format(", ".join("?" * len(batch))), batch)

    def stored_frames(self) -> list[StoredThing]:
        """Every frame."""
        return [StoredThing(*row) for row in self._read("SELECT key, size, used FROM frames")]

    def stored_keyframes(self) -> list[StoredThing]:
        """Every keyframe."""
        return [StoredThing(*row) for row in self._read("SELECT name, size, used FROM keyframes")]

    def least_used(self) -> Generator[StoredThing, None, None]:
        """Every frame and keyframe, least recently used first, read as they are asked for."""
        frames, keyframes = "SELECT key, size, used FROM frames", "SELECT name, size, used FROM keyframes"
        try:
            for row in self._connection.execute(f"{frames} UNION ALL {keyframes} ORDER BY used"):
                yield StoredThing(*row)
        except sqlite3.Error as error:
            raise translated(error) from error

    def shift_times(self, seconds: float) -> None:
        """The clock was set by that much: move every moment along with it."""
        for table in ("frames", "keyframes"):
            self._connection.execute(f"UPDATE {table} SET used = used + ?", (seconds,))
        self._connection.execute(
            "UPDATE jobs SET created = created + ?1, started = started + ?1, finished = finished + ?1", (seconds,)
        )

    def oldest_use(self) -> float:
        """When the least recently used frame, keyframe or finished job was last used; infinity when there is none."""
        tables = (
            "MIN(used) FROM frames",
            "MIN(used) FROM keyframes",
            "MIN(finished) FROM jobs WHERE finished IS NOT NULL",
        )
        times = [self._read(f"SELECT {table}")[0][0] for table in tables]
        return min((moment for moment in times if moment is not None), default=math.inf)

    def spool_bytes(self) -> int:
        """Bytes of all keyframes and frames."""
        if self._bytes is None:
            sql = "SELECT (SELECT TOTAL(size) FROM frames) + (SELECT TOTAL(size) FROM keyframes)"
            self._bytes = int(self._read(sql)[0][0])
        return self._bytes

    def frame_bytes(self, keys: Iterable[str]) -> int:
        """Bytes of those of the frames that there are."""
        return self._size("frames", "key", keys)

    def _size(self, table: str, column: str, names: Iterable[str]) -> int:
        sql = f"SELECT size FROM {table} WHERE {column} IN ({{}})"
        return sum(row[0] for row in self._in_batches(sql, names))

    def _count(self, more: int) -> None:
        """Keep the sum, so that it is not added up anew for every job."""
        if self._bytes is not None:
            self._bytes += more
