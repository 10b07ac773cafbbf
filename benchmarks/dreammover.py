"""What in-betweens of the dreammover engine cost, stage by stage and profile by profile, beside the published way.

    python benchmarks/dreammover.py [--sizes 512x512 768x512] [--count N] [--profiles draft standard ...]
        [--shape sd15 | --model FOLDER] [--device auto] [--repeat N] [--steps-of-reference N] [--json FILE]

The engine runs as a worker runs it, with the model in memory, on keyframes of the size it works at; around its stages
stand clocks. Of several runs the one with the median total is told, after one that is not timed but counted. Weights
are random, of Stable Diffusion 1.5's true shape: the cost does not depend on them (--shape tiny tries the benchmark
itself, within minutes on any processor). "published" is the method as its authors computed it, see
dreammover_published.py. Every row has a process of its own, so that its peak memory is its own too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import dreammover_published
import random_model
import torch
from flow import keyframes
from stopwatch import REST, Stage, Stopwatch, peak_memory, reset_peak
from tweenbridge_server.engines.base import Image, Workplace
from tweenbridge_server.engines.dreammover import engine as engine_module
from tweenbridge_server.engines.dreammover import lora, pipeline
from tweenbridge_server.engines.dreammover.devices import Device, choose
from tweenbridge_server.engines.dreammover.engine import DreamMoverEngine
from tweenbridge_server.engines.dreammover.frames import Fitting
from tweenbridge_server.engines.dreammover.identity import find
from tweenbridge_server.engines.dreammover.model import load
from tweenbridge_server.engines.dreammover.settings import RECIPES
from tweenbridge_server.engines.optical_flow.engine import FlowEngine
from tweenbridge_server.engines.optical_flow.guide import FlowGuide
from tweenbridge_server.imaging.fit import working_size

PUBLISHED = "published"
_STAGES = (
    (FlowEngine, "guide", "optical flow"),
    (FlowGuide, "motion", "optical flow"),
    (engine_module, "embed", "embed"),
    (lora, "fit", "learn"),
    (pipeline, "encode", "encode"),
    (pipeline, "invert", "invert"),
    (pipeline, "features", "feature"),
    (pipeline, "match", "match"),
    (pipeline, "denoise_keyframes", "keyframes"),
    (pipeline, "draw", "denoise"),
    (pipeline, "decode", "decode"),
    (Fitting, "lead_out", "restore"),
)
"""The engine's functions around which clocks stand, and what their stages are called."""

_ORDER = tuple(dict.fromkeys([*(stage for _, _, stage in _STAGES), REST]))

Numbers = dict[str, Any]


class Silent:
    """Progress that nobody watches."""

    def __call__(self, fraction: float, stage: str) -> None:
        """Nothing."""

    def note(self, code: str, message: str) -> None:
        """Nothing."""

    def preview(self, t: float, pixels: Image) -> None:
        """Nothing."""


def measure(size: tuple[int, int], profile: str, asked: argparse.Namespace) -> Numbers:
    """One row: what a profile, or the published way, costs at a size (height, width)."""
    return _measure_published(size, asked) if profile == PUBLISHED else _measure_engine(size, profile, asked)


def _measure_published(size: tuple[int, int], asked: argparse.Namespace) -> Numbers:
    device = replace(choose(asked.device), dtype=torch.float32, vae_dtype=torch.float32)
    model = load(find({"model": str(asked.model)}), device)
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.matmul.allow_tf32 = False
    reset_peak(device.device)
    stages, at_once = dreammover_published.measure(model, size, asked.count, asked.steps_of_reference)
    return _numbers([stages], stages, model.device, at_once)


def _measure_engine(size: tuple[int, int], profile: str, asked: argparse.Namespace) -> Numbers:
    height, width = size
    side = round((height * width) ** 0.5)
    if working_size(height, width, side) != size:
        raise SystemExit(f"The engine does not work at {width}x{height}: try multiples of 64 of ordinary proportions.")
    gap, times = keyframes(height, width), [(i + 1) / (asked.count + 1) for i in range(asked.count)]
    settings = {"model": str(asked.model), "working_size": side}
    engine = DreamMoverEngine()
    engine.settle(Workplace(asked.device, asked.cache))
    engine.warm_up(profile, settings)
    model = engine._residence.get(find(settings), lambda _: None).model

    def run(number: int, count_operations: bool = False) -> dict[str, Stage]:
        with Stopwatch(model.device.device, model.unet, count_operations) as watch, watch.watching(_STAGES):
            # Each run has a seed of its own, so that it does not find the LoRA of the one before in the cache.
            for _ in engine.interpolate(gap, times, profile, {**settings, "seed": number}, Silent()):
                pass
        return watch.stages

    reset_peak(model.device.device)
    counted = run(0, count_operations=True)
    runs = [run(number + 1) for number in range(asked.repeat)]
    return _numbers(runs, counted, model.device, max(chunk.size for chunk in engine._chunks.values()))


