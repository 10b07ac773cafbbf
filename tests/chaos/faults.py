"""Doing to a site what a plan says, and undoing what can be undone."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil

from .plan import Fault, Kind
from .site import Crowd, Site, has_mounts

VICTIM_SECONDS = 3.0
"""How long a fault waits for somebody whom it can happen to."""
WRITERS_LEAVE = 16 * 1024 * 1024
"""What workers leave free of the disk."""
DAY = 86400.0

Undo = Callable[[], None]
T = TypeVar("T")


@dataclass
class Damage:
    """What faults did to files, and what follows from it for what may be missing."""

    frames: set[str] = field(default_factory=set)
    """Keys of frames whose file was damaged or taken away."""
    keyframes: set[str] = field(default_factory=set)
    """Names of keyframe files that were damaged or taken away."""
    listed: set[str] = field(default_factory=set)
    """Jobs that were in a list whose file was damaged."""


@dataclass
class Faults:
    """What happened to one site."""

    site: Site
    damage: Damage = field(default_factory=Damage)
    happened: Counter[Kind] = field(default_factory=Counter)
    before: Callable[[], None] = lambda: None
    """Called before every fault."""

    def inflict(self, fault: Fault) -> Undo | None:
        """Let a fault happen. None when there was nobody and nothing for it to happen to."""
        self.before()
        undo = _HOW[fault.kind](self, fault)
        if undo is not None:
            self.happened[fault.kind] += 1
        return undo

    # ------------------------------------------------------------ processes

    def kill_server(self, fault: Fault) -> Undo:
        """kill -9 of the gateway's process."""
        self.site.kill_server()
        return self._start_again

    def _start_again(self) -> None:
        if not self.site.is_up:
            self.site.start()

    def kill_worker(self, fault: Fault) -> Undo | None:
        """kill -9 of a worker."""
        return self._signal_worker(fault, signal.SIGKILL)

    def stop_worker(self, fault: Fault) -> Undo | None:
        """SIGSTOP of a worker."""
        return self._signal_worker(fault, signal.SIGSTOP)

    def _signal_worker(self, fault: Fault, number: signal.Signals) -> Undo | None:
        workers = _wait_for(self.site.workers)
        if not workers:
            return None
        worker = workers[int(fault.choice * len(workers))]
        _signal(worker.pid, number)
        return lambda: _signal(worker.pid, signal.SIGCONT)

    def stop_server(self, fault: Fault) -> Undo | None:
        """SIGSTOP of the gateway's process."""
        process = self.site.process
        if process is None or not self.site.is_up:
            return None
        process.send_signal(signal.SIGSTOP)
        return lambda: process.send_signal(signal.SIGCONT)

    def _crowd(self, fault: Fault) -> Crowd | None:
        busy = [crowd for crowd in self.site.crowds if crowd.process is not None and crowd.process.poll() is None]
        return busy[int(fault.choice * len(busy))] if busy else None

    def kill_client(self, fault: Fault) -> Undo | None:
        """kill -9 of a process of clients, which is run again."""
        crowd = self._crowd(fault)
        if crowd is None or crowd.process is None:
            return None
        crowd.process.kill()
        crowd.process.wait(10)
        return crowd.run

    def stop_client(self, fault: Fault) -> Undo | None:
        """SIGSTOP of a process of clients."""
        crowd = self._crowd(fault)
        if crowd is None or crowd.process is None:
            return None
        process = crowd.process
        process.send_signal(signal.SIGSTOP)
        return lambda: process.send_signal(signal.SIGCONT)

    # ------------------------------------------------------------ disk

    def full_disk(self, fault: Fault) -> Undo | None:
        """No room: none at all, too little for a keyframe, or too little for a frame."""
        if not has_mounts():
            return None
        leave = (0, 20_000, WRITERS_LEAVE + 200_000)[int(fault.choice * 3)]
        ballast = self.site.disk / f"ballast-{time.monotonic_ns()}"
        free = os.statvfs(self.site.disk)
        with ballast.open("wb", buffering=0) as file:
            try:
                os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize - leave))
            except OSError:
                _fill(file.fileno())
        return lambda: ballast.unlink(missing_ok=True)

    def read_only(self, fault: Fault) -> Undo | None:
        """The spool cannot be written, not even by root."""
        if not has_mounts():
            return None
        spool = str(self.site.home / "spool")
        if not os.path.isdir(spool):
            return None
        _mount("--bind", spool, spool)
        _mount("-o", "remount,ro,bind", spool)

        def undo() -> None:
            subprocess.run(["umount", "-l", spool], check=True)

        return undo

    def damage_database(self, fault: Fault) -> Undo:
        """A page of the job list turns into something else, while the server runs or while it is down."""
        lives = fault.amount < 0 and self.site.is_up
        if not lives:
            self.site.kill_server()
        path = self.site.home / "jobs.sqlite3"
        self.damage.listed |= _listed(path, checkpoint=not lives)
        if path.exists():
            _scribble(path, fault)

        def undo() -> None:
            self.site.kill_server()
            self.site.start()

        return undo

    def damage_frame(self, fault: Fault) -> Undo | None:
        """A finished frame's file has other bytes, is cut short, or is gone."""
        path = self._file(fault, "frames/*/*")
        if path is None:
            return None
        self.damage.frames.add(path.name[:64])
        return _spoil(path, fault)

    def damage_keyframe(self, fault: Fault) -> Undo | None:
        """The same of a keyframe."""
        path = self._file(fault, "keyframes/*")
        if path is None:
            return None
        self.damage.keyframes.add(path.name)
        return _spoil(path, fault)

    def _file(self, fault: Fault, pattern: str) -> Path | None:
        found = _wait_for(
            lambda: sorted((self.site.home / "spool").glob(pattern), key=lambda path: path.stat().st_mtime)
        )
        # Of the newest ones, which somebody still wants.
        return found[-1 - int(fault.choice * min(len(found), 12))] if found else None

    # ------------------------------------------------------------ clock and network

    def set_clock(self, fault: Fault) -> Undo:
        """The wall clock jumps by seconds to hundreds of days, there or back."""
        days = abs(fault.amount) ** 4 * 400
        self.site.set_clock(self.site.clock + (days * DAY if fault.amount > 0 else -days * DAY))
        return _nothing

    def slow(self, fault: Fault) -> Undo:
        """Connections through the proxy crawl."""
        self.site.proxy.slow = True

        def undo() -> None:
            self.site.proxy.slow = False

        return undo

    def stall(self, fault: Fault) -> Undo:
        """Connections through the proxy stay open, and nothing passes."""
        self.site.proxy.stalled = True

        def undo() -> None:
            self.site.proxy.stalled = False

        return undo

    def cut(self, fault: Fault) -> Undo:
        """Connections through the proxy end."""
        self.site.proxy.cut()
        return _nothing


