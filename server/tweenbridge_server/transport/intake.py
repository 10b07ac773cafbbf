"""What arrives at the gateway's socket, checked before anything acts on it."""

from __future__ import annotations

from dataclasses import dataclass

import zmq
from tweenbridge.protocol import codec
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import MAX_HEADER_BYTES
from tweenbridge.protocol.messages import Put

_MOST_PARTS = 2


@dataclass(frozen=True)
class Incoming:
    """One message as it came.

    Attributes:
        routing_id: who sent it.
        connection: the number of its network connection; -1 where the system does not tell.
        host: its network address.
        key: the public key that its connection was let in with; "" where it is not encrypted.
        parts: the first two parts after the routing id.
        count: how many parts there were.
    """

    routing_id: bytes
    connection: int
    host: str
    key: str
    parts: tuple[zmq.Frame, ...]
    count: int


def receive(router: zmq.Socket[bytes]) -> Incoming | None:
    """Take one message from a ROUTER; None when there is none. Parts beyond the second are dropped as they come."""
    try:
        routing_id = router.recv(zmq.NOBLOCK)
    except zmq.Again:
        return None
    parts: list[zmq.Frame] = []
    count = 0
    while router.rcvmore:
        frame = router.recv(zmq.NOBLOCK, copy=False)
        count += 1
        if count <= _MOST_PARTS:
            parts.append(frame)
    return Incoming(
        routing_id,
        _connection(parts),
        _property(parts, "Peer-Address"),
        _property(parts, "User-Id"),
        tuple(parts),
        count,
    )


def _connection(parts: list[zmq.Frame]) -> int:
    return int(parts[0].get(zmq.SRCFD)) if parts else -1


def _property(parts: list[zmq.Frame], name: str) -> str:
    try:
        return str(parts[0].get(name)) if parts else ""
    except zmq.ZMQError:
        return ""


def header_of(incoming: Incoming) -> codec.Header:
    """The checked header of a message.

    Raises:
        TweenbridgeError: BAD_MESSAGE, TOO_LARGE or VERSION.
    """
    if not 1 <= incoming.count <= _MOST_PARTS:
        raise codec.bad_message(f"it has {incoming.count} parts")
    return codec.decode(incoming.parts[0].buffer)


def payload_of(incoming: Incoming, header: codec.Header, most_bytes: int) -> memoryview | None:
    """The pixel part: there for `put`, absent for everything else.

    Raises:
        TweenbridgeError: BAD_MESSAGE or TOO_LARGE.
    """
    has_pixels = incoming.count == _MOST_PARTS
    if has_pixels != isinstance(header.message, Put):
        raise codec.bad_message(f"{header.message.TYPE} {'with' if has_pixels else 'without'} a pixel part")
    if not has_pixels:
        return None
    pixels = incoming.parts[1].buffer
    if pixels.nbytes > most_bytes:
        raise TweenbridgeError(
            ErrorCode.TOO_LARGE, f"A keyframe of {pixels.nbytes} bytes is too large; {most_bytes} are allowed."
        )
    return pixels


def number_of(incoming: Incoming) -> int | None:
    """The message number of a header that may be broken otherwise, so that an error can name what it answers."""
    if not incoming.parts or len(incoming.parts[0].buffer) > MAX_HEADER_BYTES:
        return None
    return codec.peek_id(incoming.parts[0].buffer)
