"""Who may ask for what: each peer of the gateway goes new → challenged → open, or is forgotten.

No socket and no clock in here: the gateway passes routing ids, messages and the time (seconds, monotonic) in and sends
what comes back. PROTOCOL.md, "Opening a session", is the specification.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, Protocol, TypeVar

from tweenbridge.protocol import handshake
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import DEAD_AFTER, HELLO_TIMEOUT, NONCE_BYTES, PROTOCOL_VERSIONS
from tweenbridge.protocol.messages import Challenge, ClientInfo, Delta, Fetch, Hello, Prove
from tweenbridge.protocol.models import ModelDelta
from tweenbridge.words import one_line

from ..jobs.caller import Caller

MAX_SESSIONS = 256
MAX_HALF_OPEN = 64
MAX_SESSIONS_OF_KEY = 32
"""Open sessions of one client of another machine, so that none can keep the others out."""
MAX_ATTACHED = 1024
"""Jobs whose progress one session hears of; the longest attached is let go beyond that."""
_MAX_REMEMBERED = 1024


class Stage(Enum):
    """How far a peer has come; one that is in no session at all is new."""

    CHALLENGED = "challenged"
    OPEN = "open"


class Tracker(Protocol):
    """What tells when ZeroMQ has let go of a part that was sent without copying."""

    @property
    def done(self) -> bool:
        """The part has left."""


C = TypeVar("C")


@dataclass
class Stream(Generic[C]):
    """Numbered changes for a peer that asked to see them all.

    Attributes:
        on: it gets them.
        seq: number of the last one.
        held: changes kept back while the list they belong after is being made.
    """

    on: bool = False
    seq: int = 0
    held: list[C] | None = None

    def begin(self, on: bool) -> None:
        """A list is asked for, to be followed by changes or not."""
        self.on = False
        self.held = [] if on else None

    def listed(self, on: bool) -> list[C]:
        """The list has been sent; the changes that came meanwhile."""
        held, self.held = self.held or [], None
        self.on = on
        return held

    def next(self, make: Callable[[int], C]) -> C | None:
        """Number a change; it comes back if it is to be sent now.

        It is counted even when the peer's queue is full: the hole tells it to ask again.
        """
        if not self.on and self.held is None:
            return None
        self.seq += 1
        change = make(self.seq)
        if self.held is not None:
            self.held.append(change)
            return None
        return change


@dataclass
class Session:
    """One peer.

    Attributes:
        routing_id: the ROUTER's name for it.
        connection: number of its network connection: a peer that turns up under the same routing id on another
            connection is somebody else.
        serial: tells apart sessions that follow each other under one routing id.
        caller: who it is to the services.
        key: its public key; "" where the connection is not encrypted.
        heard: when it last gave a sign of life.
        attached: ids of the jobs whose progress it wants, in the order of attachment; true where it wants
            previews, too.
        jobs: the stream of all jobs' changes.
        models: the stream of all models' changes.
        requests: requests that are being worked on.
        put_bytes: bytes of keyframes that are being stored.
        opening: frames that are being opened.
        leaving: frames that ZeroMQ has not let go of yet.
        waiting: message number and request of fetches beyond the window.
        showing: the preview that was sent last.
    """

    routing_id: bytes
    connection: int
    serial: int
    client: ClientInfo
    caller: Caller
    key: str
    version: int
    client_nonce: bytes
    server_nonce: bytes
    heard: float
    stage: Stage = Stage.CHALLENGED
    attached: dict[str, bool] = field(default_factory=dict)
    jobs: Stream[Delta] = field(default_factory=lambda: Stream[Delta]())
    models: Stream[ModelDelta] = field(default_factory=lambda: Stream[ModelDelta]())
    requests: int = 0
    put_bytes: int = 0
    opening: int = 0
    leaving: list[Tracker] = field(default_factory=list)
    waiting: deque[tuple[int, Fetch]] = field(default_factory=deque)
    showing: Tracker | None = None

    def attach(self, job: str, previews: bool = False) -> bool:
        """Let it hear of a job's progress, and see previews or not; whether hearing of it is new."""
        known = job in self.attached
        self.attached[job] = previews
        if known:
            return False
        while len(self.attached) > MAX_ATTACHED:
            del self.attached[next(iter(self.attached))]
        return True

    def may_be_shown(self, job: str) -> bool:
        """It wants the job's previews and has taken the last preview off our hands."""
        return self.attached.get(job, False) and (self.showing is None or self.showing.done)

    def frames_out(self) -> int:
        """Frames on their way to this peer."""
        self.leaving = [tracker for tracker in self.leaving if not tracker.done]
        return self.opening + len(self.leaving)


