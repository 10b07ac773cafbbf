"""Times, sizes and states as people say them. Pure, but for the translation."""

from __future__ import annotations

import re
import time

from PySide6.QtCore import QCoreApplication
from tweenbridge import ErrorCode, ErrorInfo, JobInfo, JobState

_KB = 1000.0
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def tr(text: str, n: int = -1) -> str:
    """The text in the user's language; `%n` in it becomes the number."""
    translated = QCoreApplication.translate("Tweenbridge", text, None, n)
    return translated.replace("%n", str(n)) if n >= 0 else translated


def size(count: float) -> str:
    """Bytes: "3.4 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < _KB or unit == "GB":
            digits = 0 if unit in ("B", "kB") or count >= 100 else 1
            return f"{count:.{digits}f} {unit}"
        count /= _KB
    raise AssertionError("the last unit takes everything")


def duration(seconds: float) -> str:
    """A length of time: "12 s", "3 min 05 s", "2 h 10 min"."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return tr("%n s", whole)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"


def ago(moment: float, now: float | None = None) -> str:
    """A moment in the past: "just now", "5 min ago", "yesterday"; later its date."""
    passed = (time.time() if now is None else now) - moment
    if passed < _MINUTE:
        return tr("just now")
    if passed < _HOUR:
        return tr("%n min ago", int(passed // _MINUTE))
    if passed < _DAY:
        return tr("%n h ago", int(passed // _HOUR))
    if passed < 2 * _DAY:
        return tr("yesterday")
    return time.strftime("%d %b %Y", time.localtime(moment))


def state_name(state: JobState) -> str:
    """A job's state in a word or two."""
    return {
        JobState.RECEIVING: tr("Waiting for keyframes"),
        JobState.QUEUED: tr("Waiting"),
        JobState.RUNNING: tr("Running"),
        JobState.DONE: tr("Done"),
        JobState.FAILED: tr("Failed"),
        JobState.CANCELLED: tr("Cancelled"),
    }[state]


def title(info: JobInfo) -> str:
    """What a job is called; one without a title by its id's beginning."""
    return info.title or tr("Job") + f" {info.job[:8]}"


def origin(info: JobInfo) -> str:
    """Where a job came from, as its makers write their names."""
    known = {"blender": "Blender", "resolve": "DaVinci Resolve", "davinci resolve": "DaVinci Resolve"}
    known |= {"tray": tr("dropped here"), "command line": tr("the command line"), "script": tr("a script")}
    return known.get(info.origin.lower(), info.origin) or tr("unknown")


def owner(info: JobInfo) -> str:
    """Whose a job is, where several people's are shown."""
    return info.owner or tr("the server's user")


def progress(info: JobInfo) -> str:
    """How far a job is, in a line."""
    if info.state is JobState.RUNNING:
        parts = [tr("{done} of {total} frames").format(done=info.done, total=info.total)]
        if info.eta is not None:
            parts.append(tr("{time} left").format(time=duration(info.eta)))
        return " · ".join(parts)
    if info.state is JobState.DONE:
        took = duration(info.finished - info.started) if info.finished and info.started else ""
        frames = tr("%n frames", info.total) if info.total != 1 else tr("1 frame")
        return f"{frames} · {took}" if took else frames
    if info.state is JobState.FAILED and info.error is not None:
        return info.error.message
    if info.state is JobState.CANCELLED:
        return tr("{done} of {total} frames were made").format(done=info.done, total=info.total)
    return tr("%n frames to make", info.total)


def problem(error: ErrorInfo) -> str:
    """An error as one paragraph: what is wrong, and what to do about it in this window."""
    here = {ErrorCode.NOT_RUNNING: tr("Start it on the Server page.")}
    return f"{error.message} {here.get(error.code, error.remedy)}".strip()


def report(info: JobInfo, server: str) -> str:
    """What a bug report needs to know of a job; no names, no folders, no pictures."""
    lines = [
        f"Server: {server or 'not connected'}",
        f"Job: {info.state.value}, {info.done} of {info.total} frames, engine {info.engine}, profile {info.profile}",
        f"From: {info.origin or 'unknown'}",
    ]
    if info.started is not None:
        end = info.finished or time.time()
        lines.append(f"Took: {end - info.started:.1f} s")
    if info.error is not None:
        lines.append(f"Error: {info.error.code.value}: {_impersonal(info.error.message)}")
    lines += [f"Note: {note.code}" for note in info.notes]
    return "\n".join(lines)


def _impersonal(message: str) -> str:
    """A message without what may name a file, a folder or a picture: brackets, quotes, words with a dot or a slash."""
    message = re.sub(r"\([^)]*\)|'[^']*'|\"[^\"]*\"", "(…)", message)
    return re.sub(r"\S*[/\\]\S*|\S+\.\w\S*", "…", message)
