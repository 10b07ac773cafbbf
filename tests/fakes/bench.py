"""A job service with real workers and the blend engine, for tests; small keyframes; what was computed."""

from __future__ import annotations

import hashlib
import os
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol.limits import Limits
from tweenbridge.protocol.messages import (
    Accepted,
    JobInfo,
    JobRequest,
    JobState,
    Keyframe,
    Priority,
    Submit,
)
from tweenbridge.timing import Timing
from tweenbridge_server.executors.base import Executor, WorkerSettings
from tweenbridge_server.executors.local import LocalExecutor
from tweenbridge_server.jobs.service import Change, JobService, Preview, Retention

FAKES = Path(__file__).parent


def png(width: int, height: int, rows: bytes) -> bytes:
    """An 8-bit RGB PNG of rows without filter bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    stride = 3 * width
    lines = b"".join(b"\0" + rows[y * stride : (y + 1) * stride] for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def flat(level: int, width: int = 16, height: int = 12) -> bytes:
    """A PNG of one grey, which relates to any other as motion."""
    return png(width, height, bytes([level % 256]) * (3 * width * height))


def keyframe(data: bytes, position: int, encoding: Encoding = Encoding.PNG) -> Keyframe:
    return Keyframe(hashlib.sha256(data).hexdigest(), len(data), PixelFormat(encoding), position, f"k{position}.png")


def request(pictures: Sequence[bytes], count: int = 3, **changes: Any) -> JobRequest:
    """A blend request of these PNG files, `count` in-betweens in every gap."""
    fields: dict[str, Any] = {"timing": Timing(count=count), "engine": "blend", **changes}
    return JobRequest(tuple(keyframe(data, index * 100) for index, data in enumerate(pictures)), **fields)


def engine_log(home: Path) -> Path:
    """Where the blend engine writes down what it computes: beside the data folder, which may be on a full disk."""
    return home.with_name(f"{home.name}-blend.log")


def go_on(home: Path) -> None:
    """Let the blend engine go on where its mischief is to wait."""
    with engine_log(home).open("a") as log:
        log.write("go on\n")


def computed(home: Path) -> Counter[str]:
    """How often each frame was computed, by keyframes and time."""
    log = engine_log(home)
    lines = log.read_text().splitlines() if log.exists() else []
    return Counter(" ".join(line.split()[2:]) for line in lines if line.startswith("frame"))


def environment(home: Path) -> dict[str, str]:
    """What a worker needs to find the blend engine and its log."""
    path = os.pathsep.join([str(FAKES), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"PYTHONPATH": path, "BLEND_ENGINE_LOG": str(engine_log(home))}


class Bench:
    """A running service in a folder, and short ways to use it."""

    def __init__(
        self,
        home: Path,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        retention: Retention = Retention(),  # noqa: B008 - frozen
        executor: Executor | None = None,
        **settings: Any,
    ) -> None:
        """`settings` are of the workers, where no other executor is given."""
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.log = engine_log(home)
        self.log.touch()
        self.executor = executor or LocalExecutor(home, WorkerSettings(environment=environment(home), **settings))
        self.changes: list[Change] = []
        self.previews: list[Preview] = []
        self._changed = threading.Condition()
        self.service = JobService(home, limits, retention, self.executor, self._on_change, self.previews.append)
        self.service.start()

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.service.close()

    def _on_change(self, change: Change) -> None:
        with self._changed:
            self.changes.append(change)
            self._changed.notify_all()

    def submit(
        self, job: str, wanted: JobRequest, owner: str = "test", priority: Priority = Priority.NORMAL
    ) -> Accepted:
        return self.service.submit(Submit(job, wanted, priority=priority), owner)

    def send(self, job: str, pictures: Sequence[bytes], wanted: JobRequest | None = None, **how: Any) -> Accepted:
        """Submit and put what is needed."""
        accepted = self.submit(job, wanted or request(pictures), **how)
        for index in accepted.need:
            self.service.put(job, index, memoryview(pictures[index]))
        return accepted

    def wait(self, job: str, *states: JobState, seconds: float = 30.0) -> JobInfo:
        """The job once it is in one of the states (a final one where none is named)."""
        end = time.monotonic() + seconds
        while True:
            info = self.service.info(job)
            if info.state in states or (not states and info.state.is_final):
                return info
            assert time.monotonic() < end, f"job {job} is still {info}"
            time.sleep(0.005)

    def wait_for(self, condition: Any, seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.005)

    def bytes_of(self, job: str, frame: int) -> bytes:
        """A frame's bytes, checked against its hash."""
        stored = self.service.frame(job, frame)
        data = stored.path.read_bytes()
        assert len(data) == stored.size
        assert hashlib.sha256(data).hexdigest() == stored.sha256
        return data

    def computed(self) -> Counter[str]:
        """How often each frame was computed, by keyframes and time."""
        return computed(self.home)

    def ready_of(self, job: str) -> list[int]:
        """All drawings that changes announced for the job, in order."""
        return [index for change in self.changes if change.job == job for index in change.ready]
