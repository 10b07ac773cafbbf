"""Jobs of several clients: turns at the workers, and lists of one client's own."""

from __future__ import annotations

from bench import Bench, flat, request
from tweenbridge.protocol.messages import JobState
from tweenbridge_server.jobs.caller import owner_with_key

A, B, C, D, E = (flat(level) for level in (10, 60, 110, 160, 210))


def test_one_client_s_many_jobs_do_not_keep_another_waiting(bench: Bench) -> None:
    bench.service.oversight.pause(True)
    for number in range(6):
        pictures = [flat(number), flat(100 + number)]
        bench.send(f"anna-{number}", pictures, owner="anna")
    bench.send("bert", [flat(50), flat(150)], owner="bert")
    bench.service.oversight.pause(False)
    for job in ("bert", "anna-5"):
        bench.wait(job)
    finished = [change.job for change in bench.changes if change.info and change.info.state is JobState.DONE]
    assert list(dict.fromkeys(finished)).index("bert") <= 2
    assert {change.owner for change in bench.changes if change.job == "bert"} == {"bert"}


def test_lists_and_counts_of_one_owner(bench: Bench) -> None:
    bench.send("a", [A, B], owner="anna")
    bench.wait("a")
    bench.submit("a2", request([C, D]), owner="anna")
    bench.submit("b", request([C, E]), owner="bert")
    service = bench.service
    assert [job.job for job in service.jobs(9, owner="anna")] == ["a2", "a"]
    assert [job.job for job in service.jobs(9, 1, "anna")] == ["a"]
    assert [job.job for job in service.snapshot("anna")] == ["a2", "a"]
    assert [job.job for job in service.snapshot("bert")] == ["b"] and len(service.snapshot()) == 3
    assert service.counts("bert")["receiving"] == 1 and service.counts("bert")["done"] == 0
    assert service.counts()["receiving"] == 2


def test_a_job_says_whose_key_it_came_with(bench: Bench) -> None:
    bench.send("a", [A, B], owner=owner_with_key("anna"))
    bench.send("b", [A, C], owner="blender")
    assert {job.job: job.owner for job in bench.service.snapshot()} == {"a": "anna", "b": None}
    bench.wait("a")
    bench.wait("b")
    assert {job.job: job.owner for job in bench.service.jobs(9)} == {"a": "anna", "b": None}


def test_who_submits_another_s_job_again_does_not_take_it_over(bench: Bench) -> None:
    bench.send("a", [A, B], owner="anna")
    bench.service.cancel("a")
    bench.wait("a")
    bench.submit("a", request([A, B]), owner="boss")
    assert bench.service.record("a").owner == "anna"
