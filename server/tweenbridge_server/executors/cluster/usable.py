"""Which nodes can work, how many actors each has room for, and why not. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .messages import ClusterSettings, NodeInfo


def amounts(node: NodeInfo, settings: ClusterSettings) -> tuple[float, float]:
    """Cores and GPUs that an actor takes of Ray on a node."""
    if node.gpus:
        return 0.0, settings.gpus
    return float(settings.cores or max(1, int(node.cpus))), 0.0


def places(node: NodeInfo, settings: ClusterSettings) -> int:
    """How many actors a node has room for."""
    cores, gpus = amounts(node, settings)
    return int(node.gpus / gpus + 1e-6) if gpus else int(node.cpus / cores)


def threads(node: NodeInfo, settings: ClusterSettings) -> int:
    """Threads that an actor computes with on a node: its share of the cores."""
    if node.gpus:
        return max(1, int(node.cpus) // max(1, places(node, settings)))
    return int(amounts(node, settings)[0])


def checked(
    nodes: Sequence[NodeInfo], settings: ClusterSettings, version: str, fingerprint: str
) -> tuple[NodeInfo, ...]:
    """The nodes, each with the reason why it cannot be used, if there is one."""
    with_gpu = settings.nodes == "gpu" or (settings.nodes == "auto" and any(node.gpus for node in nodes))

    def problem(node: NodeInfo) -> str:
        if node.problem:
            return node.problem
        if not node.version:
            return f"Tweenbridge is not installed on node {node.name}, in the Python that runs Ray there."
        if node.version != version:
            return f"Node {node.name} has Tweenbridge {node.version}, and this server {version}."
        if node.fingerprint != fingerprint:
            return f"Node {node.name} has Tweenbridge {node.version} as here, but with other code."
        if settings.nodes == "cpu" and node.gpus:
            return f"Node {node.name} has a GPU, and cluster.nodes is cpu."
        if with_gpu and not node.gpus:
            return f"Node {node.name} has no GPU."
        if not places(node, settings):
            return f"Node {node.name} has fewer cores than cluster.cores asks for."
        return ""

    return tuple(replace(node, problem=problem(node)) for node in nodes)


def why_none(nodes: Sequence[NodeInfo]) -> str:
    """Why no node of the cluster can be used: one sentence or two."""
    if not nodes:
        return "The cluster has no node that could work: each has --num-cpus=0."
    more = f" And {len(nodes) - 1} more." if len(nodes) > 1 else ""
    return f"No node of the cluster can be used. {nodes[0].problem}{more}"
