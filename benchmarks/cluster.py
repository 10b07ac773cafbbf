"""What a cluster brings: the same jobs on this machine's one worker, on one node, and on two, in turn.

    python benchmarks/cluster.py [--json FILE] [--repeat N] [--size WIDTH] [--engine ENGINE]

A Ray cluster is started on this machine: a head that does no work and nodes of one core each. Three servers on data
folders of their own make the same jobs: one by itself with one thread, one with one node, one with two. Each makes a
job of a kind before it is measured, so that everything is loaded, compiled and, where gaps go in parts, its cost known.
Two nodes of one machine share its cores, its memory and its disk: two machines do not.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from tweenbridge import Client
from tweenbridge.launcher import start_server

_STORE: Final = 200 * 2**20


@dataclass(frozen=True)
class Kind:
    """A job: its keyframes are one more than its gaps."""

    name: str
    engine: str
    profile: str
    gaps: int
    count: int


KINDS: Final = (
    Kind("flow quality, 6 gaps of 4", "flow", "quality", 6, 4),
    Kind("flow quality, 1 gap of 24", "flow", "quality", 1, 24),
    Kind("dreammover draft (nano), 4 gaps of 2", "dreammover", "draft", 4, 2),
    Kind("dreammover draft (nano), 1 gap of 12", "dreammover", "draft", 1, 12),
)
PLACES: Final = ("one machine", "one node", "two nodes")


def draw_keyframes(folder: Path, seed: int, count: int, width: int) -> list[Path]:
    """PNG keyframes, 16 to 9: a ground, and a disc that moves across it; another seed, other pixels."""
    import cv2

    noise, height = np.random.default_rng(seed), width * 9 // 16
    ground = cv2.resize(noise.integers(60, 160, (9, 16, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    paths = []
    for number in range(count):
        picture = np.ascontiguousarray(ground)
        middle = (width // 6 + number * width // 12, height // 2)
        cv2.circle(picture, middle, height // 5, (40, 90, 220), cv2.FILLED, cv2.LINE_AA)
        path = folder / f"{seed}-{number}.png"
        assert cv2.imwrite(str(path), picture)
        paths.append(path)
    return paths


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, str]]:
    """The addresses of two clusters: of one node, and of two."""
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(16),
        "TWEENBRIDGE_HOME": str(folder / "node"),
    }
    from ray.cluster_utils import Cluster

    started = []
    try:
        for nodes in (1, 2):
            head = {"num_cpus": 0, "object_store_memory": _STORE, "include_dashboard": False}
            started.append(Cluster(initialize_head=True, head_node_args=head))
            for _ in range(nodes):
                started[-1].add_node(num_cpus=1, object_store_memory=_STORE)
        yield started[0].address, started[1].address
    finally:
        for each in started:
            each.shutdown()


@contextmanager
def server(home: Path, address: str = "") -> Iterator[Client]:
    """A server on an empty data folder: of one thread, or on the cluster at that address."""
    home.mkdir()
    where = f'executor = "cluster"\n[cluster]\naddress = "{address}"' if address else "cpu_threads = 1"
    (home / "config.toml").write_text(f"[workers]\nidle_seconds = 600\n{where}\n", encoding="utf-8")
    start_server(home)
    with Client(home, name="benchmark", start_server=False) as client:
        try:
            yield client
        finally:
            client.stop_server()


def seconds(client: Client, kind: Kind, keyframes: list[Path]) -> float:
    """From submitting a job to having all its in-betweens."""
    began = time.perf_counter()
    model = {"model": "nano"} if kind.engine == "dreammover" else {}
    wanted: dict[str, Any] = {"count": kind.count, "engine": kind.engine, "profile": kind.profile, "settings": model}
    assert len(list(client.interpolate(keyframes, **wanted))) == kind.gaps * kind.count
    return time.perf_counter() - began


def measure(repeat: int, width: int, kinds: Sequence[Kind]) -> dict[str, dict[str, list[float]]]:
    """Seconds by kind and place, in rounds that visit all places in turn."""
    found: dict[str, dict[str, list[float]]] = {kind.name: {place: [] for place in PLACES} for kind in kinds}
    with tempfile.TemporaryDirectory(prefix="tweenbridge-cluster-") as name, ExitStack() as stack:
        folder, seed = Path(name), 0
        one, two = stack.enter_context(cluster(folder))
        clients = {
            place: stack.enter_context(server(folder / place.replace(" ", "-"), address))
            for place, address in zip(PLACES, ("", one, two))
        }
        for kind in kinds:
            for number in range(repeat + 2):
                seed += 1
                keyframes = draw_keyframes(folder, seed, (kind.gaps if number > 1 else 2) + 1, width)
                for place, client in clients.items():
                    if number < 2:
                        # Twice two gaps: every node starts, loads and compiles, then shows what such gaps cost.
                        seconds(client, Kind("", kind.engine, kind.profile, 2, kind.count), keyframes)
                    else:
                        found[kind.name][place].append(seconds(client, kind, keyframes))
                print(f"{kind.name}: {number + 1} of {repeat + 2}", file=sys.stderr, flush=True)
    return found


def table(found: dict[str, dict[str, list[float]]]) -> str:
    """Medians, and the median of the rounds' ratios."""
    lines = ["| job | one machine | one node | two nodes | two nodes against one machine |", "|---|---|---|---|---|"]
    for name, places in found.items():
        medians = [f"{statistics.median(places[place]):.1f} s" for place in PLACES]
        ratios = [alone / both for alone, both in zip(places["one machine"], places["two nodes"])]
        lines.append(f"| {name} | {' | '.join(medians)} | {statistics.median(ratios):.2f} times as fast |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the numbers there")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--size", type=int, default=960, help="width of the keyframes")
    parser.add_argument("--engine", choices=sorted({kind.engine for kind in KINDS}), help="only its jobs")
    options: Any = parser.parse_args(arguments)
    kinds = [kind for kind in KINDS if options.engine in (None, kind.engine)]
    found = measure(options.repeat, options.size, kinds)
    print(table(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