_HOW: dict[Kind, Callable[[Faults, Fault], Undo | None]] = {
    Kind.KILL_SERVER: Faults.kill_server,
    Kind.KILL_WORKER: Faults.kill_worker,
    Kind.KILL_CLIENT: Faults.kill_client,
    Kind.STOP_SERVER: Faults.stop_server,
    Kind.STOP_WORKER: Faults.stop_worker,
    Kind.STOP_CLIENT: Faults.stop_client,
    Kind.FULL_DISK: Faults.full_disk,
    Kind.READ_ONLY: Faults.read_only,
    Kind.DAMAGE_DATABASE: Faults.damage_database,
    Kind.DAMAGE_FRAME: Faults.damage_frame,
    Kind.DAMAGE_KEYFRAME: Faults.damage_keyframe,
    Kind.SET_CLOCK: Faults.set_clock,
    Kind.SLOW: Faults.slow,
    Kind.STALL: Faults.stall,
    Kind.CUT: Faults.cut,
}


def _nothing() -> None:
    """It cannot be undone."""


def _wait_for(look: Callable[[], list[T]]) -> list[T]:
    end = time.monotonic() + VICTIM_SECONDS
    while True:
        try:
            found = look()
        except FileNotFoundError:
            found = []
        if found or time.monotonic() >= end:
            return found
        time.sleep(0.02)


def _signal(pid: int, number: signal.Signals) -> None:
    # It may have ended in the meantime.
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).send_signal(number)


def _fill(file: int) -> None:
    for piece in (65536, 4096, 1):
        try:
            while True:
                os.write(file, b"x" * piece)
        except OSError:
            continue


def _mount(*arguments: str) -> None:
    """Mount; again where somebody has a file open for writing."""
    end = time.monotonic() + 5.0
    while subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode:
        assert time.monotonic() < end, f"mount {arguments} does not work"
        time.sleep(0.01)


def _listed(path: Path, checkpoint: bool) -> set[str]:
    """The jobs in a list, before it is damaged; with `checkpoint`, all of it is in the file itself afterwards."""
    if not path.exists():
        return set()
    connection = sqlite3.connect(path, timeout=5.0)
    try:
        jobs = {row[0] for row in connection.execute("SELECT id FROM jobs")}
        if checkpoint:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.DatabaseError:
        return set()  # It has been damaged before.
    finally:
        connection.close()
    return jobs


def _scribble(path: Path, fault: Fault) -> None:
    """Overwrite a stretch of one page."""
    pages = path.stat().st_size // 4096
    chance = random.Random(fault.choice)
    with path.open("r+b") as file:
        file.seek(4096 * chance.randrange(max(1, pages)) + chance.choice((0, 0, 100, 1000, 3000)))
        file.write(chance.randbytes(1000))


def _spoil(path: Path, fault: Fault) -> Undo | None:
    try:
        size = path.stat().st_size
        if fault.amount > 0.4:
            path.unlink()
        elif fault.amount > 0:
            os.truncate(path, size // 2)
        else:
            with path.open("r+b") as file:
                file.seek(size // 2)
                byte = file.read(1)
                file.seek(size // 2)
                file.write(bytes([byte[0] ^ 0x20]))
    except OSError:
        return None  # Gone in the meantime, or read-only.
    return _nothing
