"""The gateway: one thread and one ROUTER socket that every client talks to. PROTOCOL.md is the specification.

The thread only validates, looks up and passes on; whatever may touch the disk runs on a few I/O threads (desk.py).
Their results come back through the inbox, as do the services' changes. Nothing that a peer sends can end the loop.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import zmq
from tweenbridge.protocol.codec import Header, bad_message
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import Limits
from tweenbridge.protocol.messages import Hello, Message, Ping, Pong, Prove, Stop, Stopping, Welcome
from tweenbridge.words import one_line
from zmq.utils.monitor import recv_monitor_message

from ..diagnostics.logs import event
from . import intake
from .client_keys import KeyRing
from .desk import Desk, Identity
from .doorkeeper import Doorkeeper, revoked
from .endpoint import close_sockets, open_monitor, open_router, reachable_endpoint
from .inbox import Inbox
from .keys import Keys
from .outgoing import Sender
from .refusals import Refusals
from .requests import REQUESTS, Services, failure, forbidden
from .sessions import Sessions

if TYPE_CHECKING:
    from ..jobs.service import Change, Preview
    from ..models.service import ModelChange

log = logging.getLogger(__name__)

_BATCH = 64
"""Messages taken before the loop looks at anything else."""
_TICK = 1.0
_TRACKER_TICK = 0.005
_SLOW_TRACKER_TICK = 0.1
_DRAIN = 5.0
_FAREWELL = 0.5


class Gateway:
    """Serves clients until it is told to stop.

    Usage: construct (binds), `start()`, `stop()` from anywhere, `join()`. `changed`, `model_changed` and `show` may be
    called from any thread at any time after construction.
    """

    def __init__(
        self, services: Services, name: str, home: Path, limits: Limits, keys: Keys, host: str, port: int
    ) -> None:
        """Bind the socket.

        Args:
            services: what answers requests.
            name: what the server calls itself, with its version.
            home: the data folder, as `status` shows it.
            limits: what is accepted.
            keys: token, and the CURVE keys where others than this machine may connect; then the keys of `home` say who.
            host, port: an IP address; port 0 takes any free one.

        Raises:
            TweenbridgeError: START_FAILED when the address cannot be bound.
        """
        self._limits = limits
        self._identity = Identity(name, secrets.token_hex(8), home, limits, time.monotonic())
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._refusals = Refusals()
        self._door = self._open_door(home, keys)
        self._router = open_router(self._context, host, port, limits.frame_bytes, keys.curve)
        self._monitor = open_monitor(self._router)
        self.endpoint = reachable_endpoint(self._router)
        self._inbox: Inbox[Callable[[], None]] = Inbox()
        self._sessions = Sessions(keys.token)
        self._desk = Desk(services, self._identity, self._sessions, Sender(self._router), self._inbox)
        self._thread = threading.Thread(target=self._run, name="gateway")
        self._last_tick = time.monotonic()
        self._drain_until: float | None = None

    def _open_door(self, home: Path, keys: Keys) -> Doorkeeper | None:
        """Where the connection is encrypted, what decides about each client's key."""
        if keys.local is None:
            return None

        def refused(host: str) -> None:
            self._refusals.note(host.encode(), host, "key", "A client's key is not known here.", time.monotonic())

        return Doorkeeper(self._context, keys.local.public, KeyRing(home), refused)

    # ------------------------------------------------------------ from other threads

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def changed(self, change: Change) -> None:
        """Tell clients of a job's change. Any thread; never blocks."""
        self._inbox.put(lambda: self._desk.publish(change))

    def model_changed(self, change: ModelChange) -> None:
        """Tell clients of a model's change. Any thread; never blocks."""
        self._inbox.put(lambda: self._desk.publish_model(change))

    def show(self, preview: Preview) -> None:
        """Show clients an unfinished frame. Any thread; never blocks."""
        self._inbox.put(lambda: self._desk.show(preview))

    def stop(self) -> None:
        """End: say goodbye, finish what has begun, close. Any thread and signal handlers; returns at once."""
        self._inbox.put(self._begin_stop)

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end; whether it came."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # ------------------------------------------------------------ the loop

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        poller.register(self._inbox.fileno(), zmq.POLLIN)
        if self._door is not None:
            poller.register(self._door.socket, zmq.POLLIN)
        try:
            while not self._is_drained():
                poller.poll(int(self._patience() * 1000))
                self._guarded(self._turn)
        finally:
            self._desk.close()
            close_sockets(self._router, self._monitor, _FAREWELL)
            if self._door is not None:
                self._door.close()
            self._inbox.close()
            self._context.term()

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:  # the loop serves every client: one message's trouble must not end it
            log.exception("The gateway met something unexpected and goes on.")

    def _turn(self) -> None:
        for action in self._inbox.take_all():
            self._guarded(action)
        if self._door is not None:
            self._guarded(self._door.answer)
        for _ in range(_BATCH):
            incoming = intake.receive(self._router)
            # After receiving: whoever now uses an ended connection's routing id must not inherit its session.
            self._heed_monitor()
            if incoming is None:
                break
            self._take(incoming)
        self._desk.serve_waiting()
        now = time.monotonic()
        if now - self._last_tick >= _TICK:
            self._last_tick = now
            self._end_silent_sessions(now)
            if self._door is not None:
                self._end_revoked_sessions(self._door)

    def _patience(self) -> float:
        blocked = self._desk.blocked_for()
        if blocked is None:
            return _TICK
        # A frame usually leaves within milliseconds; a client that reads nothing is looked at now and then.
        return _TRACKER_TICK if blocked < _TICK else _SLOW_TRACKER_TICK

    def _end_silent_sessions(self, now: float) -> None:
        for session in self._sessions.expire(now):
            event(log, logging.INFO, "session timed out", client=session.client.name)
            error = TweenbridgeError(ErrorCode.UNAUTHORIZED, "Nothing was heard of this client for too long.")
            self._desk.send(session.routing_id, failure(error))

    def _end_revoked_sessions(self, door: Doorkeeper) -> None:
        door.refresh()
        for session in self._sessions.drop_unless(door.is_welcome):
            event(log, logging.INFO, "session ended: key revoked", client=session.client.name, by=session.caller.owner)
            self._desk.send(session.routing_id, failure(revoked()))

    def _heed_monitor(self) -> None:
        while True:
            try:
                happened = recv_monitor_message(self._monitor, zmq.NOBLOCK)
            except zmq.Again:
                return
            if happened["event"] == zmq.EVENT_DISCONNECTED:
                for session in self._sessions.drop_connection(happened["value"]):
                    event(log, logging.INFO, "session ended", client=session.client.name)
            else:
                reason = "A connection did not speak this server's protocol or lacks its key."
                self._refusals.note(b"", "", "handshake", reason, time.monotonic())

    # ------------------------------------------------------------ messages in

    def _take(self, incoming: intake.Incoming) -> None:
        number: int | None = None
        request: Message | None = None
        try:
            header = intake.header_of(incoming)
            number, request = header.id, header.message
            self._handle(incoming, header)
        except TweenbridgeError as error:
            self._refuse(incoming, number, request, error)
        except Exception:  # an unforeseen message is refused like any other that cannot be served
            log.exception("A message could not be handled.")
            unforeseen = TweenbridgeError(ErrorCode.INTERNAL, "The server failed to handle a message.")
            self._refuse(incoming, number, request, unforeseen)

    def _refuse(
        self, incoming: intake.Incoming, number: int | None, request: Message | None, error: TweenbridgeError
    ) -> None:
        if error.code is not ErrorCode.BUSY:
            now = time.monotonic()
            self._refusals.note(incoming.routing_id, incoming.host, error.code.value, str(error), now)
        answers = intake.number_of(incoming) if number is None else number
        self._desk.send(incoming.routing_id, failure(error, request), answers)

    def _handle(self, incoming: intake.Incoming, header: Header) -> None:
        now = time.monotonic()
        peer, connection, message = incoming.routing_id, incoming.connection, header.message
        pixels = intake.payload_of(incoming, header, self._limits.frame_bytes)
        if isinstance(message, Ping):
            self._sessions.ping(peer, connection, now)
            self._desk.send(peer, Pong(), header.id)
        elif self._drain_until is not None:
            raise TweenbridgeError(ErrorCode.BUSY, "The server is stopping.", retry_after=_TICK)
        elif isinstance(message, Hello):
            name = one_line(message.client.name[:64])
            caller = self._door.caller(incoming.key, name) if self._door is not None else None
            challenge = self._sessions.hello(peer, connection, message, now, incoming.key, caller)
            self._desk.send(peer, challenge, header.id)
        elif isinstance(message, Prove):
            session = self._sessions.prove(peer, connection, message, now)
            event(
                log,
                logging.INFO,
                "session opened",
                client=session.client.name,
                version=session.client.version,
                by=session.caller.owner,
            )
            self._desk.send(peer, Welcome(self._identity.epoch, self._identity.name, self._limits), header.id)
        elif isinstance(message, Stop):
            session = self._sessions.require(peer, connection, now)
            if not session.caller.rules:
                raise forbidden()
            event(log, logging.INFO, "asked to stop", client=session.client.name)
            self._desk.send(peer, Stopping(), header.id)
            self._begin_stop()
        elif isinstance(message, REQUESTS):
            self._desk.take(self._sessions.require(peer, connection, now), header.id, message, pixels)
        else:
            raise bad_message(f"{message.TYPE} is sent by servers")

    # ------------------------------------------------------------ the end

    def _begin_stop(self) -> None:
        if self._drain_until is not None:
            return
        self._drain_until = time.monotonic() + _DRAIN
        for session in self._sessions.open_sessions():
            session.waiting.clear()
            self._desk.send(session.routing_id, Stopping())

    def _is_drained(self) -> bool:
        if self._drain_until is None:
            return False
        return self._desk.is_idle() or time.monotonic() > self._drain_until
