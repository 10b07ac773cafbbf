"""`tweenbridge jobs` and `tweenbridge cancel`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from tweenbridge.client import Client
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobInfo, JobState

from .console import ago, console, duration, print_json, say

_SHORT = 8
_STYLES = {
    JobState.RUNNING: "bold cyan",
    JobState.DONE: "green",
    JobState.FAILED: "bold red",
    JobState.CANCELLED: "dim",
}
_SERVER = "(server)"
"""Whose jobs those are that came from the server's own machine. No key is called so."""
_MOST = 1000
"""Jobs looked through for one that is named by the start of its id."""


def plain(info: JobInfo) -> dict[str, Any]:
    """A job as JSON has it."""
    return asdict(info) | {"state": info.state.value, "priority": info.priority.name.lower()}


def show(home: Path, limit: int, as_json: bool) -> None:
    """List the newest jobs."""
    with Client(home, name="command line", start_server=False) as client:
        jobs = client.jobs(limit)
    if as_json:
        print_json([plain(info) for info in jobs])
        return
    if not jobs:
        print("No jobs yet.")
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    # Only administrators see more than their own.
    several = len({info.owner for info in jobs}) > 1
    for name in ("Job", "State", "Frames", "Engine", "Asked", *(["Whose"] if several else []), "Title"):
        table.add_column(name, justify="right" if name == "Frames" else "left", no_wrap=name != "Title")
    for info in jobs:
        whose = [info.owner or _SERVER] if several else []
        table.add_row(
            info.job[:_SHORT], info.state.value, f"{info.done}/{info.total}", f"{info.engine} {info.profile}".strip(),
            f"{ago(info.created)} ago", *whose, _title(info), style=_STYLES.get(info.state, ""),
        )  # fmt: skip
    console().print(table)


def _title(info: JobInfo) -> str:
    if info.error is not None:
        return f"{info.title}: {info.error.message}".lstrip(": ")
    left = f" ({duration(info.eta)} left)" if info.state is JobState.RUNNING and info.eta is not None else ""
    return info.title + left


def find(client: Client, start: str) -> JobInfo:
    """The one job whose id starts so.

    Raises:
        TweenbridgeError: UNKNOWN_JOB when there is none, BAD_REQUEST when there are several.
    """
    found = [info for info in client.jobs(_MOST) if info.job.startswith(start)]
    if not found:
        raise TweenbridgeError(
            ErrorCode.UNKNOWN_JOB, f"There is no job {start}.", remedy="`tweenbridge jobs` lists them."
        )
    if len(found) > 1:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, f"{len(found)} jobs begin with {start}.", remedy="Give more of the job's id."
        )
    return found[0]


def cancel(home: Path, names: list[str]) -> None:
    """Cancel jobs, each named by its id or the start of it."""
    with Client(home, name="command line", start_server=False) as client:
        for name in names:
            before = find(client, name)
            if before.state.is_final:
                say(f"Job {before.job[:_SHORT]} is {before.state.value} already.")
                continue
            after = client.cancel(before.job)
            say(f"Job {after.job[:_SHORT]} is {after.state.value}; {after.done} of {after.total} frames are kept.")
