"""Tests of jobs and executors use a fake engine, registered as a third party's package would be."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FAKES = str(Path(__file__).resolve().parents[1] / "fakes")
if FAKES not in sys.path:
    sys.path.insert(0, FAKES)

from bench import Bench  # noqa: E402 - found by the line above


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path / "home", idle_seconds=30.0) as running:
        yield running
