"""What a person waits for: 1080p in-betweens through server and client, against the engine alone, and the first frame.

    python benchmarks/end_to_end.py [--json FILE] [--repeat N] [--counts 5 12 24] [--kinds rgb8 rgb16]

Per row (a kind of keyframe and a number of in-betweens) a server of its own on an empty data folder makes the
in-betweens of one gap after another, warm; in turn with it a process of its own has the engine alone make the same
ones, from decoded keyframes to arrays. Both see the same load of the machine, so that their ratio says what submitting,
moving, encoding and storing add: the median of the gaps' ratios, and the ratio of the fastest gaps, which other
programs disturb least. The first in-between is timed with the command line: cold (no server, nothing compiled), then
warm.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from tweenbridge import Client
from tweenbridge.launcher import start_server

WIDTH: Final = 1920
HEIGHT: Final = 1080
KINDS: Final = {"rgb8": (3, 8), "rgba8": (4, 8), "rgb16": (3, 16), "rgba16": (4, 16)}
"""Channels and bits per sample."""

Numbers = dict[str, float]


def draw_keyframes(folder: Path, kind: str, seed: int) -> list[Path]:
    """Two PNG keyframes: a grained ground and a textured disc on it that moves by 120 pixels."""
    import cv2

    channels, bits = KINDS[kind]
    noise = np.random.default_rng(seed)
    ground = cv2.resize(noise.random((68, 120, 3), np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    ground += noise.normal(0, 0.01, ground.shape).astype(np.float32)
    texture = cv2.resize(noise.random((100, 180, 3), np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    paths = []
    for name, shift in (("a", 0), ("b", 120)):
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.circle(mask, (700 + shift, 540), 260, 255, cv2.FILLED, cv2.LINE_AA)
        share = mask[..., None] / np.float32(255)
        picture = ground + share * (np.roll(texture, shift, axis=1) - ground)
        if channels == 4:
            picture = np.dstack([picture, np.maximum(share, 0.5)])
        highest = 2**bits - 1
        samples = np.clip(np.rint(picture * highest), 0, highest).astype(f"uint{bits}")
        path = folder / f"{kind}-{seed}-{name}.png"
        assert cv2.imwrite(str(path), samples)
        paths.append(path)
    return paths


class Unheard:
    """Takes an engine's progress and says it to nobody."""

    def __call__(self, fraction: float, stage: str) -> None:
        """Never cancels."""

    def note(self, code: str, message: str) -> None:
        """Drops it."""

    def preview(self, t: float, pixels: np.ndarray) -> None:
        """Drops it."""


class EngineAlone:
    """The engine in a process of its own, warm, with the environment that a worker has."""

    def __init__(self, home: Path) -> None:
        from tweenbridge_server.executors.base import WorkerSettings
        from tweenbridge_server.executors.local import worker_environment

        self._process = subprocess.Popen(
            [sys.executable, __file__, "--engine-alone"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **worker_environment(home, WorkerSettings())},
        )  # fmt: skip

    def seconds(self, keyframes: list[Path], count: int) -> float:
        """How long it takes for all in-betweens of a gap."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([[str(path) for path in keyframes], count]) + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def serve_engine() -> None:
    """The process of EngineAlone: keyframes come as lines on stdin, seconds go out on stdout."""
    from tweenbridge.pixels import Encoding, PixelFormat
    from tweenbridge_server.engines import registry
    from tweenbridge_server.engines.base import Gap
    from tweenbridge_server.imaging import io

    engine = registry.create("flow")
    for line in sys.stdin:
        paths, count = json.loads(line)
        a, b = (io.read(Path(path), PixelFormat(Encoding.PNG), path).pixels for path in paths)
        started = time.perf_counter()
        times = [index / (count + 1) for index in range(1, count + 1)]
        for _ in engine.interpolate(Gap(a, b), times, "quality", {}, Unheard()):
            pass
        print(time.perf_counter() - started, flush=True)


@contextmanager
def running_server(home: Path) -> Iterator[Client]:
    """A client of a server on the data folder `home`, ended afterwards."""
    start_server(home)
    with Client(home, name="benchmark") as client:
        try:
            yield client
        finally:
            client.stop_server()


def through_server(client: Client, keyframes: list[Path], count: int) -> float:
    """Seconds from submitting two keyframes to having all their in-betweens."""
    started = time.perf_counter()
    frames = list(client.interpolate(keyframes, count=count, profile="quality"))
    assert len(frames) == count
    return time.perf_counter() - started


def peak_memory(pid: int) -> float:
    """Peak resident bytes of a process; the present ones where the system does not say."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return float(fields["VmHWM"].split()[0]) * 1024
    return float(psutil.Process(pid).memory_info().rss)


