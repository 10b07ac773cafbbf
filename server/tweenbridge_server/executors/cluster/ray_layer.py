"""The cluster through Ray. Only the process for the cluster, and the one for `cluster status`, import this."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from tweenbridge.protocol.codec import from_plain, to_plain
from tweenbridge.protocol.errors import ErrorCode, ErrorInfo, TweenbridgeError
from tweenbridge.protocol.messages import Scalar, WorkerInfo

from ...jobs.spool import Spool
from ..base import GapTask
from ..pipe import EVENTS
from . import probe as probing
from .agent import Agent, files_of
from .fitting import Wish
from .layer import Heard, Lost, Unfit
from .messages import NAMESPACE, ClusterSettings, NodeInfo, Wanted
from .usable import amounts

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 3.0
_PROBE_SECONDS = 30.0
_START_SECONDS = 60.0
"""How long an actor may take to start: longer when Ray has given its GPU to somebody else."""
_CALL_SECONDS = 60.0
_BRING_SECONDS = 10.0
"""How long a keyframe may be on its way before it is sent from here again."""
_CLOSE_SECONDS = 5.0
_KEYFRAMES_HELD = 16
"""Keyframes that stay in Ray's store for actors that have not had them yet."""
_THREADS = 8
"""Calls that an actor answers at once: tasks, and questions meanwhile."""
_numbers = count(1)


def connect(settings: ClusterSettings) -> str:
    """Become a driver of the cluster. Returns its address.

    Raises:
        TweenbridgeError: START_FAILED, saying why and what to do.
    """
    address = _check_reachable(settings.address)
    try:
        ray.init(
            address=settings.address,
            namespace=NAMESPACE,
            logging_level=logging.CRITICAL,
            log_to_driver=False,
            configure_logging=False,
        )
    except Exception as error:
        raise _refused(address, error) from error
    return address


def _check_reachable(address: str) -> str:
    """HOST:PORT of the cluster, which accepts connections: Ray itself waits for minutes."""
    if address == "auto":
        found = os.environ.get("RAY_ADDRESS", "")
        if not found:
            place = Path(os.environ.get("RAY_TMPDIR", "/tmp"), "ray", "ray_current_cluster")  # noqa: S108 - Ray's own
            with suppress(OSError):
                found = place.read_text("utf-8").strip()
        if not found:
            raise TweenbridgeError(
                ErrorCode.START_FAILED,
                "No Ray cluster runs on this machine.",
                remedy="Start one, `ray start --head`, or join one, `ray start --address=HEAD:6379`.",
            )
        address = found
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise TweenbridgeError(
            ErrorCode.START_FAILED,
            f"No Ray cluster answers at {address}: {getattr(error, 'strerror', None) or error}.",
            remedy="Start it, `ray start --head` there and `ray start --address=HEAD:6379` here; the setting "
            "cluster.address says where it is.",
        ) from error
    return address


def _refused(address: str, error: Exception) -> TweenbridgeError:
    words = " ".join(str(error).split())
    remedy = "Run `ray status` here; docs/cluster.md says how a cluster is set up."
    if "ersion mismatch" in words:
        remedy = "Use the same version of Ray and the same minor version of Python on every machine."
    elif "Failed to connect" in words or "token" in words.lower():
        remedy = "If it asks for a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH here, too."
    elif "raylet" in words.lower():
        remedy = f"Make this machine a node of the cluster: `ray start --address={address} --num-cpus=0`."
    return TweenbridgeError(
        ErrorCode.START_FAILED,
        f"The Ray cluster at {address} cannot be used: {words[:300].rstrip('.')}.",
        remedy=remedy,
    )


def probe_nodes(wanted: Sequence[dict[str, Any]]) -> dict[str, NodeInfo]:
    """What is on these nodes of `ray.nodes()`, by their ids; asked of all at once."""
    ray.cloudpickle.register_pickle_by_value(probing)
    asked = {}
    for node in wanted:
        where = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        task = ray.remote(probing.probe).options(num_cpus=0, max_retries=0, scheduling_strategy=where)
        asked[node["NodeID"]] = (node, task.remote())
    if asked:
        ray.wait([answer for _, answer in asked.values()], num_returns=len(asked), timeout=_PROBE_SECONDS)
    found = {}
    for id, (node, answer) in asked.items():
        info = node_info(node)
        try:
            said = ray.get(answer, timeout=0.1)
            info = replace(
                info, name=said["name"], python=said["python"], version=said.get("version", ""),
                fingerprint=said.get("fingerprint", ""), models=tuple(said.get("models", ())),
            )  # fmt: skip
        except RayError as error:
            info = replace(info, problem=f"Node {info.name} does not answer: {_words(error)}.")
        found[id] = info
    return found


def node_info(node: dict[str, Any]) -> NodeInfo:
    """What Ray itself knows of a node."""
    resources = node["Resources"]
    kind = next((name.partition(":")[2] for name in resources if name.startswith("accelerator_type:")), "")
    name, address = node["NodeManagerHostname"], node["NodeManagerAddress"]
    return NodeInfo(node["NodeID"], name, address, resources.get("CPU", 0.0), resources.get("GPU", 0.0), kind)


def alive() -> list[dict[str, Any]]:
    """The nodes that Ray takes for alive, the head first."""
    return [node for node in ray.nodes() if node["Alive"]]


