"""Unfinished jobs on their way through the executor: which gap runs next, and what its events mean for jobs.

Called under the service's lock. Every change of a job's state is committed before anybody hears of it; where the disk
is too full even for that, the job fails in memory, and the store learns of it as soon as it can.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from tweenbridge.protocol.errors import ErrorCode, ErrorInfo, TweenbridgeError
from tweenbridge.protocol.messages import JobState, Note, Priority

from ..executors.base import (
    Advanced,
    Computed,
    Died,
    Executor,
    Failed,
    Finished,
    Made,
    Noted,
    Previewed,
    Related,
    Room,
    Stopped,
    TaskEvent,
)
from .active import ActiveJob
from .indexes import Census, Waiting
from .job import MAX_DEATHS, Event
from .notify import Preview
from .queue import GapQueue, QueuedGap
from .spool import Spool, keyframe_name
from .store import FrameRow, Store
from .tasks import gap_task, keyframe_file

log = logging.getLogger(__name__)

OnReady = Callable[[ActiveJob, tuple[int, ...]], None]
"""Called with a job when it changed, and the drawings that became ready."""
OnPreview = Callable[[Preview], None]


@dataclass(frozen=True)
class _Running:
    job: ActiveJob
    gap: int
    keys: frozenset[str]


class Scheduler:
    """All unfinished jobs."""

    def __init__(
        self, store: Store, spool: Spool, executor: Executor, on_ready: OnReady, on_preview: OnPreview
    ) -> None:
        self.jobs: dict[str, ActiveJob] = {}
        self._store = store
        self._spool = spool
        self._executor = executor
        self._changed = on_ready
        self._on_preview = on_preview
        self.census = Census()
        self._wanted = Waiting()
        self._awaited = Waiting()
        self._queue = GapQueue()
        self._running: dict[str, _Running] = {}
        self._storing: set[str] = set()
        self._lacking: set[str] = set()
        """Tasks whose gap has lost a frame since they were begun."""
        self._unsaved: dict[str, ActiveJob] = {}
        self._task_numbers = count(1)
        self._paused = False

    # ------------------------------------------------------------ jobs come and go

    def admit(self, job: ActiveJob) -> None:
        """Take charge of a job that is in the store; frames that are there become ready at once."""
        self.jobs[job.id] = job
        self._unsaved.pop(job.id, None)
        for key, row in self._store.frames(job.places).items():
            job.frame_ready(key, row.relation)
        self.census.add(job.id, job.record.owner)
        self._wanted.add(job.id, job.places)
        self._awaited.add(job.id, job.missing_keyframes)
        if job.record.state is not JobState.RECEIVING:
            self._enqueue(job)
        self._changed(job, job.ready())

    def keyframe_arrived(self, name: str, size: int) -> None:
        """A keyframe file lies in the spool: tell the store and all jobs that wait for it.

        Raises:
            TweenbridgeError: DISK_FULL, when the store cannot note it.
        """
        waiting = [self.jobs[job] for job in self._awaited.on(name)]
        # First of all: while the store writes to the disk, the worker can read.
        for job in waiting:
            self._read_ahead(job, name)
        complete = [job for job in waiting if len(job.missing_keyframes) == 1]
        now = time.time()
        records = {job.id: job.record.after(Event.KEYFRAMES_COMPLETE, now=now) for job in complete}
        with self._store.transaction():
            self._store.add_keyframe(name, size, now)
            for record in records.values():
                self._store.update_job(record)
        for job in waiting:
            job.missing_keyframes.discard(name)
            self._awaited.drop(job.id, (name,))
        for job in complete:
            job.record = records[job.id]
            self._changed(job, ())
            self._enqueue(job)

    def _read_ahead(self, job: ActiveJob, name: str) -> None:
        """Have a keyframe of the gap that a job will begin with read before the gap is given to a worker."""
        first = next((gap for gap in job.plan.gaps if not job.gap_complete(gap.index)), None)
        if first is None or self._queue or not self._has_room():
            return
        for index in (first.a, first.b):
            keyframe = job.record.request.keyframes[index]
            if keyframe_name(keyframe) == name:
                self._executor.expect(keyframe_file(keyframe, index), str(self._spool.root))

    def cancel(self, job: ActiveJob) -> None:
        """Stop a job; its finished frames stay."""
        self._move(job, Event.CANCELLED)
        self.dispatch()

    def fail(self, job: ActiveJob, error: ErrorInfo) -> None:
        """End a job with an error; its finished frames stay."""
        log.warning("Job %s failed: %s", job.id, error.message)
        self._move(job, Event.FAILED, error=error)
        self.dispatch()

    def set_priority(self, job: ActiveJob, priority: Priority) -> None:
        """Let the gaps of an unfinished job wait in another place of the queue."""
        if job.record.priority is priority:
            return
        job.record = replace(job.record, priority=priority)
        self._save(job)
        if job.record.state is not JobState.RECEIVING:
            for gap in job.plan.gaps:
                if self._can_run(job, gap.index):
                    self._push(job, gap.index)
        self._changed(job, ())

    @property
    def paused(self) -> bool:
        """Whether no further gap is begun."""
        return self._paused

    def pause(self, on: bool) -> None:
        """Begin no further gap, or go on."""
        self._paused = on
        self.dispatch()

    def forget(self, job: ActiveJob) -> None:
        """The job is no longer in the store."""
        self._retire(job)
        self.jobs.pop(job.id, None)
        self._unsaved.pop(job.id, None)
        self.dispatch()

    def frame_lost(self, key: str) -> None:
        """A frame that was finished is not there any more: unfinished jobs that want it make it again."""
        for job in [self.jobs[job_id] for job_id in self._wanted.on(key)]:
            for gap in job.frame_lost(key):
                running = [task for task, run in self._running.items() if run.job is job and run.gap == gap]
                self._lacking.update(running)
                if not running and self._can_run(job, gap):
                    self._push(job, gap)
        self.dispatch()

    def shift_times(self, seconds: float) -> None:
        """The clock was set by that much."""
        for job in self.jobs.values():
            job.shift_times(seconds)

    def save_again(self) -> None:
        """Try to write what could not be written while the disk was full."""
        for job in list(self._unsaved.values()):
            self._save(job)

    def give_up_waiting(self, before: float) -> None:
        """Fail jobs that were submitted before that time and whose keyframes never came."""
        for job in list(self.jobs.values()):
            if job.record.state is JobState.RECEIVING and job.record.created < before:
                message = "The job was given up, because its keyframes never came."
                self.fail(job, TweenbridgeError(ErrorCode.EXPIRED, message).info)

    def protected(self) -> tuple[set[str], set[str]]:
        """Keys of frames and names of keyframe files that unfinished jobs use."""
        unfinished = [job for job in self.jobs.values() if not job.record.state.is_final]
        names = {name for job in unfinished for name in job.keyframe_files}
        return {key for job in unfinished for key in job.places}, names

    # ------------------------------------------------------------ state

    def _move(self, job: ActiveJob, *events: Event, **changes: Any) -> None:
        done, notes = len(job.ready()), job.notes()
        job.record = job.record.after(*events, now=time.time(), done=done, notes=notes, **changes)
        self._save(job)
        if job.record.state.is_final:
            self._retire(job)
            log.info("Job %s is %s: %d of %d frames.", job.id, job.record.state.value, done, job.record.total)
        self._changed(job, ())

    def _save(self, job: ActiveJob) -> None:
        try:
            with self._store.transaction():
                self._store.update_job(job.record)
        except TweenbridgeError as error:
            if job.id not in self._unsaved:
                log.error("The state of job %s could not be written: %s", job.id, error)
            self._unsaved[job.id] = job
            return
        self._unsaved.pop(job.id, None)
        if job.record.state.is_final and self.jobs.get(job.id) is job:
            del self.jobs[job.id]

    def _retire(self, job: ActiveJob) -> None:
        """Nothing more is to be done for the job."""
        self.census.drop(job.id)
        self._wanted.drop(job.id, job.places)
        self._awaited.drop(job.id, job.missing_keyframes)
        if job.record.state is not JobState.DONE:
            for task, running in self._running.items():
                if running.job is job:
                    self._executor.cancel(task)

    def _is_live(self, job: ActiveJob) -> bool:
        return self.jobs.get(job.id) is job and not job.record.state.is_final

    def _settle(self, job: ActiveJob) -> None:
        """Finish the job when nothing of it is left to do."""
        if job.complete():
            started = () if job.record.state is JobState.RUNNING else (Event.STARTED,)
            self._move(job, *started, Event.FINISHED)

    # ------------------------------------------------------------ gaps

    def _enqueue(self, job: ActiveJob) -> None:
        for gap in job.plan.gaps:
            if not job.gap_complete(gap.index):
                self._push(job, gap.index)
        self._settle(job)

    def _push(self, job: ActiveJob, gap: int) -> None:
        self._queue.push(QueuedGap(job.record.priority, job.record.order, gap, job.id, job.record.owner))

    def dispatch(self) -> None:
        """Give waiting gaps to free slots. A gap whose frames another task is making waits for that task."""
        waiting: list[QueuedGap] = []
        while self._queue and self._has_room():
            entry = self._queue.pop()
            job = self.jobs.get(entry.job)
            if job is None or not self._is_current(entry, job) or not self._can_run(job, entry.gap):
                continue
            keys = frozenset(frame.key for frame in job.missing(entry.gap))
            if any(keys & running.keys for running in self._running.values()):
                waiting.append(entry)
            else:
                self._queue.served(entry.owner)
                self._run(job, entry.gap, keys)
        for entry in waiting:
            self._queue.push(entry)

    def _has_room(self) -> bool:
        """Whether a gap may begin: a slot is free. Tasks that are only being stored take none."""
        return not self._paused and len(self._running) - len(self._storing) < self._executor.slots

    def _is_current(self, entry: QueuedGap, job: ActiveJob) -> bool:
        """Whether the entry is for the job as it was last submitted and placed."""
        return (job.record.order, job.record.priority) == (entry.order, entry.priority)

    def _can_run(self, job: ActiveJob, gap: int) -> bool:
        if job.record.state not in (JobState.QUEUED, JobState.RUNNING) or job.gap_complete(gap):
            return False
        return not any(running.job is job and running.gap == gap for running in self._running.values())

    def _run(self, job: ActiveJob, gap: int, keys: frozenset[str]) -> None:
        number = f"{job.id}/{gap}/{next(self._task_numbers)}"
        self._running[number] = _Running(job, gap, keys)
        if job.record.state is JobState.QUEUED:
            self._move(job, Event.STARTED)
        job.begin(gap, time.time())
        self._executor.run(gap_task(number, job, gap, str(self._spool.root)))

    # ------------------------------------------------------------ what executors report

    def handle(self, task: str, event: TaskEvent) -> None:
        """Something happened to a task, or to the executor."""
        if isinstance(event, Room):
            self.dispatch()
            return
        running = self._running.get(task)
        if running is None:
            return
        if isinstance(event, Made):
            self._made(running, event)
        elif isinstance(event, Related):
            self._related(running, event)
        elif isinstance(event, Advanced):
            running.job.advance(running.gap, event.fraction, event.stage)
            self._changed(running.job, ())
        elif isinstance(event, Noted):
            self._noted(running.job, Note(event.code, event.message, running.gap))
        elif isinstance(event, Previewed):
            if self._is_live(running.job):
                self._on_preview(Preview(running.job.id, running.gap, event, running.job.record.owner))
        elif isinstance(event, Computed):
            self._storing.add(task)
            self.dispatch()
        else:
            del self._running[task]
            self._storing.discard(task)
            lost = task in self._lacking and not running.job.gap_complete(running.gap)
            self._lacking.discard(task)
            running.job.end(running.gap)
            if self._is_live(running.job):
                self._ended(running, Stopped() if lost and isinstance(event, Finished) else event)
            self.dispatch()

    def _made(self, running: _Running, made: Made) -> None:
        row = FrameRow(made.key, made.format, made.sha256, made.size, made.relation)
        try:
            with self._store.transaction():
                self._store.add_frame(row, time.time())
        except TweenbridgeError as error:
            if self._is_live(running.job):
                self.fail(running.job, error.info)
            return
        for job_id in self._wanted.on(made.key):
            job = self.jobs[job_id]
            self._changed(job, job.frame_ready(made.key, made.relation))
            if job.record.state is not JobState.RECEIVING:
                self._settle(job)

    def _related(self, running: _Running, related: Related) -> None:
        keys = [frame.key for frame in running.job.plan.gaps[running.gap].frames]
        try:
            with self._store.transaction():
                self._store.set_relation(keys, related.relation)
        except TweenbridgeError as error:
            log.error("How the keyframes of job %s relate could not be written: %s", running.job.id, error)
        for key in keys:
            for job_id in self._wanted.on(key):
                job = self.jobs[job_id]
                job.relate(key, related.relation)
                if job.record.state is not JobState.RECEIVING:
                    self._settle(job)

    def _noted(self, job: ActiveJob, note: Note) -> None:
        if self._is_live(job) and job.note(note):
            job.record = replace(job.record, notes=job.notes())
            self._save(job)
            self._changed(job, ())

    def _ended(self, running: _Running, event: TaskEvent) -> None:
        """A task of a job that is still wanted came to its end."""
        job = running.job
        if isinstance(event, Finished):
            if not job.gap_complete(running.gap):
                self.fail(job, _internal(f"Gap {running.gap + 1} was reported finished with frames missing."))
            else:
                self._settle(job)
        elif isinstance(event, Failed):
            if event.detail:
                log.error("Gap %d of job %s failed.\n%s", running.gap + 1, job.id, event.detail)
            self.fail(job, event.error)
        elif isinstance(event, Died):
            self._died(running, event.reason)
        else:
            self._push(job, running.gap)

    def _died(self, running: _Running, reason: str) -> None:
        job = running.job
        if job.record.deaths >= MAX_DEATHS:
            self.fail(job, TweenbridgeError(ErrorCode.WORKER_DIED, reason).info)
            return
        log.warning("Job %s is queued again: %s", job.id, reason)
        if job.record.state is JobState.RUNNING:
            self._move(job, Event.WORKER_DIED)
        self._push(job, running.gap)


def _internal(message: str) -> ErrorInfo:
    return TweenbridgeError(ErrorCode.INTERNAL, message).info
