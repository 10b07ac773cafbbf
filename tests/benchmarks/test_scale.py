"""What growth costs: the benchmark works, and what it found stays mended."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
scale: Any = importlib.import_module("scale")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "REPEATS", 15)
    monkeypatch.setattr(scale, "PICTURES", scale.PICTURES[:50])


def test_every_table_has_a_cost_for_every_size() -> None:
    tables = {
        "jobs waiting": {3: scale.waiting(3)},
        "frames in the job": {40: scale.frames_per_job(40)},
        "finished jobs": {9: scale.history(9)},
    }
    for title, found in tables.items():
        assert all(cost > 0 for costs in found.values() for cost in costs.values())
        lines = scale.table(title, found).splitlines()
        assert len(lines) == 3 and all(line.count("|") == lines[0].count("|") for line in lines)


def test_requests_and_events_cost_the_same_with_many_jobs_waiting() -> None:
    few, many = scale.waiting(20), scale.waiting(1500)
    for name in ("submit", "cancel", "how a job is", "50 newest jobs", "a frame made", "next gap"):
        print(f"{name}: {1e3 * few[name]:.3f} ms with 20 jobs waiting, {1e3 * many[name]:.3f} ms with 1500")
        assert many[name] < 5 * few[name] + 2e-4, name


def test_what_is_done_once_a_minute_costs_the_same_with_a_long_history() -> None:
    short, long = scale.history(20), scale.history(1500)
    for name in ("counts", "keep house"):
        print(f"{name}: {1e3 * short[name]:.3f} ms with 20 finished jobs, {1e3 * long[name]:.3f} ms with 1500")
        assert long[name] < 5 * short[name] + 2e-4, name
