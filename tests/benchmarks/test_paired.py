"""Comparisons of recipes: names, differences on the same pairs, and honest intervals."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def paired(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("paired")


@pytest.fixture
def recipes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("recipes")


def _result(paired: ModuleType, recipe: str, pair: int, moving: float, **changes: Any) -> Any:
    known = {
        "model": "" if recipe == "cross-fade" else "m",
        "pair": pair,
        "kind": "hard" if pair % 2 else "same",
        "size": 128,
        "times": (0.5,),
        "recipe": recipe,
        "bare": False,
        "moving": (moving,),
        "whole": (moving + 5,),
        "epe": None,
        "pck": None,
        "seconds": 1.0,
    }
    return paired.Result(**known | changes)


def test_the_interval_of_many_values_is_that_of_their_mean(paired: ModuleType) -> None:
    values = np.random.default_rng(5).normal(2, 3, 400)
    found = paired.interval(values)
    error = values.std() / 20
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    assert found.is_clear
    assert found == paired.interval(values)
    wider = paired.interval(values, confidence=0.99)
    assert wider.low < found.low and found.high < wider.high


def test_the_interval_holds_the_truth_as_often_as_it_says(paired: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paired, "_ROUNDS", 1000)
    rng = np.random.default_rng(6)
    hits = [found.low < 1 < found.high for found in (paired.interval(rng.normal(1, 2, 40)) for _ in range(300))]
    assert 0.9 < np.mean(hits) < 0.98


def test_equal_values_are_certain_and_values_around_zero_are_not_clear(paired: ModuleType) -> None:
    certain = paired.interval([1.5] * 7)
    assert (certain.mean, certain.low, certain.high) == (1.5, 1.5, 1.5)
    assert not paired.interval([-1.0, 1.0, -2.0, 2.0]).is_clear


def test_differences_are_of_the_same_pairs(paired: ModuleType) -> None:
    results = [_result(paired, "standard", pair, 10.0 + pair) for pair in range(5)]
    results += [_result(paired, "standard", pair, 0.0, bare=True) for pair in range(5)]
    results += [_result(paired, "reference", pair, 8.5 + pair) for pair in (4, 2, 9)]
    results.append(_result(paired, "cross-fade", 3, 9.0))
    assert paired.differences(results, "reference", "standard", False) == [-1.5, -1.5]
    assert paired.differences(results, "cross-fade", "standard", False) == [-4.0]
    assert paired.differences(results, "cross-fade", "standard", True) == [9.0]
    rows = {(row["kind"], row["bare"], row["recipe"]): row for row in paired.summarise(results, "standard")}
    assert rows["all", False, "reference"]["delta"]["mean"] == -1.5
    assert rows["all", False, "standard"]["delta"] is None
    assert rows["same", False, "standard"]["pairs"] == 3
    assert rows["hard", True, "cross-fade"]["delta"]["mean"] == 9


def test_differences_stand_out_when_they_are_sure(paired: ModuleType) -> None:
    def table(count: int, spread: float) -> str:
        results = []
        for pair in range(count):
            results.append(_result(paired, "standard", pair, 10.0))
            results.append(_result(paired, "reference", pair, 9.5 + spread * (pair % 2 * 2 - 1)))
        text: str = paired.as_markdown(paired.summarise(results, "standard"))
        return text

    assert "**-0.50 (-0.50 to -0.50)**" in table(24, 0)
    assert "| -0.50 (-0.50 to -0.50)" in table(4, 0)
    assert "| -0.50 (" in table(20, 3).partition("**Same")[0]


def test_a_file_that_was_cut_off_keeps_its_whole_lines(paired: ModuleType, tmp_path: Path) -> None:
    results = [_result(paired, "standard", pair, 10.0, epe=1.25) for pair in range(3)]
    file = tmp_path / "runs.jsonl"
    assert paired.read(file) == []
    lines = [json.dumps(vars(result)) for result in results]
    file.write_text("\n".join(lines)[:-7])
    assert paired.read(file) == results[:2]


def test_recipes_say_what_they_change(recipes: ModuleType) -> None:
    standard = recipes.parse("standard")
    changed = recipes.parse("standard:solver=ddim,steps=7,strength=none,matching.cycle=false")
    assert (changed.solver.value, changed.steps, changed.strength, changed.matching.cycle) == ("ddim", 7, None, False)
    assert changed.matching.edge_aware == standard.matching.edge_aware
    for wrong in ("stndard", "standard:solver", "standard:solvr=ddim", "standard:matching.cycle=2", "standard:steps=x"):
        with pytest.raises(ValueError):
            recipes.parse(wrong)


def test_all_corrections_together_lead_from_one_to_the_other(recipes: ModuleType) -> None:
    changes = ",".join(f"{field}={ours}" for field, ours, _ in recipes.corrections())
    assert recipes.parse(f"reference:{changes},detail=true") == recipes.parse("standard")
    names = recipes.expand(["cross-fade", "standard", "without", "with", "standard"])
    assert len(names) == len(set(names)) == 2 + 2 * len(recipes.corrections())
    made = [recipes.parse(name) for name in names[2:]]
    assert all(recipe not in (recipes.parse("standard"), recipes.parse("reference")) for recipe in made)
