"""Seeded faults against the real server and many clients; after every round everything must be as promised.

    python -m pytest tests/chaos/test_faults.py --faults 1000 --seed 1

A failure prints the era's seed and plan, and the command that runs that era alone.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from .campaign import Outcome, run_era
from .plan import FAULTS_PER_ERA, Kind, era
from .site import has_mounts

ORDINARY = 24
ORDINARY_SEED = 4
"""With every kind of fault, and a server that stands still until its clients give it up."""

_outcomes: list[Outcome] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "era_of" not in metafunc.fixturenames:
        return
    faults = metafunc.config.getoption("--faults", default=None) or ORDINARY
    first = metafunc.config.getoption("--seed", default=None) or ORDINARY_SEED
    eras = [
        (first + number, min(FAULTS_PER_ERA, faults - number * FAULTS_PER_ERA))
        for number in range(math.ceil(faults / FAULTS_PER_ERA))
    ]
    metafunc.parametrize("era_of", eras, ids=[f"seed{seed}-{count}faults" for seed, count in eras])


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not has_mounts(), reason="a small disk and a read-only folder need Linux and root")
def test_nothing_is_lost_or_made_twice(
    era_of: tuple[int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed, faults = era_of

    def say(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    try:
        outcome = run_era(seed, faults, tmp_path / "site", say)
    except AssertionError as error:
        say(str(error))
        raise
    _outcomes.append(outcome)
    with capsys.disabled():
        print(f"\n{outcome.jobs} jobs, {outcome.frames} frames, {outcome.seconds:.0f} s; so far:")
        total: Counter[Kind] = sum((each.happened for each in _outcomes), Counter())
        for kind in Kind:
            print(f"  {total[kind]:4d} {kind.value}")
        print(f"  {sum(total.values()):4d} faults in all", flush=True)


def test_an_era_follows_from_its_seed() -> None:
    assert list(islice(era(5), 5)) == list(islice(era(5), 5))
    assert next(era(5)) != next(era(6))
    kinds = Counter(fault.kind for each in islice(era(5), 5) for fault in each.faults)
    assert set(kinds) == set(Kind)
    assert sum(kinds.values()) == FAULTS_PER_ERA
