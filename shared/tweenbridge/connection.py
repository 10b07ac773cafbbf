"""One session with one server: a DEALER socket that is opened, spoken over and thrown away. Nothing here waits.

A session that has ended is never revived: whoever wants another opens another `Connection`. The socket belongs to the
thread that made it.
"""

from __future__ import annotations

import logging
import math
import struct
import threading
import time
from dataclasses import dataclass
from enum import Enum
from typing import Any, Optional, Union

import zmq

from .discovery import ServerAddress
from .protocol import codec, handshake
from .protocol.codec import Header
from .protocol.errors import ErrorCode, TweenbridgeError
from .protocol.limits import DEAD_AFTER, HELLO_TIMEOUT, PING_AFTER, PROTOCOL_VERSIONS, Limits
from .protocol.messages import Challenge, ClientInfo, Error, Hello, Message, Ping, Prove, Welcome

Buffer = Union[bytes, bytearray, memoryview]

_MOST_ARRIVALS = 100
"""Messages taken up by one poll, so that a flood cannot hold the caller."""

_HANDSHAKE_FAILURES = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
    zmq.EVENT_HANDSHAKE_FAILED_AUTH,
)

_NEW_KEY_FILE = "Ask whoever runs the server for a new key file (`tweenbridge keys`)."

log = logging.getLogger("tweenbridge")


class SessionState(Enum):
    """How far a session is."""

    CONNECTING = "connecting"
    """`hello` is on its way."""
    PROVING = "proving"
    """The server has shown that it holds the token; our proof is on its way."""
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True)
class Arrival:
    """One message from the server, with its pixel part where it has one."""

    header: Header
    data: Optional[memoryview] = None


