"""Asking the user where Resolve has no windows for scripts: the tray app shows the plan and answers.

The plan goes to `tweenbridge confirm` as JSON on its standard input, and the answer comes as JSON on its output.
Progress is then seen in the tray's window.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Sequence

from tweenbridge.launcher import start_command
from tweenbridge.protocol.codec import to_plain
from tweenbridge.protocol.errors import TweenbridgeError

from .choice import Choice, merged
from .errors import PluginError, Trouble
from .placement import Plan

HOST = "DaVinci Resolve"
_TICK = 0.5
_REMEDY = (
    "Install Tweenbridge with its tray app and start it once; its window also takes two exported stills. "
    "DaVinci Resolve Studio needs no tray app."
)


def description(title: str, plan: Plan, choice: Choice, notes: Sequence[str] = ()) -> Dict[str, Any]:
    """The plan as the tray shows it, with what should be known before."""
    frames = [int(keyframe.frame) for keyframe in plan.keyframes]
    gaps = [
        {"from": frames[gap.a], "to": frames[gap.b], "count": len(gap.exposures)}
        for gap in plan.schedule.gaps
        if gap.exposures
    ]
    return {
        "title": title,
        "keyframes": [{"label": keyframe.label, "frame": int(keyframe.frame)} for keyframe in plan.keyframes],
        "gaps": gaps,
        "host": HOST,
        "choice": to_plain(choice),
        "notes": list(notes),
    }


def ask(home: Path, plan: Dict[str, Any], choice: Choice, is_alive: Callable[[], bool]) -> Optional[Choice]:
    """Have the tray ask; returns what was chosen, or None where the user declined.

    Args:
        is_alive: whether Resolve still runs; when it ends, the question is taken back.

    Raises:
        PluginError: NOT_INSTALLED, CONFIRMATION or CANCELLED.
    """
    sentence = (
        "This edition of DaVinci Resolve has no windows for scripts, and Tweenbridge's tray app, which asks instead,"
    )
    try:
        process = start_command(
            home, "confirm", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except (TweenbridgeError, OSError) as error:
        raise PluginError(Trouble.NOT_INSTALLED, f"{sentence} is not installed.", _REMEDY) from error
    question: Optional[bytes] = json.dumps(plan).encode()
    while True:
        try:
            output, _ = process.communicate(question, timeout=_TICK)
            break
        except subprocess.TimeoutExpired:
            question = None
            if not is_alive():
                process.kill()
                process.communicate()
                raise PluginError(Trouble.CANCELLED, "DaVinci Resolve was closed.") from None
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise PluginError(Trouble.NOT_INSTALLED, f"{sentence} cannot be started.", _REMEDY)
    try:
        answer = json.loads(output.decode("utf-8"))
        if not isinstance(answer, dict) or not isinstance(answer.get("accepted"), bool):
            raise ValueError("neither accepted nor declined")
        return merged(choice, answer)
    except (ValueError, TweenbridgeError) as error:
        raise PluginError(
            Trouble.CONFIRMATION,
            f"The answer of Tweenbridge's tray app cannot be understood: {error}",
            "Update the tray app and this script to the same version.",
        ) from error


def show_tray(home: Path) -> None:
    """Start the tray app, whose window shows how far the run is. Where it cannot start, the console shows it alone."""
    quiet = subprocess.DEVNULL
    try:
        start_command(home, "tray", stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    except (TweenbridgeError, OSError):
        return
