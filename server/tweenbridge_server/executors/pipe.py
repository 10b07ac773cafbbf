"""Messages between the server and a worker process over its stdin and stdout: four bytes of length, then msgpack.

Only the two processes of one installation speak this; it is no wire protocol.
"""

from __future__ import annotations

import os
import struct
import sys
import threading
from dataclasses import dataclass
from typing import IO, Any, ClassVar

import msgpack
from tweenbridge.protocol.codec import from_plain, to_plain
from tweenbridge.protocol.messages import Scalar

from .base import (
    Advanced,
    Computed,
    Died,
    Failed,
    Finished,
    GapTask,
    KeyframeFile,
    Loaded,
    Made,
    Noted,
    Previewed,
    Related,
    Stopped,
    TaskEvent,
)
from .cluster.messages import Standing, Unload

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Prepare:
    """To the worker: import and warm an engine."""

    TYPE: ClassVar[str] = "prepare"
    engine: str
    profile: str
    settings: dict[str, Scalar]


@dataclass(frozen=True)
class Expect:
    """To the worker: read a keyframe of that spool for a task that comes soon."""

    TYPE: ClassVar[str] = "expect"
    keyframe: KeyframeFile
    spool: str


@dataclass(frozen=True)
class Run:
    """To the worker: do a task."""

    TYPE: ClassVar[str] = "run"
    task: GapTask


@dataclass(frozen=True)
class CancelTask:
    """To the worker: stop the task, whether it runs or waits."""

    TYPE: ClassVar[str] = "cancel"
    task: str


@dataclass(frozen=True)
class Happened:
    """From the worker: something happened to a task."""

    TYPE: ClassVar[str] = "happened"
    task: str
    event: TaskEvent | Standing


Command = Prepare | Expect | Run | CancelTask | Unload

_COMMANDS = {kind.TYPE: kind for kind in (Prepare, Expect, Run, CancelTask, Unload)}
EVENTS = {
    kind.TYPE: kind
    for kind in (Related, Made, Advanced, Noted, Previewed, Loaded, Computed, Finished, Failed, Stopped, Died, Standing)
}
"""What may happen, by its `TYPE`."""


def claim_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Take stdin and stdout for messages; whatever a library prints goes to stderr from now on."""
    commands = os.fdopen(os.dup(0), "rb")
    events = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return commands, events


class PipeWriter:
    """Writes messages; any thread may."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def command(self, command: Command) -> None:
        """Send a command to a worker. OSError when it is gone."""
        self._write({"t": command.TYPE, **to_plain(command)})

    def happened(self, task: str, event: TaskEvent | Standing) -> None:
        """Send an event to the server. OSError when it is gone."""
        self._write({"t": event.TYPE, "task": task, "event": to_plain(event)})

    def _write(self, message: dict[str, Any]) -> None:
        with self._lock:
            write_message(self._pipe, message)


def write_message(pipe: IO[bytes], message: dict[str, Any]) -> None:
    """Send one message's map. OSError when the other process is gone."""
    body = msgpack.packb(message)
    pipe.write(_LENGTH.pack(len(body)) + body)
    pipe.flush()


def read_message(pipe: IO[bytes]) -> dict[str, Any] | None:
    """The next message's map, or None at the end; a message that was cut off counts as the end."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = pipe.read(length)
    return None if len(body) < length else msgpack.unpackb(body)


def read_command(pipe: IO[bytes]) -> Command | None:
    """The next command, or None when the server is gone."""
    message = read_message(pipe)
    return None if message is None else from_plain(_COMMANDS[message["t"]], message)


def read_event(pipe: IO[bytes]) -> Happened | None:
    """The next event, or None when the worker is gone."""
    message = read_message(pipe)
    return None if message is None else Happened(message["task"], from_plain(EVENTS[message["t"]], message["event"]))
