"""The small window that waits for the server, before the one with the settings: they depend on its engines."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable, Optional, Tuple

from tweenbridge import TweenbridgeError
from tweenbridge.client import Client
from tweenbridge.events import Connected, Disconnected, ServerStarting
from tweenbridge.launcher import server_command
from tweenbridge.protocol.errors import ErrorCode, ErrorInfo
from tweenbridge.protocol.messages import EngineInfo, Engines, GetEngines

from .window import Windows

_TICK = 0.05
_SERVER = 30.0
"""Seconds that the server gets to start and to say what engines it has."""


def wait_for_engines(
    client: Client, windows: Windows, home: Path, goes_on: Callable[[], bool]
) -> Optional[Tuple[EngineInfo, ...]]:
    """Ask the server what it can do, starting it where it does not run; None where the user has closed the window.

    Args:
        goes_on: called at every turn; False where there is nobody to wait for any more.

    Raises:
        TweenbridgeError: there is no server and none can be started, or it does not answer.
        NoWindow: this edition makes none.
    """
    window = windows.waiting("Starting the Tweenbridge server…")
    window.Show()
    reply, end = client.ask(GetEngines()), time.monotonic() + _SERVER
    problem: Optional[ErrorInfo] = None
    try:
        while not reply.done and time.monotonic() < end:
            windows.dispatcher.StepLoop(False)
            for event in client.poll(_TICK):
                if isinstance(event, (Connected, ServerStarting)):
                    problem = None
                elif isinstance(event, Disconnected):
                    problem = event.error
            _raise_if_hopeless(problem, home)
            if not goes_on() or windows.closed or windows.pressed:
                return None
    finally:
        windows.pressed.clear()
        window.Hide()
    # What is still missing is waited for no longer; the client says why.
    answer = reply.result() if reply.done else None
    return answer.engines if isinstance(answer, Engines) else client.engines(timeout=0.5)


def _raise_if_hopeless(problem: Optional[ErrorInfo], home: Path) -> None:
    """Raises TweenbridgeError where waiting for the server would be in vain."""
    if problem is None:
        return
    if problem.code in (ErrorCode.START_FAILED, ErrorCode.UNAUTHORIZED, ErrorCode.VERSION):
        raise TweenbridgeError.from_info(problem)
    if problem.code is ErrorCode.NOT_RUNNING:
        # Raises, and says what to do, where nothing tells how to start it.
        server_command(home)
