"""The load of the soak, in a process of its own: people with jobs, and programs that look on."""

from __future__ import annotations

import multiprocessing
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from tweenbridge import Client
from tweenbridge.events import JobChanged, JobsListed

from .editors import Editor, Memory, Tally

EDITORS: Final = 4
_LOOKS: Final = 20.0
"""Seconds that a program which looks on stays, where it does not stay for good."""


@dataclass(frozen=True)
class Report:
    """What the load says of itself: see `Tally`."""

    counts: dict[str, int]
    complaints: list[str]
    complained: int


def _look_on(home: Path, tally: Tally, stays: bool, ends: threading.Event) -> None:
    """A program that is told of every job, like the tray."""
    while not ends.is_set():
        with Client(home, name="soak, looking on", start_server=False) as client:
            client.watch()
            client.watch_models()
            left = float("inf") if stays else _LOOKS
            while left > 0 and not ends.is_set():
                for event in client.poll(0.5):
                    tally.add("changes seen", isinstance(event, (JobChanged, JobsListed)))
                left -= 0.5


def _process(home: Path, dreams: bool, pipe: Connection) -> None:
    """Work as told through the pipe: "pause", "go on", "report" and "end"; the last two are answered."""
    tally, memory = Tally(), Memory()
    may_go_on, ends = threading.Event(), threading.Event()
    may_go_on.set()
    editors = [Editor(home, number, tally, memory, dreams) for number in range(EDITORS)]
    threads = [threading.Thread(target=editor.run, args=(may_go_on, ends)) for editor in editors]
    threads += [threading.Thread(target=_look_on, args=(home, tally, stays, ends)) for stays in (True, False)]
    for thread in threads:
        thread.start()
    while not ends.is_set():
        try:
            word = pipe.recv()
        except EOFError:
            word = "end"
        if word == "pause":
            may_go_on.clear()
        elif word == "go on":
            may_go_on.set()
        elif word == "report":
            with tally.lock:
                pipe.send(Report(dict(tally.counts), list(tally.complaints), tally.complained))
        else:
            ends.set()
    for thread in threads:
        thread.join()
    pipe.send(Report(dict(tally.counts), list(tally.complaints), tally.complained))


class Load:
    """The process, from outside."""

    def __init__(self, home: Path, dreams: bool) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process: Any = spawn.Process(target=_process, args=(home, dreams, theirs), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """Its id."""
        return int(self._process.pid)

    def pause(self, on: bool) -> None:
        """Begin nothing new, or go on."""
        self._pipe.send("pause" if on else "go on")

    def report(self) -> Report:
        """What has happened so far."""
        return self._ask("report")

    def end(self) -> Report:
        """Finish what was begun. Returns what has happened in all."""
        report = self._ask("end")
        self._process.join()
        return report

    def _ask(self, word: str) -> Report:
        self._pipe.send(word)
        report = self._pipe.recv()
        assert isinstance(report, Report)
        return report
