"""What the soak measures from outside: processes, files, and how long small questions take."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil
from tweenbridge import Client
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import Status
from tweenbridge_server.jobs.spool import Spool

Figures = dict[str, float]
"""Numbers by name: bytes, seconds, counts."""

QUESTIONS: Final = ("job", "job", "job", "jobs", "job", "job", "job", "status")
"""What is asked in turn: how a job is, the 20 newest ones, how the server is."""


def of_process(who: str, process: psutil.Process) -> Figures:
    """What a process holds. Nothing for one that has just ended."""
    try:
        with process.oneshot():
            memory = process.memory_full_info()
            handles = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
            return {
                f"{who}: resident": memory.rss,
                f"{who}: own": memory.uss,
                f"{who}: descriptors": handles,
                f"{who}: threads": process.num_threads(),
            }
    except psutil.Error:
        return {}


def of_children(server: psutil.Process) -> Figures:
    """How many processes the server has, and how many of them have ended without its noticing."""
    children = server.children(recursive=True)
    ended = 0
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            ended += child.status() == psutil.STATUS_ZOMBIE
    return {"gateway: children": len(children), "gateway: children that have ended": ended}


def of_files(home: Path) -> Figures:
    """Bytes of the database with its log, and of the spool as it lies on the disk."""
    return {
        "database": sum(_size(path) for path in home.glob("jobs.sqlite3*")),
        "spool": sum(_size(path) for path in (home / "spool").rglob("*.*")),
        "log files": sum(_size(path) for path in (home / "logs").glob("*")),
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def unknown_files(home: Path) -> list[str]:
    """Files of the spool of a server that has ended which its database does not know, and the other way round."""
    spool = Spool(home / "spool")
    there = {name for name, _ in spool.all_keyframes()} | {file.key for file in spool.all_frames()}
    there |= {path.name for path in spool.temporary.iterdir()}
    with contextlib.closing(sqlite3.connect(home / "jobs.sqlite3")) as database:
        known = {row[0] for row in database.execute("SELECT name FROM keyframes UNION ALL SELECT key FROM frames")}
    return sorted(there ^ known)


class Asker:
    """A client that asks something small again and again, and keeps the times."""

    def __init__(self, home: Path) -> None:
        self._client = Client(home, name="soak, asking", start_server=False)
        self._turns: Iterator[str] = itertools.cycle(QUESTIONS)
        self._job = ""
        self.seconds: list[float] = []
        """Of each answer since the list was last emptied."""
        self.errors: Counter[str] = Counter()
        """What must not have been answered."""
        self.status: Status = self._client.status(timeout=60.0)

    def ask(self) -> None:
        """The next question. A job that has been forgotten is an answer like any other."""
        kind = next(self._turns)
        began = time.perf_counter()
        try:
            if kind == "status":
                self.status = self._client.status(timeout=60.0)
            elif kind == "jobs":
                newest = self._client.jobs(20, timeout=60.0)
                self._job = newest[-1].job if newest else ""
            else:
                self._client.job(self._job, timeout=60.0)
        except TweenbridgeError as error:
            if error.code is not ErrorCode.UNKNOWN_JOB:
                self.errors[f"a small request was answered with {error.code.value}: {error}"] += 1
        self.seconds.append(time.perf_counter() - began)

    def close(self) -> None:
        """End the session."""
        self._client.close()
