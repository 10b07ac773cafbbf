# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's end of the wire: one client, what the server said of its engines, and what is wrong, in words.

Nothing here waits, and nothing imports bpy: `poll` is called from Blender's timers.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import PluginError

if TYPE_CHECKING:
    from tweenbridge import Client, EngineInfo, ErrorInfo, Event, Status

PATIENCE = 20.0
"""Seconds without a session after which a job says what is wrong instead of waiting on."""
_NO_HOPE = 1.0
"""The same where the server runs nowhere and nothing tells how to start it."""


@dataclass(frozen=True)
class Where:
    """Where the server is: on this machine, found or started; or where a key file says.

    `online` says whether the artist lets Blender go online.
    """

    remote: bool = False
    key_file: str = ""
    online: bool = True


@dataclass(frozen=True)
class Problem:
    """Something to tell the artist: one plain sentence, and what to do about it."""

    sentence: str
    remedy: str

    @classmethod
    def of(cls, error: PluginError | ErrorInfo) -> Problem:
        """The same in the add-on's words."""
        if isinstance(error, PluginError):
            return cls(error.sentence, error.remedy)
        return cls(error.message, error.remedy)


NOT_INSTALLED = Problem(
    "The Tweenbridge server is not installed, or was never started on this machine.",
    "Install it and start it once with `tweenbridge serve`; from then on it starts by itself.",
)


def other_version(name: str, ours: str) -> str:
    """A clause for the artist where a server, by the name that it gives itself, is of another version; else ""."""
    theirs = name.rpartition(" ")[2]
    if not theirs or theirs == ours:
        return ""
    return f" (this add-on is of {ours}: run `tweenbridge install`, which makes them the same)"


def _can_be_started() -> bool:
    """Something tells how to start the server of this machine."""
    from tweenbridge import TweenbridgeError, data_dir
    from tweenbridge.launcher import server_command

    try:
        server_command(data_dir())
    except TweenbridgeError:
        return False
    return True


def _is_here(endpoint: str) -> bool:
    """The endpoint is on this machine, or a tunnel that begins here."""
    host = endpoint.partition("://")[2].rpartition(":")[0].strip("[]")
    return host in {"localhost", "::1"} or host.startswith("127.")


class Server:
    """The server as the add-on sees it.

    Attributes:
        engines: what it offers; kept when the connection is lost, and forgotten when another server is chosen.
        status: what it said last of itself, or None.
        problem: why there is no session, or no answer; None while all is well or nobody has tried.
        starting: it is being started.
    """

    def __init__(self) -> None:
        self.engines: tuple[EngineInfo, ...] = ()
        self.status: Status | None = None
        self.problem: Problem | None = None
        self.starting = False
        self._client: Client | None = None
        self._where = Where()
        self._lost: float | None = None
        self._hopeless = False
        self._questions: list[Any] = []

    @property
    def connected(self) -> bool:
        """There is a session."""
        return self._client is not None and self._client.server is not None

    @property
    def connecting(self) -> bool:
        """A session is being opened."""
        return self._client is not None and self._client.connecting

    @property
    def answered(self) -> bool:
        """The server has said how it is, and nothing that it was asked is still to come."""
        return self.status is not None and not self._questions

    @property
    def name(self) -> str:
        """What the server of the session calls itself, or ""."""
        welcome = None if self._client is None else self._client.server
        return "" if welcome is None else welcome.server

    def open(self, where: Where) -> Client:
        """The client for this place; another one when the artist chose another place.

        Raises:
            PluginError: the key file cannot be read.
        """
        if self._client is not None and where == self._where:
            return self._client
        from tweenbridge import Client, load_address

        self.close()
        address = None
        if where.remote:
            address = load_address(Path(where.key_file)) if where.key_file else None
            if address is None:
                raise PluginError(
                    "The key file of the remote server cannot be read." if where.key_file
                    else "No key file is chosen for the remote server.",
                    "Get one from that machine (tweenbridge keys export) and choose it in the preferences.",
                )  # fmt: skip
            if not where.online and not _is_here(address.endpoint):
                raise PluginError(
                    "Blender may not go online, and the server is another machine.",
                    "Turn on Preferences > System > Network > Allow Online Access.",
                )
        self._client = Client(address=address, name="Blender")
        if where != self._where:
            self.engines = ()
        self._where = where
        return self._client

    def look(self, where: Where) -> None:
        """Begin to find out how the server of this place is, whatever was known before.

        Raises:
            PluginError: the key file cannot be read.
        """
        client = self.open(where)
        self.status = None
        if self.connected:
            self.problem = None
        else:
            client.retry()

    def poll(self, patience: float = 0.0) -> list[Event]:
        """Go on with everything that is on its way; what happened to jobs. Does nothing before `open`.

        Args:
            patience: seconds to wait for something to happen.
        """
        if self._client is None:
            return []
        from tweenbridge import Connected, Disconnected, ErrorCode, ServerStarting

        events = self._client.poll(patience)
        for event in events:
            if isinstance(event, Connected):
                self.problem, self.starting, self._lost, self._hopeless = None, False, None, False
                self.ask_engines()
            elif isinstance(event, ServerStarting):
                self.starting, self._lost = True, None
            elif isinstance(event, Disconnected):
                self.starting, self.status = False, None
                self.problem = Problem.of(event.error)
                self._lost = self._lost or time.monotonic()
                self._hopeless = event.error.code is ErrorCode.START_FAILED
                if event.error.code is ErrorCode.NOT_RUNNING and not self._where.remote and not _can_be_started():
                    self.problem, self._hopeless = NOT_INSTALLED, True
        self._take_answers()
        return events

    def hopeless(self) -> Problem | None:
        """Why a job should not wait any longer; None while there is a session or hope of one."""
        if self._lost is None or self.problem is None or self.starting:
            return None
        waited = time.monotonic() - self._lost
        return self.problem if waited > (_NO_HOPE if self._hopeless else PATIENCE) else None

    def ask_engines(self) -> None:
        """Ask what engines there are, and how the server is. An absent local server is started for it."""
        from tweenbridge.protocol.messages import GetEngines, GetStatus

        if self._client is not None and not self._questions:
            self._lost = None
            self._questions = [self._client.ask(GetEngines()), self._client.ask(GetStatus())]

    def release(self, job: str) -> None:
        """Tell the server that a job's frames are not needed any more, some time."""
        from tweenbridge.protocol.messages import Release

        if self._client is not None:
            self._client.ask(Release(job=job))

    def _take_answers(self) -> None:
        from tweenbridge import Status, TweenbridgeError
        from tweenbridge.protocol.messages import Engines

        for reply in [reply for reply in self._questions if reply.done]:
            self._questions.remove(reply)
            try:
                answer = reply.result()
            except TweenbridgeError as error:
                self.problem = Problem.of(error.info)
                continue
            if isinstance(answer, Engines):
                self.engines = answer.engines
            elif isinstance(answer, Status):
                self.status = answer

    def close(self) -> None:
        """End the session. Unfinished jobs go on at the server."""
        if self._client is not None:
            self._client.close()
        self._client = None
        self._questions = []
        self.problem, self.status, self.starting = None, None, False
        self._lost, self._hopeless = None, False