def _numbers(runs: list[dict[str, Stage]], counted: dict[str, Stage], device: Device, at_once: int) -> Numbers:
    totals = [sum(stage.seconds for stage in run.values()) for run in runs]
    median = runs[totals.index(statistics.median_low(totals))]
    for name, stage in median.items():
        stage.flop = counted[name].flop if name in counted else 0.0
    return {
        "seconds": statistics.median_low(totals),
        "all seconds": totals,
        "evaluations": sum(stage.evaluations for stage in median.values()),
        "deep": sum(stage.deep for stage in median.values()),
        "tflop": sum(stage.flop for stage in median.values()) / 1e12,
        "peak": peak_memory(device.device),
        "frames at once": at_once,
        "device": device.name,
        "dtype": str(device.dtype).removeprefix("torch."),
        "stages": {name: asdict(stage) for name, stage in median.items()},
    }


def table(rows: dict[str, dict[str, Numbers]]) -> str:
    """Totals: a line for each size and profile."""
    lines = [
        "| size | profile | seconds | times faster | evaluations (deep) | TFLOP | peak memory | frames at once |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for size, profiles in rows.items():
        published = profiles.get(PUBLISHED)
        for profile, row in profiles.items():
            faster = f"{published['seconds'] / row['seconds']:.1f}" if published else ""
            cells = [
                size,
                profile,
                f"{row['seconds']:.2f}",
                faster,
                f"{row['evaluations']:.0f} ({row['deep']:.0f})",
                f"{row['tflop']:.4g}",
                ", ".join(f"{held / 2**30:.2f} GiB {where}" for where, held in row["peak"].items()),
                str(row["frames at once"]),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def stage_table(rows: dict[str, dict[str, Numbers]]) -> str:
    """Seconds by stage: a line for each size and profile."""
    names = [name for name in _ORDER if any(name in row["stages"] for each in rows.values() for row in each.values())]
    lines = [f"| size | profile | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for size, profiles in rows.items():
        for profile, row in profiles.items():
            cells = [f"{row['stages'][name]['seconds']:.3f}" if name in row["stages"] else "" for name in names]
            lines.append(f"| {size} | {profile} | {' | '.join(cells)} |")
    return "\n".join(lines)


def run(asked: argparse.Namespace) -> dict[str, dict[str, Numbers]]:
    """All rows, by size and profile, each measured in a process of its own."""
    rows: dict[str, dict[str, Numbers]] = {}
    with tempfile.TemporaryDirectory() as name:
        model, cache = asked.model, Path(name) / "cache"
        if model is None:
            model = Path(name) / "model"
            random_model.write(model, asked.shape)
        passed = {"model": model, "cache": cache, "device": asked.device, "count": asked.count, "repeat": asked.repeat}
        passed["steps-of-reference"] = asked.steps_of_reference
        options = [part for name, value in passed.items() for part in (f"--{name}", str(value))]
        for size in asked.sizes:
            for profile in asked.profiles:
                command = [sys.executable, __file__, "--one", size, profile, *options]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                row = rows.setdefault(size, {})[profile] = json.loads(done.stdout.splitlines()[-1])
                print(f"{size} {profile}: {row['seconds']:.2f} s", file=sys.stderr, flush=True)
    return rows


def _size(text: str) -> tuple[int, int]:
    """(height, width) of "512x768", which is width by height."""
    width, height = (int(part) for part in text.split("x"))
    return height, width


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["512x512", "768x512"], metavar="WxH", help="working sizes")
    parser.add_argument("--count", type=int, default=31, help="in-betweens")
    parser.add_argument("--profiles", nargs="+", choices=(PUBLISHED, *RECIPES), default=[PUBLISHED, *RECIPES])
    parser.add_argument("--shape", choices=tuple(random_model.SHAPES), default="sd15", help="of a model made up here")
    parser.add_argument("--model", type=Path, help="a model's folder, instead of one made up")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeat", type=int, default=3, help="timed runs")
    parser.add_argument("--steps-of-reference", type=int, default=3, help="timed steps of each kind, published way")
    parser.add_argument("--json", type=Path, help="also write the numbers there")
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=2, metavar=("SIZE", "PROFILE"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure(_size(asked.one[0]), asked.one[1], asked)))
        return
    rows = run(asked)
    print(table(rows), stage_table(rows), sep="\n\n")
    if asked.json:
        told = {"count": asked.count, "torch": torch.__version__, "rows": rows}
        asked.json.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
