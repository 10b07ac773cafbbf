"""`tweenbridge tray` and `tweenbridge confirm`: windows, in a program of their own that the server never imports."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import typer
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

NO_WINDOWS = 70
"""The exit status of the tray's program where Qt cannot be loaded."""
_LIBRARIES = (
    "It needs a desktop; on Linux also these packages: libegl1, libxkbcommon-x11-0, libxcb-cursor0, libxcb-icccm4, "
    "libxcb-keysyms1."
)


def run(arguments: list[str]) -> int:
    """Run the tray's program with these arguments, with this process's input and output; returns its exit status.

    Raises:
        TweenbridgeError: START_FAILED when it is not installed.
    """
    if importlib.util.find_spec("PySide6") is None or importlib.util.find_spec("tweenbridge_tray") is None:
        raise TweenbridgeError(
            ErrorCode.START_FAILED,
            "The tray app's windows need PySide6, which is not installed.",
            remedy="Run `python3 bootstrap.py tray` in Tweenbridge's folder.",
        )
    isolated = ["-I"] if sys.flags.isolated else []
    try:
        status = subprocess.call([sys.executable, *isolated, "-m", "tweenbridge_tray", *arguments])
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if status < 0 or status == NO_WINDOWS:
        raise TweenbridgeError(ErrorCode.START_FAILED, "The tray app's windows could not be opened.", remedy=_LIBRARIES)
    return status
