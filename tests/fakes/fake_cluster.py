"""A cluster without Ray: nodes that make frames of any bytes, are slow, are lost, or lack models, as tests like."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import Scalar, WorkerInfo
from tweenbridge_server.executors.base import (
    Advanced,
    Computed,
    Cost,
    Died,
    Finished,
    FrameOrder,
    GapTask,
    KeyframeFile,
    Made,
    Related,
    Stopped,
    TaskEvent,
)
from tweenbridge_server.executors.cluster.fitting import Wish
from tweenbridge_server.executors.cluster.layer import Heard, Lost, Unfit
from tweenbridge_server.executors.cluster.messages import NodeInfo, Standing
from tweenbridge_server.jobs.plan import Relation

PNG = PixelFormat(Encoding.PNG)


def node(name: str, cpus: float = 1.0, gpus: float = 0.0, problem: str = "") -> NodeInfo:
    return NodeInfo(name, name, "127.0.0.1", cpus, gpus, version="1", fingerprint="f", python="3.11", problem=problem)


def key(number: int) -> str:
    return f"{number:064x}"


def task(name: str, spool: Path, count: int = 4, first: int = 1, identity: str = "") -> GapTask:
    keyframe = KeyframeFile("0" * 64 + ".png", PNG, "k")
    frames = tuple(FrameOrder(key(first + n), (n + 1) / (count + 1)) for n in range(count))
    return GapTask(name, name, 0, str(spool), "blend", "plain", {}, keyframe, keyframe, frames, identity=identity)


@dataclass
class FakeHand:
    """An actor. `frame` seconds go into every frame, `common` into every part."""

    cluster: FakeCluster
    node: NodeInfo
    name: str
    stopped: set[str] = field(default_factory=set)
    gone: threading.Event = field(default_factory=threading.Event)
    parts: list[GapTask] = field(default_factory=list)
    closed: bool = False

    def wait(self) -> int:
        if self.node.name in self.cluster.refusing:
            raise Lost(f"Node {self.node.name} did not answer in time.")
        return 4711

    def run(self, task: GapTask, wish: Wish, spool: Path) -> Iterator[tuple[Sequence[Heard], WorkerInfo | None]]:
        self.parts.append(task)
        cluster = self.cluster
        if self.node.name in cluster.lacking:
            raise Unfit(TweenbridgeError(ErrorCode.MODEL_MISSING, f"The model is not on {self.node.name}.").info)
        worker = WorkerInfo(self.name, 5, "busy", 1000)
        self._sleep(cluster.common)
        yield [(Related(Relation.MOTION), None), (Advanced(0.0, "drawing"), None)], worker
        for number, frame in enumerate(task.frames):
            if task.id in self.stopped:
                yield [(Stopped(), None)], worker
                return
            self._sleep(cluster.frame)
            cluster.made.append(frame.key)
            data = b"" if self.node.name in cluster.damaging else frame.key.encode()
            made = Made(frame.key, PNG, hashlib.sha256(frame.key.encode()).hexdigest(), 64, Relation.MOTION)
            yield [(made, data), (Advanced((number + 1) / len(task.frames), "drawing"), None)], worker
            if self.node.name in cluster.dying:
                yield [(Died("The worker ended."), None)], worker
                return
        yield [(Computed(Cost(cluster.common, cluster.frame, 0.0, cluster.together)), None)], worker
        yield [(Finished(), None)], worker

    def _sleep(self, seconds: float) -> None:
        if self.gone.wait(seconds):
            raise Lost(f"The actor on node {self.node.name} is gone.")

    def prepare(self, engine: str, profile: str, settings: dict[str, Scalar], wish: Wish) -> None:
        self.cluster.prepared.append(self.name)

    def expect(self, name: str, spool: Path) -> None:
        self.cluster.prepared.append(name)

    def cancel(self, task: str) -> None:
        if self.node.name not in self.cluster.deaf:
            self.stopped.add(task)

    def close(self) -> None:
        self.closed = True
        self.gone.set()

    def kill(self) -> None:
        self.gone.set()


@dataclass
class FakeCluster:
    """See `layer.Layer`. Sets of node names say which misbehave, and how."""

    common: float = 0.0
    frame: float = 0.0
    together: int = 1
    hands: list[FakeHand] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    prepared: list[str] = field(default_factory=list)
    refusing: set[str] = field(default_factory=set)
    lacking: set[str] = field(default_factory=set)
    damaging: set[str] = field(default_factory=set)
    dying: set[str] = field(default_factory=set)
    deaf: set[str] = field(default_factory=set)

    def nodes(self) -> tuple[NodeInfo, ...]:
        return ()

    def hire(self, node: NodeInfo, name: str, threads: int) -> FakeHand:
        self.hands.append(FakeHand(self, node, name))
        return self.hands[-1]


@dataclass
class Ear:
    """Remembers what is reported."""

    heard: list[tuple[str, TaskEvent | Standing]] = field(default_factory=list)

    def __call__(self, task: str, event: TaskEvent | Standing) -> None:
        self.heard.append((task, event))

    def of(self, task: str, *kinds: type) -> list[TaskEvent | Standing]:
        return [event for name, event in self.heard if name == task and (not kinds or isinstance(event, kinds))]

    def wait(self, task: str, kind: type, seconds: float = 10.0, count: int = 1) -> TaskEvent | Standing:
        end = time.monotonic() + seconds
        while len(self.of(task, kind)) < count:
            assert time.monotonic() < end, self.heard
            time.sleep(0.002)
        return self.of(task, kind)[count - 1]
