"""A submitted job as the client follows it: a state machine that says what to send next. No I/O, no clock of its own.

Events from the server are hints; what the client holds is decided here: which keyframes the server still needs, which
frames are ready there, which have arrived. After a lost session the job asks how it stands and goes on with what is
missing.
"""

from __future__ import annotations

import uuid
from enum import Enum
from typing import Collection, Optional, Sequence

from .keyframes import Order
from .protocol import messages as wire
from .protocol.errors import ErrorCode, ErrorInfo, TweenbridgeError
from .protocol.limits import FETCH_WINDOW
from .protocol.messages import JobInfo, JobRequest, JobState, Keyframe, Note, Priority
from .results import Frame
from .words import one_line

RESYNC_AFTER = 5.0
"""Seconds without word of an unfinished job after which the client asks how it stands."""
_CANCEL_AGAIN = 0.5
"""Seconds after which a cancel is repeated for a job that has not stopped yet."""
_MOST_FAILURES = 3
"""Attempts at one step, without anything gained in between, before the job counts as failed."""

_FORGOTTEN = (ErrorCode.UNKNOWN_JOB, ErrorCode.EXPIRED)
_AGAIN = (ErrorCode.NOT_READY, ErrorCode.TIMED_OUT, ErrorCode.INTERNAL)


class Step(Enum):
    """What the job needs next from the server."""

    PREPARE = "prepare"
    """Nothing yet: its keyframes are being hashed."""
    SUBMIT = "submit"
    ASK = "ask"
    """It was accepted once, but the session was lost: how does it stand?"""
    FOLLOW = "follow"
    END = "end"


