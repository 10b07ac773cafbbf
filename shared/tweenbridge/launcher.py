"""Starting the server when it is absent: a process of its own that outlives whoever started it."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Optional, Sequence

from .discovery import ServerAddress, private_folder, read_address, write_private
from .protocol.errors import ErrorCode, TweenbridgeError

START_TIMEOUT = 15.0
"""Seconds that a server gets to start."""

_GRACE = 3.0
"""Seconds to wait, after the started process ended, for the server that won a race against it."""

_INTERPRETER_VARIABLES = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__")

_started: list[subprocess.Popen[bytes]] = []
"""Servers started by this process: kept so that those that have ended can be reaped."""


def _launch_file(home: Path) -> Path:
    return home / "run" / "launch.json"


def record_command(command: Sequence[str], home: Path) -> None:
    """Remember how this server was started, for clients that run in another interpreter."""
    write_private(_launch_file(home), json.dumps({"command": list(command)}, indent=1) + "\n")


def this_installation() -> list[str]:
    """The command that starts a server of the Python environment this runs in, as isolated as this one is."""
    isolated = ["-I"] if sys.flags.isolated else []
    return [sys.executable, *isolated, "-m", "tweenbridge_server", "serve"]


def _recorded_command(home: Path) -> list[str]:
    """The remembered command; [] when there is none that can be understood, or its program has been deleted since."""
    try:
        command = json.loads(_launch_file(home).read_text(encoding="utf-8"))["command"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    if not (isinstance(command, list) and command and all(isinstance(word, str) for word in command)):
        return []
    return command if shutil.which(command[0]) is not None else []


def server_command(home: Path) -> list[str]:
    """The command that starts the server.

    `$TWEENBRIDGE_SERVER_COMMAND` where set, else what the last server recorded, else this interpreter where it can.

    Raises:
        TweenbridgeError: NOT_RUNNING when nothing tells how to start it.
    """
    chosen = os.environ.get("TWEENBRIDGE_SERVER_COMMAND")
    if chosen:
        words = shlex.split(chosen, posix=os.name == "posix")
        return [word.strip('"') for word in words] if os.name != "posix" else words
    recorded = _recorded_command(home)
    if recorded:
        return recorded
    if sys.executable and importlib.util.find_spec("tweenbridge_server") is not None:
        return this_installation()
    raise TweenbridgeError(
        ErrorCode.NOT_RUNNING,
        "The Tweenbridge server is not running, and nothing tells how to start it.",
        remedy="Start it once with `tweenbridge serve`; from then on it starts by itself.",
    )


def start_command(home: Path, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start another command of the installation whose server this data folder knows: `tray`, `confirm`.

    Args:
        arguments: what follows `tweenbridge` on the command line.
        options: of `subprocess.Popen`, such as pipes.

    Raises:
        TweenbridgeError: NOT_RUNNING when nothing tells where Tweenbridge is installed.
        OSError: the command cannot run.
    """
    command = server_command(home)
    if "serve" not in command[1:]:
        raise TweenbridgeError(
            ErrorCode.NOT_RUNNING,
            "Nothing tells where Tweenbridge is installed: the server was started by a command of its own.",
            remedy="Start it once with `tweenbridge serve`.",
        )
    words = [*command[: command.index("serve", 1)], *arguments]
    if sys.platform == "win32":
        options.setdefault("creationflags", subprocess.CREATE_NO_WINDOW)
    return subprocess.Popen(words, env=_environment(words, home), **options)


def _environment(command: Sequence[str], home: Path) -> dict[str, str]:
    """The server's environment: this one, without what would make another interpreter load this one's modules."""
    environment = dict(os.environ, TWEENBRIDGE_HOME=str(home))
    if command[0] != sys.executable:
        for name in _INTERPRETER_VARIABLES:
            environment.pop(name, None)
    return environment


def _spawn(command: Sequence[str], home: Path, log: Path) -> subprocess.Popen[bytes]:
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        # A hidden console rather than none: processes that the server starts would otherwise each open a window.
        options = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    with open(log, "wb") as output:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=home,
            env=_environment(command, home),
            **options,
        )


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


class ServerStart:
    """A server on its way up. Nothing here waits, so that a host application's main loop can call `poll`.

    Args:
        home: the data folder.
        stale: the address that was tried in vain; the server has started once the address is another.
        timeout: seconds to give it.

    Raises:
        TweenbridgeError: NOT_RUNNING when nothing tells how to start it, START_FAILED when the command cannot run.
    """

    def __init__(self, home: Path, stale: Optional[ServerAddress] = None, timeout: float = START_TIMEOUT) -> None:
        self._home = home
        self._stale = stale
        self._log = private_folder(home / "logs") / "start.log"
        self._ends = time.monotonic() + timeout
        _started[:] = [process for process in _started if process.poll() is None]
        command = server_command(home)
        try:
            self._process = _spawn(command, home, self._log)
        except OSError as error:
            raise TweenbridgeError(
                ErrorCode.START_FAILED, f"The Tweenbridge server could not be started: {error}."
            ) from error
        self._ended: Optional[float] = None
        _started.append(self._process)

    def poll(self) -> Optional[ServerAddress]:
        """The new server's address once it listens, None before.

        Raises:
            TweenbridgeError: START_FAILED, with the last line the server wrote.
        """
        address = read_address(self._home)
        if address is not None and address != self._stale:
            return address
        now = time.monotonic()
        if self._ended is None and self._process.poll() is not None:
            self._ended = now
        if self._ended is not None and now > self._ended + _GRACE:
            raise self._failed(f"it ended with status {self._process.returncode}")
        if now > self._ends:
            raise self._failed("it took too long")
        return None

    def _failed(self, reason: str) -> TweenbridgeError:
        reason = _last_line(self._log) or reason
        return TweenbridgeError(ErrorCode.START_FAILED, f"The Tweenbridge server did not start: {reason.rstrip('.')}.")


def is_listening(address: ServerAddress, timeout: float = 0.5) -> bool:
    """Whether anything accepts connections at the address. Blocks for up to `timeout` seconds."""
    host, _, port = address.endpoint.partition("://")[2].rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=timeout):
            return True
    except (OSError, ValueError):
        return False


def start_server(home: Path, timeout: float = START_TIMEOUT) -> ServerAddress:
    """Start the server of this data folder, or find the one that runs already, and wait until it listens.

    Its output goes to `logs/start.log` in the data folder.

    Raises:
        TweenbridgeError: NOT_RUNNING when nothing tells how to start it; START_FAILED with the last line it wrote.
    """
    stale = read_address(home)
    if stale is not None and is_listening(stale):
        return stale
    start = ServerStart(home, stale, timeout)
    while True:
        address = start.poll()
        if address is not None:
            return address
        time.sleep(0.02)
