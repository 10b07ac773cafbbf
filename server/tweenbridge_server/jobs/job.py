"""A job's life: the state machine as a table, and the record that the store keeps. Pure.

    receiving → queued → running → done

with failed and cancelled from the first three, running → queued when a worker dies or the server starts again, queued →
receiving when a start finds that the disk has lost a keyframe, and any final state → receiving when the client submits
the same request again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tweenbridge.protocol.errors import ErrorInfo
from tweenbridge.protocol.messages import JobInfo, JobRequest, JobState, Note, Priority

from .caller import key_of
from .plan import Making

MAX_DEATHS = 1
"""Workers that may die under one job before it fails."""


class Event(str, Enum):
    """What can happen to a job."""

    KEYFRAMES_COMPLETE = "keyframes complete"
    KEYFRAMES_LOST = "keyframes lost"
    STARTED = "started"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    WORKER_DIED = "worker died"
    SERVER_RESTARTED = "server restarted"
    SUBMITTED_AGAIN = "submitted again"


_UNFINISHED = (JobState.RECEIVING, JobState.QUEUED, JobState.RUNNING)
_FINAL = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)

TRANSITIONS: Mapping[tuple[JobState, Event], JobState] = {
    (JobState.RECEIVING, Event.KEYFRAMES_COMPLETE): JobState.QUEUED,
    (JobState.QUEUED, Event.KEYFRAMES_LOST): JobState.RECEIVING,
    (JobState.QUEUED, Event.STARTED): JobState.RUNNING,
    (JobState.RUNNING, Event.FINISHED): JobState.DONE,
    (JobState.RUNNING, Event.WORKER_DIED): JobState.QUEUED,
    (JobState.RUNNING, Event.SERVER_RESTARTED): JobState.QUEUED,
    **{(state, Event.FAILED): JobState.FAILED for state in _UNFINISHED},
    **{(state, Event.CANCELLED): JobState.CANCELLED for state in _UNFINISHED},
    **{(state, Event.SUBMITTED_AGAIN): JobState.RECEIVING for state in _FINAL},
}


class IllegalTransition(ValueError):
    """An event that cannot happen in a job's state: a mistake in the server."""


def next_state(state: JobState, event: Event) -> JobState:
    """The state after `event`.

    Raises:
        IllegalTransition: when the table has no such entry.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"{event.value!r} cannot happen to a job that is {state.value}") from None


@dataclass(frozen=True)
class JobRecord:
    """A job as the store keeps it.

    Attributes:
        id: the client's name for it.
        order: place in the order of submission.
        owner: who submitted it.
        params: hash of the request; the same id with another hash is a conflict.
        making: how its frames are made, and what they are keyed with.
        total, done: frames in all, frames ready.
        deaths: workers that died under it since it was last submitted.
    """

    id: str
    owner: str
    params: str
    request: JobRequest
    making: Making
    total: int
    priority: Priority = Priority.NORMAL
    title: str = ""
    origin: str = ""
    state: JobState = JobState.RECEIVING
    order: int = 0
    done: int = 0
    created: float = 0.0
    started: float | None = None
    finished: float | None = None
    error: ErrorInfo | None = None
    notes: tuple[Note, ...] = ()
    deaths: int = 0

    def after(self, *events: Event, now: float, **changes: Any) -> JobRecord:
        """The record after `events` in turn, with the times they imply and further `changes` of fields."""
        record = self
        for event in events:
            record = dataclasses.replace(record, state=next_state(record.state, event), **_effects(record, event, now))
        return dataclasses.replace(record, **changes)

    def moved(self, seconds: float) -> JobRecord:
        """The record with all its moments that much later."""
        started = None if self.started is None else self.started + seconds
        finished = None if self.finished is None else self.finished + seconds
        return dataclasses.replace(self, created=self.created + seconds, started=started, finished=finished)

    def to_info(self) -> JobInfo:
        """What lists show of a job that is not moving."""
        finished = self.state is JobState.DONE
        return JobInfo(
            job=self.id,
            state=self.state,
            total=self.total,
            done=self.done,
            engine=self.request.engine,
            profile=self.making.profile,
            priority=self.priority,
            title=self.title,
            origin=self.origin,
            fraction=1.0 if finished else self.done / self.total if self.total else 0.0,
            created=self.created,
            started=self.started,
            finished=self.finished,
            error=self.error,
            notes=self.notes,
            owner=key_of(self.owner),
        )


def _effects(record: JobRecord, event: Event, now: float) -> dict[str, Any]:
    """Fields that change with an event, besides the state."""
    if event is Event.STARTED:
        return {"started": record.started or now}
    if event in (Event.FINISHED, Event.FAILED, Event.CANCELLED):
        return {"finished": now}
    if event is Event.WORKER_DIED:
        return {"deaths": record.deaths + 1}
    if event is Event.KEYFRAMES_LOST:
        return {"deaths": 0}
    if event is Event.SUBMITTED_AGAIN:
        return {"started": None, "finished": None, "error": None, "notes": (), "deaths": 0}
    return {}
