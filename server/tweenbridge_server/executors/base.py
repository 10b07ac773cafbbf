"""What an executor is: it runs gap tasks somewhere and reports what happens. It knows nothing of jobs.

Tasks and events are small frozen dataclasses that also cross the pipe to a worker process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from tweenbridge.pixels import PixelFormat
from tweenbridge.protocol.errors import ErrorInfo
from tweenbridge.protocol.messages import Scalar, WorkerInfo

from ..jobs.plan import Relation


@dataclass(frozen=True)
class KeyframeFile:
    """One keyframe in the spool: its file's name, the form its sender declared, and what the user calls it."""

    file: str
    format: PixelFormat
    name: str


@dataclass(frozen=True)
class FrameOrder:
    """One frame to make: its content address and its time in the gap."""

    key: str
    t: float


@dataclass(frozen=True)
class GapTask:
    """The missing frames of one gap. `job` and `gap` are for people who read logs.

    Attributes:
        identity: of the model that the frames' keys stand for; "" where the engine has none.
        shot: all keyframes of the job, for engines that look at them; () for others.
    """

    id: str
    job: str
    gap: int
    spool: str
    engine: str
    profile: str
    settings: dict[str, Scalar]
    a: KeyframeFile
    b: KeyframeFile
    frames: tuple[FrameOrder, ...]
    output: PixelFormat | None = None
    identity: str = ""
    shot: tuple[KeyframeFile, ...] = ()


@dataclass(frozen=True)
class Related:
    """How the task's keyframes relate; comes before its frames."""

    TYPE: ClassVar[str] = "related"
    relation: Relation


@dataclass(frozen=True)
class Made:
    """A frame lies in the spool under its final name."""

    TYPE: ClassVar[str] = "made"
    key: str
    format: PixelFormat
    sha256: str
    size: int
    relation: Relation


@dataclass(frozen=True)
class Advanced:
    """`fraction` of the task is done and `stage` comes next."""

    TYPE: ClassVar[str] = "advanced"
    fraction: float
    stage: str


@dataclass(frozen=True)
class Noted:
    """The engine has something to tell the user about the gap."""

    TYPE: ClassVar[str] = "noted"
    code: str
    message: str


@dataclass(frozen=True)
class Previewed:
    """An unfinished in-between, small: the bytes of a PNG of that many pixels."""

    TYPE: ClassVar[str] = "previewed"
    t: float
    width: int
    height: int
    png: bytes


@dataclass(frozen=True)
class Loaded:
    """The worker holds this model in memory, of no task in particular: its place, and the bytes it took there."""

    TYPE: ClassVar[str] = "loaded"
    model: str
    memory: int


@dataclass(frozen=True)
class Cost:
    """What a task has taken, in seconds: what all its frames have in common, each of them, and loading the model.

    Attributes:
        together: frames that the engine computes at once. A gap that is parted at multiples of it has the same frames,
            bit for bit; 0 where the engine does not promise that.
    """

    common: float = 0.0
    each: float = 0.0
    loading: float = 0.0
    together: int = 0


@dataclass(frozen=True)
class Computed:
    """All frames of the task are computed, and the last of them are being stored: its slot is free."""

    TYPE: ClassVar[str] = "computed"
    cost: Cost = Cost()


@dataclass(frozen=True)
class Finished:
    """All frames of the task are made."""

    TYPE: ClassVar[str] = "finished"


@dataclass(frozen=True)
class Failed:
    """The task cannot be done; `detail` is for the log."""

    TYPE: ClassVar[str] = "failed"
    error: ErrorInfo
    detail: str = ""


@dataclass(frozen=True)
class Stopped:
    """The task was cancelled."""

    TYPE: ClassVar[str] = "stopped"


@dataclass(frozen=True)
class Died:
    """The worker ended in the middle of the task; `reason` is one sentence."""

    TYPE: ClassVar[str] = "died"
    reason: str


@dataclass(frozen=True)
class Room:
    """Of no task: another number of tasks may run at once now. `Executor.slots` says how many."""

    TYPE: ClassVar[str] = "room"


TaskEvent = (
    Related | Made | Advanced | Noted | Previewed | Loaded | Computed | Finished | Failed | Stopped | Died | Room
)
"""What happens to a task."""

FINAL = (Finished, Failed, Stopped, Died)
"""The events that end a task: exactly one of them comes, and nothing after it."""

OnEvent = Callable[[str, TaskEvent], None]
"""Called with the task's id, from one thread of the executor's."""


class Executor(Protocol):
    """Runs tasks. No method blocks for long."""

    @property
    def slots(self) -> int:
        """Tasks that may run at once; the caller gives no more. Where that changes, `Room` is reported."""

    def start(self, on_event: OnEvent) -> None:
        """Begin; events go to `on_event` from now on."""

    def prepare(self, engine: str, profile: str, settings: Mapping[str, Scalar]) -> None:
        """Work for this engine will come soon: start and warm what it needs, load its model."""

    def expect(self, keyframe: KeyframeFile, spool: str) -> None:
        """A task with this keyframe, which lies in that spool, will come soon: read it, if that costs nobody time."""

    def run(self, task: GapTask) -> None:
        """Do a task in a free slot."""

    def cancel(self, task: str) -> None:
        """Stop a task; it still reports its final event."""

    def workers(self) -> tuple[WorkerInfo, ...]:
        """The processes there are now."""

    def unload(self) -> tuple[int, int]:
        """End the workers that have nothing to do: how many, and the resident bytes that they held."""

    def close(self) -> None:
        """End all workers at once. No events come after this."""


@dataclass(frozen=True)
class WorkerSettings:
    """How worker processes run.

    Attributes:
        devices: what to compute on, one worker process for each; "auto" leaves the choice to the engine.
        idle_seconds: after this long without work a worker ends and frees its memory.
        cancel_seconds: a worker that does not stop a cancelled task within this time is killed.
        threads: threads that one worker computes with; 0 is one for each core but one, on which frames are encoded
            and the editor stays responsive.
        compile_models: whether engines compile their models.
        environment: variables on top of the server's own.
    """

    devices: tuple[str, ...] = ("auto",)
    idle_seconds: float = 120.0
    cancel_seconds: float = 3.0
    threads: int = 0
    compile_models: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def compute_threads(self) -> int:
        """`threads`, with 0 resolved for this machine."""
        return self.threads or max(1, (os.cpu_count() or 2) - 1)
