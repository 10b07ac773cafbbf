"""What should never reach the port does: it is refused, logged once, and other clients are served as before."""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgpack
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tweenbridge.protocol import codec
from tweenbridge.protocol.errors import ErrorCode
from tweenbridge.protocol.limits import MAX_HEADER_BYTES
from tweenbridge.protocol.messages import Accepted, Error, Jobs, ListJobs, Ping, Pong, Put, Received
from tweenbridge_server.transport.refusals import LINES_PER_MINUTE

from .test_gateway import SUBMIT

if TYPE_CHECKING:
    from .conftest import Peer, Served


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """What the server's transport logs during the test."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.levelname} {record.getMessage()} {getattr(record, 'fields', '')}")

    logger, handler = logging.getLogger("tweenbridge_server.transport"), Keep()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lines
    logger.setLevel(level)
    logger.removeHandler(handler)


def assert_serves(served: Served) -> None:
    """A good client gets everything: the loop and the I/O threads live."""
    peer = served.client()
    assert isinstance(peer.ask(Ping()), Pong)
    assert isinstance(peer.ask(SUBMIT), Accepted)
    assert isinstance(peer.ask(Put("job-1", 0), b"pixels"), Received)
    assert isinstance(peer.ask(ListJobs()), Jobs)
    peer.close()


def raw_connection(served: Served) -> socket.socket:
    host, port = served.gateway.endpoint.removeprefix("tcp://").rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=5)


# ------------------------------------------------------------ not even ZeroMQ


@pytest.mark.parametrize(
    "rubbish",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /jobs HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello" * 50,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
        b"\xff" + b"\x00" * 8 + b"\x7f" + b"\x03" + b"\x00" * 53 + b"\x04\xff" * 100,
        random.Random(1).randbytes(100_000),
        b"",
    ],
    ids=["http-get", "http-post", "tls", "zmtp-broken", "random", "nothing"],
)
def test_other_protocols_are_refused(served: Served, rubbish: bytes) -> None:
    good = served.client()
    with raw_connection(served) as connection:
        with contextlib.suppress(OSError):  # the server may have hung up already
            connection.sendall(rubbish)
        assert isinstance(good.ask(ListJobs()), Jobs)
    assert_serves(served)


def test_a_zeromq_1_peer_reaches_the_router_and_is_refused(served: Served) -> None:
    """Bytes that do not start like ZMTP 2 or 3 are read as ZMTP 1 frames: length, flags, body."""
    with raw_connection(served) as connection:
        connection.sendall(b"\x01\x00" + b"\x06\x00hello" * 20)
        time.sleep(0.3)
        assert_serves(served)


def test_a_stranger_cannot_take_over_the_session_of_a_connection_that_ended(served: Served) -> None:
    """The routing id is the peer's own choice, so it must not be all that a session hangs on."""

    def connect() -> tuple[zmq.Context[Any], zmq.Socket[Any]]:
        context = zmq.Context()
        dealer = context.socket(zmq.DEALER)
        dealer.linger = 0
        dealer.routing_id = b"chosen"
        return context, dealer

    victim = served.peer()
    victim.socket.close()
    victim.context.term()
    victim.context, victim.socket = connect()
    victim.socket.connect(served.gateway.endpoint)
    victim.open()
    assert isinstance(victim.ask(ListJobs()), Jobs)
    victim.close()

    thief = served.peer()
    thief.socket.close()
    thief.context.term()
    thief.context, thief.socket = connect()
    thief.socket.connect(served.gateway.endpoint)
    answer = thief.ask(ListJobs())
    assert isinstance(answer, Error) and answer.error.code is ErrorCode.UNAUTHORIZED


# ------------------------------------------------------------ ZeroMQ, but not our messages

DEEP = b"\x91" * 4_000_000
WIDE = b"\xdd\xff\xff\xff\xff"
BOMBS = {
    "empty": [b""],
    "delimiter": [b"", b"hello"],
    "many parts": [b"x"] * 500,
    "random": [random.Random(2).randbytes(500)],
    "not a map": [msgpack.packb([1, 2, 3])],
    "no type": [msgpack.packb({"v": 1, "id": 1})],
    "unknown type": [msgpack.packb({"v": 1, "id": 1, "t": "dance"})],
    "a server's message": [msgpack.packb({"v": 1, "id": 1, "t": "released", "job": "x"})],
    "deep": [b"\x91" * 60_000],
    "deep and long": [DEEP],
    "deep maps": [b"\x81\xa1a" * 20_000],
    "claims four thousand million items": [WIDE],
    "many items": [msgpack.packb({"v": 1, "id": 1, "t": "ping", "x": list(range(21_000))})],
    "extension": [msgpack.packb({"v": 1, "id": 1, "t": "ping", "x": msgpack.ExtType(5, b"boo")})],
    "header too long": [msgpack.packb({"v": 1, "id": 1, "t": "ping", "x": b"x" * MAX_HEADER_BYTES})],
    "negative id": [msgpack.packb({"v": 1, "id": -1, "t": "ping"})],
    "id too large": [msgpack.packb({"v": 1, "id": 2**64 - 1, "t": "ping"})],
    "text as id": [msgpack.packb({"v": 1, "id": "one", "t": "ping"})],
    "text that is no text": [b"\x83\xa1v\x01\xa2id\x01\xa1t\xa4\xff\xfe\xfd\xfc"],
    "pixels with ping": [codec.encode(Ping(), 1), b"pixels"],
    "put without pixels": [codec.encode(Put("job-1", 0), 1)],
    "a future version": [msgpack.packb({"v": 2, "id": 1, "t": "ping"})],
}


