"""What goes and what stays."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from bench import Bench, flat, request
from hypothesis import given
from hypothesis import strategies as st
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobState
from tweenbridge_server.jobs.retention import Retention, choose
from tweenbridge_server.jobs.store import StoredThing

things = st.lists(st.builds(StoredThing, st.text("abcdef", min_size=1), st.integers(0, 100), st.floats(0, 100))).map(
    lambda found: sorted({thing.name: thing for thing in found}.values(), key=lambda thing: thing.used)
)


@given(things, st.sets(st.sampled_from("abcdef")), st.integers(0, 300), st.floats(0, 100))
def test_the_oldest_unprotected_things_go_until_it_fits(
    stock: list[StoredThing], protected: set[str], most: int, before: float
) -> None:
    going = choose(stock, sum(thing.size for thing in stock), protected, most, before)
    staying = [thing for thing in stock if thing not in going]
    assert not any(thing.name in protected for thing in going)
    free = [thing for thing in staying if thing.name not in protected]
    assert all(thing.used >= before for thing in free)
    assert not free or sum(thing.size for thing in staying) <= most
    if going and going[-1].used >= before:
        assert sum(thing.size for thing in staying) + going[-1].size > most
    assert not going or not free or max(thing.used for thing in going) <= min(thing.used for thing in free)


def test_a_long_list_is_not_read_to_its_end_for_a_few() -> None:
    stock = (StoredThing(str(number), 1, number) for number in range(1000))
    assert [thing.name for thing in choose(stock, 1000, set(), 997, 0.0)] == ["0", "1", "2"]
    assert next(stock).name == "4"


PICTURES = [flat(10), flat(60)]


def expired(bench: Bench, job: str, frame: int) -> bool:
    try:
        bench.bytes_of(job, frame)
    except TweenbridgeError as error:
        assert error.code is ErrorCode.EXPIRED
        return True
    return False


def test_by_bytes_the_least_recently_used_go_first(tmp_path: Path) -> None:
    with Bench(tmp_path / "home", retention=Retention(max_bytes=500)) as bench:
        for number, job in enumerate("abc"):
            pictures = [flat(10 + number), flat(60 + number)]
            bench.send(job, pictures, request(pictures, count=1))
            bench.wait(job)
        bench.bytes_of("a", 0)
        time.sleep(0.01)
        bench.service.keep_house()
        assert bench.service.spool_bytes() <= 500
        assert not expired(bench, "a", 0)
        assert expired(bench, "b", 0)
        on_disk = sum(path.stat().st_size for path in (bench.home / "spool").rglob("*.png"))
        assert on_disk == bench.service.spool_bytes()


def test_unfinished_jobs_keep_what_they_have(tmp_path: Path) -> None:
    with Bench(tmp_path / "home", retention=Retention(max_bytes=0)) as bench:
        bench.send("j", PICTURES, request(PICTURES, count=4, settings={"seconds": 0.2}))
        bench.wait_for(lambda: bench.service.info("j").done >= 1)
        bench.service.keep_house()
        bench.bytes_of("j", 0)
        assert bench.wait("j").done == 4
        bench.service.keep_house()
        assert expired(bench, "j", 0)
        assert bench.service.spool_bytes() == 0
        assert bench.submit("j", request(PICTURES, count=4, settings={"seconds": 0.2})).need == (0, 1)


def test_by_age(tmp_path: Path) -> None:
    with Bench(tmp_path / "home", retention=Retention(max_age=0.5)) as bench:
        bench.send("j", PICTURES)
        bench.wait("j")
        bench.submit("never", request([flat(1), flat(2)]))
        bench.service.keep_house()
        assert not expired(bench, "j", 0)
        time.sleep(0.8)
        bench.service.keep_house()
        with pytest.raises(TweenbridgeError) as gone:
            bench.service.info("j")
        assert gone.value.code is ErrorCode.UNKNOWN_JOB
        assert bench.service.spool_bytes() == 0
        bench.wait_for(lambda: any(change.job == "j" and change.info is None for change in bench.changes))
        given_up = bench.service.info("never")
        assert given_up.state is JobState.FAILED
        assert given_up.error is not None
        assert given_up.error.code is ErrorCode.EXPIRED


def test_it_runs_by_itself(tmp_path: Path) -> None:
    with Bench(tmp_path / "home", retention=Retention(max_bytes=0, interval=0.1)) as bench:
        bench.send("j", PICTURES)
        bench.wait("j")
        bench.wait_for(lambda: bench.service.spool_bytes() == 0)