class RayCluster:
    """See `layer.Layer`."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._files = Keyframes()
        self._known: dict[str, NodeInfo] = {}

    def nodes(self) -> tuple[NodeInfo, ...]:
        """The nodes that are alive and have anything to work with."""
        there = [node for node in alive() if node["Resources"].get("CPU") or node["Resources"].get("GPU")]
        self._known |= probe_nodes([node for node in there if self._known.get(node["NodeID"]) is None])
        return tuple(self._known[node["NodeID"]] for node in there)

    def forget(self, ids: Sequence[str]) -> None:
        """Look at these nodes again: something may have been mended there."""
        for id in ids:
            self._known.pop(id, None)

    def hire(self, node: NodeInfo, name: str, threads: int) -> RayHand:
        """Have an actor started."""
        return RayHand(self._wanted, node, name, threads, self._files)


class Keyframes:
    """Keyframe files in Ray's object store, each once for all actors of a node."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()

    def reference(self, name: str, spool: Path) -> Any:
        """The reference to a keyframe's bytes. OSError when the file is gone."""
        with self._lock:
            if name not in self._held:
                self._held[name] = ray.put(Spool(spool).keyframe_path(name).read_bytes())
            self._held.move_to_end(name)
            if len(self._held) > _KEYFRAMES_HELD:
                self._held.popitem(last=False)
            return self._held[name]

    def forget(self) -> None:
        """Put them there anew: nodes ask each other for what one has, and wait half a minute for one that is gone."""
        with self._lock:
            self._held.clear()


class RayHand:
    """See `layer.Hand`."""

    def __init__(self, wanted: Wanted, node: NodeInfo, name: str, threads: int, files: Keyframes) -> None:
        self._wanted = wanted
        self._node = node
        self._name = name
        self._threads = threads
        self._files = files
        self._lock = threading.Lock()
        self._made: Any = None

    def wait(self) -> int:
        """Wait until it has started: its process's id."""
        pid: int = self._ask(self._actor.about.remote(), _START_SECONDS)
        return pid

    @property
    def _actor(self) -> Any:
        """The actor, made by whoever asks first: Ray may take its time already for that."""
        with self._lock:
            if self._made is None:
                wanted = self._wanted
                cores, gpus = amounts(self._node, wanted.cluster)
                options = ray.remote(Agent).options(
                    name=f"{os.getpid()}-{next(_numbers)}",
                    num_cpus=cores,
                    num_gpus=gpus,
                    max_restarts=0,
                    max_concurrency=_THREADS,
                    scheduling_strategy=NodeAffinitySchedulingStrategy(self._node.id, soft=False),
                )
                self._made = options.remote(
                    self._name, wanted.idle_seconds, wanted.cancel_seconds, self._threads, wanted.compile_models
                )
            return self._made

    def run(self, task: GapTask, wish: Wish, spool: Path) -> Iterator[tuple[Sequence[Heard], WorkerInfo | None]]:
        """Do a task: what happens, as it comes."""
        self._supply(files_of(task), spool)
        heard = self._actor.run.options(num_returns="streaming").remote(to_plain(task), to_plain(wish))
        while True:
            try:
                batch, worker = ray.get(next(heard))
            except StopIteration:
                return
            except RayError as error:
                raise self._lost(error) from error
            if batch[0][0] == "unfit":
                raise Unfit(from_plain(ErrorInfo, batch[0][1]))
            events = [(from_plain(EVENTS[kind], fields), data) for kind, fields, data in batch]
            yield events, None if worker is None else from_plain(WorkerInfo, worker)

    def prepare(self, engine: str, profile: str, settings: dict[str, Scalar], wish: Wish) -> None:
        """Have it load what such tasks need."""
        self._actor.prepare.remote(engine, profile, settings, to_plain(wish))

    def expect(self, name: str, spool: Path) -> None:
        """Bring a keyframe file there."""
        self._supply([name], spool)

    def cancel(self, task: str) -> None:
        """Stop a task."""
        self._actor.cancel.remote(task)

    def close(self) -> None:
        """End it and clear up behind it."""
        with suppress(RayError):
            ray.get(self._actor.close.remote(), timeout=_CLOSE_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        with suppress(RayError, ValueError):
            if self._made is not None:
                ray.kill(self._made)

    def _supply(self, names: list[str], spool: Path) -> None:
        for name in self._ask(self._actor.lacks.remote(names), _CALL_SECONDS):
            try:
                ray.get(self._actor.keep.remote(name, self._files.reference(name, spool)), timeout=_BRING_SECONDS)
            except GetTimeoutError:
                self._files.forget()
                self._ask(self._actor.keep.remote(name, self._files.reference(name, spool)), _CALL_SECONDS)
            except RayError as error:
                raise self._lost(error) from error

    def _ask(self, answer: Any, seconds: float) -> Any:
        try:
            return ray.get(answer, timeout=seconds)
        except RayError as error:
            raise self._lost(error) from error

    def _lost(self, error: RayError) -> Lost:
        self._files.forget()
        if isinstance(error, GetTimeoutError):
            return Lost(f"Node {self._node.name} did not answer in time.")
        if isinstance(error, RayTaskError):
            return Lost(f"The actor on node {self._node.name} failed: {_words(error)}.")
        return Lost(f"The actor on node {self._node.name} is gone: {_words(error)}.")


def _words(error: Exception) -> str:
    """The gist of what Ray says, which may be pages long."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if isinstance(error, RayTaskError) else lines[0] if lines else repr(error)).rstrip(".")[:200]
