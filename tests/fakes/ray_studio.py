"""A real Ray cluster on this machine: a head without cores, and nodes with one core each, as in a small studio."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bench import Bench
from tweenbridge_server.executors.base import WorkerSettings
from tweenbridge_server.executors.cluster.executor import ClusterExecutor
from tweenbridge_server.executors.cluster.messages import ClusterSettings

_NODE = {"object_store_memory": 100 * 2**20}
"""Of every node: a small object store."""


@dataclass
class Studio:
    """A cluster, and servers that use it. Nodes have data folders of their own."""

    folder: Path
    cluster: Any
    nodes: dict[str, Any] = field(default_factory=dict)
    benches: list[Bench] = field(default_factory=list)

    @property
    def address(self) -> str:
        address: str = self.cluster.address
        return address

    @property
    def log(self) -> Path:
        """Where the blend engine on all nodes writes down what it computes."""
        return self.folder / "blend.log"

    def home(self, name: str) -> Path:
        """A node's data folder."""
        return self.folder / name

    def add_node(self, name: str, cores: int = 1, **variables: str) -> None:
        """Let a node join."""
        self.home(name).mkdir(exist_ok=True)
        environment = {"TWEENBRIDGE_HOME": str(self.home(name)), **variables}
        self.nodes[name] = self.cluster.add_node(num_cpus=cores, env_vars=environment, **_NODE)

    def kill_node(self, name: str) -> None:
        """Pull a node's plug."""
        self.cluster.remove_node(self.nodes.pop(name), allow_graceful=False)

    def vanish(self) -> int:
        """End the whole cluster; the port that its head had."""
        port = int(self.address.rpartition(":")[2])
        self.nodes.clear()
        self.cluster.shutdown()
        return port

    def come_back(self, port: int) -> None:
        """Start the cluster anew, with the same address."""
        self.cluster = start_cluster(self.folder, port).cluster

    def server(self, name: str, address: str = "", **settings: Any) -> Bench:
        """A job service whose gaps are made on the cluster."""
        environment = {"PYTHONPATH": os.environ["PYTHONPATH"], "BLEND_ENGINE_LOG": str(self.log)}
        idle, cancel = settings.pop("idle_seconds", 60.0), settings.pop("cancel_seconds", 3.0)
        executor = ClusterExecutor(
            self.folder / name,
            WorkerSettings(idle_seconds=idle, cancel_seconds=cancel, environment=environment),
            ClusterSettings(address or self.address, **settings),
        )
        self.log.write_text("")
        self.benches.append(Bench(self.folder / name, executor=executor))
        return self.benches[-1]

    def computed(self) -> Counter[str]:
        """How often each frame was computed, by keyframes and time."""
        lines = self.log.read_text().splitlines()
        return Counter(" ".join(line.split()[2:]) for line in lines if line.startswith("frame"))

    def makers(self) -> set[str]:
        """The processes that have computed."""
        return {line.split()[1] for line in self.log.read_text().splitlines() if line.startswith("frame")}

    def close(self) -> None:
        for bench in self.benches:
            bench.service.close()
        self.benches.clear()


def start_cluster(folder: Path, port: int | None = None) -> Studio:
    """A cluster with a head that does no work."""
    ray_utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed")
    head: dict[str, Any] = {"num_cpus": 0, "include_dashboard": False, **_NODE}
    if port is not None:
        head["gcs_server_port"] = port
    return Studio(folder, ray_utils.Cluster(initialize_head=True, head_node_args=head))
