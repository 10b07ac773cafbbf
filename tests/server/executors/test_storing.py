"""Frames on their way to the disk while the next gap is computed."""

from __future__ import annotations

import errno
import hashlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench import flat
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol.errors import ErrorCode
from tweenbridge.protocol.messages import Scalar
from tweenbridge_server.engines import registry
from tweenbridge_server.engines.base import Frame, Gap, Progress
from tweenbridge_server.executors.base import (
    Computed,
    Died,
    Failed,
    Finished,
    FrameOrder,
    GapTask,
    KeyframeFile,
    Made,
    Stopped,
    TaskEvent,
    WorkerSettings,
)
from tweenbridge_server.executors.local import LocalExecutor
from tweenbridge_server.executors.pipe import Happened
from tweenbridge_server.executors.storing import Batch, Storing
from tweenbridge_server.executors.worker import Worker
from tweenbridge_server.imaging import io
from tweenbridge_server.jobs.spool import Spool


def _break() -> None:
    raise OSError(errno.ENOSPC, "full")


def test_what_goes_wrong_belongs_to_its_own_batch() -> None:
    storing = Storing()
    first, second = Batch(storing), Batch(storing)
    told: list[tuple[str, BaseException | None]] = []
    first.put(_break)
    second.put(lambda: None)
    first.when_stored(lambda error: told.append(("first", error)))
    second.when_stored(lambda error: told.append(("second", error)))
    assert second.wait() is None
    assert isinstance(first.wait(), OSError)
    with pytest.raises(OSError):
        first.put(lambda: None)
    second.put(lambda: None)
    storing.thread.shutdown()
    assert [name for name, _ in told] == ["first", "second"]
    assert isinstance(told[0][1], OSError) and told[1][1] is None


def test_batches_share_the_room() -> None:
    storing, go = Storing(), threading.Event()
    first, second = Batch(storing), Batch(storing)

    def wait() -> None:
        assert go.wait(10)

    first.put(wait)
    first.put(lambda: None)
    third = threading.Thread(target=lambda: second.put(lambda: None))
    third.start()
    third.join(0.1)
    assert third.is_alive(), "two frames are in memory: a third one waits, whichever gap it is of"
    go.set()
    third.join(10)
    assert second.wait() is None


def task(spool: Spool, name: str, first: int, frames: int = 1) -> GapTask:
    """A gap from one flat grey to another, its keyframes in the spool."""
    keyframes = []
    for level in (first, first + 100):
        file = f"{hashlib.sha256(flat(level)).hexdigest()}.png"
        spool.keyframe_path(file).write_bytes(flat(level))
        keyframes.append(KeyframeFile(file, PixelFormat(Encoding.PNG), f"keyframe {level}"))
    orders = tuple(FrameOrder(f"{first:032x}{number:032x}", 0.5) for number in range(frames))
    return GapTask(name, name, 0, str(spool.root), "mix", "", {}, keyframes[0], keyframes[1], orders)


class Mixing:
    """An engine."""

    def interpolate(
        self, gap: Gap, times: Sequence[float], profile: str, settings: Mapping[str, Scalar], progress: Progress
    ) -> Iterator[Frame]:
        for t in times:
            yield Frame(t, (gap.a + gap.b) * np.float32(0.5))


class Scene:
    """A worker without a server, whose frames are stored when the test says so; those of `broken` gaps are not."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.spool = Spool(home)
        self.spool.create()
        self.events: list[tuple[str, TaskEvent]] = []
        self.go = threading.Event()
        self.broken: set[int] = set()
        write = io.write

        def slow(
            path: Path, pixels: np.ndarray, like: io.Still, output: PixelFormat | None = None, threads: int = 1
        ) -> PixelFormat:
            assert self.go.wait(10)
            if round(float(like.pixels[0, 0, 0]) * 255) in self.broken:
                _break()
            return write(path, pixels, like, output, threads)

        monkeypatch.setattr(io, "write", slow)
        monkeypatch.setattr(registry, "create", lambda name: Mixing())
        monkeypatch.setattr(Worker, "_report", lambda _, task, event: self.events.append((task, event)))
        nothing = (home / "nothing").open("w+b")
        self.worker = Worker(nothing, nothing, "cpu", home, False)

    def wait_for_the_end(self, tasks: int) -> None:
        end = time.monotonic() + 10
        while len(self.of(Finished, Failed, Stopped)) < tasks:
            assert time.monotonic() < end, self.events
            time.sleep(0.005)

    def of(self, *kinds: type) -> list[tuple[str, str]]:
        return [(task, type(event).__name__) for task, event in self.events if isinstance(event, kinds)]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch)


def test_the_next_gap_is_computed_while_the_last_one_is_stored(scene: Scene) -> None:
    scene.worker._do(task(scene.spool, "one", 10))
    scene.worker._do(task(scene.spool, "two", 50))
    assert scene.of(Computed, Made, Finished) == [("one", "Computed"), ("two", "Computed")]
    scene.go.set()
    scene.wait_for_the_end(2)
    assert scene.of(Made, Finished) == [("one", "Made"), ("one", "Finished"), ("two", "Made"), ("two", "Finished")]


def test_a_frame_that_cannot_be_stored_fails_its_own_gap(scene: Scene) -> None:
    scene.broken = {10}
    scene.worker._do(task(scene.spool, "one", 10))
    scene.worker._do(task(scene.spool, "two", 50))
    scene.go.set()
    scene.wait_for_the_end(2)
    assert scene.of(Made, Failed, Finished) == [("one", "Failed"), ("two", "Made"), ("two", "Finished")]
    (failed,) = [event for _, event in scene.events if isinstance(event, Failed)]
    assert failed.error.code is ErrorCode.DISK_FULL
    assert not failed.detail
    assert list(scene.spool.temporary.iterdir()) == []


class DeadWorker:
    """What is left of a worker process."""

    pid = 1 << 30

    def send(self, command: object) -> None:
        """Takes everything."""

    def epitaph(self) -> str:
        return "It died."


def test_a_death_counts_once_for_the_gap_at_hand_and_the_one_being_stored(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    (tmp_path / "spool").mkdir()
    spool.create()
    executor = LocalExecutor(tmp_path, WorkerSettings())
    told: list[tuple[str, TaskEvent]] = []
    executor._on_event = lambda name, event: told.append((name, event))
    worker: Any = DeadWorker()
    for death in ("at work", "storing"):
        told.clear()
        executor._slots[0].worker = worker
        executor._run(task(spool, "one", 10))
        executor._happened(worker, Happened("one", Computed()))
        assert not executor._slots[0].is_idle
        if death == "at work":
            executor._run(task(spool, "two", 50))
        executor._exited(worker)
        rest: list[tuple[str, TaskEvent]] = [("one", Stopped()), ("two", Died("It died."))]
        assert told[1:] == (rest if death == "at work" else [("one", Died("It died."))])
    executor._slots[0].worker = worker
    executor._run(task(spool, "one", 10))
    executor._happened(worker, Happened("one", Computed()))
    executor._happened(worker, Happened("one", Finished()))
    assert executor._slots[0].is_idle
