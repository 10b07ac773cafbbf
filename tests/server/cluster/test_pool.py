"""Who does what in a cluster, and what happens when somebody cannot: with actors that only pretend."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fake_cluster import PNG, Ear, FakeCluster, key, node, task
from tweenbridge.protocol.errors import ErrorCode
from tweenbridge_server.executors.base import (
    FINAL,
    Advanced,
    Computed,
    Died,
    Failed,
    Finished,
    Made,
    Noted,
    Related,
    Stopped,
)
from tweenbridge_server.executors.cluster import pool as pools
from tweenbridge_server.executors.cluster.messages import ClusterSettings, Standing, Wanted
from tweenbridge_server.executors.cluster.pool import Pool
from tweenbridge_server.executors.pipe import Prepare
from tweenbridge_server.jobs.spool import Spool


class Scene:
    """A pool at work."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.cluster = FakeCluster()
        self.ear = Ear()
        self.spool = Spool(home / "spool")
        self.spool.create()
        self._pools: list[tuple[Pool, threading.Thread]] = []

    def begin(self, *names: str, idle: float = 60.0, **settings: object) -> Pool:
        wanted = Wanted(str(self.home), ClusterSettings(**settings), idle, 0.2, 0, False)  # type: ignore[arg-type]
        pool = Pool(self.cluster, wanted, self.ear)
        pool.nodes_are(tuple(node(name) for name in names))
        thread = threading.Thread(target=pool.run)
        thread.start()
        self._pools.append((pool, thread))
        return pool

    def until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.ear.heard
            time.sleep(0.002)

    def close(self) -> None:
        for pool, thread in self._pools:
            pool.close()
            thread.join(5)
            assert not thread.is_alive()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def test_frames_lie_in_the_spool_when_they_are_told(scene: Scene) -> None:
    pool = scene.begin("a")
    pool.run_task(task("t", scene.spool.root))
    scene.ear.wait("t", Finished)
    events = scene.ear.of("t")
    assert isinstance(events[0], Related)
    made = scene.ear.of("t", Made)
    assert [each.key for each in made if isinstance(each, Made)] == [key(n) for n in range(1, 5)]
    for n in range(1, 5):
        assert (
            scene.spool.frame_path(key(n), PNG, hashlib.sha256(key(n).encode()).hexdigest()).read_bytes()
            == key(n).encode()
        )
    assert [type(event) for event in events[-2:]] == [Computed, Finished]
    fractions = [event.fraction for event in scene.ear.of("t", Advanced) if isinstance(event, Advanced)]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0


def test_as_many_actors_as_there_is_work_for_and_room(scene: Scene) -> None:
    scene.cluster.frame = 0.05
    pool = scene.begin("a", "b", "c", most_actors=2)
    first = scene.ear.wait("", Standing)
    assert isinstance(first, Standing) and first.slots == 2
    for number in range(3):
        pool.run_task(task(f"t{number}", scene.spool.root, first=10 * number))
    for number in range(3):
        scene.ear.wait(f"t{number}", Finished)
    assert len(scene.cluster.hands) == 2
    assert max(Counter(scene.cluster.made).values()) == 1 and len(scene.cluster.made) == 12


def test_a_gap_is_parted_once_it_is_known_that_this_pays(scene: Scene) -> None:
    scene.cluster.frame, scene.cluster.common, scene.cluster.together = 0.04, 0.01, 2
    pool = scene.begin("a", "b")
    pool.run_task(task("one", scene.spool.root, count=8))
    scene.ear.wait("one", Finished)
    assert [len(part.frames) for hand in scene.cluster.hands for part in hand.parts] == [8]
    # Both must have been started once: how long that takes counts.
    pool.run_task(task("x", scene.spool.root, first=100))
    pool.run_task(task("y", scene.spool.root, first=200))
    scene.ear.wait("x", Finished), scene.ear.wait("y", Finished)
    pool.run_task(task("two", scene.spool.root, count=9, first=300))
    scene.ear.wait("two", Finished)
    parts = [part for hand in scene.cluster.hands for part in hand.parts if part.job == "two"]
    assert sorted(len(part.frames) for part in parts) in ([3, 6], [4, 5])
    assert len({hand.name for hand in scene.cluster.hands if any(part.job == "two" for part in hand.parts)}) == 2
    assert len(scene.ear.of("two", Related)) == len(scene.ear.of("two", Computed)) == 1
    assert len(scene.ear.of("two", Made)) == 9
    # What gaps cost is known to the next server, too.
    pool.unload()
    scene.until(lambda: all(hand.closed for hand in scene.cluster.hands))
    assert (scene.home / "cache" / "cluster-costs.json").exists()


