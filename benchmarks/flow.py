"""How long the flow engine takes, stage by stage, on one thread, and how much memory.

    python benchmarks/flow.py [--json FILE] [--sizes 480p 1080p 4K]

Times are processor time, the least of several runs; beside them stands the ratio to one bilinear cv2.remap of a frame
of that size, measured in the same run, which is what no engine can do without. Every size and profile runs in a
process of its own, so that the peak resident memory is its own too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tweenbridge_server.engines import registry
from tweenbridge_server.engines.base import Gap, Image, Unheard

SIZES = {"480p": (480, 854), "1080p": (1080, 1920), "4K": (2160, 3840)}
PROFILES = ("draft", "quality")
_RUNS = 3

Numbers = dict[str, float]


def keyframes(height: int, width: int) -> Gap:
    """A textured ground that pans by 1 % of the width, and two discs that move by a tenth of it, crossing."""
    noise = np.random.default_rng(0)
    ground = noise.random((height // 8 + 1, width // 8 + 1, 3), dtype=np.float32)
    disc = noise.random((height // 16 + 1, width // 16 + 1, 3), dtype=np.float32)
    wide = cv2.resize(ground, (width + width // 50, height), interpolation=cv2.INTER_CUBIC)
    pattern = cv2.resize(disc, (width, height), interpolation=cv2.INTER_CUBIC)

    def drawn(t: float) -> Image:
        pan = round(t * width / 100)
        picture = np.ascontiguousarray(wide[:, pan : pan + width])
        for start, way in ((0.3, 0.1), (0.6, -0.1)):
            shift = round((start + t * way) * width)
            mask = np.zeros((height, width), np.uint8)
            cv2.circle(mask, (shift, height // 2), height // 6, 1, cv2.FILLED)
            np.copyto(picture, np.roll(pattern, shift, axis=1), where=mask[..., None] > 0)
        return np.asarray(np.clip(picture, 0, 1), np.float32)

    return Gap(drawn(0.0), drawn(1.0))


def measure(size: str, profile: str) -> Numbers:
    """Seconds of processor time per stage, of a plain remap, and peak resident bytes."""
    cv2.setNumThreads(1)
    gap = keyframes(*SIZES[size])
    engine = registry.create("flow")
    times = [0.25, 0.5, 0.75]
    first, further = [], []
    for _ in range(_RUNS):
        frames = engine.interpolate(gap, times, profile, {}, Unheard())
        first.append(_seconds(frames.__next__))
        further.append(_seconds(frames.__next__))
    remap = min(_seconds(lambda: _plain_remap(gap.a)) for _ in range(_RUNS + 2))
    return {
        "estimate": max(min(first) - min(further), 0.0),
        "each in-between": min(further),
        "estimate and one": min(first),
        "plain remap": remap,
        "peak bytes": float(_peak_memory()),
    }


def _plain_remap(image: Image) -> None:
    height, width = image.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32) + 0.5)
    cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _seconds(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _peak_memory() -> int:
    """Peak resident bytes of this process, or 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _in_own_process(size: str, profile: str) -> Numbers:
    command = [sys.executable, __file__, "--one", size, profile]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    numbers: Numbers = json.loads(done.stdout)
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", nargs="+", choices=tuple(SIZES), default=list(SIZES))
    parser.add_argument("--json", type=Path, help="also write the numbers there")
    parser.add_argument("--one", nargs=2, metavar=("SIZE", "PROFILE"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure(*asked.one)))
        return
    results = {}
    print("| size | profile | estimate | each in-between | estimate and one | peak memory |")
    print("|---|---|---|---|---|---|")
    for size in asked.sizes:
        for profile in PROFILES:
            numbers = results[f"{size} {profile}"] = _in_own_process(size, profile)
            cells = [
                f"{numbers[stage] * 1000:.0f} ms ({numbers[stage] / numbers['plain remap']:.1f} remaps)"
                for stage in ("estimate", "each in-between", "estimate and one")
            ]
            print(f"| {size} | {profile} | {' | '.join(cells)} | {numbers['peak bytes'] / 2**20:.0f} MiB |", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
