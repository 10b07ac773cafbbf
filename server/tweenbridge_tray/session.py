"""The tray's end of the wire: one client, looked after by a timer of Qt's event loop, and nothing that waits.

Everything that the server says comes out of `happened`; every question is answered through the function given with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from tweenbridge import Client, Connected, Disconnected, ErrorCode, ErrorInfo, JobHandle, Reply, TweenbridgeError
from tweenbridge.discovery import ServerAddress, chosen_address, read_address
from tweenbridge.events import ServerStarting, ServerStopping
from tweenbridge.keyframes import KeyframeLike
from tweenbridge.protocol import messages as wire
from tweenbridge.protocol.limits import Limits

BUSY_TICK = 25
"""Milliseconds between two looks at the socket while something is asked or on its way."""
IDLE_TICK = 250
"""The same while nothing is."""
_BUSY_TICKS = 40
"""Looks at the busy pace after the last thing that happened."""


class Link(Enum):
    """How the tray stands with the server."""

    OFF = "off"
    STARTING = "starting"
    ON = "on"


@dataclass(frozen=True)
class Answer:
    """What came of a question: a message, with its pixel part where it has one, or an error."""

    message: wire.Message | None
    error: ErrorInfo | None = None
    data: memoryview | None = None


Then = Callable[[Answer], None]


class Session(QObject):
    """One client of the server of a data folder. Belongs to the thread of Qt's event loop.

    Args:
        home: the data folder.
        client: another client than the one that would be made, e.g. one that starts no server.
    """

    happened = Signal(object)
    """Every event of the client (`tweenbridge.events`)."""
    link_changed = Signal()

    def __init__(self, home: Path, client: Client | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.home = home
        self.link = Link.OFF
        self.error: ErrorInfo | None = None
        """Why there is no session, when there is none."""
        self._client = client or Client(home, name="tray", limits=Limits())
        self._client.watch()
        self._client.watch_models()
        self._waiting: list[tuple[Reply, Then]] = []
        self._wanted = False
        self._calm = 0
        self._jobs = 0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.CoarseTimer)
        self._timer.timeout.connect(self._look)
        self._timer.start(BUSY_TICK)

    # ------------------------------------------------------------ asking

    @property
    def server(self) -> wire.Welcome | None:
        """What the server said of itself; None while there is no session."""
        return self._client.server

    @property
    def address(self) -> ServerAddress | None:
        """Where the server is: another machine's that was chosen, or as that of the data folder says."""
        return chosen_address(self.home) or read_address(self.home)

    def ask(self, question: wire.ClientMessage, then: Then) -> None:
        """Ask the server. Where there is no session, the answer is the reason, and nothing is started for it."""
        if self.link is not Link.ON:
            QTimer.singleShot(0, self, lambda: then(Answer(None, self.error or _not_running())))
            return
        self._waiting.append((self._client.ask(question), then))
        self._hurry()

    def submit(self, keyframes: Sequence[KeyframeLike], **how: Any) -> JobHandle:
        """Ask for in-betweens, as `Client.submit`; the server is started when it is absent.

        Raises:
            TweenbridgeError: as `Client.submit`.
        """
        handle = self._client.submit(keyframes, **how)
        self._wanted = True
        self._hurry()
        return handle

    def start_server(self) -> None:
        """Start the server when it is absent, and have it run until `stop_server`."""
        self._wanted = True
        if self.link is not Link.ON:
            self._waiting.append((self._client.ask(wire.GetStatus()), _ignore))
            self._hurry()

    def stop_server(self) -> None:
        """End the server; unfinished jobs go on at its next start."""
        self._wanted = False
        self.ask(wire.Stop(), _ignore)

    def close(self) -> None:
        """End the session. The server goes on."""
        self._timer.stop()
        self._client.close()

    # ------------------------------------------------------------ hearing

    def _hurry(self) -> None:
        self._calm = 0
        if self._timer.interval() != BUSY_TICK:
            self._timer.start(BUSY_TICK)

    def _look(self) -> None:
        events = self._client.poll(0)
        for event in events:
            self._follow(event)
            self.happened.emit(event)
        answered = self._take_answers()
        if events or answered:
            self._hurry()
            return
        self._calm += 1
        busy = self._waiting or self.link is Link.STARTING
        if self._calm > _BUSY_TICKS and not busy and self._timer.interval() != IDLE_TICK:
            self._timer.start(IDLE_TICK)

    def _take_answers(self) -> bool:
        done = [(reply, then) for reply, then in self._waiting if reply.done]
        self._waiting = [(reply, then) for reply, then in self._waiting if not reply.done]
        for reply, then in done:
            try:
                then(Answer(reply.result(), data=reply.data))
            except TweenbridgeError as error:
                then(Answer(None, error.info))
        return bool(done)

    def _follow(self, event: object) -> None:
        if isinstance(event, Connected):
            self._change(Link.ON, None)
        elif isinstance(event, ServerStarting):
            self._change(Link.STARTING, None)
        elif isinstance(event, ServerStopping):
            self._wanted = False
        elif isinstance(event, Disconnected):
            self._change(Link.OFF, event.error)
            self._forget_questions(event.error)
            if self._wanted and event.error.code is not ErrorCode.START_FAILED:
                # It has not been ended on purpose: whatever it was at goes on in the next one.
                self._wanted = False
                self.start_server()

    def _forget_questions(self, error: ErrorInfo) -> None:
        """Nobody waits for these any more: what is shown is asked anew in the next session."""
        waiting, self._waiting = self._waiting, []
        for _, then in waiting:
            then(Answer(None, error))

    def _change(self, link: Link, error: ErrorInfo | None) -> None:
        self.link, self.error = link, error
        self.link_changed.emit()


def _ignore(answer: Answer) -> None:
    """What the answer says is heard as an event."""


def _not_running() -> ErrorInfo:
    return TweenbridgeError(ErrorCode.NOT_RUNNING, "The Tweenbridge server is not running.").info