def test_a_gap_stays_whole_while_others_wait_or_where_parting_costs_more(scene: Scene) -> None:
    scene.cluster.frame, scene.cluster.common = 0.01, 0.3
    pool = scene.begin("a", "b")
    for name, first in (("x", 0), ("y", 100)):
        pool.run_task(task(name, scene.spool.root, first=first))
    scene.ear.wait("x", Finished), scene.ear.wait("y", Finished)
    pool.run_task(task("z", scene.spool.root, first=200))
    scene.ear.wait("z", Finished)
    assert all(len(part.frames) == 4 for hand in scene.cluster.hands for part in hand.parts)


def test_what_a_lost_actor_did_not_deliver_goes_to_another(scene: Scene) -> None:
    scene.cluster.frame = 0.05
    pool = scene.begin("a", "b")
    pool.run_task(task("t", scene.spool.root, count=8))
    scene.ear.wait("t", Made, count=3)
    scene.cluster.hands[0].kill()
    scene.ear.wait("t", Finished)
    assert sorted(scene.cluster.made) == [key(n) for n in range(1, 9)], "nothing is made twice"
    assert len(scene.ear.of("t", Made)) == 8 and len(scene.ear.of("t", Related)) == 1
    assert [event for event in scene.ear.of("t") if isinstance(event, FINAL)] == [Finished()]


def test_a_task_that_loses_one_actor_after_the_other_ends(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "_MOURNING_SECONDS", 0.0)
    scene.cluster.damaging = {"a"}
    pool = scene.begin("a")
    pool.run_task(task("t", scene.spool.root))
    died = scene.ear.wait("t", Died)
    assert isinstance(died, Died) and "damaged" in died.reason
    assert not scene.ear.of("t", Made) and not list(scene.spool.all_frames()), "no wrong frame is kept"
    assert list(scene.spool.temporary.iterdir()) == []


def test_a_worker_s_death_is_the_task_s(scene: Scene) -> None:
    scene.cluster.dying = {"a"}
    pool = scene.begin("a")
    pool.run_task(task("t", scene.spool.root))
    assert scene.ear.wait("t", Died) == Died("The worker ended.")
    scene.cluster.dying.clear()
    pool.run_task(task("u", scene.spool.root, first=50))
    scene.ear.wait("u", Finished)
    assert len(scene.cluster.hands) == 1, "the actor has a new worker"


def test_cancelling_stops_all_parts_and_what_waits(scene: Scene) -> None:
    scene.cluster.frame = 0.05
    pool = scene.begin("a")
    pool.run_task(task("t", scene.spool.root, count=50))
    pool.run_task(task("u", scene.spool.root, first=100))
    scene.ear.wait("t", Made)
    pool.cancel("u")
    assert scene.ear.wait("u", Stopped, 0.5) == Stopped()
    pool.cancel("t")
    scene.ear.wait("t", Stopped, 1.0)
    pool.run_task(task("v", scene.spool.root, first=200))
    scene.ear.wait("v", Finished)
    assert not scene.ear.of("u", Made)


def test_an_actor_that_does_not_stop_is_given_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "_GRACE_SECONDS", 0.1)
    scene.cluster.deaf, scene.cluster.frame = {"a"}, 0.2
    pool = scene.begin("a")
    pool.run_task(task("t", scene.spool.root, count=100))
    scene.ear.wait("t", Made)
    pool.cancel("t")
    scene.ear.wait("t", Stopped, 2.0)
    assert scene.cluster.hands[0].gone.is_set()


def test_a_node_without_the_model_takes_no_part_and_that_is_said(scene: Scene) -> None:
    scene.cluster.lacking, scene.cluster.frame = {"a"}, 0.02
    pool = scene.begin("a", "b")
    pool.run_task(task("t", scene.spool.root))
    pool.run_task(task("u", scene.spool.root, first=100))
    scene.ear.wait("t", Finished), scene.ear.wait("u", Finished)
    assert [event for event in (*scene.ear.of("t", Noted), *scene.ear.of("u", Noted)) if isinstance(event, Noted)
            and event.code == "cluster_node" and "not on a" in event.message]  # fmt: skip
    assert len(scene.cluster.made) == 8