@pytest.mark.parametrize("opened", [False, True], ids=["new", "open"])
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_malformed_message_is_answered_with_an_error(served: Served, bomb: list[bytes], opened: bool) -> None:
    peer = served.peer()
    if opened:
        peer.open()
    started = time.monotonic()
    peer.socket.send_multipart(bomb)
    answer = peer.news()
    assert isinstance(answer, Error)
    assert answer.error.code in (ErrorCode.BAD_MESSAGE, ErrorCode.TOO_LARGE, ErrorCode.VERSION)
    assert time.monotonic() - started < 1.5
    assert_serves(served)


def test_an_error_names_the_message_it_answers_even_when_that_is_broken(served: Served) -> None:
    peer = served.client()
    peer.socket.send(msgpack.packb({"v": 1, "id": 77, "t": "submit", "job": 5}))
    header = peer.receive()
    assert header.re == 77 and isinstance(header.message, Error)
    assert "job" in header.message.error.message


def test_a_keyframe_a_little_too_large_is_an_error_and_a_much_too_large_one_a_disconnect(served: Served) -> None:
    peer = served.client()
    peer.ask(SUBMIT)
    answer = peer.ask(Put("job-1", 0), b"x" * (4 * 1024 * 1024 + 1))
    assert isinstance(answer, Error) and answer.error.code is ErrorCode.TOO_LARGE
    assert isinstance(peer.ask(ListJobs()), Jobs)
    peer.send(Put("job-1", 0), b"x" * (5 * 1024 * 1024))
    assert peer.is_silent(0.5)
    assert served.service.received == []
    assert_serves(served)


def test_refusals_are_logged_once_per_peer_and_kind_and_never_flood(served: Served, log_lines: list[str]) -> None:
    noisy = served.peer()
    for _ in range(300):
        noisy.socket.send(b"rubbish")
        noisy.receive()
        noisy.ask(ListJobs())
    refused = [line for line in log_lines if "refused" in line]
    assert len(refused) == 2
    assert "bad_message" in refused[0] and "unauthorized" in refused[1] and "127.0.0.1" in refused[0]
    for _ in range(LINES_PER_MINUTE + 20):
        other = served.peer()
        other.socket.send(b"rubbish")
        other.receive()
        other.close()
    assert len([line for line in log_lines if "refused" in line]) == LINES_PER_MINUTE


def test_http_is_logged_once(served: Served, log_lines: list[str], wait_until: Callable[..., None]) -> None:
    for _ in range(5):
        with raw_connection(served) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            connection.recv(100)
    wait_until(lambda: any("handshake" in line for line in log_lines))
    assert_serves(served)
    assert len([line for line in log_lines if "handshake" in line]) == 1


def test_half_open_connections_that_never_answer_keep_nobody_out(served: Served) -> None:
    loiterers = [served.peer() for _ in range(80)]
    for peer in loiterers:
        peer.hello()
    assert_serves(served)


# ------------------------------------------------------------ fuzzing

NUMBERS = st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats()
PLAIN = st.recursive(
    st.none() | NUMBERS | st.text(max_size=20) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["v", "t", "id", "re", "job", "keyframe", "frame", "request", "versions", "nonce", "client", "proof", "limit", "on"]
)
HEADERS = st.dictionaries(FIELDS, PLAIN, max_size=8).map(lambda fields: msgpack.packb({"v": 1, "id": 5} | fields))
KINDS = st.sampled_from(sorted(codec.MESSAGE_TYPES))
TYPED_HEADERS = st.builds(
    lambda kind, fields: msgpack.packb({"v": 1, "id": 5} | fields | {"t": kind}),
    KINDS.filter(lambda kind: kind != "stop"),
    st.dictionaries(FIELDS, PLAIN, max_size=8),
)


@st.composite
def damaged_submits(draw: st.DrawFn) -> bytes:
    data = bytearray(codec.encode(SUBMIT, 9))
    for _ in range(draw(st.integers(1, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(1, len(data)))])


PARTS = st.binary(max_size=200) | HEADERS | TYPED_HEADERS | damaged_submits()


@pytest.fixture
def fuzzed(served: Served) -> tuple[Peer, Peer, Peer]:
    """A peer that is new, one that is open, and a good client."""
    return served.peer(), served.client(), served.client()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PARTS, min_size=1, max_size=3), st.booleans())
def test_no_header_disturbs_the_server(fuzzed: tuple[Peer, Peer, Peer], parts: list[bytes], opened: bool) -> None:
    new, open_, good = fuzzed
    hostile = open_ if opened else new
    hostile.socket.send_multipart(parts)
    assert isinstance(good.ask(ListJobs()), Jobs)
    while hostile.socket.poll(0):
        hostile.receive_parts()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_on_the_port_disturb_the_server(served: Served, data: bytes, zmtp: bool) -> None:
    greeting = b"\xff" + struct.pack(">Q", 1) + b"\x7f\x03\x00NULL" + b"\x00" * 48
    with raw_connection(served) as connection, contextlib.suppress(OSError):  # the server may have hung up already
        connection.sendall(greeting + data if zmtp else data)
    peer = served.client()
    assert isinstance(peer.ask(ListJobs()), Jobs)
    peer.close()
