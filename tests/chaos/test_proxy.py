"""The proxy passes on what it is given, and can be made slow, half open and cut."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from fakes.proxy import Proxy


def _echo(listener: socket.socket) -> None:
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(peer,), daemon=True).start()


def _answer(peer: socket.socket) -> None:
    with peer:
        try:
            while data := peer.recv(65536):
                peer.sendall(data)
        except OSError:
            return


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy to a server that sends back what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_echo, args=(listener,), daemon=True).start()
    made = Proxy()
    made.target = listener.getsockname()
    yield made
    made.close()
    listener.close()


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5.0)


def echoed(peer: socket.socket, data: bytes) -> bytes:
    threading.Thread(target=peer.sendall, args=(data,), daemon=True).start()
    back = b""
    while len(back) < len(data):
        back += peer.recv(65536)
    return back


def test_it_passes_on_every_byte(proxy: Proxy) -> None:
    data = bytes(range(256)) * 8000
    with connect(proxy) as peer:
        assert echoed(peer, data) == data


def test_slow_is_slow_and_whole(proxy: Proxy) -> None:
    data = bytes(range(256)) * 40
    with connect(proxy) as peer:
        proxy.slow = True
        begin = time.monotonic()
        assert echoed(peer, data) == data
        assert time.monotonic() - begin > 0.1


def test_half_open_connections_go_on_afterwards(proxy: Proxy) -> None:
    with connect(proxy) as peer:
        assert echoed(peer, b"one") == b"one"
        proxy.stalled = True
        time.sleep(0.05)
        peer.settimeout(0.3)
        peer.sendall(b"two")
        with pytest.raises(TimeoutError):
            peer.recv(9)
        proxy.stalled = False
        peer.settimeout(5.0)
        assert peer.recv(9) == b"two"


def test_a_cut_ends_connections_and_others_can_be_made(proxy: Proxy) -> None:
    with connect(proxy) as peer:
        assert echoed(peer, b"one") == b"one"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            peer.recv(9)
    with connect(proxy) as peer:
        assert echoed(peer, b"two") == b"two"
