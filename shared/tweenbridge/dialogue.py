"""What is said over a link: questions and their replies, jobs and their frames, in whatever session there is.

Whatever was asked and not answered when a session is lost is asked again in the next one: every message of the protocol
may be repeated without harm.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from dataclasses import dataclass
from typing import Optional, Union

from .connection import Arrival, Connection
from .events import (
    Connected,
    Disconnected,
    Event,
    FrameArrived,
    JobChanged,
    JobEnded,
    JobProgress,
    JobsListed,
    ModelChanged,
    ModelsListed,
    PreviewArrived,
    ServerStarting,
    ServerStopping,
)  # fmt: skip
from .files import FileHelper
from .job import JobHandle
from .keyframes import Bytes, check_limits
from .link import Link
from .protocol import messages as wire
from .protocol.errors import ErrorCode, TweenbridgeError
from .protocol.limits import FETCH_WINDOW, PREVIEW_BYTES, PREVIEW_SIDE, PUT_WINDOW, Limits
from .protocol.models import ModelDelta, Models, WatchModels
from .reply import Reply
from .results import place_frame
from .watching import Stream

ANSWER_WITHIN = 60.0
"""Seconds in which a live server answers anything; past them a request counts as lost."""
_HELPER_TICK = 0.002
"""Longest sleep while the helper thread hashes or reads: it makes no noise that could wake anybody."""

_WATCHES = (wire.Watch, WatchModels)
LINK_EVENTS = (Connected, Disconnected, ServerStarting, ServerStopping)


@dataclass(frozen=True)
class _Request:
    """One message that waits for its reply in this session."""

    message: wire.Message
    asker: Union[JobHandle, Reply]
    sent: float


def _concerns(event: Event, handle: JobHandle, of_link: bool) -> bool:
    if isinstance(event, (FrameArrived, PreviewArrived, JobProgress, JobEnded)):
        return event.job == handle.id
    return of_link and isinstance(event, LINK_EVENTS)


class Dialogue:
    """Questions, jobs and events of one client.

    Args:
        link: where sessions come from.
        limits: what the client accepts; the server's own come with each session.
    """

    def __init__(self, link: Link, limits: Limits) -> None:
        self._link = link
        self._limits = limits
        self._session: Optional[Connection] = None
        self._events: deque[Event] = deque()
        self._jobs: dict[str, JobHandle] = {}
        self._questions: deque[Reply] = deque()
        self._requests: dict[int, _Request] = {}
        self._files: Optional[FileHelper] = None
        self._job_changes = Stream(wire.Watch)
        self._model_changes = Stream(WatchModels)
        self._turn = 0
        self._stopping = False

    # ------------------------------------------------------------ asking

    def ask(self, question: wire.ClientMessage) -> Reply:
        """Queue a question."""
        reply = Reply(question)
        self._questions.append(reply)
        self._link.wake()
        return reply

    def withdraw(self, reply: Reply) -> None:
        """Nobody waits for this answer any more."""
        if reply in self._questions:
            self._questions.remove(reply)
        for number in [n for n, request in self._requests.items() if request.asker is reply]:
            del self._requests[number]

    def watch(self, on: bool) -> None:
        """Turn the stream of all jobs' changes on or off."""
        self._turn_stream(self._job_changes, on)

    def watch_models(self, on: bool) -> None:
        """Turn the stream of all models' changes on or off."""
        self._turn_stream(self._model_changes, on)

    def _turn_stream(self, stream: Stream, on: bool) -> None:
        question = stream.turn(on)
        if self._session is not None:
            self._questions.append(Reply(question))

    def follow(self, handle: JobHandle) -> None:
        """Take up a job.

        Raises:
            TweenbridgeError: CONFLICT when a job of that id is followed already.
        """
        if handle.id in self._jobs:
            raise TweenbridgeError(ErrorCode.CONFLICT, f"Job {handle.id} is being followed already.")
        if self._files is None:
            self._files = FileHelper()
        self._jobs[handle.id] = handle
        self._files.hash(handle)
        self._link.wake()

    def is_busy(self) -> bool:
        """Whether there is something to do for which a server should be started."""
        waiting = [reply.question for reply in self._questions] + [item.message for item in self._requests.values()]
        return any(not handle.cancelling for handle in self._jobs.values()) or any(
            not isinstance(message, (wire.Stop, *_WATCHES)) for message in waiting
        )

    def close(self) -> None:
        """Let go of the helper thread."""
        if self._files is not None:
            self._files.close()
            self._files = None

    # ------------------------------------------------------------ events

    def has_events(self) -> bool:
        """Whether `take_events` would return any."""
        return bool(self._events)

    def take_events(self) -> list[Event]:
        """Hand out all events, oldest first. The frames among them make room for others to be fetched."""
        taken = list(self._events)
        self._events.clear()
        self._count_delivered(taken)
        return taken

    def has_events_of(self, handle: JobHandle, of_link: bool) -> bool:
        """Whether `take_events_of` would return any."""
        return any(_concerns(event, handle, of_link) for event in self._events)

    def take_events_of(self, handle: JobHandle, of_link: bool) -> list[Event]:
        """Hand out the events of one job, and those of the link where `of_link`; the others stay."""
        taken = [event for event in self._events if _concerns(event, handle, of_link)]
        self._events = deque(event for event in self._events if not _concerns(event, handle, of_link))
        self._count_delivered(taken)
        return taken

    def _count_delivered(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, FrameArrived) and event.job in self._jobs:
                self._jobs[event.job].undelivered -= 1

    # ------------------------------------------------------------ one step

    def step(self, now: float) -> None:
        """Do all that can be done without waiting."""
        arrivals, events = self._link.step(now, self.is_busy())
        self._follow_session()
        self._events.extend(events)
        for arrival in arrivals:
            self._take(arrival, now)
        if self._files is not None:
            self._files.take_hashed()
        if self._link.connection is not None:
            self._pump(self._link.connection, now)
        for handle in [handle for handle in self._jobs.values() if handle.ended]:
            del self._jobs[handle.id]
            self._events.append(JobEnded(handle.id, handle.state, handle.error, handle.notes))

    def wait(self, timeout: float) -> None:
        """Sleep until something may have happened, for `timeout` seconds at most."""
        working = self._files is not None and self._files.is_working
        self._link.wait(min(timeout, _HELPER_TICK) if working else timeout)

    def _follow_session(self) -> None:
        """Notice that the session is another than at the last step."""
        session = self._link.connection
        if session is self._session:
            return
        if self._session is not None:
            self._drop_session()
        self._session = session
        self._stopping = False
        for stream in (self._job_changes, self._model_changes):
            if session is not None and stream.on:
                self._questions.appendleft(Reply(stream.again()))

    def _drop_session(self) -> None:
        for handle in self._jobs.values():
            handle.disconnected()
        requests, self._requests = self._requests, {}
        for request in requests.values():
            if isinstance(request.asker, JobHandle):
                continue
            if isinstance(request.message, wire.Stop):
                request.asker.answered(wire.Stopping())
            elif not isinstance(request.message, _WATCHES):
                self._questions.appendleft(request.asker)

    # ------------------------------------------------------------ hearing

    def _take(self, arrival: Arrival, now: float) -> None:
        message = arrival.header.message
        if isinstance(message, wire.Error) and message.error.code is ErrorCode.UNAUTHORIZED:
            # The server does not know this session any more.
            self._events.extend(self._link.lost(TweenbridgeError.from_info(message.error), now))
            self._follow_session()
            return
        if isinstance(message, wire.Progress) and message.info.job in self._jobs:
            self._jobs[message.info.job].progressed(message, now)
            self._events.append(JobProgress(message.info.job, message.info))
        elif isinstance(message, wire.Preview):
            self._show(message, arrival.data)
        elif isinstance(message, wire.Snapshot):
            if self._job_changes.listed(message.seq):
                self._events.append(JobsListed(message.jobs))
        elif isinstance(message, wire.Delta):
            self._take_change(self._job_changes, message.seq, JobChanged(message.job, message.info))
        elif isinstance(message, ModelDelta):
            self._take_change(self._model_changes, message.seq, ModelChanged(message.model, message.info))
        elif isinstance(message, wire.Stopping):
            if not self._stopping:
                self._events.append(ServerStopping())
            self._stopping = True
            self._link.do_not_start()
        request = None if arrival.header.re is None else self._requests.pop(arrival.header.re, None)
        if request is None:
            return
        watched = isinstance(request.message, WatchModels)
        if watched and isinstance(message, Models) and self._model_changes.listed(message.seq):
            self._events.append(ModelsListed(message))
        if isinstance(request.asker, Reply):
            request.asker.answered(message, arrival.data)
        else:
            self._take_for_job(request.asker, request.message, arrival, now)

    def _show(self, preview: wire.Preview, data: Optional[memoryview]) -> None:
        """Take a preview; what a caller has not looked at in the meantime is replaced by it."""
        fits = min(preview.width, preview.height) > 0 and max(preview.width, preview.height) <= PREVIEW_SIDE
        if preview.job not in self._jobs or data is None or len(data) > PREVIEW_BYTES or not fits:
            return
        shown = PreviewArrived(preview.job, preview.gap, preview.time, bytes(data))
        for event in [event for event in self._events if isinstance(event, PreviewArrived)]:
            if (event.job, event.gap) == (shown.job, shown.gap):
                self._events.remove(event)
        self._events.append(shown)

    def _take_change(self, stream: Stream, seq: int, change: Event) -> None:
        if stream.takes(seq):
            self._events.append(change)
        elif stream.missed_before(seq):
            self._questions.append(Reply(stream.again()))

    def _take_for_job(self, handle: JobHandle, asked: wire.Message, arrival: Arrival, now: float) -> None:
        reply = arrival.header.message
        if isinstance(asked, wire.Fetch) and isinstance(reply, wire.FrameData):
            if arrival.data is None or (reply.job, reply.frame) != (asked.job, asked.frame):
                reply = wire.Error(
                    TweenbridgeError(ErrorCode.BAD_MESSAGE, "The server sent something else than the frame.").info
                )
            elif not handle.ended and handle.request is not None:
                handle.undelivered += 1
                frame = place_frame(reply, arrival.data, handle.plan, handle.request.keyframes)
                self._events.extend(FrameArrived(handle.id, ready) for ready in handle.hand_over(frame))
        handle.answered(asked, reply, now)

    # ------------------------------------------------------------ saying

    def _pump(self, session: Connection, now: float) -> None:
        self._give_up_late(now)
        while self._questions:
            if not self._send(session, self._questions[0].question, self._questions[0], now):
                return
            self._questions.popleft()
        self._send_loaded(session, now)
        self._turn += 1
        handles = list(self._jobs.values())
        first = self._turn % max(1, len(handles))
        for handle in handles[first:] + handles[:first]:
            self._pump_job(session, handle, now)

    def _pump_job(self, session: Connection, handle: JobHandle, now: float) -> None:
        files = self._files
        while files is not None:
            asked = [request.message for request in self._requests.values()]
            may_fetch = sum(isinstance(message, wire.Fetch) for message in asked) < FETCH_WINDOW
            message = handle.next_message(now, self._put_room(session), may_fetch)
            if message is None or (isinstance(message, wire.Submit) and not self._fits(handle, message, session)):
                return
            if isinstance(message, wire.Put):
                files.load(handle, message, session)
            elif not self._send(session, message, handle, now):
                return

    def _put_room(self, session: Connection) -> int:
        """Bytes of a keyframe that may go on its way now: as many as the server takes of one client at a time."""
        assert session.welcome is not None and self._files is not None
        out = [
            request.asker.keyframe(request.message).size
            for request in self._requests.values()
            if isinstance(request.message, wire.Put) and isinstance(request.asker, JobHandle)
        ]
        if self._files.is_loading or len(out) >= PUT_WINDOW:
            return 0
        return session.welcome.limits.frame_bytes - sum(out)

    def _fits(self, handle: JobHandle, submit: wire.Submit, session: Connection) -> bool:
        assert session.welcome is not None
        limits = session.welcome.limits
        limits = dataclasses.replace(limits, frame_bytes=min(limits.frame_bytes, self._limits.frame_bytes))
        try:
            check_limits(submit.request, handle.total, limits)
        except TweenbridgeError as error:
            handle.fail(error.info)
            return False
        return True

    def _send_loaded(self, session: Connection, now: float) -> None:
        """Send the keyframe that has been read, unless it was for a session that has gone."""
        loaded = self._files.take_loaded() if self._files is not None else None
        if loaded is None or loaded.handle.ended or loaded.session is not session:
            return
        try:
            data = loaded.data.result()
        except TweenbridgeError as error:
            loaded.handle.fail(error.info)
        else:
            self._send(session, loaded.put, loaded.handle, now, data)

    def _send(
        self, session: Connection, message: wire.Message, asker: Union[JobHandle, Reply], now: float,
        data: Optional[Bytes] = None,
    ) -> bool:  # fmt: skip
        """Send and note who waits for the reply. False when the session has ended, which the next step will notice."""
        try:
            number = session.send(message, data)
        except TweenbridgeError as error:
            if error.code is ErrorCode.NOT_RUNNING:
                return False
            if isinstance(asker, JobHandle):
                asker.fail(error.info)
            else:
                asker.answered(wire.Error(error.info))
            return True
        self._requests[number] = _Request(message, asker, now)
        return True

    def _give_up_late(self, now: float) -> None:
        for number in [n for n, request in self._requests.items() if now > request.sent + ANSWER_WITHIN]:
            request = self._requests.pop(number)
            late = TweenbridgeError(ErrorCode.TIMED_OUT, f"The server did not answer {request.message.TYPE}.")
            if isinstance(request.asker, JobHandle):
                request.asker.answered(request.message, wire.Error(late.info), now)
            else:
                request.asker.answered(wire.Error(late.info))
