"""Where a run is and what came of it, in words."""

from __future__ import annotations

from tweenbridge.protocol.errors import TweenbridgeError

from .errors import PluginError
from .flow import Run, Stage

NOTHING_MADE = "Nothing was made."
NO_ALPHA = "Transparent areas become black: DaVinci Resolve exports stills without alpha."
"""Said of every run before it starts: no version is known whose stills have alpha, and no call tells what is opaque."""


def progress(run: Run) -> str:
    """How far a run is, in words."""
    if run.stage is Stage.ASKING:
        return f"{run.question}\nPlace them anyway, or keep only the frames in {run.folder}?"
    info = run.info
    if run.stage is Stage.CANCELLING:
        return "Cancelling…"
    if info is None:
        return "Sending the keyframes…"
    left = "" if info.eta is None else f", about {_duration(info.eta)} left"
    return f"{info.done} of {info.total} in-betweens{left}"


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 100 else f"{round(seconds / 60)} min"


def summary(run: Run) -> str:
    """What came of a run, in sentences."""
    if run.result is not None:
        result, count = run.result, run.plan.frames
        made = "1 in-between is" if count == 1 else f"{count} in-betweens are"
        notes = "".join(f"\n{note}" for note in result.notes)
        return f"{made} on track V{result.track}, {result.name}. The frames are in {result.folder}.{notes}"
    if run.stage is Stage.KEPT:
        return f"Nothing was placed. The frames are in {run.folder}."
    if run.error is not None:
        return "\n".join(part for part in run.error if part)
    return NOTHING_MADE


def trouble(error: BaseException) -> str:
    """An error as a window shows it: the sentence and the remedy."""
    if isinstance(error, (PluginError, TweenbridgeError)):
        return f"{error}\n{error.remedy}".strip()
    return f"Something went wrong that should not have: {error!r}."
