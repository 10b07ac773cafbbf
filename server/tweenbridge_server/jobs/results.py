"""Finished frames on their way out: where they lie, and why one cannot be had."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, RLock

from tweenbridge.pixels import PixelFormat
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobState

from ..disk import is_lost
from .job import JobRecord
from .plan import Plan, canonical, make_plan
from .spool import Spool, hash_file
from .store import FrameRow, Store

log = logging.getLogger(__name__)

_PLANS_KEPT = 16
_MOST_SOUND = 10_000
"""Frames of which it is remembered that their files are whole."""

_State = tuple[int, int, int]
"""What changes with a file's bytes: when they were last written, their number, and which file it is."""


@dataclass(frozen=True)
class StoredFrame:
    """A finished frame's file."""

    path: Path
    format: PixelFormat
    sha256: str
    size: int


class PlanCache:
    """Plans of the finished jobs that frames were asked of last."""

    def __init__(self) -> None:
        self._plans: OrderedDict[tuple[str, str, bytes], Plan] = OrderedDict()

    def plan(self, record: JobRecord) -> Plan:
        """The plan that the job's frames were made by."""
        name = (record.id, record.params, canonical(record.making))
        if name not in self._plans:
            self._plans[name] = make_plan(record.request, record.making)
            if len(self._plans) > _PLANS_KEPT:
                self._plans.popitem(last=False)
        self._plans.move_to_end(name)
        return self._plans[name]


class Results:
    """Finished frames of one job service, whose lock it shares."""

    def __init__(self, store: Store, spool: Spool, lock: RLock, on_lost: Callable[[str], None]) -> None:
        """`on_lost`: told, under the lock, the key of a frame that is not there any more."""
        self._store = store
        self._spool = spool
        self._lock = lock
        self._on_lost = on_lost
        self._touched: dict[str, float] = {}
        self._sound: dict[str, _State] = {}
        self._sound_lock = Lock()

    def made(self, key: str, form: PixelFormat, sha256: str) -> None:
        """A worker has stored a frame, of which it took the hash."""
        path = self._spool.frame_path(key, form, sha256)
        self._is_sound(path, _state(path))

    def find(self, record: JobRecord, frame: int, key: str) -> tuple[FrameRow, Path]:
        """A frame's row and where its file lies. Called under the lock.

        Raises:
            TweenbridgeError: why it cannot be had, see `absent`.
        """
        row = self._store.frames([key]).get(key)
        if row is None:
            raise absent(record, frame)
        self._touched[key] = time.time()
        return row, self._spool.frame_path(key, row.format, row.sha256)

    def checked(self, record: JobRecord, frame: int, row: FrameRow, path: Path) -> StoredFrame:
        """The frame's file, whose bytes are the ones that were stored. Slow where it has to hash it: when the file has
        changed since its hash was last taken, or this server has never taken it.

        One that the disk has damaged is forgotten and deleted: it is made again when the job is submitted again.

        Raises:
            TweenbridgeError: see `absent`; DISK_FAILED when the disk cannot be read just now.
        """
        state = _state(path)
        if state is not None and self._sound.get(path.name) == state:
            return StoredFrame(path, row.format, row.sha256, row.size)
        try:
            digest = hash_file(path)
        except OSError as error:
            if not is_lost(error):
                raise TweenbridgeError(
                    ErrorCode.DISK_FAILED,
                    f"A finished frame cannot be read from the server's disk ({error.strerror}).",
                ) from error
            digest = ""
        if digest != row.sha256:
            self._discard(record, row, path)
            raise absent(record, frame)
        self._is_sound(path, state)
        return StoredFrame(path, row.format, digest, row.size)

    def _is_sound(self, path: Path, state: _State | None) -> None:
        if state is not None:
            with self._sound_lock:
                self._sound[path.name] = state
                while len(self._sound) > _MOST_SOUND:
                    del self._sound[next(iter(self._sound))]

    def _discard(self, record: JobRecord, row: FrameRow, path: Path) -> None:
        with self._lock:
            if self._store.frames([row.key]).get(row.key) != row:
                return  # It has been made again in the meantime.
            log.error("A finished frame of job %s was lost or damaged on the disk and is forgotten.", record.id)
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise TweenbridgeError(
                    ErrorCode.DISK_FAILED,
                    f"A finished frame was damaged on the server's disk and cannot be deleted ({error.strerror}).",
                ) from error
            with self._store.transaction():
                self._store.remove_frames([row.key])
            self._on_lost(row.key)

    def write_touched(self) -> None:
        """Write down when frames were used last. Called under the lock."""
        with self._store.transaction():
            self._store.touch_frames(self._touched)
        self._touched = {}

    def shift_times(self, seconds: float) -> None:
        """The clock was set by that much. Called under the lock."""
        self._touched = {key: moment + seconds for key, moment in self._touched.items()}
        with self._store.transaction():
            self._store.shift_times(seconds)


def _state(path: Path) -> _State | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def absent(record: JobRecord, frame: int) -> TweenbridgeError:
    """Why a frame of the job cannot be had."""
    if record.state is JobState.DONE:
        return TweenbridgeError(ErrorCode.EXPIRED, f"Frame {frame} of job {record.id} is no longer on the server.")
    if record.state is JobState.CANCELLED:
        return TweenbridgeError(ErrorCode.CANCELLED, f"Job {record.id} was cancelled before frame {frame} was made.")
    if record.error:
        return TweenbridgeError.from_info(record.error)
    return TweenbridgeError(ErrorCode.NOT_READY, f"Frame {frame} of job {record.id} is not made yet.")
