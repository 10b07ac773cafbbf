"""The requests of open sessions: bounded, answered on I/O threads, and the news that follow from them.

Everything here runs on the gateway's thread except `answer`, which runs on the pool's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import FETCH_WINDOW, Limits
from tweenbridge.protocol.messages import (
    Delta,
    Error,
    Fetch,
    FrameData,
    GetJob,
    Message,
    Preview,
    Progress,
    Put,
    Submit,
    Watch,
)
from tweenbridge.protocol.models import ModelDelta, WatchModels
from tweenbridge.protocol.oversight import GetThumbnail

from .inbox import Inbox
from .outgoing import Outcome, Sender
from .requests import Circumstances, Reply, Request, Services, answer, job_of, shown_to
from .sessions import Session, Sessions, Stream

if TYPE_CHECKING:
    from ..jobs.service import Change
    from ..jobs.service import Preview as Shown
    from ..models.service import ModelChange

IO_THREADS = 4
PUT_THREADS = 2
"""Keyframes are stored on threads of their own, so that a burst of them keeps no question waiting."""
THUMBNAIL_THREADS = 1
"""Pictures are made one after the other, and nobody else waits for them."""
MAX_REQUESTS = 32
"""Requests of one session that may be worked on at a time; puts and fetches have bounds of their own."""
MAX_WAITING_FETCHES = 8
"""Fetches of one session that may wait for the window to open."""
PUTS_IN_ALL = 2
"""Bytes of keyframes that may be in memory at a time, as a multiple of the largest frame; one session may fill half."""

_SOON = 0.2


@dataclass(frozen=True)
class Identity:
    """What the server says of itself. `epoch` is new at every start; `started` is monotonic time in seconds."""

    name: str
    epoch: str
    home: Path
    limits: Limits
    started: float


def _busy(message: str) -> TweenbridgeError:
    return TweenbridgeError(ErrorCode.BUSY, message, retry_after=_SOON)


class Desk:
    """Answers the requests of open sessions and tells sessions of changes."""

    def __init__(
        self,
        services: Services,
        identity: Identity,
        sessions: Sessions,
        sender: Sender,
        inbox: Inbox[Callable[[], None]],
    ) -> None:
        self._services = services
        self._identity = identity
        self._sessions = sessions
        self._sender = sender
        self._inbox = inbox
        self._pool = ThreadPoolExecutor(IO_THREADS, thread_name_prefix="gateway-io")
        self._put_pool = ThreadPoolExecutor(PUT_THREADS, thread_name_prefix="gateway-put")
        self._thumbnail_pool = ThreadPoolExecutor(THUMBNAIL_THREADS, thread_name_prefix="gateway-thumbnail")
        self._tasks = 0
        self._put_bytes = 0
        self._blocked_since: float | None = None

    # ------------------------------------------------------------ requests

    def take(self, session: Session, number: int, request: Request, pixels: memoryview | None) -> None:
        """Begin to answer a request, which was message `number`.

        Raises:
            TweenbridgeError: BUSY when the session asks for too much at once.
        """
        if isinstance(request, Fetch):
            self._take_fetch(session, number, request)
        elif isinstance(request, Put) and pixels is not None:
            self._take_put(session, number, request, pixels)
        elif isinstance(request, Watch):
            self._take_watch(session, number, request, session.jobs)
        elif isinstance(request, WatchModels):
            self._take_watch(session, number, request, session.models)
        else:
            self._take_other(session, number, request)

    def _take_other(self, session: Session, number: int, request: Request) -> None:
        self._count_request(session)
        job = job_of(request)
        # Before the service sees it, so that no progress slips through in between.
        newly = isinstance(request, (Submit, GetJob)) and session.attach(job, request.previews)

        def finish(session: Session, reply: Reply) -> None:
            session.requests -= 1
            if newly and isinstance(reply.message, Error):
                session.attached.pop(job, None)
            self._reply(session, number, reply)

        self._work(session, request, None, finish)

    def _take_watch(
        self, session: Session, number: int, request: Watch | WatchModels, stream: Stream[Delta] | Stream[ModelDelta]
    ) -> None:
        self._count_request(session)
        stream.begin(request.on)

        def finish(session: Session, reply: Reply) -> None:
            session.requests -= 1
            self._reply(session, number, reply)
            for change in stream.listed(request.on and not isinstance(reply.message, Error)):
                self.send(session.routing_id, change)

        self._work(session, request, None, finish)

    def _count_request(self, session: Session) -> None:
        if session.requests >= MAX_REQUESTS:
            raise _busy("This client asks for too much at once.")
        session.requests += 1

    def _take_put(self, session: Session, number: int, request: Put, pixels: memoryview) -> None:
        size, most = pixels.nbytes, self._identity.limits.frame_bytes
        if session.put_bytes + size > most or self._put_bytes + size > PUTS_IN_ALL * most:
            raise _busy("The server is still storing keyframes that came before.")
        session.put_bytes += size
        self._put_bytes += size

        def settle() -> None:
            self._put_bytes -= size

        def finish(session: Session, reply: Reply) -> None:
            session.put_bytes -= size
            self._reply(session, number, reply)

        self._work(session, request, pixels, finish, settle)

    # ------------------------------------------------------------ fetches

    def _take_fetch(self, session: Session, number: int, request: Fetch) -> None:
        if not session.waiting and session.frames_out() < FETCH_WINDOW:
            self._fetch(session, number, request)
        elif len(session.waiting) < MAX_WAITING_FETCHES:
            session.waiting.append((number, request))
        else:
            raise _busy(f"At most {FETCH_WINDOW} frames can be on their way at once.")

    def _fetch(self, session: Session, number: int, request: Fetch) -> None:
        session.opening += 1

        def finish(session: Session, reply: Reply) -> None:
            session.opening -= 1
            self._reply(session, number, reply)

        self._work(session, request, None, finish)

    def serve_waiting(self) -> None:
        """Start the fetches whose turn has come."""
        blocked = False
        for session in self._sessions.open_sessions():
            while session.waiting and session.frames_out() < FETCH_WINDOW:
                self._fetch(session, *session.waiting.popleft())
            blocked = blocked or bool(session.waiting)
        if not blocked:
            self._blocked_since = None
        elif self._blocked_since is None:
            self._blocked_since = time.monotonic()

    def blocked_for(self) -> float | None:
        """Seconds for which some fetch has been waiting for frames to leave; None when none is."""
        return None if self._blocked_since is None else time.monotonic() - self._blocked_since

    # ------------------------------------------------------------ work off the loop

    def _work(
        self,
        session: Session,
        request: Request,
        pixels: memoryview | None,
        finish: Callable[[Session, Reply], None],
        settle: Callable[[], None] | None = None,
    ) -> None:
        """Answer a request on an I/O thread. Back on the loop comes `settle`, then `finish` if the session still is."""
        routing_id, serial, caller = session.routing_id, session.serial, session.caller
        now = self._circumstances(session)
        self._tasks += 1

        def done(reply: Reply) -> None:
            self._tasks -= 1
            if settle is not None:
                settle()
            present = self._sessions.find(routing_id, serial)
            if present is not None:
                finish(present, reply)

        def run(pixels: memoryview | None) -> None:
            reply = answer(self._services, request, caller, pixels, now)
            if pixels is not None:
                # Now, and not whenever the pool lets go of its arguments: it may be a whole frame.
                pixels.release()
            self._inbox.put(lambda: done(reply))

        pool = self._pool if pixels is None else self._put_pool
        if isinstance(request, GetThumbnail):
            pool = self._thumbnail_pool
        pool.submit(run, pixels)

    def _circumstances(self, session: Session) -> Circumstances:
        return Circumstances(
            server=self._identity.name,
            epoch=self._identity.epoch,
            pid=os.getpid(),
            data_dir=str(self._identity.home),
            uptime=time.monotonic() - self._identity.started,
            sessions=len(self._sessions.open_sessions()),
            seq=session.jobs.seq,
            model_seq=session.models.seq,
        )

    def is_idle(self) -> bool:
        """Nothing is being worked on."""
        return self._tasks == 0

    def close(self) -> None:
        """End the I/O threads; waits for what they do unless that takes too long already."""
        for pool in (self._pool, self._put_pool, self._thumbnail_pool):
            pool.shutdown(wait=self.is_idle(), cancel_futures=True)

    # ------------------------------------------------------------ messages out

    def send(self, peer: bytes, message: Message, number: int | None = None) -> None:
        """Send a header on its own. A peer that is gone is forgotten; one that does not read misses it."""
        if self._sender.send(peer, message, number) is Outcome.GONE:
            self._sessions.drop(peer)

    def _reply(self, session: Session, number: int, reply: Reply) -> None:
        if reply.payload is None:
            self.send(session.routing_id, reply.message, number)
            return
        outcome, tracker = self._sender.send_pixels(session.routing_id, reply.message, number, reply.payload)
        if tracker is not None and isinstance(reply.message, FrameData):
            session.leaving.append(tracker)
        elif outcome is Outcome.GONE:
            self._sessions.drop(session.routing_id)

    def show(self, shown: Shown) -> None:
        """Show an unfinished frame to clients who asked for it; one that has not taken the last one misses it."""
        picture = shown.picture
        message = Preview(shown.job, shown.gap, picture.t, picture.width, picture.height)
        for session in self._sessions.open_sessions():
            if session.caller.may_see(shown.owner) and session.may_be_shown(shown.job):
                outcome, session.showing = self._sender.send_pixels(session.routing_id, message, None, picture.png)
                if outcome is Outcome.GONE:
                    self._sessions.drop(session.routing_id)

    def publish(self, change: Change) -> None:
        """Tell the job's clients and everyone who watches of a change."""
        for session in self._sessions.open_sessions():
            if not session.caller.may_see(change.owner):
                continue
            if change.job in session.attached:
                if change.info is None:
                    del session.attached[change.job]
                else:
                    self.send(session.routing_id, Progress(change.info, change.ready))
            delta = session.jobs.next(lambda seq: Delta(seq, change.job, change.info))
            if delta is not None:
                self.send(session.routing_id, delta)

    def publish_model(self, change: ModelChange) -> None:
        """Tell everyone who watches models of a change."""
        for session in self._sessions.open_sessions():
            info = shown_to(session.caller, change.info)
            delta = session.models.next(lambda seq, info=info: ModelDelta(seq, change.model, info))  # type: ignore[misc]
            if delta is not None:
                self.send(session.routing_id, delta)