def measure(kind: str, count: int, repeat: int) -> Numbers:
    """Seconds per in-between both ways, their ratio, and memory."""
    with tempfile.TemporaryDirectory(prefix="tweenbridge-end-") as folder:
        home = Path(folder) / "home"
        gaps = [draw_keyframes(Path(folder), kind, seed) for seed in range(repeat + 1)]
        engine = EngineAlone(home)
        with running_server(home) as client:
            engine.seconds(gaps[0], count)
            through_server(client, gaps[0], count)
            alone, served = [], []
            for gap in gaps[1:]:
                alone.append(engine.seconds(gap, count))
                served.append(through_server(client, gap, count))
            status = client.status()
            worker = max(peak_memory(worker.pid) for worker in status.workers)
        engine.close()
    return {
        "engine alone": statistics.median(alone) / count,
        "end to end": statistics.median(served) / count,
        "ratio": statistics.median(one / other for one, other in zip(served, alone)),
        "least ratio": min(served) / min(alone),
        "worker peak": worker,
        "gateway": float(status.memory),
    }


def measure_first_frame(profile: str) -> Numbers:
    """Seconds from giving the command to the first file: cold, and the least of three warm ones."""
    with tempfile.TemporaryDirectory(prefix="tweenbridge-first-") as folder:
        home, environment = Path(folder) / "home", {**os.environ, "TWEENBRIDGE_HOME": str(Path(folder) / "home")}
        seconds = []
        for seed in range(4):
            keyframes, out = draw_keyframes(Path(folder), "rgb8", seed), Path(folder) / f"out{seed}"
            command = [sys.executable, "-m", "tweenbridge_server", "interpolate", *map(str, keyframes)]
            command += ["--count", "3", "--profile", profile, "--out", str(out)]
            started = time.perf_counter()
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
            while not list(out.glob("inbetween_*.png")) and process.poll() is None:
                time.sleep(0.005)
            seconds.append(time.perf_counter() - started)
            if process.wait() != 0:
                raise SystemExit("tweenbridge interpolate failed")
        with Client(home, name="benchmark") as client:
            client.stop_server()
    return {"cold": seconds[0], "warm": min(seconds[1:])}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the numbers to this file, too")
    parser.add_argument("--repeat", type=int, default=5, help="gaps of each row (default: 5)")
    parser.add_argument("--counts", nargs="+", type=int, default=[5, 12, 24], help="in-betweens of each gap")
    parser.add_argument("--kinds", nargs="+", choices=tuple(KINDS), default=["rgb8", "rgb16"])
    parser.add_argument("--engine-alone", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.engine_alone:
        serve_engine()
        return
    result: dict[str, Any] = {"quality": {}, "first frame": {}}
    print("| keyframes | in-betweens | engine alone | end to end | ratio | of the fastest | worker's peak | gateway |")
    print("|---|---|---|---|---|---|---|---|")
    for kind, count in itertools.product(asked.kinds, asked.counts):
        row = result["quality"][f"{kind} {count}"] = measure(kind, count, asked.repeat)
        print(
            f"| {kind} | {count} | {row['engine alone'] * 1000:.0f} ms | {row['end to end'] * 1000:.0f} ms "
            f"| {row['ratio']:.2f} | {row['least ratio']:.2f} "
            f"| {row['worker peak'] / 1e6:.0f} MB | {row['gateway'] / 1e6:.0f} MB |",
            flush=True,
        )
    print("\n| first in-between | cold | warm |\n|---|---|---|")
    for profile in ("draft", "quality"):
        row = result["first frame"][profile] = measure_first_frame(profile)
        print(f"| {profile} | {row['cold']:.1f} s | {row['warm']:.1f} s |", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
