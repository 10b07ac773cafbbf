"""What a client is told when it cannot have a session: nobody there, somebody else, a wrong key, silence."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from fakes.wire_server import Answer, FakeServer, error
from tweenbridge.connection import Connection, SessionState
from tweenbridge.discovery import ServerAddress
from tweenbridge.protocol import handshake
from tweenbridge.protocol import messages as wire
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import HELLO_TIMEOUT, Limits


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield made
    made.term()


def outcome(address: ServerAddress, context: zmq.Context[zmq.Socket[bytes]]) -> ErrorCode | None:
    """Open a session; None when it opens, else why not."""
    connection = Connection(address, wire.ClientInfo("test"), context, Limits())
    try:
        end = time.monotonic() + 10
        while connection.state is not SessionState.OPEN:
            assert time.monotonic() < end
            connection.poll()
            connection.wait(0.02)
    except TweenbridgeError as failure:
        return failure.code
    finally:
        connection.close()
    return None


def listener(answer: bytes | None) -> tuple[socket.socket, ServerAddress]:
    """Something that listens and is no ZeroMQ server: it answers with `answer`, or with nothing."""
    plain = socket.socket()
    plain.bind(("127.0.0.1", 0))
    plain.listen()

    def serve() -> None:
        try:
            while True:
                peer, _ = plain.accept()
                if answer is not None:
                    peer.recv(100)
                    peer.sendall(answer)
                    peer.close()
                else:
                    held.append(peer)
        except OSError:
            return

    held: list[socket.socket] = []
    threading.Thread(target=serve, daemon=True).start()
    return plain, ServerAddress(f"tcp://127.0.0.1:{plain.getsockname()[1]}", b"t" * 32, 1, 1.0, (1,))


def test_a_good_server_opens_a_session(server: FakeServer, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    assert outcome(server.address, context) is None


def test_nobody_listens(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = ServerAddress(f"tcp://127.0.0.1:{free.getsockname()[1]}", b"t" * 32, 1, 1.0, (1,))
    start = time.monotonic()
    assert outcome(address, context) is ErrorCode.NOT_RUNNING
    assert time.monotonic() - start < HELLO_TIMEOUT


@pytest.mark.parametrize("answer", [b"HTTP/1.0 400 Bad request\r\n\r\n" * 5, b"\0" * 200, b""])
def test_something_else_listens(answer: bytes, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    plain, address = listener(answer)
    assert outcome(address, context) is ErrorCode.BAD_MESSAGE
    plain.close()


def test_something_listens_and_stays_silent(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    plain, address = listener(None)
    start = time.monotonic()
    assert outcome(address, context) is ErrorCode.TIMED_OUT
    assert HELLO_TIMEOUT - 0.1 < time.monotonic() - start < HELLO_TIMEOUT + 1.0
    plain.close()


def test_a_server_that_accepts_and_stays_silent(server: FakeServer, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    server.deaf = True
    assert outcome(server.address, context) is ErrorCode.TIMED_OUT


def test_a_server_without_the_token_learns_nothing(server: FakeServer, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    server.prove_with = b"another token"
    assert outcome(server.address, context) is ErrorCode.UNAUTHORIZED
    time.sleep(0.1)
    assert [type(message) for message in server.store.asked] == [wire.Hello]


def test_a_challenge_of_another_session_proves_nothing(
    server: FakeServer, context: zmq.Context[zmq.Socket[bytes]]
) -> None:
    """Somebody has taken the server's port and repeats what the server once said."""
    nonce, version = bytes(32), 1
    old = wire.Challenge(version, nonce, handshake.server_proof(server.token, bytes(range(32)), nonce, version))
    server.rules[wire.Hello] = lambda _message: [Answer(old)]
    assert outcome(server.address, context) is ErrorCode.UNAUTHORIZED
    reflected: list[bytes] = []

    def reflect(message: wire.Message) -> list[Answer]:
        # Its own nonce and a proof made for it would have to be the client's.
        assert isinstance(message, wire.Hello)
        reflected.append(message.nonce)
        proof = handshake.client_proof(server.token, message.nonce, message.nonce, version)
        return [Answer(wire.Challenge(version, message.nonce, proof))]

    server.rules[wire.Hello] = reflect
    assert outcome(server.address, context) is ErrorCode.UNAUTHORIZED and reflected
    time.sleep(0.1)
    assert server.store.count(wire.Prove) == 0


def test_a_client_without_the_token_is_told(server: FakeServer, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    server.prove_with = b"theirs"
    assert outcome(dataclasses.replace(server.address, token=b"theirs"), context) is ErrorCode.UNAUTHORIZED
    assert server.store.count(wire.Prove) == 1


def test_an_unknown_version_is_refused(server: FakeServer, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    server.rules[wire.Hello] = lambda _message: [Answer(wire.Challenge(2, bytes(32), bytes(32)))]
    assert outcome(server.address, context) is ErrorCode.VERSION


@pytest.mark.parametrize("code", [ErrorCode.VERSION, ErrorCode.BUSY])
def test_the_servers_own_word_is_passed_on(
    server: FakeServer, context: zmq.Context[zmq.Socket[bytes]], code: ErrorCode
) -> None:
    server.rules[wire.Hello] = lambda _message: [error(code)]
    assert outcome(server.address, context) is code


@pytest.mark.parametrize("which", ["wrong key", "no key at the server", "no key at the client"])
def test_a_wrong_curve_key(home: Path, context: zmq.Context[zmq.Socket[bytes]], which: str) -> None:
    with FakeServer(home, curve=None if which == "no key at the server" else zmq.curve_keypair()) as server:
        key = None if which == "no key at the client" else zmq.curve_keypair()[0].decode()
        secret = None if key is None else zmq.curve_keypair()[1].decode()
        address = dataclasses.replace(server.address, curve_key=key, client_secret=secret)
        expected = ErrorCode.BAD_MESSAGE if key is None else ErrorCode.UNAUTHORIZED
        assert outcome(address, context) is expected


def test_an_address_that_is_none(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with pytest.raises(TweenbridgeError) as caught:
        Connection(ServerAddress("nonsense", b"t", 1, 1.0, (1,)), wire.ClientInfo("test"), context, Limits())
    assert caught.value.code is ErrorCode.NOT_RUNNING


def test_an_oversized_message_ends_the_session_and_not_the_program(
    home: Path, context: zmq.Context[zmq.Socket[bytes]]
) -> None:
    with FakeServer(home) as server:
        connection = Connection(server.address, wire.ClientInfo("test"), context, Limits(frame_bytes=100_000))
        while connection.state is not SessionState.OPEN:
            connection.poll()
            connection.wait(0.02)
        server.rules[wire.Ping] = lambda _message: [Answer(wire.Pong(), bytes(200_000))]
        connection.send(wire.Ping())
        with pytest.raises(TweenbridgeError) as caught:
            for _ in range(500):
                connection.poll()
                connection.wait(0.02)
        assert caught.value.code is ErrorCode.NOT_RUNNING
        connection.close()
