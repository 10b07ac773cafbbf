"""Into how many parts a gap goes; which nodes can be used; what is remembered of costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fake_cluster import node
from hypothesis import given
from hypothesis import strategies as st
from tweenbridge_server.executors.base import Cost
from tweenbridge_server.executors.cluster.costs import Costs
from tweenbridge_server.executors.cluster.messages import ClusterSettings, NodeInfo
from tweenbridge_server.executors.cluster.parting import WORTH, part
from tweenbridge_server.executors.cluster.roster import BACKOFF_SECONDS, Roster
from tweenbridge_server.executors.cluster.usable import amounts, checked, places, threads, why_none

SECONDS = st.floats(0.0, 1e4)
COSTS = st.builds(Cost, SECONDS, SECONDS, SECONDS, st.integers(0, 20))


def duration(sizes: list[int], cost: Cost, delays: list[float]) -> float:
    return max(delay + cost.common + size * cost.each for size, delay in zip(sizes, delays))


@given(st.integers(0, 300), COSTS, st.lists(SECONDS, min_size=1, max_size=12).map(sorted))
def test_parts_are_whole_groups_make_up_the_gap_and_are_worth_it(count: int, cost: Cost, delays: list[float]) -> None:
    sizes = part(count, cost, delays)
    assert sum(sizes) == count and 1 <= len(sizes) <= len(delays)
    if len(sizes) > 1:
        assert all(size > 0 for size in sizes)
        assert all(size % cost.together == 0 for size in sizes[:-1])
        assert duration(sizes, cost, delays) <= duration([count], cost, delays) * WORTH


@pytest.mark.parametrize(
    ("count", "cost", "delays", "expected"),
    [
        (16, Cost(4.0, 1.0, 0.0, 1), [0.0, 0.0], [8, 8]),
        (16, Cost(200.0, 1.0, 0.0, 1), [0.0, 0.0], [16]),
        (16, Cost(4.0, 1.0, 0.0, 4), [0.0, 0.0, 0.0, 0.0], [4, 4, 4, 4]),
        (9, Cost(1.0, 1.0, 0.0, 4), [0.0, 0.0], [4, 5]),
        (16, Cost(0.0, 1.0, 0.0, 1), [0.0, 8.0], [12, 4]),
        (16, Cost(0.0, 1.0, 0.0, 1), [0.0, 100.0], [16]),
        (16, Cost(4.0, 1.0, 0.0, 0), [0.0, 0.0], [16]),
        (1, Cost(0.0, 1.0, 0.0, 1), [0.0, 0.0], [1]),
        (0, Cost(0.0, 1.0, 0.0, 1), [0.0, 0.0], [0]),
    ],
)
def test_gaps_of_all_kinds(count: int, cost: Cost, delays: list[float], expected: list[int]) -> None:
    assert sorted(part(count, cost, delays)) == sorted(expected)


def test_costs_are_remembered_and_a_damaged_file_is_forgotten(tmp_path: Path) -> None:
    place = tmp_path / "cache" / "costs.json"
    costs = Costs(place)
    assert costs.find("k") is None
    costs.learn("k", Cost(10.0, 1.0, 5.0, 4))
    costs.learn("k", Cost(2.0, 3.0, 0.0, 4))
    assert costs.find("k") == Cost(6.0, 2.0, 5.0, 4)
    costs.save()
    assert Costs(place).find("k") == Cost(6.0, 2.0, 5.0, 4)
    for damage in ("", "[1]", '{"k": 5}', '{"k": {"other": 1}}', "\0"):
        place.write_text(damage)
        assert Costs(place).find("k") is None
    for number in range(300):
        costs.learn(str(number), Cost(1.0))
    assert costs.find("0") is None and costs.find("299") is not None


def test_what_an_actor_takes_of_a_node() -> None:
    big, plain = node("g", cpus=32.0, gpus=4.0), node("c", cpus=16.0)
    for settings, expected in (
        (ClusterSettings(), ((0.0, 1.0), 4, 8, (16.0, 0.0), 1, 16)),
        (ClusterSettings(gpus=0.5, cores=5), ((0.0, 0.5), 8, 4, (5.0, 0.0), 3, 5)),
        (ClusterSettings(gpus=0.1), ((0.0, 0.1), 40, 1, (16.0, 0.0), 1, 16)),
    ):
        found = (
            *(amounts(big, settings), places(big, settings), threads(big, settings)),
            *(amounts(plain, settings), places(plain, settings), threads(plain, settings)),
        )
        assert found == expected


def problems(*nodes: NodeInfo, **settings: str) -> list[str]:
    found = checked(nodes, ClusterSettings(**settings), "1", "f")  # type: ignore[arg-type]
    return [one.problem for one in found]


def test_a_node_with_another_version_or_other_code_is_not_used() -> None:
    here = node("a")
    assert problems(here) == [""]
    assert "not installed on node a" in problems(replace(here, version=""))[0]
    assert "Tweenbridge 0.9" in problems(replace(here, version="0.9"))[0]
    assert "other code" in problems(replace(here, fingerprint="g"))[0]
    assert problems(replace(here, problem="Node a does not answer.")) == ["Node a does not answer."]
    assert "cluster.cores" in checked([here], ClusterSettings(cores=4), "1", "f")[0].problem


def test_where_there_are_gpus_they_work_unless_one_says_otherwise() -> None:
    both = (node("g", gpus=1.0), node("c"))
    assert [bool(problem) for problem in problems(*both)] == [False, True]
    assert [bool(problem) for problem in problems(*both, nodes="cpu")] == [True, False]
    assert [bool(problem) for problem in problems(both[1], nodes="gpu")] == [True]
    assert "no node that could work" in why_none(())
    assert "And 1 more" in why_none(checked(both, ClusterSettings(), "2", "f"))


def test_room_goes_to_the_emptiest_node_first_and_not_to_those_left_alone() -> None:
    now = [0.0]
    roster = Roster(ClusterSettings(cores=1, most_actors=5), lambda: now[0])
    assert roster.capacity() == 0 and roster.trouble()
    roster.see([node("a", cpus=3.0), node("b", cpus=3.0)])
    assert roster.capacity() == 5 and not roster.trouble()
    assert [one.id for one in roster.room(["a"])] == ["b", "a", "b", "a"]
    assert roster.room(["a"] * 3 + ["b"] * 2) == []
    roster.leave_alone("b")
    assert [one.id for one in roster.room([])] == ["a", "a", "a"]
    now[0] += BACKOFF_SECONDS
    assert len(roster.room([])) == 5
