"""What `tweenbridge cluster status` and the doctor ask: a process of its own, since Ray may hang, print and crash.

`python -m tweenbridge_server.executors.cluster.ask ARGUMENTS` prints one line of JSON: a `Survey`, or an error.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import msgpack
from tweenbridge.protocol.codec import from_plain, to_plain
from tweenbridge.protocol.errors import ErrorCode, ErrorInfo, TweenbridgeError
from tweenbridge.version import __version__

from .messages import NAMESPACE, ClusterSettings, NodeInfo
from .usable import checked, places

_SECONDS = 60.0
_ACTOR_SECONDS = 5.0


@dataclass(frozen=True)
class ActorInfo:
    """An actor of whatever server.

    Attributes:
        name: its place, like "render-2 GPU".
        server: the process id of the server's process for the cluster.
        state: "busy", "idle", or "silent" where it does not answer.
        job, gap: what it makes; "" and None where nothing.
    """

    name: str
    server: str
    state: str
    pid: int = 0
    memory: int = 0
    job: str = ""
    gap: int | None = None
    model: str = ""


@dataclass(frozen=True)
class Survey:
    """The cluster as it is.

    Attributes:
        ray: its version.
        room: how many actors there can be.
    """

    address: str
    ray: str
    room: int
    nodes: tuple[NodeInfo, ...] = ()
    actors: tuple[ActorInfo, ...] = ()


def survey(settings: ClusterSettings) -> Survey:
    """Ask the cluster, which takes seconds.

    Raises:
        TweenbridgeError: START_FAILED, when Ray is not installed or no cluster answers, saying what to do.
    """
    import importlib.util

    if importlib.util.find_spec("ray") is None:
        raise TweenbridgeError(
            ErrorCode.START_FAILED,
            "Ray, which clusters are made of, is not installed here.",
            remedy="Run `pip install tweenbridge[cluster]`; docs/cluster.md says how a cluster is set up.",
        )
    argument = msgpack.packb(to_plain(settings)).hex()
    command = [sys.executable, *(["-I"] if sys.flags.isolated else []), "-m", __name__, argument]
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    try:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=environment
        ) as process:
            try:
                output, _ = process.communicate(timeout=_SECONDS)
            except BaseException:
                process.kill()
                raise
        answer = json.loads(output.splitlines()[-1])
    except subprocess.TimeoutExpired:
        raise _silent(settings, f"within {_SECONDS:g} seconds") from None
    except (IndexError, ValueError):
        raise _silent(settings, "in a way that can be understood") from None
    if "error" in answer:
        raise TweenbridgeError.from_info(from_plain(ErrorInfo, answer["error"]))
    found: Survey = from_plain(Survey, answer)
    return found


def _silent(settings: ClusterSettings, how: str) -> TweenbridgeError:
    return TweenbridgeError(
        ErrorCode.START_FAILED,
        f"The cluster at {settings.address} does not answer {how}.",
        remedy="Look with `ray status`. If this machine was a node of a cluster that is gone, `ray stop` forgets it.",
    )


def _ask(settings: ClusterSettings) -> Survey:
    import ray

    from .probe import probe
    from .ray_layer import alive, connect, probe_nodes

    address = connect(settings)
    own = str(probe().get("fingerprint", ""))
    nodes = checked(tuple(probe_nodes(alive()).values()), settings, __version__, own)
    room = sum(places(node, settings) for node in nodes if not node.problem)
    return Survey(address, ray.__version__, min(room, settings.most_actors or room), nodes, _actors())


def _actors() -> tuple[ActorInfo, ...]:
    import ray
    from ray.exceptions import RayError

    asked = []
    for actor in ray.util.list_named_actors(all_namespaces=True):
        if actor["namespace"] == NAMESPACE:
            try:
                handle = ray.get_actor(actor["name"], namespace=NAMESPACE)
            except ValueError:
                # It has ended since.
                continue
            asked.append((actor["name"].partition("-")[0], handle.state.remote()))
    if asked:
        ray.wait([answer for _, answer in asked], num_returns=len(asked), timeout=_ACTOR_SECONDS)
    found = []
    for server, answer in asked:
        try:
            said: dict[str, Any] = ray.get(answer, timeout=0.1)
        except RayError:
            found.append(ActorInfo("?", server, "silent"))
            continue
        wanted = ("state", "pid", "memory", "job", "gap", "model")
        found.append(ActorInfo(said["device"], server, **{name: said[name] for name in wanted if name in said}))
    return tuple(sorted(found, key=lambda actor: actor.name))


def main() -> None:
    """Entry point of the process. Argument: `ClusterSettings`, as hexadecimal msgpack."""
    settings: ClusterSettings = from_plain(ClusterSettings, msgpack.unpackb(bytes.fromhex(sys.argv[1])))
    logging.disable()
    # What Ray prints goes nowhere, the answer to the pipe.
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        answer = to_plain(_ask(settings))
    except TweenbridgeError as error:
        answer = {"error": to_plain(error.info)}
    print(json.dumps(answer), file=pipe, flush=True)
    # Ray says good-bye in its own time.
    os._exit(0)


if __name__ == "__main__":
    main()
