"""Opening the job store's file: making it, checking it, and mending it where the disk has damaged it."""

from __future__ import annotations

import logging
import sqlite3
import time
from pathlib import Path

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from . import salvage
from .schema import LATER_INDEXES, SCHEMA, SCHEMA_VERSION, TOTALS
from .store import Store, is_damage, readable_text, translated

log = logging.getLogger(__name__)


class _Outdated(Exception):
    """An older Tweenbridge wrote the database."""


def _open(path: Path) -> Store:
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    connection.text_factory = readable_text
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise TweenbridgeError(
                ErrorCode.START_FAILED,
                "The job list was written by a newer Tweenbridge.",
                remedy="Update Tweenbridge, or choose another folder with TWEENBRIDGE_HOME.",
            )
        if 0 < version < SCHEMA_VERSION:
            raise _Outdated
        if version == 0:
            connection.executescript(f"BEGIN;{SCHEMA}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")
        connection.executescript(LATER_INDEXES)
        problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise sqlite3.DatabaseError(f"malformed: {problem}")
        connection.executescript(f"PRAGMA temp_store = MEMORY; {TOTALS}")
    except BaseException:
        connection.close()
        raise
    return Store(connection)


def open_store(path: Path) -> Store:
    """Open the database, making it when absent. One of an older Tweenbridge is moved aside and a fresh one begun. One
    that is damaged is moved aside, too, and what can be read of it goes into the fresh one; what cannot is said in the
    log: clients submit again what they miss, and frames that are in the spool are found there.

    Raises:
        TweenbridgeError: START_FAILED when a newer Tweenbridge wrote it, DISK_FULL, DISK_FAILED.
    """
    try:
        return _open(path)
    except _Outdated:
        log.warning("The job list of an older Tweenbridge was moved to %s and a fresh one begun.", _move(path, "old"))
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise translated(error) from error
        return _mended(path, error)
    return _open(path)


def damaged_lists(home: Path) -> list[Path]:
    """Job lists of a data folder that were damaged and moved aside, oldest first."""
    return sorted(home.glob("jobs.damaged-*.sqlite3"))


def _mended(path: Path, error: sqlite3.Error) -> Store:
    """A fresh database with everything that could be read of a damaged one."""
    half = path.with_name(f"{path.stem}.mending{path.suffix}")
    for ending in ("", "-wal", "-shm"):
        half.with_name(half.name + ending).unlink(missing_ok=True)
    try:
        store = _open(half)
        try:
            saved = salvage.copy(path, store)
        finally:
            store.close()
        # The damaged file keeps its name until everything is out of it, whatever happens meanwhile.
        aside = _move(path, "damaged")
        half.replace(path)
    except sqlite3.Error as trouble:
        raise translated(trouble) from trouble
    except OSError as trouble:
        raise TweenbridgeError(
            ErrorCode.DISK_FAILED, f"The damaged job list {path} could not be mended: {trouble.strerror}."
        ) from trouble
    log.error("The job list was damaged (%s). %s It was moved to %s.", error, saved.sentence, aside)
    return _open(path)


def _move(path: Path, why: str) -> Path:
    """Move the database aside; returns where to."""
    aside = path.with_name(
        f"{path.stem}.{why}-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 1000:03d}{path.suffix}"
    )
    for ending in ("", "-wal", "-shm"):
        source = path.with_name(path.name + ending)
        if source.exists():
            source.replace(aside.with_name(aside.name + ending))
    return aside
