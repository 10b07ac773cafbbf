"""What other threads hand to the gateway's thread: a queue, and a socket that wakes its poller."""

from __future__ import annotations

import socket
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Inbox(Generic[Item]):
    """A first-in, first-out queue that any thread may fill and one thread empties."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        # A plain socket pair, because a ZeroMQ socket must not be used from several threads.
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """What to poll: readable when there may be items."""
        return self._reader.fileno()

    def put(self, item: Item) -> None:
        """Add an item and wake the reader. Any thread, and signal handlers; never blocks."""
        self._items.append(item)
        try:
            self._writer.send(b"\0")
        except (BlockingIOError, OSError):
            # Full: the reader has been woken already. Closed: nobody reads any more.
            return

    def take_all(self) -> list[Item]:
        """All items so far, oldest first."""
        try:
            while self._reader.recv(4096):
                pass
        except BlockingIOError:
            pass
        # Emptied after the wake-ups were read, so that an item added in between is taken now or wakes us again.
        items = []
        while self._items:
            items.append(self._items.popleft())
        return items

    def close(self) -> None:
        """Close the sockets; later items are dropped."""
        self._reader.close()
        self._writer.close()
