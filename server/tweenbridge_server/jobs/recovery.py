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
from .spool import Spool, SpoolFile, keyframe_name
from .store import FrameRow, Store

log = logging.getLogger(__name__)


def reconcile(store: Store, spool: Spool) -> None:
    """Sweep half-written files, adopt finished files without a row, drop rows without their file, and delete files that
    are not what their row says: another file of the same frame, or one that the disk has cut short.
    """
    swept = spool.sweep(lambda writer: True)
    keyframes = dict(spool.all_keyframes())
    known_keyframes = {thing.name for thing in store.stored_keyframes()}
    known = store.frames(thing.name for thing in store.stored_frames())
    found: dict[str, SpoolFile] = {}
    for file in spool.all_frames():
        row = known.get(file.key)
        if file.key in found or (row is not None and (row.sha256, row.size) != (file.sha256, file.size)):
            log.error("%s is not the frame that was stored, and is deleted.", file.place)
            Path(file.place).unlink(missing_ok=True)
        else:
            found[file.key] = file
    adopted = [file for key, file in found.items() if key not in known]
    now = time.time()
    with store.transaction():
        store.remove_frames({thing.name for thing in store.stored_frames()} - found.keys())
        store.remove_keyframes(known_keyframes - keyframes.keys())
        for file in adopted:
            store.add_frame(FrameRow(file.key, file.format, file.sha256, file.size), now)
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
