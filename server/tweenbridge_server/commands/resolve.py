"""`tweenbridge resolve`: the script for DaVinci Resolve Studio, run from outside, in a process of its own.

The server's code never imports a plugin: the script's package is part of this environment, and runs by itself.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

PACKAGE = "tweenbridge_resolve"


def run(edit: bool, selfcheck: bool) -> int:
    """Run it to its end; returns its exit status.

    Raises:
        TweenbridgeError: NOT_RUNNING, its package is not installed.
    """
    if importlib.util.find_spec(PACKAGE) is None:
        raise TweenbridgeError(
            ErrorCode.NOT_RUNNING,
            "The script for DaVinci Resolve is not part of this installation.",
            remedy="Install Tweenbridge again, or run this from a checkout: `python3 bootstrap.py resolve`.",
        )
    isolated = ["-I"] if sys.flags.isolated else []
    options = [name for name, wanted in (("--edit", edit), ("--selfcheck", selfcheck)) if wanted]
    return subprocess.run([sys.executable, *isolated, "-m", PACKAGE, *options], check=False).returncode