def choose_version(offered: tuple[int, ...]) -> int:
    """The highest version that both sides speak.

    Raises:
        TweenbridgeError: VERSION when there is none.
    """
    common = set(offered) & set(PROTOCOL_VERSIONS)
    if not common:
        theirs = ", ".join(str(version) for version in offered[:10]) or "none"
        ours = ", ".join(str(version) for version in PROTOCOL_VERSIONS)
        raise TweenbridgeError(
            ErrorCode.VERSION, f"The client speaks protocol version {theirs}, this server speaks {ours}."
        )
    return max(common)


def _unauthorized(message: str) -> TweenbridgeError:
    return TweenbridgeError(ErrorCode.UNAUTHORIZED, message)


class Sessions:
    """All peers that have said hello, bounded in number."""

    def __init__(
        self,
        token: bytes,
        max_open: int = MAX_SESSIONS,
        max_half_open: int = MAX_HALF_OPEN,
        make_nonce: Callable[[], bytes] = handshake.make_nonce,
    ) -> None:
        self._token = token
        self._max_open = max_open
        self._max_half_open = max_half_open
        self._make_nonce = make_nonce
        self._serials = itertools.count(1)
        self._sessions: dict[bytes, Session] = {}
        self._closed: dict[bytes, None] = {}

    def open_sessions(self) -> list[Session]:
        """Every session that has proved itself."""
        return [session for session in self._sessions.values() if session.stage is Stage.OPEN]

    def half_open(self) -> list[Session]:
        """Every peer that was challenged and has not answered yet, the oldest first."""
        return [session for session in self._sessions.values() if session.stage is Stage.CHALLENGED]

    def hello(
        self,
        routing_id: bytes,
        connection: int,
        message: Hello,
        now: float,
        key: str = "",
        caller: Caller | None = None,
    ) -> Challenge:
        """Challenge a peer. A peer that was challenged already is challenged anew.

        Args:
            key: the public key that its connection was let in with; "" where there is no encryption.
            caller: whose key that is; None for a client of this machine's user.

        Raises:
            TweenbridgeError: BAD_MESSAGE, VERSION, or BUSY when there are too many sessions.
        """
        present = self._sessions.get(routing_id)
        if present is not None and present.stage is Stage.OPEN and present.connection == connection:
            raise TweenbridgeError(ErrorCode.BAD_MESSAGE, "This session is open already.")
        if len(message.nonce) != NONCE_BYTES:
            raise TweenbridgeError(ErrorCode.BAD_MESSAGE, f"A hello carries a nonce of {NONCE_BYTES} bytes.")
        version = choose_version(message.versions)
        self._check_room()
        self.drop(routing_id)
        self._closed.pop(routing_id, None)
        waiting = self.half_open()
        if len(waiting) >= self._max_half_open:
            # The oldest gives way: an honest handshake takes milliseconds, so only those who never answer lose.
            self.drop(waiting[0].routing_id)
        nonce = self._make_nonce()
        client = ClientInfo(one_line(message.client.name[:64]), one_line(message.client.version[:64]))
        self._sessions[routing_id] = Session(
            routing_id=routing_id,
            connection=connection,
            serial=next(self._serials),
            client=client,
            caller=caller or Caller(client.name),
            key=key,
            version=version,
            client_nonce=message.nonce,
            server_nonce=nonce,
            heard=now,
        )
        proof = handshake.server_proof(self._token, message.nonce, nonce, version)
        return Challenge(version=version, nonce=nonce, proof=proof)

    def prove(self, routing_id: bytes, connection: int, message: Prove, now: float) -> Session:
        """Open the session of a peer that holds the token; forget one that does not.

        Raises:
            TweenbridgeError: UNAUTHORIZED, or BUSY when there are too many sessions.
        """
        session = self._sessions.get(routing_id)
        if session is None or session.stage is not Stage.CHALLENGED or session.connection != connection:
            raise _unauthorized("A proof came without a hello before it.")
        expected = handshake.client_proof(self._token, session.client_nonce, session.server_nonce, session.version)
        if not handshake.matches(expected, message.proof):
            self.drop(routing_id)
            raise _unauthorized("The client does not hold this server's key.")
        self._check_room()
        self._check_share(session)
        session.stage = Stage.OPEN
        session.heard = now
        return session

    def require(self, routing_id: bytes, connection: int, now: float) -> Session:
        """The open session of a peer that sent something, which is a sign of life.

        Raises:
            TweenbridgeError: UNAUTHORIZED when there is none.
        """
        session = self._sessions.get(routing_id)
        if session is None or session.stage is not Stage.OPEN or session.connection != connection:
            raise _unauthorized("This connection has no open session.")
        session.heard = now
        return session

    def ping(self, routing_id: bytes, connection: int, now: float) -> None:
        """A sign of life. New peers may ping too; one whose session was closed is told so.

        Raises:
            TweenbridgeError: UNAUTHORIZED when the session was closed.
        """
        session = self._sessions.get(routing_id)
        if session is not None and session.connection == connection:
            if session.stage is Stage.OPEN:
                session.heard = now
        elif routing_id in self._closed:
            raise _unauthorized("This session was closed because nothing was heard of the client for a while.")

    def find(self, routing_id: bytes, serial: int) -> Session | None:
        """The session if it is still the same one."""
        session = self._sessions.get(routing_id)
        return session if session is not None and session.serial == serial else None

    def drop(self, routing_id: bytes) -> Session | None:
        """Forget a peer; returns what it was."""
        session = self._sessions.pop(routing_id, None)
        if session is not None and session.stage is Stage.OPEN:
            self._closed[routing_id] = None
            while len(self._closed) > _MAX_REMEMBERED:
                del self._closed[next(iter(self._closed))]
        return session

    def drop_connection(self, connection: int) -> list[Session]:
        """Forget the peers of a network connection that ended; returns those that were open."""
        ended = [session for session in self._sessions.values() if session.connection == connection]
        for session in ended:
            self.drop(session.routing_id)
        return [session for session in ended if session.stage is Stage.OPEN]

    def drop_unless(self, is_welcome: Callable[[str], bool]) -> list[Session]:
        """Forget the peers whose key is not welcome any more; returns those that were open."""
        ended = [session for session in self._sessions.values() if session.key and not is_welcome(session.key)]
        for session in ended:
            self.drop(session.routing_id)
        return [session for session in ended if session.stage is Stage.OPEN]

    def expire(self, now: float) -> list[Session]:
        """Forget peers that did not answer their challenge or gave no sign of life; returns those that were open."""
        limits = {Stage.CHALLENGED: HELLO_TIMEOUT, Stage.OPEN: DEAD_AFTER}
        silent = [session for session in self._sessions.values() if now - session.heard > limits[session.stage]]
        for session in silent:
            self.drop(session.routing_id)
        return [session for session in silent if session.stage is Stage.OPEN]

    def _check_share(self, session: Session) -> None:
        if not session.caller.rules and (
            sum(other.key == session.key for other in self.open_sessions()) >= MAX_SESSIONS_OF_KEY
        ):
            raise TweenbridgeError(ErrorCode.BUSY, "This key has too many open sessions.", retry_after=2.0)

    def _check_room(self) -> None:
        if len(self.open_sessions()) >= self._max_open:
            raise TweenbridgeError(ErrorCode.BUSY, "Too many clients are connected to the server.", retry_after=2.0)