class Connection:
    """One session.

    Args:
        address: the server.
        client: who we are.
        context: the ZeroMQ context to open the socket in.
        limits: what we accept; `frame_bytes` is the largest message the socket takes.
    """

    def __init__(self, address: ServerAddress, client: ClientInfo, context: zmq.Context[Any], limits: Limits) -> None:
        self._address = address
        self._thread = threading.get_ident()
        self._nonce = handshake.make_nonce()
        self._next_id = 1
        self._reached = False
        self._secured = False
        self._end: Optional[TweenbridgeError] = None
        self.state = SessionState.CONNECTING
        self.welcome: Optional[Welcome] = None
        self._socket = self._open_socket(context, limits)
        self._monitor: Any = self._socket.get_monitor_socket(
            zmq.EVENT_CONNECTED | zmq.EVENT_CLOSED | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED
            | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
            | zmq.EVENT_HANDSHAKE_FAILED_AUTH
        )  # fmt: skip
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        now = time.monotonic()
        self._heard = now
        self._said = now
        self._pinged: Optional[float] = None
        self._deadline = now + HELLO_TIMEOUT
        try:
            self._socket.connect(address.endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise TweenbridgeError(
                ErrorCode.NOT_RUNNING, f"{address.endpoint!r} is no address of a Tweenbridge server ({error})."
            ) from error
        self.send(Hello(versions=PROTOCOL_VERSIONS, nonce=self._nonce, client=client))

    def _open_socket(self, context: zmq.Context[Any], limits: Limits) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        # An hour: a dropped connection ends the session, and nothing is sent again behind our back. With -1, libzmq
        # would drop what has arrived and was not read yet, such as a server's last word.
        socket.setsockopt(zmq.RECONNECT_IVL, 3_600_000)
        socket.setsockopt(zmq.MAXMSGSIZE, limits.frame_bytes)
        # A little more than our own time-out, so that silence is told from a refused handshake.
        socket.setsockopt(zmq.HANDSHAKE_IVL, int(HELLO_TIMEOUT * 1000) + 1000)
        if self._address.curve_key is not None and self._address.client_secret is not None:
            secret = self._address.client_secret.encode("ascii")
            try:
                socket.setsockopt(zmq.CURVE_SERVERKEY, self._address.curve_key.encode("ascii"))
                socket.setsockopt(zmq.CURVE_PUBLICKEY, zmq.curve_public(secret))
                socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
            except zmq.ZMQError as error:
                socket.close()
                raise TweenbridgeError(
                    ErrorCode.UNAUTHORIZED, f"The keys for {self._address.endpoint} are damaged.", remedy=_NEW_KEY_FILE
                ) from error
        return socket

    # ------------------------------------------------------------ sending

    def send(self, message: Message, data: Optional[Buffer] = None) -> int:
        """Hand a message to the socket and return its id; a reply will name it in `re`.

        Raises:
            TweenbridgeError: TOO_LARGE for a header over the limit; NOT_RUNNING when the session has ended.
        """
        self._check_thread()
        number = self._next_id
        header = codec.encode(message, number)
        parts: list[Buffer] = [header] if data is None else [header, data]
        try:
            self._socket.send_multipart(parts, zmq.NOBLOCK, copy=False)
        except zmq.ZMQError as error:
            raise TweenbridgeError(ErrorCode.NOT_RUNNING, "The connection to the server is lost.") from error
        self._next_id += 1
        self._said = time.monotonic()
        return number

    # ------------------------------------------------------------ receiving

    def poll(self) -> list[Arrival]:
        """What has arrived on an open session; the handshake and the pings are dealt with here.

        Raises:
            TweenbridgeError: the session is over. NOT_RUNNING: nobody listens, or the server went away. UNAUTHORIZED:
                one side does not hold the other's token or key. BAD_MESSAGE: not a Tweenbridge server. VERSION: no
                common version. TIMED_OUT: it does not answer.
        """
        self._check_thread()
        # Looked at first and heeded last: what a server said before it went away still counts.
        if self._end is None:
            self._end = self._look_at_monitor()
        arrivals: list[Arrival] = []
        for _ in range(_MOST_ARRIVALS):
            arrival = self._receive()
            if arrival is None:
                break
            if self.state is SessionState.OPEN:
                arrivals.append(arrival)
            else:
                self._shake_hands(arrival.header.message)
        if self._end is not None and not arrivals:
            raise self._end
        self._check_clock(time.monotonic())
        return arrivals

    def _receive(self) -> Optional[Arrival]:
        """The next message that can be understood, or None. A reply that cannot be becomes an `error` reply."""
        while True:
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return None
            self._heard = time.monotonic()
            self._pinged = None
            if len(parts) > 2:
                log.warning("a message of %d parts was ignored", len(parts))
                continue
            data = parts[1].buffer if len(parts) == 2 else None
            try:
                return Arrival(codec.decode(parts[0].buffer), data)
            except TweenbridgeError as error:
                answered = codec.peek_re(parts[0].buffer)
                if answered is not None:
                    return Arrival(Header(id=0, message=Error(error.info), re=answered))
                log.debug("a message was ignored: %s", error)

    def _shake_hands(self, message: Message) -> None:
        if isinstance(message, Error):
            raise TweenbridgeError.from_info(message.error)
        if isinstance(message, Challenge) and self.state is SessionState.CONNECTING:
            self._answer(message)
        elif isinstance(message, Welcome) and self.state is SessionState.PROVING:
            self.welcome = message
            self.state = SessionState.OPEN

    def _answer(self, challenge: Challenge) -> None:
        if challenge.version not in PROTOCOL_VERSIONS:
            raise TweenbridgeError(
                ErrorCode.VERSION, f"The server wants protocol version {challenge.version}, which is not spoken here."
            )
        token, nonces = self._address.token, (self._nonce, challenge.nonce)
        if not handshake.matches(handshake.server_proof(token, *nonces, challenge.version), challenge.proof):
            raise TweenbridgeError(
                ErrorCode.UNAUTHORIZED, f"The server at {self._address.endpoint} does not hold the expected token."
            )
        self.state = SessionState.PROVING
        self._deadline = time.monotonic() + HELLO_TIMEOUT
        self.send(Prove(handshake.client_proof(token, *nonces, challenge.version)))

    # ------------------------------------------------------------ the end of a session

    def _look_at_monitor(self) -> Optional[TweenbridgeError]:
        """Why the network connection has ended, or None while it has not."""
        while True:
            try:
                parts = self._monitor.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return None
            event, _value = struct.unpack("=hi", parts[0])
            if event == zmq.EVENT_CONNECTED:
                self._reached = True
            elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._secured = True
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                return TweenbridgeError(
                    ErrorCode.UNAUTHORIZED,
                    f"The server at {self._address.endpoint} does not accept this key: it was revoked, or never made.",
                    remedy=_NEW_KEY_FILE,
                )
            elif event in _HANDSHAKE_FAILURES or (self._reached and not self._secured):
                return self._refused()
            elif not self._reached:
                return TweenbridgeError(
                    ErrorCode.NOT_RUNNING, f"No Tweenbridge server is running at {self._address.endpoint}."
                )
            else:
                return TweenbridgeError(ErrorCode.NOT_RUNNING, "The connection to the server is lost.")

    def _refused(self) -> TweenbridgeError:
        if self._address.curve_key is not None:
            return TweenbridgeError(
                ErrorCode.UNAUTHORIZED,
                f"What answers at {self._address.endpoint} is another server than the one of this key file.",
                remedy=_NEW_KEY_FILE,
            )
        return TweenbridgeError(
            ErrorCode.BAD_MESSAGE,
            f"What answers at {self._address.endpoint} is no Tweenbridge server, or one that asks for a key.",
            remedy="Restart the Tweenbridge server, then reconnect. A server of another machine needs a key file.",
        )

    def _check_clock(self, now: float) -> None:
        if self.state is not SessionState.OPEN:
            if now > self._deadline and not self._reached:
                raise TweenbridgeError(ErrorCode.NOT_RUNNING, f"{self._address.endpoint} cannot be reached.")
            if now > self._deadline:
                raise TweenbridgeError(ErrorCode.TIMED_OUT, f"The server at {self._address.endpoint} does not answer.")
        elif self._pinged is not None:
            # Counted from our ping, not from the last word heard: the caller may have been away in between.
            if now > self._pinged + DEAD_AFTER - PING_AFTER:
                raise TweenbridgeError(ErrorCode.TIMED_OUT, "The server has stopped answering.")
        elif now > min(self._heard, self._said) + PING_AFTER:
            # Also after our own silence, by which the server judges us.
            self._pinged = now
            self.send(Ping())

    def wait(self, timeout: float) -> None:
        """Sleep until something may have happened, for `timeout` seconds at most, rounded up to milliseconds."""
        self._check_thread()
        # Rounded down, the last millisecond of every wait would be spent asking again and again.
        self._poller.poll(math.ceil(max(0.0, timeout) * 1000))

    def close(self) -> None:
        """End the session. What has not left the socket yet is dropped."""
        if self.state is SessionState.CLOSED:
            return
        self.state = SessionState.CLOSED
        self._socket.disable_monitor()
        # Left open, it would hang the context's end.
        self._monitor.close(0)
        self._socket.close(0)

    def _check_thread(self) -> None:
        if threading.get_ident() != self._thread:
            raise RuntimeError("A Tweenbridge connection is used by the thread that made it and by no other.")
