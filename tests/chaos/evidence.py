"""Gathering what there is to be seen of a data folder: store, spool, journals of clients, processes."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tweenbridge.pixels import PixelFormat
from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge_server.imaging import io
from tweenbridge_server.jobs.job import JobRecord
from tweenbridge_server.jobs.plan import Plan, make_plan
from tweenbridge_server.jobs.spool import hash_file, parse_frame_name
from tweenbridge_server.jobs.store import FrameRow, Store

from .journal import Entry, entries

EVERYTHING = 1 << 30
_COULD_NOT = re.compile(r"jobs that could not be read: (\d+)")
_LEFT_OUT = re.compile(r"Job (\S+) cannot be read from the list")
_NOBODY_KNOWS = "how many could not be read cannot be told"


@dataclass(frozen=True)
class FrameFile:
    """A file in the spool's folder of frames. `format` is what its bytes are; None where they cannot be decoded."""

    path: Path
    key: str
    sha256: str
    size: int
    format: PixelFormat | None


@dataclass(frozen=True)
class Evidence:
    """Everything that the checker looks at.

    Attributes:
        journals: what clients saw.
        jobs: the job list, by id, and each job's plan.
        frames: rows of frames by key.
        keyframes: names of the rows of keyframes.
        frame_files, keyframe_files: what lies in the spool; of keyframes, the bytes' hash by name.
        strays: files in the spool that are neither, and files that somebody did not finish.
        database: what SQLite's own check says; "ok".
        said_lost: how many jobs the server has said to be lost from a damaged list.
        computed_again: frames that lay finished in the spool and were computed afterwards, by key.
        left_running: processes that should have ended.
        refusals: what servers said that ended at once.
        descriptors, threads: of the quiet server; () where it was not looked at, else (at first, now).
    """

    journals: tuple[Entry, ...]
    jobs: Mapping[str, JobRecord]
    plans: Mapping[str, Plan]
    frames: Mapping[str, FrameRow]
    keyframes: frozenset[str]
    frame_files: tuple[FrameFile, ...]
    keyframe_files: Mapping[str, str]
    strays: tuple[str, ...]
    database: str
    said_lost: int = 0
    computed_again: Mapping[str, int] = field(default_factory=dict)
    left_running: tuple[int, ...] = ()
    refusals: tuple[str, ...] = ()
    descriptors: tuple[int, ...] = ()
    threads: tuple[int, ...] = ()


def gather(
    home: Path, journals: Iterable[Path], known: dict[tuple[str, int, int], FrameFile], **more: object
) -> Evidence:
    """Look at a data folder. `known`: files that were looked at before, by path, size and time; it is added to."""
    with closing(sqlite3.connect(f"file:{home / 'jobs.sqlite3'}?mode=ro", uri=True, timeout=10.0)) as connection:
        store = Store(connection)
        database = connection.execute("PRAGMA integrity_check(5)").fetchall()
        jobs = {record.id: record for record in store.newest(EVERYTHING)}
        frames = store.frames(thing.name for thing in store.stored_frames())
        keyframes = frozenset(thing.name for thing in store.stored_keyframes())
    spool = home / "spool"
    found = [path for path in (spool / "frames").rglob("*") if path.is_file()]
    files = tuple(_frame_file(path, known) for path in found if parse_frame_name(path.name))
    strays = [str(path.relative_to(home)) for path in found if not parse_frame_name(path.name)]
    strays += [str(path.relative_to(home)) for path in (spool / "tmp").iterdir()]
    return Evidence(
        journals=tuple(entries(journals)),
        jobs=jobs,
        plans={job: make_plan(record.request, record.making) for job, record in jobs.items()},
        frames=frames,
        keyframes=keyframes,
        frame_files=files,
        keyframe_files={path.name: hash_file(path) for path in (spool / "keyframes").iterdir()},
        strays=tuple(strays),
        database="; ".join(row[0] for row in database),
        said_lost=said_lost(home),
        **more,  # type: ignore[arg-type]
    )


def _frame_file(path: Path, known: dict[tuple[str, int, int], FrameFile]) -> FrameFile:
    status = path.stat()
    name = (str(path), status.st_size, status.st_mtime_ns)
    if name not in known:
        parsed = parse_frame_name(path.name)
        assert parsed is not None
        try:
            form = io.read(path, parsed[2], "the frame").format
        except TweenbridgeError:
            form = None
        known[name] = FrameFile(path, parsed[0], hash_file(path), status.st_size, form)
    return known[name]


def said_lost(home: Path) -> int:
    """How many jobs the server's log says it could not read from a damaged list."""
    text = "".join(path.read_text(errors="replace") for path in (home / "logs").glob("*.log*"))
    if _NOBODY_KNOWS in text:
        return EVERYTHING
    return sum(map(int, _COULD_NOT.findall(text))) + len(set(_LEFT_OUT.findall(text)))


class Accounts:
    """Who computed what, seen from outside: frames that lay finished in the spool must not be computed any more."""

    def __init__(self, home: Path, engine_log: Path) -> None:
        self._spool = home / "spool"
        self._log = engine_log
        self._lines: dict[str, str] = {}
        self._finished: dict[str, int] = {}
        self._damaged: set[str] = set()

    def expect(self, lines: Mapping[str, str]) -> None:
        """What the engine writes down for each frame, by key."""
        self._lines.update(lines)

    def look(self) -> None:
        """Remember which frames are finished, and how often each has been computed by now."""
        finished = {path.name[:64] for path in self._spool.glob("frames/*/*")}
        counts = self._counts()
        for key in finished - self._finished.keys():
            if key in self._lines and key not in self._damaged:
                self._finished[key] = counts[self._lines[key]]

    def forget(self, keys: Iterable[str]) -> None:
        """These frames' files have been damaged: they may be computed again."""
        for key in keys:
            self._finished.pop(key, None)
            self._damaged.add(key)

    def computed_again(self) -> dict[str, int]:
        """How often each finished frame was computed after it was seen finished."""
        counts = self._counts()
        extra = {key: counts[self._lines[key]] - before for key, before in self._finished.items()}
        return {key: more for key, more in extra.items() if more > 0}

    def _counts(self) -> Counter[str]:
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return Counter(" ".join(line.split()[2:]) for line in lines if line.startswith("frame"))