def test_a_model_that_no_node_has_is_an_error_until_one_has_it(scene: Scene) -> None:
    scene.cluster.lacking = {"a", "b"}
    pool = scene.begin("a", "b")
    pool.run_task(task("t", scene.spool.root))
    failed = scene.ear.wait("t", Failed)
    assert isinstance(failed, Failed) and failed.error.code is ErrorCode.MODEL_MISSING
    scene.cluster.lacking.clear()
    pool.run_task(task("u", scene.spool.root))
    scene.ear.wait("u", Finished)


def test_a_node_that_starts_no_actor_is_left_alone_and_the_user_knows(scene: Scene) -> None:
    scene.cluster.refusing = {"a"}
    pool = scene.begin("a")
    pool.run_task(task("t", scene.spool.root))
    note = scene.ear.wait("t", Noted)
    assert isinstance(note, Noted) and "did not answer" in note.message and "tried again" in note.message
    pool.nodes_are((node("a"), node("b")))
    scene.ear.wait("t", Finished)
    assert [hand.node.name for hand in scene.cluster.hands] == ["a", "b"]


def test_frames_that_were_stored_and_not_told_are_not_made_again(scene: Scene) -> None:
    for n in (2, 3):
        place = scene.spool.frame_path(key(n), PNG, hashlib.sha256(b"before").hexdigest())
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(b"before")
    pool = scene.begin("a")
    pool.run_task(task("t", scene.spool.root))
    scene.ear.wait("t", Finished)
    assert scene.cluster.made == [key(1), key(4)]
    assert sorted(made.key for made in scene.ear.of("t", Made) if isinstance(made, Made)) == [
        key(n) for n in range(1, 5)
    ]


def test_a_full_disk_fails_the_task_and_the_actor_goes_on(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Spool, path: Path, place: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "publish", full)
        scene.cluster.frame = 0.02
        pool = scene.begin("a")
        pool.run_task(task("t", scene.spool.root))
        failed = scene.ear.wait("t", Failed)
        assert isinstance(failed, Failed) and failed.error.code is ErrorCode.DISK_FULL
        scene.until(lambda: (latest := standing(scene)) and [worker.state for worker in latest.workers] == ["idle"])
    pool.run_task(task("u", scene.spool.root))
    scene.ear.wait("u", Finished)
    assert len(scene.cluster.hands) == 1
    assert list(scene.spool.temporary.iterdir()) == []


def test_idle_actors_are_released_and_work_brings_new_ones(scene: Scene) -> None:
    pool = scene.begin("a", idle=0.1)
    pool.run_task(task("t", scene.spool.root))
    scene.ear.wait("t", Finished)
    scene.until(lambda: scene.cluster.hands[0].closed, 2.0)
    scene.until(lambda: standing(scene).workers == ())
    pool.run_task(task("u", scene.spool.root, first=50))
    scene.ear.wait("u", Finished)


def test_preparing_starts_an_actor_before_there_is_work(scene: Scene) -> None:
    pool = scene.begin("a")
    pool.prepare(Prepare("flow", "draft", {}))
    scene.until(lambda: scene.cluster.prepared == ["a CPU"])
    scene.until(lambda: [worker.state for worker in standing(scene).workers] == ["idle"])
    pool.expect(task("t", scene.spool.root).a, str(scene.spool.root))
    scene.until(lambda: len(scene.cluster.prepared) == 2)


def test_how_the_cluster_stands_is_told_with_the_reason(scene: Scene) -> None:
    pool = scene.begin("a")
    scene.ear.wait("", Standing)
    pool.nodes_are((replace(node("a"), problem="Node a has Tweenbridge 0.0.9, and this server 0.1.0."),))
    scene.until(lambda: standing(scene).slots == 0)
    assert "0.0.9" in standing(scene).trouble
    pool.nodes_are(())
    scene.until(lambda: "no node that could work" in standing(scene).trouble)


def standing(scene: Scene) -> Standing:
    last = scene.ear.of("", Standing)[-1]
    assert isinstance(last, Standing)
    return last
