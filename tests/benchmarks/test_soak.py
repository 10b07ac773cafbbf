"""The soak: planted leaks are found, restless curves are not taken for one, and a short run works."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
pytest.importorskip("scipy", reason="what curves say is worked out with scipy")
soak: Any = importlib.import_module("soak")
report: Any = importlib.import_module("soaking.report")
trends: Any = importlib.import_module("soaking.trends")

HOURS = np.arange(45) / 60
"""Three quarters of an hour, a point a minute."""
SEEDS = 200


def restless(seed: int, deviation: float = 0.3, memory: float = 0.7) -> NDArray[np.float64]:
    """What resident memory does without a leak: it wanders about a level, in MB."""
    chance = np.random.default_rng(seed)
    values = np.empty(len(HOURS))
    last = 0.0
    for place in range(len(values)):
        last = memory * last + chance.normal(0, deviation * np.sqrt(1 - memory**2))
        values[place] = 40 + last
    return values


def share_that_grows(leak: float, harmless: float = 1.0) -> float:
    """Of many curves with a leak of so many MB per hour, those in which one is found."""
    found = [trends.trend(HOURS, restless(seed) + leak * HOURS).verdict(harmless) for seed in range(SEEDS)]
    return sum(verdict is trends.Verdict.GROWS for verdict in found) / SEEDS


def test_leaks_are_found_and_restlessness_is_not_taken_for_one() -> None:
    without, small, large = share_that_grows(0.0), share_that_grows(2.0), share_that_grows(4.0)
    print(f"said to grow: {without:.1%} without a leak, {small:.1%} with 2 MB an hour, {large:.1%} with 4")
    assert without < 0.04
    assert large > 0.9


def test_one_descriptor_in_five_minutes_is_found() -> None:
    assert trends.trend(HOURS, 38 + HOURS * 60 // 5).verdict(1.0) is trends.Verdict.GROWS
    assert trends.trend(HOURS, np.full(len(HOURS), 38.0)).verdict(1.0) is trends.Verdict.FLAT


def test_growth_that_does_not_matter_passes() -> None:
    found = trends.trend(HOURS, restless(1, 0.01) + 0.5 * HOURS)
    assert found.low > 0
    assert found.verdict(1.0) is trends.Verdict.FLAT
    assert found.verdict(0.1) is trends.Verdict.GROWS


def test_a_few_points_say_nothing() -> None:
    assert trends.trend(HOURS[:5], restless(1)[:5]) is None


def windows(leak: float) -> list[Any]:
    """An hour of the gateway's memory, with a pause of the worker in it."""
    made = []
    for minute in range(1, 61):
        samples = [{"gateway: own": 1e6 * (40 + leak * minute / 60), "database": 4e6}]
        samples[0] |= {} if 20 <= minute < 22 else {"worker: own": 3e8}
        made.append(report.window(minute / 60, samples, [0.001, 0.002], minute))
    return made


def test_the_tables_say_what_grows(tmp_path: Path) -> None:
    table = report.trends_table(windows(5.0)).splitlines()
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in table}
    assert "+5 (" in lines["gateway: own"] and "FAIL: grows" in lines["gateway: own"]
    assert "PASS: flat" in lines["database"] and "PASS: flat" in lines["worker: own"]
    assert "too little to say" in lines["spool"]
    assert "FAIL" not in report.trends_table(windows(0.0))
    rows = [*report.head().splitlines(), *map(report.line, windows(5.0))]
    assert all(row.count("|") == rows[0].count("|") for row in rows)
    report.draw(windows(5.0), tmp_path / "curves.png")
    assert cv2.imread(str(tmp_path / "curves.png")) is not None


def test_a_short_soak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(soak, "WINDOWS", 6)
    monkeypatch.setattr(soak, "_SAMPLES", 2)
    monkeypatch.setattr(soak, "PAUSES", ())
    outcome = soak.Soak(tmp_path, minutes=0.06, dreams=False).run()
    assert outcome.load.complaints == [] and outcome.errors == []
    assert len(outcome.windows) == 6 and outcome.workers >= 1
    assert sum(outcome.load.counts.values()) > 0
    # The last of each: on a busy machine a window may pass without a question, or between two workers.
    last = {name: value for window in outcome.windows for name, value in window.figures.items()}
    assert 1e7 < last["gateway: own"] <= last["gateway: resident"]
    assert last["worker: descriptors"] >= 3 and last["worker: own"] > 1e7
    assert 0 < last["small requests, p50"] <= last["small requests, p99"]
    soak.show(outcome)
    assert capsys.readouterr().out.endswith("PASS\n")
