"""What programs that watch over everybody's jobs ask for: another order, a pause, another try, a closer look."""

from __future__ import annotations

import time
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from tweenbridge.pixels import PixelFormat
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import Details, JobInfo, JobState, Priority, Submit
from tweenbridge.protocol.oversight import GapInfo, GetThumbnail

from ..executors.thumbnails import Picture, Thumbnailer
from .keyframes import called
from .plan import Plan
from .scheduler import Scheduler
from .spool import Spool, keyframe_name
from .store import Store

if TYPE_CHECKING:
    from .service import JobService


class Oversight:
    """Belongs to one job service, and shares its lock. Any thread may call."""

    def __init__(self, service: JobService, store: Store, spool: Spool, scheduler: Scheduler, lock: RLock) -> None:
        self._service = service
        self._store = store
        self._spool = spool
        self._scheduler = scheduler
        self._lock = lock
        self._thumbnailer = Thumbnailer()

    def close(self) -> None:
        """End the process that makes thumbnails, if there is one."""
        self._thumbnailer.close()

    @property
    def paused(self) -> bool:
        """Whether no further gap is begun. A server begins unpaused."""
        return self._scheduler.paused

    def pause(self, on: bool) -> None:
        """Begin no further gap, or go on."""
        with self._lock:
            self._scheduler.pause(on)

    def set_priority(self, job: str, priority: Priority) -> JobInfo:
        """Say which of the waiting jobs goes first. A job that is over stays as it is.

        Raises:
            TweenbridgeError: UNKNOWN_JOB.
        """
        with self._lock:
            record = self._service.record(job)
            if not record.state.is_final:
                self._scheduler.set_priority(self._scheduler.jobs[job], priority)
            return self._service.info(job)

    def retry(self, job: str) -> JobInfo:
        """Let a failed or cancelled job go on, as if its client had submitted it again; others stay as they are.

        Raises:
            TweenbridgeError: UNKNOWN_JOB; EXPIRED when its keyframes are gone; what submitting raises.
        """
        with self._lock:
            record = self._service.record(job)
            if record.state in (JobState.FAILED, JobState.CANCELLED):
                keyframes = record.request.keyframes
                if not all(self._spool.keyframe_path(keyframe_name(keyframe)).exists() for keyframe in keyframes):
                    raise TweenbridgeError(
                        ErrorCode.EXPIRED,
                        "The job cannot go on, because its keyframes are no longer on the server.",
                        remedy="Generate it again where it came from.",
                    )
                again = Submit(job, record.request, record.priority, record.title, record.origin)
                self._service.submit(again, record.owner)
            return self._service.info(job)

    def details(self, job: str) -> Details:
        """What a job is made of and how far each gap is.

        Raises:
            TweenbridgeError: UNKNOWN_JOB.
        """
        with self._lock:
            record, plan = self._service.record(job), self._service.plan(job)
            active = self._scheduler.jobs.get(job)
            if active is not None:
                return Details(job, record.request, active.gaps(time.time()), active.ready())
            present = self._store.frames(plan.keys)
        ready = tuple(index for index, key in enumerate(plan.keys) if key in present)
        return Details(job, record.request, _gaps(plan, frozenset(ready)), ready)

    def thumbnail(self, wanted: GetThumbnail) -> Picture:
        """A small picture of a keyframe or a frame. Slow: decodes a file in another process.

        Raises:
            TweenbridgeError: UNKNOWN_JOB, BAD_REQUEST, NOT_READY, EXPIRED, or what is wrong with the file.
        """
        path, form, name = self._file(wanted)
        return self._thumbnailer.make(path, form, name, wanted.side)

    def _file(self, wanted: GetThumbnail) -> tuple[Path, PixelFormat, str]:
        if wanted.keyframe is None:
            if wanted.frame is None:
                raise TweenbridgeError(ErrorCode.BAD_REQUEST, "A thumbnail is of a keyframe or of a frame.")
            stored = self._service.frame(wanted.job, wanted.frame)
            return stored.path, stored.format, f"Frame {wanted.frame + 1}"
        keyframes = self._service.record(wanted.job).request.keyframes
        if wanted.frame is not None or not 0 <= wanted.keyframe < len(keyframes):
            raise TweenbridgeError(ErrorCode.BAD_REQUEST, f"Job {wanted.job} has no such picture.")
        keyframe = keyframes[wanted.keyframe]
        path = self._spool.keyframe_path(keyframe_name(keyframe))
        if not path.exists():
            raise TweenbridgeError(ErrorCode.EXPIRED, "The keyframe is not on the server's disk.")
        return path, keyframe.format, called(keyframe, wanted.keyframe)


def _gaps(plan: Plan, ready: frozenset[int]) -> tuple[GapInfo, ...]:
    """How far each gap of a job is that does not move."""
    found = []
    for gap in plan.gaps:
        total, done = len(gap.frames), sum(frame.index in ready for frame in gap.frames)
        found.append(GapInfo(total, done, done / total if total else 1.0))
    return tuple(found)
