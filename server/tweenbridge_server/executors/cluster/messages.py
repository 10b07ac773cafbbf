"""What the server and its process for the cluster tell each other, beside tasks and their events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tweenbridge.protocol.messages import WorkerInfo

NAMESPACE = "tweenbridge"
"""Of all actors' names in Ray."""


@dataclass(frozen=True)
class ClusterSettings:
    """How a cluster is used.

    Attributes:
        address: "auto" for the cluster that this machine is a node of, or HOST:PORT of its head.
        nodes: which nodes work: "gpu", "cpu" (those without a GPU), or "auto": those with a GPU where there are any.
        gpus: GPUs that an actor takes; less than 1 has several share one.
        cores: cores that an actor takes on a node without a GPU; 0 is all of them.
        most_actors: how many there may be at once; 0 is as many as fit.
    """

    address: str = "auto"
    nodes: str = "auto"
    gpus: float = 1.0
    cores: int = 0
    most_actors: int = 0


@dataclass(frozen=True)
class Wanted:
    """What the process for the cluster is started with.

    Attributes:
        home: the server's data folder.
        idle_seconds, cancel_seconds, threads, compile_models: as in `base.WorkerSettings`, for the workers on nodes.
    """

    home: str
    cluster: ClusterSettings
    idle_seconds: float
    cancel_seconds: float
    threads: int
    compile_models: bool


@dataclass(frozen=True)
class Standing:
    """How the cluster is.

    Attributes:
        slots: gaps that can be made at once.
        trouble: one sentence, where none can be made; "" where all is well.
        workers: the actors.
    """

    TYPE: ClassVar[str] = "standing"
    slots: int
    trouble: str = ""
    workers: tuple[WorkerInfo, ...] = ()


@dataclass(frozen=True)
class Unload:
    """To the process: end the actors that have nothing to do."""

    TYPE: ClassVar[str] = "unload"


@dataclass(frozen=True)
class NodeInfo:
    """A node of the cluster, and what is on it.

    Attributes:
        id: Ray's name for it.
        name: its host's name.
        address: its address.
        cpus, gpus: what Ray may give away there.
        accelerator: what Ray calls its GPUs; "" where it does not say.
        version: of Tweenbridge there; "" where it is not installed.
        fingerprint: a hash of Tweenbridge's code there.
        python: its version there.
        models: what `tweenbridge models list` shows there.
        problem: why it cannot be used: one sentence, or "".
    """

    id: str
    name: str
    address: str
    cpus: float = 0.0
    gpus: float = 0.0
    accelerator: str = ""
    version: str = ""
    fingerprint: str = ""
    python: str = ""
    models: tuple[str, ...] = ()
    problem: str = ""
