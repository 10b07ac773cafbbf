"""Everything the gateway asks of jobs: submit, put, fetch, cancel, release, list. Thread-safe; no image libraries."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import Limits
from tweenbridge.protocol.messages import (
    Accepted,
    EngineInfo,
    JobInfo,
    JobState,
    Received,
    Submit,
    WorkerInfo,
)

from ..engines import registry
from ..executors.base import Executor, Made, TaskEvent
from ..models.present import without_needless
from . import admission, recovery, room
from .active import ActiveJob
from .housekeeping import Housekeeper, WallClock
from .job import Event, JobRecord
from .keyframes import check_bytes, check_kind, write_keyframe
from .notify import Change, Notifier, Preview
from .oversight import Oversight
from .plan import Plan
from .results import PlanCache, Results, StoredFrame
from .retention import Retention, collect
from .scheduler import Scheduler
from .spool import Spool, keyframe_name
from .store import Store
from .store_file import open_store

__all__ = ["Change", "JobService", "Preview", "Retention", "StoredFrame"]

log = logging.getLogger(__name__)

_FINISHED_IN_SNAPSHOT = 50
_UNFINISHED_IN_SNAPSHOT = 500
"""More than fit into one header."""


def _nobody(places: set[str]) -> None:
    """Nobody keeps account of models."""


class JobService:
    """The jobs of one data folder.

    Args:
        on_change: told of every job's change.
        on_preview: given unfinished frames.
        on_use: told of the settings' values, places of models among them, of a job that works with a model.
    """

    def __init__(
        self,
        home: Path,
        limits: Limits,
        retention: Retention,
        executor: Executor,
        on_change: Callable[[Change], None],
        on_preview: Callable[[Preview], None],
        on_use: Callable[[set[str]], None] = _nobody,
    ) -> None:
        self._home = home
        self._limits = limits
        self._retention = retention
        self._executor = executor
        self._spool = Spool(home / "spool")
        self._lock = threading.RLock()
        self._notifier = Notifier(self._look_up, on_change)
        self._on_preview = on_preview
        self._on_use = on_use
        self._plans = PlanCache()
        self._clock = WallClock()
        self._closing = threading.Event()
        self._keeper = Housekeeper(self.keep_house, retention.interval)
        self._store: Store
        self._results: Results
        self._scheduler: Scheduler
        self.oversight: Oversight

    def start(self) -> None:
        """Open the store, take up unfinished jobs and begin to work.

        Raises:
            TweenbridgeError: START_FAILED, DISK_FULL or DISK_FAILED.
        """
        try:
            self._spool.create()
        except OSError as error:
            raise TweenbridgeError(
                ErrorCode.START_FAILED, f"The data folder {self._home} cannot be written: {error.strerror}."
            ) from error
        self._store = open_store(self._home / "jobs.sqlite3")
        self._scheduler = Scheduler(self._store, self._spool, self._executor, self._changed, self._on_preview)
        self._results = Results(self._store, self._spool, self._lock, self._scheduler.frame_lost)
        self.oversight = Oversight(self, self._store, self._spool, self._scheduler, self._lock)
        self._notifier.start()
        with self._lock:
            recovery.reconcile(self._store, self._spool)
            recovery.resume(self._store, self._scheduler, self._home)
            self._executor.start(self._on_event)
            self._scheduler.dispatch()
        self._keeper.start()

    def close(self) -> None:
        """Stop workers and close the store; unfinished jobs go on at the next start."""
        self._closing.set()
        self._executor.close()
        self._keeper.close()
        self._notifier.close()
        self.oversight.close()
        with self._lock:
            try:
                self._clock.follow(self._results.shift_times, self._scheduler.shift_times)
                self._scheduler.save_again()
                self._results.write_touched()
            except TweenbridgeError as error:
                log.warning("When results were used last could not be written: %s", error)
            self._store.close()

    @property
    def is_damaged(self) -> bool:
        """Whether the job list has turned out to be damaged: to be opened again, which mends it."""
        return self._store.damaged

    # ------------------------------------------------------------ requests

    def submit(self, message: Submit, owner: str) -> Accepted:
        """Take a job; it is on disk when this returns. The same job again is harmless and goes on where it was.

        Raises:
            TweenbridgeError: BAD_REQUEST, TOO_LARGE, CONFLICT, BUSY, DISK_FULL and others, saying what is wrong.
        """
        now = time.time()
        record, plan = admission.check(message, owner, self._limits, self._home, now)
        with self._lock:
            known = self._record(record.id)
            if known is not None and known.params != record.params:
                raise TweenbridgeError(ErrorCode.CONFLICT, f"Job {record.id} exists already and asks for other frames.")
            active = self._scheduler.jobs.get(record.id)
            if active is not None and not active.record.state.is_final:
                return active.accepted()
            if known is not None and known.state is JobState.DONE:
                present = self._store.frames(plan.keys)
                if len(present) == len(set(plan.keys)):
                    return Accepted(known.id, known.state, (), tuple(range(len(plan.keys))), known.total)
            self._check_room(record)
            job = self._enter(known, record, plan, now)
            self._scheduler.dispatch()
        if not job.record.state.is_final:
            self._executor.prepare(record.request.engine, record.making.profile, record.making.settings)
        if record.making.identity:
            self._on_use({str(value) for value in record.making.settings.values()})
        return job.accepted()

    def put(self, job: str, keyframe: int, data: memoryview) -> Received:
        """Store one keyframe's bytes. Slow: hashes and writes.

        Raises:
            TweenbridgeError: UNKNOWN_JOB, BAD_REQUEST, BAD_KEYFRAME, CANCELLED, DISK_FULL.
        """
        with self._lock:
            record = self._known(job)
            if not 0 <= keyframe < len(record.request.keyframes):
                raise TweenbridgeError(ErrorCode.BAD_REQUEST, f"Job {job} has no keyframe {keyframe + 1}.")
            active = self._scheduler.jobs.get(job)
            wanted = record.request.keyframes[keyframe]
            if active is None or keyframe_name(wanted) not in active.missing_keyframes:
                if record.error:
                    raise TweenbridgeError.from_info(record.error)
                if record.state is JobState.CANCELLED:
                    raise TweenbridgeError(ErrorCode.CANCELLED, f"Job {job} was cancelled.")
                return Received(job, keyframe, active.need() if active else ())
        check_bytes(wanted, keyframe, data)
        try:
            check_kind(wanted, keyframe, data)
            write_keyframe(self._spool, wanted, data)
            with self._lock:
                self._scheduler.keyframe_arrived(keyframe_name(wanted), len(data))
                self._scheduler.dispatch()
        except TweenbridgeError as error:
            self._fail(active, error)
            raise
        return Received(job, keyframe, active.need())

    def frame(self, job: str, frame: int) -> StoredFrame:
        """Where a finished frame lies.

        Raises:
            TweenbridgeError: UNKNOWN_JOB, BAD_REQUEST, NOT_READY, EXPIRED, CANCELLED, or what the job failed with.
        """
        with self._lock:
            record = self._known(job)
            keys = self._plan(record).keys
            if not 0 <= frame < len(keys):
                raise TweenbridgeError(ErrorCode.BAD_REQUEST, f"Job {job} has no frame {frame}.")
            row, path = self._results.find(record, frame, keys[frame])
        return self._results.checked(record, frame, row, path)

    def cancel(self, job: str) -> JobInfo:
        """Stop a job; finished frames stay. A job that is over stays as it is."""
        with self._lock:
            record = self._known(job)
            if not record.state.is_final:
                self._scheduler.cancel(self._scheduler.jobs[job])
            return self.info(job)

    def release(self, job: str) -> None:
        """Forget a job. Its frames stay for other jobs until retention takes them."""
        with self._lock:
            record = self._known(job)
            active = self._scheduler.jobs.get(job)
            if active is not None and not active.record.state.is_final:
                self._scheduler.cancel(active)
            with self._store.transaction():
                self._store.remove_job(job)
            if active is not None:
                self._scheduler.forget(active)
        self._notifier.changed(job, record.owner, urgent=True)

    # ------------------------------------------------------------ questions

    def info(self, job: str) -> JobInfo:
        """A job as it is now. UNKNOWN_JOB when there is none."""
        with self._lock:
            return self._to_info(self._known(job))

    def jobs(self, limit: int, skip: int = 0, owner: str | None = None) -> tuple[JobInfo, ...]:
        """The newest jobs, of one owner or of all, but for the `skip` newest, newest first."""
        with self._lock:
            return tuple(self._to_info(record) for record in self._store.newest(max(0, limit), max(0, skip), owner))

    def snapshot(self, owner: str | None = None) -> tuple[JobInfo, ...]:
        """The unfinished jobs, of one owner or of all, oldest first, then the newest finished ones: a header full."""
        with self._lock:
            jobs = (job.record for job in self._scheduler.jobs.values() if owner in (None, job.record.owner))
            unfinished = [self._to_info(record) for record in islice(jobs, _UNFINISHED_IN_SNAPSHOT)]
            finished = list(self._store.newest_finished(_FINISHED_IN_SNAPSHOT, owner))
            return (*unfinished, *(record.to_info() for record in finished if record.id not in self._scheduler.jobs))

    def counts(self, owner: str | None = None) -> dict[str, int]:
        """How many jobs there are in each state, of one owner or of all."""
        with self._lock:
            found = self._store.counts(owner)
        return {state.value: found.get(state.value, 0) for state in JobState}

    def spool_bytes(self) -> int:
        """Bytes that keyframes and frames take on disk."""
        with self._lock:
            return self._store.spool_bytes()

    def workers(self) -> tuple[WorkerInfo, ...]:
        """The worker processes."""
        return self._executor.workers()

    def unload(self) -> tuple[int, int]:
        """End workers that have nothing to do: how many, and the bytes that they held."""
        return self._executor.unload()

    def engines(self) -> tuple[EngineInfo, ...]:
        """The engines that jobs can name. Where a model is taken by itself, a job need not name one."""
        return tuple(without_needless(info, self._home) for info in registry.infos())

    def record(self, job: str) -> JobRecord:
        """A job as the store keeps it. UNKNOWN_JOB when there is none."""
        with self._lock:
            return self._known(job)

    def plan(self, job: str) -> Plan:
        """The drawings that a job makes. UNKNOWN_JOB when there is none."""
        with self._lock:
            return self._plan(self._known(job))

    # ------------------------------------------------------------ inside

    def _record(self, job: str) -> JobRecord | None:
        active = self._scheduler.jobs.get(job)
        return active.record if active else self._store.job(job)

    def _known(self, job: str) -> JobRecord:
        record = self._record(job)
        if record is None:
            raise TweenbridgeError(ErrorCode.UNKNOWN_JOB, f"There is no job {job[:64]!r} on this server.")
        return record

    def _to_info(self, record: JobRecord) -> JobInfo:
        active = self._scheduler.jobs.get(record.id)
        return active.info(time.time()) if active else record.to_info()

    def _look_up(self, job: str) -> JobInfo | None:
        with self._lock:
            record = self._record(job)
            return self._to_info(record) if record else None

    def _plan(self, record: JobRecord) -> Plan:
        active = self._scheduler.jobs.get(record.id)
        return active.plan if active else self._plans.plan(record)

    def _check_room(self, record: JobRecord) -> None:
        census = self._scheduler.census
        admission.check_count(len(census), census.of(record.owner), self._limits)
        jobs = (job for job in self._scheduler.jobs.values() if job.record.owner == record.owner)
        room.check_share(record, jobs, self._store, self._limits)
        room.check_spool(record, self._store, self._limits, self._retention.max_bytes, self._collect)

    def _enter(self, known: JobRecord | None, record: JobRecord, plan: Plan, now: float) -> ActiveJob:
        """Write a new or repeated job to the store and hand it to the scheduler."""
        if known is not None:
            again = known.after(Event.SUBMITTED_AGAIN, now=now)
            # What engines said of gaps that are made already, they will not say again.
            notes = known.notes if known.making == record.making else record.notes
            record = replace(record, owner=known.owner, order=again.order, created=again.created, notes=notes)
        names = [keyframe_name(keyframe) for keyframe in record.request.keyframes]
        stored = self._store.keyframes(names)
        present = {name for name in stored if self._spool.keyframe_path(name).exists()}
        job = ActiveJob(record, plan, present)
        if not job.missing_keyframes:
            job.record = record.after(Event.KEYFRAMES_COMPLETE, now=now)
        with self._store.transaction():
            self._store.remove_keyframes(stored - present)
            self._store.touch_frames(dict.fromkeys(plan.keys, now))
            self._store.touch_keyframes(dict.fromkeys(present, now))
            if known is None:
                job.record = replace(job.record, order=self._store.add_job(job.record))
            else:
                self._store.update_job(job.record)
        self._scheduler.admit(job)
        return job

    def _fail(self, active: ActiveJob, error: TweenbridgeError) -> None:
        with self._lock:
            if self._scheduler.jobs.get(active.id) is active and not active.record.state.is_final:
                self._scheduler.fail(active, error.info)

    def _changed(self, job: ActiveJob, ready: tuple[int, ...]) -> None:
        self._notifier.changed(job.id, job.record.owner, ready, urgent=job.record.state.is_final)

    def _on_event(self, task: str, event: TaskEvent) -> None:
        with self._lock:
            if not self._closing.is_set():
                if isinstance(event, Made):
                    self._results.made(event.key, event.format, event.sha256)
                self._scheduler.handle(task, event)

    # ------------------------------------------------------------ housekeeping

    def keep_house(self, by_age: bool = True) -> None:
        """Clear away what retention no longer keeps and write what could not be written; also runs by itself.

        Args:
            by_age: whether anything goes because it is old.
        """
        with self._lock:
            self._clock.follow(self._results.shift_times, self._scheduler.shift_times)
            self._scheduler.save_again()
            if by_age:
                self._scheduler.give_up_waiting(time.time() - self._retention.max_age)
            self._collect(self._retention.max_bytes, by_age)

    def _collect(self, most_bytes: int, by_age: bool = False) -> None:
        self._results.write_touched()
        frames, keyframes = self._scheduler.protected()
        protected = frames | keyframes
        policy = self._retention if by_age else replace(self._retention, max_age=math.inf)
        forgotten = collect(self._store, self._spool, protected, policy, most_bytes, time.time())
        for job, owner in forgotten:
            self._notifier.changed(job, owner, urgent=True)
