"""A TCP proxy on loopback that can be made slow, made to stand still with its connections open, or cut."""

from __future__ import annotations

import select
import socket
import threading
import time
from dataclasses import dataclass, field

_PIECE = 65536
_SLOW_PIECE = 512
_SLOW_PAUSE = 0.01
"""Seconds before each piece of a slow connection: about 50 kB a second."""


@dataclass(eq=False)
class _Pair:
    """Both ends of one connection, and what is on its way to each."""

    ends: tuple[socket.socket, socket.socket]
    waiting: dict[socket.socket, bytes] = field(default_factory=dict)

    def other(self, end: socket.socket) -> socket.socket:
        return self.ends[1] if end is self.ends[0] else self.ends[0]


class Proxy:
    """Passes connections to `target` on as long as nobody says otherwise. `port` stays what it is."""

    def __init__(self) -> None:
        self.target: tuple[str, int] | None = None
        self.slow = False
        self.stalled = False
        self._cut = False
        self._closing = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[_Pair] = []
        self._thread = threading.Thread(target=self._loop, name="proxy", daemon=True)
        self._thread.start()

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._pairs)

    def cut(self) -> None:
        """End every connection at once, with a reset; new ones are taken."""
        self._cut = True

    def close(self) -> None:
        """End everything."""
        self._closing = True
        self._thread.join()

    def _loop(self) -> None:
        while not self._closing:
            self._step()
        for pair in list(self._pairs):
            self._drop(pair)
        self._listener.close()

    def _step(self) -> None:
        if self._cut:
            self._cut = False
            for pair in list(self._pairs):
                self._drop(pair)
        if self.stalled:
            # Connections are made, too, by the system; nobody takes them.
            time.sleep(0.01)
            return
        reading = [
            self._listener,
            *(end for pair in self._pairs for end in pair.ends if pair.other(end) not in pair.waiting),
        ]
        writing = [end for pair in self._pairs for end in pair.waiting]
        readable, writable, _ = select.select(reading, writing, [], 0.02)
        if self._listener in readable:
            self._accept()
        if self.slow and (readable or writable):
            time.sleep(_SLOW_PAUSE)
        for pair in list(self._pairs):
            try:
                self._pass_on(pair, readable, writable)
            except OSError:
                self._drop(pair)

    def _pass_on(self, pair: _Pair, readable: list[socket.socket], writable: list[socket.socket]) -> None:
        for end in pair.ends:
            if end in writable:
                sent = end.send(pair.waiting[end])
                pair.waiting[end] = pair.waiting[end][sent:]
                if not pair.waiting[end]:
                    del pair.waiting[end]
            if end in readable:
                data = end.recv(_SLOW_PIECE if self.slow else _PIECE)
                if not data:
                    raise ConnectionResetError
                pair.waiting[pair.other(end)] = data

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            if self.target is None:
                raise ConnectionRefusedError
            server = socket.create_connection(self.target, timeout=1.0)
        except OSError:
            client.close()
            return
        for end in (client, server):
            end.setblocking(False)
        self._pairs.append(_Pair((client, server)))

    def _drop(self, pair: _Pair) -> None:
        self._pairs.remove(pair)
        for end in pair.ends:
            # A reset and no farewell: what was on its way is gone.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            end.close()
