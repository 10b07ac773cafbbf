"""One data folder on a small disk of its own, the real server on it, and clients around it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from fakes.proxy import Proxy
from tweenbridge.discovery import read_address, remove_address, write_address

from .crowd_program import write_plan
from .keeping import keep
from .plan import ClientPlan

HERE = Path(__file__).resolve().parent
DISK_MEGABYTES = 160
START_SECONDS = 30.0


def has_mounts() -> bool:
    """Whether this machine lets us have a small disk and a folder that is read-only even for us."""
    return sys.platform.startswith("linux") and hasattr(os, "geteuid") and os.geteuid() == 0


@dataclass
class Crowd:
    """A process of clients. `process` is None between a kill and the next run."""

    plan: Path
    log: Path
    process: subprocess.Popen[bytes] | None = None
    stopped: bool = False

    def run(self) -> None:
        """Start it, or start it again."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "crowd_program.py"), str(self.plan)], stderr=log
            )

    @property
    def is_through(self) -> bool:
        """Whether its clients have all they wanted."""
        return self.process is not None and self.process.poll() == 0


@dataclass
class Site:
    """A server and its surroundings, in the folder `base`."""

    base: Path
    settings: dict[str, str] = field(default_factory=dict)
    """Of the server, as variables of its environment."""
    name: str = "chaos"
    """What the folder is called that is kept when something fails."""
    crowds: list[Crowd] = field(default_factory=list)
    journals: list[list[Path]] = field(default_factory=list)
    """Of each round."""
    process: subprocess.Popen[bytes] | None = None
    refusals: list[str] = field(default_factory=list)
    """What servers said that would not start."""
    clock: float = 0.0
    started_workers: set[int] = field(default_factory=set)
    all_servers: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.disk = self.base / "disk"
        self.home = self.disk / "home"
        self.near = self.base / "through-proxy"
        """A data folder that tells where the server is as seen through the proxy."""
        self.engine_log = self.base / "blend.log"
        self._clock_file = self.base / "clock"
        self._errors = self.base / "server.err"
        self._began = time.monotonic()
        self.disk.mkdir(parents=True)
        if has_mounts():
            options = f"size={DISK_MEGABYTES}m"
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.disk)], check=True)
        self.home.mkdir()
        self.engine_log.touch()
        self.set_clock(0.0)
        self.proxy = Proxy()

    def __enter__(self) -> Site:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        try:
            if error is not None:
                keep(self.name, self.base, self.home, error, self._processes())
        finally:
            self.close()

    def note(self, what: str) -> None:
        """Write down when something happened, for whoever has to find out why a round failed."""
        with (self.base / "timeline.txt").open("a") as timeline:
            timeline.write(f"{time.monotonic() - self._began:8.2f} s  {what}\n")

    def _processes(self) -> list[int]:
        """The server, its workers and all clients that were started last."""
        crowds = [crowd.process.pid for crowd in self.crowds if crowd.process is not None]
        return [*self.all_servers, *self.started_workers, *crowds]

    # ------------------------------------------------------------ server

    def start(self) -> bool:
        """Start the server and wait until it listens. False when it ended instead; `refusals` has what it said."""
        before = read_address(self.home)
        self._errors.write_bytes(b"")
        with self._errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "server_program.py")],
                env=self._environment(), stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
            )  # fmt: skip
        self.all_servers.add(self.process.pid)
        self.note(f"server {self.process.pid} is being started")
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            address = read_address(self.home)
            if address is not None and address != before and address.pid == self.process.pid:
                self.proxy.target = ("127.0.0.1", urlsplit(address.endpoint).port or 0)
                write_address(replace(address, endpoint=f"tcp://127.0.0.1:{self.proxy.port}"), self.near)
                self.note(f"server {self.process.pid} listens")
                return True
            if self.process.poll() is not None:
                self.refusals.append(self._errors.read_text())
                self.note(f"server {self.process.pid} ended: {self.refusals[-1].strip()[-300:]}")
                return False
            time.sleep(0.01)
        raise AssertionError(f"the server neither started nor ended: {self._errors.read_text()}")

    def _environment(self) -> dict[str, str]:
        fakes = HERE.parent / "fakes"
        path = os.pathsep.join([str(fakes), *filter(None, [os.environ.get("PYTHONPATH")])])
        return {
            **os.environ,
            "TWEENBRIDGE_HOME": str(self.home),
            "PYTHONPATH": path,
            "BLEND_ENGINE_LOG": str(self.engine_log),
            "CHAOS_CLOCK": str(self._clock_file),
            "TWEENBRIDGE_RETENTION_HISTORY": "100000",
            **self.settings,
        }

    @property
    def is_up(self) -> bool:
        """Whether the server's process is there."""
        return self.process is not None and self.process.poll() is None

    def kill_server(self) -> None:
        """End the server as a crash would."""
        if self.process is not None:
            self.workers()
            self.process.kill()
            self.process.wait(10)

    def ensure_server(self, seconds: float = 20.0) -> None:
        """See that a server runs, as clients do who start it. It must within that time."""
        end = time.monotonic() + seconds
        while not self.is_up and not self.start():
            assert time.monotonic() < end, f"the server does not start any more: {self.refusals[-1]}"

    def stop_in_order(self) -> None:
        """End the server as `kill` does without a number."""
        assert self.process is not None
        self.workers()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)

    def workers(self) -> list[psutil.Process]:
        """The server's children, oldest first; dead ones that nobody buried are none."""
        if not self.is_up or self.process is None:
            return []
        try:
            children = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        self.started_workers.update(child.pid for child in children)
        return sorted(children, key=lambda child: child.pid)

    def left_running(self) -> list[int]:
        """Processes of servers that ended, and of their workers, that are still there."""
        own = {child.pid for child in self.workers()} | ({self.process.pid} if self.is_up and self.process else set())
        return [pid for pid in (self.started_workers | self.all_servers) - own if _is_alive(pid)]

    # ------------------------------------------------------------ clients

    def send(self, name: str, clients: Sequence[ClientPlan], through_proxy: bool) -> Crowd:
        """Set clients to work."""
        plan, journal = self.base / f"{name}.json", self.base / f"{name}.journal"
        write_plan(plan, self.near if through_proxy else self.home, journal, clients)
        crowd = Crowd(plan, self.base / f"{name}.err")
        crowd.run()
        self.crowds.append(crowd)
        self.journals[-1].append(journal)
        return crowd

    # ------------------------------------------------------------ clock and end

    def set_clock(self, seconds: float) -> None:
        """Have the server's wall clock show that many seconds more than it is."""
        self.clock = seconds
        part = self._clock_file.with_suffix(".part")
        part.write_text(repr(seconds))
        part.replace(self._clock_file)

    def close(self) -> None:
        """End everything, whatever state it is in."""
        for crowd in self.crowds:
            if crowd.process is not None and crowd.process.poll() is None:
                crowd.process.kill()
                crowd.process.wait(10)
        self.kill_server()
        for pid in self.left_running():
            _end(pid)
        self.proxy.close()
        remove_address(self.near, self.process.pid if self.process else 0)
        if has_mounts():
            subprocess.run(["umount", "-l", str(self.home / "spool")], capture_output=True, check=False)
            subprocess.run(["umount", "-l", str(self.disk)], check=True)


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _end(pid: int) -> None:
    try:
        process = psutil.Process(pid)
        process.kill()
        process.wait(10)
    except psutil.NoSuchProcess:
        return
