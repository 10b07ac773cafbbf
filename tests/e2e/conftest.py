"""A real server, started by the real command line, in a data folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from tweenbridge.discovery import read_address

FAKES = str(Path(__file__).resolve().parents[1] / "fakes")
if FAKES not in sys.path:
    sys.path.insert(0, FAKES)

import bench  # noqa: E402 - found by the line above

Picture = NDArray[Any]

PATIENCE = 120.0
"""Seconds that anything may take on a slow, busy machine."""


@dataclass
class Studio:
    """A working folder and a data folder, and the command line as a user has it there."""

    folder: Path
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        """Start `tweenbridge` with arguments."""
        command = [sys.executable, "-m", "tweenbridge_server", *(str(argument) for argument in arguments)]
        environment = {**os.environ, "TWEENBRIDGE_HOME": str(self.home), **self.environment}
        return subprocess.Popen(
            command, cwd=self.folder, env=environment, text=True, encoding="utf-8",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        )  # fmt: skip

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run `tweenbridge` with arguments to its end."""
        with self.start(*arguments) as process:
            try:
                output, errors = process.communicate(timeout=PATIENCE)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def expect(self, *arguments: object) -> str:
        """Run `tweenbridge`, which must succeed; returns what it printed."""
        result = self.run(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def server(self) -> psutil.Process | None:
        """The server's process."""
        address = read_address(self.home)
        return psutil.Process(address.pid) if address and psutil.pid_exists(address.pid) else None

    def worker(self) -> psutil.Process | None:
        """The worker's process: the server's child that holds the most memory."""
        server = self.server()
        children = server.children(recursive=True) if server else []
        return max(children, key=lambda child: child.memory_info().rss, default=None)

    def waited(self, *others: int) -> float:
        """Seconds that the server, its workers and other processes were ready to run and had no processor.

        On a machine that is busy with other things that is most of the time that anything takes. Of each process the
        thread that waited most counts. 0 where the system does not tell.
        """
        server = self.server()
        own = [server.pid, *(child.pid for child in server.children(recursive=True))] if server else []
        return sum(_waited(pid) for pid in (*own, *others))

    def shut(self) -> None:
        """End the server and its workers, whatever state they are in."""
        server = self.server()
        for process in [*(server.children(recursive=True) if server else []), *([server] if server else [])]:
            try:
                process.kill()
                process.wait(10)
            except psutil.NoSuchProcess:
                continue


def _waited(pid: int) -> float:
    """Seconds that a process's thread waited for a processor: the second number of Linux's schedstat, in ns."""
    waits = [0.0]
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # the thread has ended
            waits.append(int(path.read_text().split()[1]) / 1e9)
    return max(waits)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = Studio(tmp_path / "work", tmp_path / "home")
    studio.folder.mkdir()
    yield studio
    studio.shut()


def install_blend(studio: Studio) -> Studio:
    """Have the blend engine there: it goes on in the middle of a job when it is told to (`bench.go_on`)."""
    studio.environment = bench.environment(studio.home)
    studio.home.mkdir(exist_ok=True)
    bench.engine_log(studio.home).touch()
    return studio


@pytest.fixture
def blending(studio: Studio) -> Studio:
    """A studio in which the blend engine is installed."""
    return install_blend(studio)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One studio for the tests of a file that do no harm to its server."""
    base = tmp_path_factory.mktemp("studio")
    studio = Studio(base / "work", base / "home")
    studio.folder.mkdir()
    yield studio
    studio.shut()


def until(what: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Wait until something is true, and return it."""
    ends = time.monotonic() + patience
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.02)


def interrupt(process: subprocess.Popen[str]) -> None:
    """Ctrl-C."""
    process.send_signal(signal.SIGINT)


def picture(shift: int, width: int = 320, height: int = 180) -> Picture:
    """A textured ground with a textured square on it, which has moved right by `shift` pixels; (H, W, 3) uint8."""
    random = np.random.default_rng(1)
    ground = cv2.resize(random.integers(40, 180, (height // 8, width // 8, 3), np.uint8), (width, height))
    side = height // 3
    square = cv2.resize(random.integers(120, 255, (side // 5, side // 5, 3), np.uint8), (side, side))
    image = np.ascontiguousarray(ground)
    left, top = width // 5 + shift, height // 3
    image[top : top + side, left : left + side] = square
    return image


def draw(path: Path, shift: int, width: int = 320, height: int = 180) -> Path:
    """Write such a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture(shift, width, height))
    return path


def frames(folder: Path, ending: str = "png") -> list[Path]:
    """The in-betweens in a folder, in order."""
    return sorted(folder.glob(f"inbetween_*.{ending}"))
