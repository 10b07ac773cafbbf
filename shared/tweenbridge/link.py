"""Keeping a session open: find the server, start it where it may, open a session, open another when it is lost.

A state machine without waiting: `step` does what can be done at once and returns.
"""

from __future__ import annotations

import time
from enum import Enum
from pathlib import Path
from typing import Any, Optional

import zmq

from .connection import Arrival, Connection, SessionState
from .discovery import ServerAddress, read_address
from .events import Connected, Disconnected, Event, ServerStarting
from .launcher import ServerStart
from .protocol.errors import ErrorCode, ErrorInfo, TweenbridgeError
from .protocol.limits import Limits
from .protocol.messages import ClientInfo, Welcome

FIRST_BACKOFF = 0.2
LAST_BACKOFF = 5.0
PATIENCE = 20.0
"""Seconds that a call which waits for its result bears a lost server, before it says so."""
_DOUBTS = 3
"""Refusals in a row before a server that is there, but not ours, counts as hopeless."""


class LinkState(Enum):
    """What a link is doing."""

    WAITING = "waiting"
    STARTING = "starting"
    OPENING = "opening"
    OPEN = "open"


class Link:
    """Holds at most one session at a time.

    Args:
        home: data folder to look for the server in.
        address: a fixed address instead, which is never started.
        client: who we are.
        start_server: start the server of the data folder when it is absent and wanted.
        context: ZeroMQ context.
        limits: what we accept.
    """

    def __init__(
        self, home: Path, address: Optional[ServerAddress], client: ClientInfo, start_server: bool,
        context: zmq.Context[Any], limits: Limits,
    ) -> None:  # fmt: skip
        self._home = home
        self._fixed = address
        self._client = client
        self._starts = start_server and address is None
        self._context = context
        self._limits = limits
        self._tried: Optional[ServerAddress] = None
        self._connection: Optional[Connection] = None
        self._start: Optional[ServerStart] = None
        self._may_start = self._starts
        self._retry_at = 0.0
        self._failures = 0
        self._lost_since: Optional[float] = None
        self._epoch: Optional[str] = None
        self.error: Optional[ErrorInfo] = None
        self.sessions = 0

    @property
    def state(self) -> LinkState:
        """What the link is doing."""
        if self._connection is not None:
            return LinkState.OPEN if self._connection.state is SessionState.OPEN else LinkState.OPENING
        return LinkState.WAITING if self._start is None else LinkState.STARTING

    @property
    def connection(self) -> Optional[Connection]:
        """The open session, or None."""
        return self._connection if self.state is LinkState.OPEN else None

    @property
    def welcome(self) -> Optional[Welcome]:
        """What the server of the open session said of itself."""
        connection = self.connection
        return None if connection is None else connection.welcome

    def wake(self) -> None:
        """Something new is asked of the server: try at once, and start it again if that failed before."""
        if self.state is LinkState.WAITING:
            self.retry()
            self._may_start = self._starts

    def retry(self) -> None:
        """Do not wait any longer before the next attempt."""
        if self.state is LinkState.WAITING:
            self._retry_at = 0.0
            self._failures = 0

    def do_not_start(self) -> None:
        """Somebody ended the server on purpose: leave it so until `wake`."""
        self._may_start = False

    def is_hopeless(self, now: float) -> bool:
        """Whether a call that waits should say what is wrong instead of waiting on."""
        if self.error is None or self.state in (LinkState.OPEN, LinkState.STARTING):
            return False
        if self.error.code is ErrorCode.START_FAILED or (self._lost_since or now) + PATIENCE < now:
            return True
        if self.error.code is ErrorCode.NOT_RUNNING:
            return not self.sessions and not self._may_start
        return self._failures >= _DOUBTS

    def step(self, now: float, wanted: bool) -> tuple[list[Arrival], list[Event]]:
        """Go on without waiting.

        Args:
            now: seconds of `time.monotonic`.
            wanted: there is something to do for which an absent server should be started.

        Returns:
            what arrived on the open session, and what changed.
        """
        if self._connection is not None:
            return self._listen(self._connection, now)
        if self._start is not None:
            return [], self._watch_start(self._start, now)
        if now < self._retry_at and not (wanted and self._may_start and self._should_start()):
            return [], []
        return [], self._open(now, wanted)

    def _listen(self, connection: Connection, now: float) -> tuple[list[Arrival], list[Event]]:
        was_open = connection.state is SessionState.OPEN
        try:
            arrivals = connection.poll()
        except TweenbridgeError as error:
            return [], self.lost(error, now)
        if was_open or connection.welcome is None:
            return arrivals, []
        epoch = connection.welcome.epoch
        restarted = self._epoch is not None and epoch != self._epoch
        self._epoch = epoch
        self.sessions += 1
        self._failures = 0
        self._lost_since = None
        self._may_start = self._starts
        self.error = None
        return arrivals, [Connected(connection.welcome.server, epoch, restarted)]

    def _watch_start(self, start: ServerStart, now: float) -> list[Event]:
        try:
            address = start.poll()
        except TweenbridgeError as error:
            self._start = None
            self._may_start = False
            return self._failed(error, now)
        if address is None:
            return []
        self._start = None
        return self._connect(address, now)

    def _should_start(self) -> bool:
        """Nobody listens, or what listens has turned out not to be ours. The server's own lock forbids a second one."""
        if self.error is None:
            return False
        return self.error.code is ErrorCode.NOT_RUNNING or self._failures >= _DOUBTS

    def _open(self, now: float, wanted: bool) -> list[Event]:
        address = self._fixed or read_address(self._home)
        fresh = address is not None and address != self._tried
        if wanted and self._may_start and (address is None or (self._should_start() and not fresh)):
            return self._start_server(address, now)
        if address is None:
            return self._failed(TweenbridgeError(ErrorCode.NOT_RUNNING, "The Tweenbridge server is not running."), now)
        return self._connect(address, now)

    def _connect(self, address: ServerAddress, now: float) -> list[Event]:
        self._tried = address
        try:
            self._connection = Connection(address, self._client, self._context, self._limits)
        except TweenbridgeError as error:
            return self._failed(error, now)
        return []

    def _start_server(self, stale: Optional[ServerAddress], now: float) -> list[Event]:
        try:
            self._start = ServerStart(self._home, stale)
        except TweenbridgeError as error:
            self._may_start = False
            return self._failed(error, now)
        return [ServerStarting()]

    def lost(self, error: TweenbridgeError, now: float) -> list[Event]:
        """The session is over."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        return self._failed(error, now)

    def _failed(self, error: TweenbridgeError, now: float) -> list[Event]:
        self._retry_at = now + min(LAST_BACKOFF, FIRST_BACKOFF * 2**self._failures)
        self._failures = min(self._failures + 1, 20)
        if self._lost_since is None:
            self._lost_since = now
        news = self.error is None or self.error.code is not error.code
        self.error = error.info
        return [Disconnected(error.info)] if news else []

    def wait(self, timeout: float) -> None:
        """Sleep until something may have happened, for `timeout` seconds at most."""
        if self._connection is not None:
            self._connection.wait(timeout)
        else:
            time.sleep(min(timeout, 0.02))

    def close(self) -> None:
        """End the session, and with it everything that is on its way."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._start = None
