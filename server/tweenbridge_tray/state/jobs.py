"""The Jobs page's state: every job of the server, whoever submitted it, and what can be done with it."""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import QObject, QTimer, Signal
from tweenbridge import Event, JobChanged, JobInfo, JobsListed, JobState, Priority
from tweenbridge.protocol import messages as wire
from tweenbridge.protocol.oversight import PauseQueue, Retry

from ..session import Answer, Session

PAGE = 200
"""Jobs of the history asked for at a time."""
MOST = 2000
"""Jobs that are shown."""
FLUSH = 60
"""Milliseconds in which changes are gathered before the page hears of them."""


class Group(Enum):
    """What the page can be narrowed to."""

    ALL = "all"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"

    @classmethod
    def of(cls, state: JobState) -> Group:
        """The group that a job is in."""
        if state is JobState.RUNNING:
            return cls.RUNNING
        if not state.is_final:
            return cls.WAITING
        return cls.DONE if state is JobState.DONE else cls.FAILED


_PLACES = {Group.RUNNING: 0, Group.WAITING: 1, Group.DONE: 2, Group.FAILED: 2}


def place(info: JobInfo) -> tuple[float, ...]:
    """What jobs are sorted by: those at work, those waiting in the order they will run, then the newest result."""
    group = Group.of(info.state)
    if group is Group.WAITING:
        return (1, int(info.priority), info.created)
    return (_PLACES[group], -(info.finished or info.created), 0)


class JobsState(QObject):
    """All jobs, by id. Signals name the jobs that came, changed and went."""

    changed = Signal(list, list, list)
    """(ids that came, ids that changed, ids that went)"""
    ended = Signal(object)
    """A job that was seen unfinished has come to its end (a `JobInfo`)."""
    paused_changed = Signal()
    failed = Signal(object)
    """Something that was asked for did not work (an `ErrorInfo`)."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.jobs: dict[str, JobInfo] = {}
        self.of_several = False
        """Whether there are jobs of more than one key, or of keys and the server's own user."""
        self.paused = False
        self._session = session
        self._came: dict[str, None] = {}
        self._dirty: dict[str, None] = {}
        self._gone: dict[str, None] = {}
        self._listing: set[str] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(FLUSH)
        self._timer.timeout.connect(self._flush)
        session.happened.connect(self._hear)

    # ------------------------------------------------------------ what there is

    def counts(self) -> dict[Group, int]:
        """How many jobs there are in each group."""
        counts = dict.fromkeys(Group, 0)
        for info in self.jobs.values():
            counts[Group.of(info.state)] += 1
        counts[Group.ALL] = len(self.jobs)
        return counts

    def unfinished(self) -> list[JobInfo]:
        """Jobs that are not over."""
        return [info for info in self.jobs.values() if not info.state.is_final]

    def newest_results(self, count: int = 5) -> list[JobInfo]:
        """The jobs that were finished last."""
        done = [info for info in self.jobs.values() if info.state is JobState.DONE]
        return sorted(done, key=place)[:count]

    # ------------------------------------------------------------ what can be done

    def cancel(self, job: str) -> None:
        """Stop a job; its finished frames stay."""
        self._ask(wire.Cancel(job=job))

    def retry(self, job: str) -> None:
        """Let a failed or cancelled job go on."""
        self._ask(Retry(job=job))

    def move_first(self, job: str) -> None:
        """Let a waiting job go before the others."""
        self._ask(wire.SetPriority(job=job, priority=Priority.INTERACTIVE))

    def forget(self, job: str) -> None:
        """Take a job off the list."""
        self._ask(wire.Release(job=job))

    def pause(self, on: bool) -> None:
        """Have the server begin no further gap, or go on."""
        self._ask(PauseQueue(on=on))

    def see_status(self, status: wire.Status) -> None:
        """The server said how it is."""
        if status.paused is not self.paused:
            self.paused = status.paused
            self.paused_changed.emit()

    def _ask(self, question: wire.ClientMessage) -> None:
        self._session.ask(question, self._answered)

    def _answered(self, answer: Answer) -> None:
        if answer.error is not None:
            self.failed.emit(answer.error)
        elif isinstance(answer.message, wire.Job):
            self._take(answer.message.info)
        elif isinstance(answer.message, wire.Status):
            self.see_status(answer.message)

    # ------------------------------------------------------------ hearing

    def _hear(self, event: Event) -> None:
        if isinstance(event, JobsListed):
            self._listing = set()
            self._take_list(event.jobs)
            self._ask_for_history(0)
        elif isinstance(event, JobChanged):
            if event.info is None:
                self._drop(event.job)
            else:
                # So quick that no change before its end was heard of.
                quick = event.job not in self.jobs and event.info.state.is_final
                self._take(event.info)
                if quick:
                    self.ended.emit(event.info)

    def _ask_for_history(self, skip: int) -> None:
        self._session.ask(wire.ListJobs(limit=PAGE, skip=skip), lambda answer: self._take_history(answer, skip))

    def _take_history(self, answer: Answer, skip: int) -> None:
        if self._listing is None or not isinstance(answer.message, wire.Jobs):
            return
        jobs = answer.message.jobs
        self._take_list(jobs)
        if jobs and skip + len(jobs) < MOST:
            self._ask_for_history(skip + len(jobs))
            return
        for job in [job for job in self.jobs if job not in self._listing]:
            self._drop(job)
        self._listing = None

    def _take_list(self, jobs: tuple[JobInfo, ...]) -> None:
        for info in jobs:
            # What a delta said since is newer than the list.
            if self._listing is None or info.job not in self._listing:
                self._take(info)

    def _take(self, info: JobInfo) -> None:
        before = self.jobs.get(info.job)
        if self._listing is not None:
            self._listing.add(info.job)
        if before == info:
            return
        self.jobs[info.job] = info
        self._gone.pop(info.job, None)
        (self._came if before is None else self._dirty)[info.job] = None
        self._wake()
        if before is not None and not before.state.is_final and info.state.is_final:
            self.ended.emit(info)

    def _drop(self, job: str) -> None:
        if self.jobs.pop(job, None) is not None:
            self._came.pop(job, None)
            self._dirty.pop(job, None)
            self._gone[job] = None
            self._wake()

    def _wake(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _flush(self) -> None:
        came, gone = list(self._came), list(self._gone)
        dirty = [job for job in self._dirty if job not in self._came]
        self._came, self._dirty, self._gone = {}, {}, {}
        self.of_several = len({info.owner for info in self.jobs.values()}) > 1
        self.changed.emit(came, dirty, gone)
