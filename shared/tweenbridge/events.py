"""What `Client.poll` reports. A host application shows them; nothing has to be answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

from .protocol.errors import ErrorInfo
from .protocol.messages import JobInfo, JobState, Note
from .protocol.models import ModelInfo, Models
from .results import Frame


@dataclass(frozen=True)
class Connected:
    """A session is open. `restarted`: the server is another run than the last time; jobs carry on by themselves."""

    server: str
    epoch: str
    restarted: bool


@dataclass(frozen=True)
class Disconnected:
    """No session: why, said once until it changes. The client keeps trying by itself."""

    error: ErrorInfo


@dataclass(frozen=True)
class ServerStarting:
    """The server was absent and is being started."""


@dataclass(frozen=True)
class ServerStopping:
    """Somebody asked the server to end. It is not started again by itself until something new is asked of it."""


@dataclass(frozen=True)
class JobProgress:
    """A submitted job went on."""

    job: str
    info: JobInfo


@dataclass(frozen=True)
class PreviewArrived:
    """An unfinished in-between at time `t` (0 to 1) of a gap, small: `data` is a PNG. The next one replaces it."""

    job: str
    gap: int
    t: float
    data: bytes


@dataclass(frozen=True)
class FrameArrived:
    """A frame of a submitted job. The next ones are asked for once this one was handed over."""

    job: str
    frame: Frame


@dataclass(frozen=True)
class JobEnded:
    """The last event of a submitted job. DONE: every frame has been handed over. Otherwise `error` says why."""

    job: str
    state: JobState
    error: Optional[ErrorInfo] = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class JobsListed:
    """All jobs of the server, whoever submitted them; after `Client.watch`, and again after a reconnect."""

    jobs: tuple[JobInfo, ...]


@dataclass(frozen=True)
class JobChanged:
    """One job of the watched server changed; `info` is None once it is forgotten."""

    job: str
    info: Optional[JobInfo]


@dataclass(frozen=True)
class ModelsListed:
    """All models of the server; after `Client.watch_models`, and again after a reconnect."""

    models: Models


@dataclass(frozen=True)
class ModelChanged:
    """One model of the watched server changed; `info` is None once it is gone from the list."""

    model: str
    info: Optional[ModelInfo]


Event = Union[
    Connected, Disconnected, ServerStarting, ServerStopping,
    JobProgress, PreviewArrived, FrameArrived, JobEnded, JobsListed, JobChanged, ModelsListed, ModelChanged,
]  # fmt: skip
