"""One tray for each data folder: a second start has the first one show its window, and ends."""

from __future__ import annotations

import hashlib
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

_PATIENCE = 1000
"""Milliseconds that the first one may take to answer."""
_SHOW = b"show"


def _name(home: Path) -> str:
    return "tweenbridge-tray-" + hashlib.sha256(str(home).encode()).hexdigest()[:16]


def show_running(home: Path) -> bool:
    """Have the tray of this data folder show its window; False when none runs."""
    socket = QLocalSocket()
    socket.connectToServer(_name(home))
    if not socket.waitForConnected(_PATIENCE):
        return False
    socket.write(_SHOW)
    socket.waitForBytesWritten(_PATIENCE)
    socket.disconnectFromServer()
    return True


class Instance(QObject):
    """The first one: hears of others that were started."""

    show_wanted = Signal()

    def __init__(self, home: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._heard)
        if not self._server.listen(_name(home)):
            # One that crashed has left its name behind.
            QLocalServer.removeServer(_name(home))
            self._server.listen(_name(home))

    def _heard(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.disconnected.connect(socket.deleteLater)
            self.show_wanted.emit()

    def close(self) -> None:
        """Let go of the name."""
        self._server.close()