class JobHandle:
    """One job that this client submitted.

    Attributes:
        id: the job's id, made by the client.
        info: what the server said last; None before it said anything.
        error: why the job ended without all its frames; None otherwise.
        notes: what the user should know of the results, e.g. a cut that was held.
        plan: the drawings to come, and the slots that show them.
    """

    def __init__(
        self, order: Order, *, job: Optional[str] = None, priority: Priority = Priority.NORMAL,
        title: str = "", origin: str = "", in_order: bool = False, have: Collection[int] = (),
        previews: bool = False,
    ) -> None:  # fmt: skip
        self.id = job or uuid.uuid4().hex
        self.info: Optional[JobInfo] = None
        self.error: Optional[ErrorInfo] = None
        self.notes: tuple[Note, ...] = ()
        self.order = order
        self.plan = order.plan
        self.request: Optional[JobRequest] = None
        self.step = Step.PREPARE
        self.undelivered = 0
        self._priority = priority
        self._title = one_line(title)
        self._origin = one_line(origin)
        self._in_order = in_order
        self._previews = previews
        self._submitted = False
        self._cancelling = False
        self._final: Optional[JobState] = None
        self._asked: list[wire.Message] = []
        self._need: tuple[int, ...] = ()
        self._ready: set[int] = set()
        self._had = frozenset(have)
        self._arrived: set[int] = set(have)
        self._first_missing = 0
        self._early: dict[int, Frame] = {}
        self._next_out = 0
        self._retry_at = 0.0
        self._heard = 0.0
        self._failures = 0

    # ------------------------------------------------------------ for the caller

    @property
    def state(self) -> JobState:
        """Where the job is; RECEIVING until the server has said anything else. DONE once all frames have arrived."""
        if self._final is not None:
            return self._final
        return self.info.state if self.info is not None and not self.info.state.is_final else JobState.RECEIVING

    @property
    def total(self) -> int:
        """Drawings that the job makes."""
        return len(self.plan.drawings)

    @property
    def received(self) -> int:
        """Drawings that have arrived, those brought by an earlier session included."""
        return len(self._arrived)

    @property
    def ended(self) -> bool:
        """Nothing more will come."""
        return self.step is Step.END

    @property
    def cancelling(self) -> bool:
        """`cancel` was called."""
        return self._cancelling

    def cancel(self) -> None:
        """Stop the job. A `JobEnded` follows; frames finished so far stay with the server until they are released."""
        self._cancelling = True
        if not self._submitted:
            self._end_cancelled()

    def keyframe(self, put: wire.Put) -> Keyframe:
        """The keyframe that a `put` of this job carries."""
        assert self.request is not None
        return self.request.keyframes[put.keyframe]

    # ------------------------------------------------------------ what to send

    def prepared(self, request: JobRequest) -> None:
        """The keyframes are hashed: the job can be submitted."""
        if self.step is Step.PREPARE:
            self.request = request
            self.step = Step.SUBMIT
            self._end_if_complete()

    def next_message(self, now: float, put_room: int, may_fetch: bool) -> Optional[wire.Message]:
        """What to send now, or None. Whatever it returns counts as asked until `answered` or `disconnected`.

        Args:
            now: seconds of a steady clock.
            put_room: bytes that a keyframe may have to go on its way beside others; 0 for none.
            may_fetch: the client's window has room for another frame.
        """
        if self.step in (Step.PREPARE, Step.END) or now < self._retry_at:
            return None
        message = self._wanted(now, put_room, may_fetch)
        if message is not None:
            self._asked.append(message)
            self._submitted = True
        return message

    def _wanted(self, now: float, put_room: int, may_fetch: bool) -> Optional[wire.Message]:
        if self._cancelling:
            return None if self._is_asked(wire.Cancel) else wire.Cancel(job=self.id)
        if self.step is Step.SUBMIT and self.request is not None:
            submit = wire.Submit(self.id, self.request, self._priority, self._title, self._origin, self._previews)
            return None if self._is_asked(wire.Submit) else submit
        if not self._is_asked(wire.GetJob) and (
            self.step is Step.ASK or self.info is None or (not self._asked and now > self._heard + RESYNC_AFTER)
        ):
            return wire.GetJob(self.id, self._previews)
        if self.step is not Step.FOLLOW:
            return None
        put = self._next_keyframe(put_room)
        if put is not None:
            return put
        frame = self._next_frame() if may_fetch else None
        return None if frame is None else wire.Fetch(self.id, frame)

    def _is_asked(self, kind: type) -> bool:
        return any(isinstance(message, kind) for message in self._asked)

    def _next_keyframe(self, room: int) -> Optional[wire.Put]:
        """The first that is needed and not on its way, where there is room for it."""
        sending = {message.keyframe for message in self._asked if isinstance(message, wire.Put)}
        for index in self._need:
            if index not in sending:
                put = wire.Put(self.id, index)
                return put if self.keyframe(put).size <= room else None
        return None

    def _next_frame(self) -> Optional[int]:
        fetching = {message.frame for message in self._asked if isinstance(message, wire.Fetch)}
        if len(fetching) + self.undelivered >= FETCH_WINDOW:
            return None
        if not self._in_order:
            return min(self._ready - fetching, default=None)
        while self._first_missing in self._arrived:
            self._first_missing += 1
        frame = self._first_missing
        while frame in fetching:
            frame += 1
        return frame if frame in self._ready else None

    # ------------------------------------------------------------ what was heard

    def answered(self, asked: wire.Message, reply: wire.Message, now: float) -> None:
        """Take the reply to a message that `next_message` gave."""
        if asked in self._asked:
            self._asked.remove(asked)
        if self.ended:
            return
        self._heard = now
        if isinstance(reply, wire.Error):
            self._refused(asked, reply.error, now)
        elif isinstance(reply, wire.Accepted):
            self._accepted(reply)
        elif isinstance(reply, wire.Received):
            # Two puts may be answered in any order: what one said is here stays here.
            self._need = tuple(index for index in self._need if index in reply.need)
            self._failures = 0
        elif isinstance(reply, wire.FrameData):
            self._ready.discard(reply.frame)
            self._arrived.add(reply.frame)
            self._failures = 0
            self._end_if_complete()
        elif isinstance(reply, wire.Job):
            self._stands(reply.info, now)
        else:
            what = f"The server answered {asked.TYPE} with {reply.TYPE}."
            self.fail(TweenbridgeError(ErrorCode.BAD_MESSAGE, what).info)

    def hand_over(self, frame: Frame) -> list[Frame]:
        """Take a frame that arrived; returns those that the caller may have now.

        Two fetches are on their way at a time and may be answered in any order, so a job that wants its frames in time
        order keeps one back now and then.
        """
        if not self._in_order:
            return [frame]
        self._early[frame.index] = frame
        ready: list[Frame] = []
        while self._next_out in self._early or self._next_out in self._had:
            if self._next_out not in self._had:
                ready.append(self._early.pop(self._next_out))
            self._next_out += 1
        return ready

    def progressed(self, progress: wire.Progress, now: float) -> None:
        """Take a hint. While the job is being submitted again, hints may still be about how it stood before."""
        if self.step is not Step.FOLLOW:
            return
        self._heard = now
        self._say(progress.info)
        self._add_ready(progress.ready)
        self._follow(progress.info)

    def disconnected(self) -> None:
        """The session is lost: whatever was asked will not be answered."""
        if self.step is Step.FOLLOW:
            self.step = Step.ASK
        self._asked.clear()
        self._retry_at = 0.0

    def fail(self, error: ErrorInfo) -> None:
        """End the job."""
        if not self.ended:
            self.error = error
            self._final = JobState.CANCELLED if error.code is ErrorCode.CANCELLED else JobState.FAILED
            self.step = Step.END

    def _say(self, info: JobInfo) -> None:
        self.info = info
        self.notes = info.notes

    def _add_ready(self, frames: Sequence[int]) -> None:
        self._ready.update(frame for frame in frames if 0 <= frame < self.total and frame not in self._arrived)

    def _accepted(self, reply: wire.Accepted) -> None:
        if reply.total != self.total:
            what = f"The server wants to make {reply.total} drawings where {self.total} were asked for."
            self.fail(TweenbridgeError(ErrorCode.BAD_MESSAGE, what).info)
            return
        self.step = Step.FOLLOW
        self._need = reply.need
        self._ready.clear()
        self._add_ready(range(self.total) if reply.state is JobState.DONE else reply.done)
        self._end_if_complete()

    def _stands(self, info: JobInfo, now: float) -> None:
        """The answer to `get_job` or `cancel`."""
        self._say(info)
        if self._cancelling:
            self._retry_at = now + _CANCEL_AGAIN
            if info.state.is_final:
                self._end_cancelled()
        elif info.state in (JobState.FAILED, JobState.CANCELLED):
            # Not submitted again: somebody else's cancel would be undone, a failure repeated for ever.
            self._follow(info)
        elif self.step is Step.ASK or info.done > len(self._ready | self._arrived):
            # Only `accepted` says which keyframes are missing and which frames are ready.
            self.step = Step.SUBMIT
        else:
            self._follow(info)

    def _follow(self, info: JobInfo) -> None:
        if info.state is JobState.DONE:
            self._add_ready(range(self.total))
            self._end_if_complete()
        elif info.state is JobState.CANCELLED:
            self._end_cancelled()
        elif info.state is JobState.FAILED:
            unknown = TweenbridgeError(ErrorCode.INTERNAL, "The job failed, and the server does not say why.")
            self.fail(info.error or unknown.info)

    def _refused(self, asked: wire.Message, error: ErrorInfo, now: float) -> None:
        """A request was answered with an error: wait, begin again, or give up."""
        if error.code is ErrorCode.BUSY:
            # The server is well and will take it later, however often it says so.
            self._retry_at = now + max(error.retry_after or 1.0, 0.05)
            return
        if self._cancelling:
            self._end_cancelled()
            return
        self._failures += 1
        if self._failures >= _MOST_FAILURES or error.code not in _FORGOTTEN + _AGAIN:
            self.fail(error)
            return
        if error.code in _AGAIN:
            self._retry_at = now + (error.retry_after or 0.2 * self._failures)
        # `accepted` tells where things really stand.
        self.step = Step.SUBMIT

    def _end_if_complete(self) -> None:
        if len(self._arrived) == self.total:
            self._final = JobState.DONE
            self.step = Step.END

    def _end_cancelled(self) -> None:
        self.fail(TweenbridgeError(ErrorCode.CANCELLED, "The job was cancelled.").info)
