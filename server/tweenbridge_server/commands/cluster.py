"""`tweenbridge cluster status`: which nodes there are, what is on them, and what they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tweenbridge.version import __version__

from ..config import Config, load_config
from ..executors.cluster.ask import ActorInfo, Survey, survey
from ..executors.cluster.messages import NodeInfo
from .console import plural, print_json, say, size


def status(home: Path, as_json: bool) -> None:
    """Print how the cluster is.

    Raises:
        TweenbridgeError: START_FAILED when Ray is not installed or no cluster answers.
    """
    config = load_config(home)
    found = survey(config.cluster)
    if as_json:
        print_json({"executor": config.executor, "tweenbridge": __version__, **asdict(found)})
        return
    print(describe(found))
    _advise(config, found)


def describe(found: Survey) -> str:
    """The cluster in lines for a person."""
    actors = f"{plural(len(found.actors), 'actor')} of {found.room} that fit"
    lines = [f"Cluster  {found.address}, Ray {found.ray}: {plural(len(found.nodes), 'node')}, {actors}", ""]
    rows = [("NODE", "DEVICES", "TWEENBRIDGE", "PYTHON", "MODELS"), *map(_node, found.nodes)]
    lines += _table(rows)
    lines += [f"  {node.problem}" for node in found.nodes if node.problem and _has_devices(node)]
    if found.actors:
        lines += ["", *_table([("ACTOR", "STATE", "MEMORY", "AT", "HOLDS"), *map(_actor, found.actors)])]
    return "\n".join(lines)


def _node(node: NodeInfo) -> tuple[str, ...]:
    models = ", ".join(node.models) or "–"
    return f"{node.name} ({node.address})", _devices(node), node.version or "–", node.python or "–", models


def _devices(node: NodeInfo) -> str:
    kind = f" {node.accelerator}" if node.accelerator else ""
    parts = [f"{node.gpus:g} GPU{kind}" if node.gpus else "", plural(int(node.cpus), "core") if node.cpus else ""]
    return ", ".join(filter(None, parts)) or "none to use"


def _has_devices(node: NodeInfo) -> bool:
    """It is there to work; the server's own machine often is not."""
    return bool(node.cpus or node.gpus)


def _actor(actor: ActorInfo) -> tuple[str, ...]:
    at = f"job {actor.job}, gap {actor.gap}" if actor.job and actor.gap else "–"
    model = Path(actor.model).name if actor.model else "–"
    return actor.name, actor.state, size(actor.memory), at, model


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip() for row in rows]


def _advise(config: Config, found: Survey) -> None:
    if not found.room:
        say("No node can be used: see what is said of each.")
    if config.executor != "cluster":
        say("The server does not use it: `tweenbridge config --set workers.executor=cluster`, then restart the server.")
