"""The benchmark of the dreammover engine: that it counts rightly, on a tiny random model."""

from __future__ import annotations

import argparse
import importlib
import json
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def benchmarks() -> SimpleNamespace:
    names = ("dreammover", "random_model", "stopwatch")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        return SimpleNamespace(**{name: importlib.import_module(name) for name in names})


@pytest.fixture(scope="module")
def asked(benchmarks: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> argparse.Namespace:
    folder = tmp_path_factory.mktemp("benchmark")
    benchmarks.random_model.write(folder / "model", "tiny")
    return argparse.Namespace(
        model=folder / "model", cache=folder / "cache", device="cpu", count=2, repeat=1, steps_of_reference=1
    )


class Network(torch.nn.Module):
    """As much of a U-Net as is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_in = torch.nn.Conv2d(1, 1, 1)
        self.mid_block = torch.nn.Linear(4, 8)

    def forward(self, frames: Any, deep: bool) -> None:
        self.conv_in(frames)
        if deep:
            self.mid_block(frames)


def test_stages_count_without_their_inner_ones(benchmarks: SimpleNamespace) -> None:
    network, frames = Network(), torch.zeros(3, 1, 4, 4)
    with benchmarks.stopwatch.Stopwatch(CPU, network, count_operations=True) as watch:
        with watch.stage("outer"):
            network(frames, deep=True)
            with watch.stage("inner"):
                network(frames, deep=False)
                time.sleep(0.3)
            network(frames, deep=False)
        network(frames, deep=True)
    outer, inner, rest = (watch.stages[name] for name in ("outer", "inner", benchmarks.stopwatch.REST))
    assert (outer.evaluations, outer.deep) == (6, 3)
    assert (inner.evaluations, inner.deep) == (3, 0)
    assert (rest.evaluations, rest.deep) == (3, 3)
    linear, convolution = 2 * 12 * 4 * 8, 2 * 48
    assert (outer.flop, inner.flop) == (linear + 2 * convolution, convolution)
    assert inner.seconds >= 0.3 > outer.seconds


def test_fused_attention_on_the_processor_is_counted(benchmarks: SimpleNamespace) -> None:
    tokens = torch.rand(2, 8, 64, 16)
    with torch.inference_mode(), benchmarks.stopwatch.Stopwatch(CPU, Network(), count_operations=True) as watch:
        torch.nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
    assert watch.stages[benchmarks.stopwatch.REST].flop == 2 * (2 * 2 * 8 * 64 * 64 * 16)


def test_watched_functions_are_put_back(benchmarks: SimpleNamespace) -> None:
    place = ModuleType("place")
    original = place.__dict__["work"] = len
    watch = benchmarks.stopwatch.Stopwatch(CPU, Network())
    with watch, pytest.raises(TypeError), watch.watching([(place, "work", "counting")]):
        assert place.work([1, 2]) == 2
        place.work(3)
    assert place.work is original and "counting" in watch.stages


@pytest.mark.slow
def test_what_the_profiles_and_the_published_way_take(benchmarks: SimpleNamespace, asked: argparse.Namespace) -> None:
    rows = {name: benchmarks.dreammover.measure((64, 64), name, asked) for name in ("published", "draft", "reference")}
    json.dumps(rows)
    published, draft, reference = rows["published"], rows["draft"], rows["reference"]
    # Three inversions of 74 steps and the feature, two frames each; 31 evaluations of all frames.
    assert published["evaluations"] == 2 * 75 + 31 * 4
    # One inversion, the feature, the keyframes' own denoising, 31 evaluations of each in-between.
    assert reference["evaluations"] == 2 * (30 + 1 + 30) + 31 * 2
    assert 0 < draft["deep"] < draft["evaluations"] < reference["evaluations"]
    assert 0 < draft["tflop"] < reference["tflop"] < published["tflop"]
    assert draft["stages"]["denoise"]["flop"] > 0 and draft["stages"]["decode"]["seconds"] > 0
    for row in rows.values():
        assert row["seconds"] == pytest.approx(sum(stage["seconds"] for stage in row["stages"].values()))
    table = benchmarks.dreammover.table({"64x64": rows}).splitlines()
    assert len(table) == 5 and f"| {published['seconds'] / draft['seconds']:.1f} |" in table[3]
    assert benchmarks.dreammover.stage_table({"64x64": rows}).count("\n") == 4
