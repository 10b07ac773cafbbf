"""The actor on a node: it does gaps with a worker process like the server's own, in a folder of its own.

Keyframes come in as bytes and frames go out as bytes; nothing of the server's disk is needed. Runs where Ray starts it.
"""

from __future__ import annotations

import hashlib
import os
import queue
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tweenbridge.discovery import data_dir
from tweenbridge.protocol.codec import from_plain, to_plain
from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge.protocol.messages import Scalar, WorkerInfo

from ...jobs.spool import Spool
from ..base import FINAL, GapTask, Made, Stopped, TaskEvent, WorkerSettings
from ..local import LocalExecutor
from .fitting import Fitter, Wish

_MOST_KEYFRAME_BYTES = 2_000_000_000
"""Of keyframes that are kept for the next gaps; those of the gaps at hand come on top."""

Item = tuple[str, dict[str, Any], bytes | None]
"""An event as it crosses Ray: its type, its fields, and the frame's bytes for `Made`."""


class Agent:
    """One actor. Ray calls its methods on several threads."""

    def __init__(
        self, name: str, idle_seconds: float, cancel_seconds: float, threads: int, compile_models: bool
    ) -> None:
        """`name`: what the place is called, like "render-2, GPU 0"."""
        self._name = name
        self._home = data_dir()
        self._scratch = _scratch(self._home)
        self._spool = Spool(self._scratch)
        self._spool.create()
        self._fitter = Fitter(self._home)
        self._kept: dict[str, int] = {}
        self._lock = threading.Lock()
        self._events: dict[str, queue.SimpleQueue[TaskEvent]] = {}
        self._doing: dict[str, GapTask] = {}
        self._cancelled: set[str] = set()
        settings = WorkerSettings(("auto",), idle_seconds, cancel_seconds, threads, compile_models)
        self._executor = LocalExecutor(self._home, settings)
        self._executor.start(self._happened)

    def about(self) -> int:
        """The process's id, once it can work."""
        return os.getpid()

    def lacks(self, names: list[str]) -> list[str]:
        """Which of these keyframe files are not here. Those that are will stay for the gap that asks."""
        with self._lock:
            for name in names:
                if name in self._kept:
                    self._kept[name] = self._kept.pop(name)
            return [name for name in names if name not in self._kept]

    def keep(self, name: str, data: bytes) -> None:
        """Take a keyframe file. ValueError when its bytes are not those that its name says."""
        if hashlib.sha256(data).hexdigest() != name.partition(".")[0]:
            raise ValueError(f"keyframe {name} came damaged")
        with self._spool.new_file(".part") as path:
            path.write_bytes(data)
            os.replace(path, self._spool.keyframe_path(name))
        with self._lock:
            self._kept[name] = len(data)
            self._make_room()

    def prepare(self, engine: str, profile: str, settings: dict[str, Scalar], wish: dict[str, Any]) -> None:
        """Start the worker and have it load what such gaps need. What is wrong, the gap will say."""
        with suppress(TweenbridgeError):
            resolved = self._fitter.fit(engine, profile, settings, from_plain(Wish, wish))
            self._executor.prepare(engine, profile, resolved.settings)

    def run(self, plain: dict[str, Any], wish: dict[str, Any]) -> Iterator[tuple[list[Item], dict[str, Any] | None]]:
        """Do a gap: what happens, as it happens, and how the worker is. The last event is the gap's end."""
        task = replace(from_plain(GapTask, plain), spool=str(self._scratch))
        wanted = from_plain(Wish, wish)
        try:
            resolved = self._fitter.fit(task.engine, task.profile, task.settings, wanted)
        except TweenbridgeError as error:
            yield [("unfit", to_plain(error.info), None)], None
            return
        if wanted.contents:
            task = replace(task, settings=resolved.settings, identity=resolved.identity)
        events = self._begin(task)
        try:
            ended = False
            while not ended:
                happened = [events.get()]
                while not events.empty():
                    happened.append(events.get())
                ended = any(isinstance(event, FINAL) for event in happened)
                yield [self._item(event) for event in happened], self.worker()
        finally:
            with self._lock:
                self._events.pop(task.id, None)
                self._doing.pop(task.id, None)
                self._cancelled.discard(task.id)

    def cancel(self, task: str) -> None:
        """Stop a gap, whether it has begun or not."""
        with self._lock:
            self._cancelled.add(task)
        self._executor.cancel(task)

    def worker(self) -> dict[str, Any] | None:
        """The worker process as `WorkerInfo`; None where none runs."""
        workers = self._executor.workers()
        return to_plain(replace(workers[0], device=self._name)) if workers else None

    def state(self) -> dict[str, Any]:
        """What people ask for: as `worker`, with the gap at hand."""
        with self._lock:
            tasks = list(self._doing.values())
        worker = self.worker() or to_plain(WorkerInfo(self._name, os.getpid(), "idle"))
        return {**worker, "gap": tasks[-1].gap + 1 if tasks else None, "host": socket.gethostname()}

    def close(self) -> None:
        """End the worker and clear the folder away."""
        self._executor.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    # ------------------------------------------------------------ inside

    def _begin(self, task: GapTask) -> queue.SimpleQueue[TaskEvent]:
        events: queue.SimpleQueue[TaskEvent] = queue.SimpleQueue()
        with self._lock:
            if task.id in self._cancelled:
                events.put(Stopped())
                return events
            self._events[task.id] = events
            self._doing[task.id] = task
        self._executor.run(task)
        if task.id in self._cancelled:
            self._executor.cancel(task.id)
        return events

    def _happened(self, task: str, event: TaskEvent) -> None:
        with self._lock:
            events = self._events.get(task)
        if events is not None:
            events.put(event)

    def _item(self, event: TaskEvent) -> Item:
        if not isinstance(event, Made):
            return _packed(event)
        path = self._spool.frame_path(event.key, event.format, event.sha256)
        data = path.read_bytes()
        path.unlink()
        return event.TYPE, to_plain(event), data

    def _make_room(self) -> None:
        """Forget the keyframes that were asked for the longest ago; never the two newest."""
        used = {file for task in self._doing.values() for file in files_of(task)}
        for name in list(self._kept)[:-2]:
            if sum(self._kept.values()) <= _MOST_KEYFRAME_BYTES:
                return
            if name not in used:
                del self._kept[name]
                self._spool.keyframe_path(name).unlink(missing_ok=True)


def files_of(task: GapTask) -> list[str]:
    """The names of the keyframe files that a gap needs, each once."""
    return list(dict.fromkeys(keyframe.file for keyframe in (task.a, task.b, *task.shot)))


def _packed(event: TaskEvent) -> Item:
    return event.TYPE, to_plain(event), None


def _scratch(home: Path) -> Path:
    """A new folder for this process; those of processes that are gone are cleared away."""
    import psutil

    base, host = home / "cache" / "cluster", socket.gethostname()
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in base.iterdir():
        # Of this host alone: a data folder may be on a disk that several share.
        owner, _, pid = folder.name.rpartition("-")
        if owner == host and pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
    return base / f"{host}-{os.getpid()}"
