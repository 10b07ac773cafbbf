"""Making store and spool agree when the server starts, whatever moment it was killed at."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge.protocol.messages import JobRequest, JobState

from ..engines.registry import check_identity
from .active import ActiveJob
from .admission import making_of
from .job import Event, JobRecord
from .plan import Making, canonical, make_plan
from .scheduler import Scheduler
from .spool import Spool, keyframe_name
from .store import FrameRow, Store

log = logging.getLogger(__name__)


def reconcile(store: Store, spool: Spool) -> None:
    """Sweep half-written files, adopt finished files without a row, drop rows without their file, and files that are
    not as large as their row says: the disk has damaged them.

    Adopted frames are hashed when they are first asked for, so that a large spool does not delay the start.
    """
    swept = spool.sweep(lambda writer: True)
    frames = {file.key: file for file in spool.all_frames()}
    keyframes = dict(spool.all_keyframes())
    known = {thing.name: thing for thing in store.stored_frames()}
    known_keyframes = {thing.name: thing for thing in store.stored_keyframes()}
    damaged = [file for key, file in frames.items() if key in known and known[key].size != file.size]
    for file in damaged:
        log.error("The frame %s was damaged on the disk and is deleted.", file.place)
        Path(file.place).unlink(missing_ok=True)
        del frames[file.key]
    adopted = [file for key, file in frames.items() if key not in known]
    now = time.time()
    with store.transaction():
        store.remove_frames(known.keys() - frames.keys())
        store.remove_keyframes(known_keyframes.keys() - keyframes.keys())
        for file in adopted:
            store.add_frame(FrameRow(file.key, file.format, None, file.size), now)
        for name, size in keyframes.items():
            if name not in known_keyframes:
                store.add_keyframe(name, size, now)
    if swept or adopted:
        log.info("%d half-written files were deleted and %d finished frames adopted.", swept, len(adopted))


def resume(store: Store, scheduler: Scheduler, home: Path) -> None:
    """Give the unfinished jobs of the last run to the scheduler."""
    known: dict[bytes, Making] = {}

    def making(request: JobRequest) -> Making:
        asked = canonical([request.engine, request.profile, request.settings])
        if asked not in known:
            known[asked], _ = making_of(request, home)
        return known[asked]

    for record in store.unfinished():
        _resume(store, scheduler, record, making)


def _resume(store: Store, scheduler: Scheduler, record: JobRecord, making_now: Callable[[JobRequest], Making]) -> None:
    now = time.time()
    if record.state is JobState.RUNNING:
        record = record.after(Event.SERVER_RESTARTED, now=now)
    try:
        making = making_now(record.request)
        check_identity(record.making.identity, making.identity)
        # A new version of an engine makes new frames.
        record = replace(record, making=making)
        plan = make_plan(record.request, making)
    except TweenbridgeError as error:
        failed = record.after(Event.FAILED, now=now, error=error.info)
        with store.transaction():
            store.update_job(failed)
        return
    names = [keyframe_name(keyframe) for keyframe in record.request.keyframes]
    job = ActiveJob(record, plan, store.keyframes(names))
    if record.state is JobState.RECEIVING and not job.missing_keyframes:
        job.record = record.after(Event.KEYFRAMES_COMPLETE, now=now)
    elif record.state is JobState.QUEUED and job.missing_keyframes:
        log.error("A keyframe of job %s was lost on the disk: it waits until it is sent again.", record.id)
        job.record = record.after(Event.KEYFRAMES_LOST, now=now)
    with store.transaction():
        store.update_job(job.record)
    scheduler.admit(job)
