"""The `reference` profile is the published method: every stage equals recorded arrays, in groups of any size."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from tweenbridge_server.engines.dreammover.attention import AttentionControl
from tweenbridge_server.engines.dreammover.devices import choose
from tweenbridge_server.engines.dreammover.identity import find
from tweenbridge_server.engines.dreammover.model import load
from tweenbridge_server.engines.dreammover.splatting import gather_warp, softsplat, splat_sum

SMALLEST = "p001_128x128_T3.npz"


@pytest.fixture(scope="module")
def golden() -> ModuleType:
    path = Path(__file__).resolve().parents[4] / "benchmarks" / "golden.py"
    spec = importlib.util.spec_from_file_location("golden", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["golden"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_every_stage_equals_the_recorded_arrays_in_groups_of_any_size(
    golden: ModuleType, tiny_sd: Path, golden_cases: Path
) -> None:
    recorded = golden.read(golden_cases / SMALLEST)
    model = load(find({"model": str(tiny_sd)}), choose("cpu"))
    control = AttentionControl(model.unet)
    found = {chunk: golden.run(model, control, recorded, chunk) for chunk in (1, 2)}
    for chunk, arrays in found.items():
        differences = list(golden.compare(recorded, arrays))
        assert len(differences) == len(recorded) - 1
        wrong = [f"{each.name}: {each.found:.1e} > {each.allowed:.0e}" for each in differences if not each.passed]
        assert not wrong, f"in groups of {chunk}"
    assert np.abs(found[1]["frames"] - found[2]["frames"]).max() < 1e-4


def test_a_wrong_array_is_noticed(golden: ModuleType, golden_cases: Path) -> None:
    recorded = golden.read(golden_cases / SMALLEST)
    for name in recorded.keys() - {"meta"}:
        spoilt = dict(recorded)
        spoilt[name] = recorded[name].astype(np.float64)
        # Enough of it that it is not one of the left-out near-ties.
        spoilt[name] = 1 - spoilt[name] if name == "wta_pick1" else spoilt[name] + 3
        assert [each.name for each in golden.compare(recorded, spoilt) if not each.passed] == [name]
    missing = {name: array for name, array in recorded.items() if name != "frames"}
    assert [each.name for each in golden.compare(recorded, missing) if not each.passed] == ["frames"]


@pytest.mark.parametrize("case", ["a", "b"])
def test_splatting_equals_the_recorded_units(golden_cases: Path, case: str) -> None:
    with np.load(golden_cases / "units.npz") as units:
        values, flow, metric, total, soft = (
            torch.from_numpy(units[f"splat_{case}_{name}"]) for name in ("in", "flow", "metric", "sum", "soft")
        )
    assert (splat_sum(values, flow) - total).abs().max() < 1e-5
    assert (softsplat(values, flow, metric) - soft).abs().max() < 1e-5


def test_backward_warping_equals_the_recorded_unit(golden_cases: Path) -> None:
    with np.load(golden_cases / "units.npz") as units:
        values, flow, warped = (torch.from_numpy(units[f"backwarp_{name}"]) for name in ("in", "flow", "out"))
    assert (gather_warp(values, flow) - warped).abs().max() < 1e-5
