"""A thousand jobs from fifty clients at once, cancels, second tries and shared ids among them, and two kills."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from .campaign import Era
from .journal import Saw, entries
from .plan import Action, Fault, Kind, Round, load
from .site import Site

JOBS, CLIENTS, PROCESSES = 1000, 50, 5


@pytest.mark.slow
def test_a_thousand_jobs_from_fifty_clients(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crowds = load(random.Random(1), "c", PROCESSES, CLIENTS // PROCESSES, JOBS // CLIENTS, small=True)
    asked = [job for crowd in crowds for client in crowd for job in client.jobs]
    assert len(asked) == JOBS and sum(len(crowd) for crowd in crowds) == CLIENTS
    assert {job.action for job in asked} == set(Action)
    kills = tuple(Fault(kind, at, 0.1, 0.5, 0.0) for kind, at in ((Kind.KILL_WORKER, 3.0), (Kind.KILL_SERVER, 5.0)))
    begin = time.monotonic()
    with Site(tmp_path / "site", name="crowd") as site:
        site.ensure_server()
        era = Era(site, seed=1)
        era.round(Round(0, kills, crowds))
        era.end()
        noted = list(entries(site.journals[0]))
        assert not era.outcome.violations, f"{era.outcome.sentence()}\n{era.outcome.report()}"
    seen = Counter(entry.saw for entry in noted)
    assert seen[Saw.FINISHED] == JOBS
    ids = {job.id for job in asked}
    accepted = {entry.job for entry in noted if entry.saw is Saw.ACCEPTED}
    assert accepted <= ids and len(accepted) >= len(ids) - 5, "but for some that were cancelled before"
    codes = Counter(entry.value[1] for entry in noted if entry.saw is Saw.ENDED)
    assert set(codes) <= {"", "cancelled", "conflict"}
    assert codes["conflict"] >= sum(job.action is Action.CLASH for job in asked), "whoever comes first has the id"
    with capsys.disabled():
        seconds = time.monotonic() - begin
        print(f"\n{JOBS} jobs of {CLIENTS} clients, {len(ids)} ids, {seen[Saw.FRAME]} frames: {seconds:.0f} s")
