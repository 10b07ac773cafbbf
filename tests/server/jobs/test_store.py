"""The database: round trips, transactions, damage, versions."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from bench import flat, request
from hypothesis import given, settings
from hypothesis import strategies as st
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobState, Note, Priority
from tweenbridge_server.jobs.job import Event, JobRecord
from tweenbridge_server.jobs.plan import Making, Relation, params_hash
from tweenbridge_server.jobs.store import FrameRow, Store
from tweenbridge_server.jobs.store_file import open_store

PNG = PixelFormat(Encoding.PNG)


def record(job: str = "j", **changes: object) -> JobRecord:
    making = Making("1", "plain", {"a": 1, "b": "x", "c": False, "d": 0.5}, "model", True)
    made = JobRecord(job, "me", "p", request([flat(1), flat(2)], settings={"seconds": 0.5}), making, 3)
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.sqlite3"


def add(store: Store, job: JobRecord) -> JobRecord:
    with store.transaction():
        return dataclasses.replace(job, order=store.add_job(job))


def test_a_job_comes_back_as_it_was_written(path: Path) -> None:
    store = open_store(path)
    error = TweenbridgeError(ErrorCode.BUSY, "Busy.", retry_after=2.5).info
    written = add(store, record(priority=Priority.INTERACTIVE, title="Überblendung", created=1.5))
    assert store.job("j") == written
    changed = written.after(Event.FAILED, now=3.0, error=error, notes=(Note("cut", "A cut.", 0),))
    with store.transaction():
        store.update_job(changed)
    store.close()
    assert open_store(path).job("j") == changed


def test_a_transaction_happens_whole_or_not_at_all(path: Path) -> None:
    store = open_store(path)
    with pytest.raises(RuntimeError), store.transaction():
        store.add_job(record())
        store.add_keyframe("k", 1, 0.0)
        raise RuntimeError
    assert store.job("j") is None
    assert store.keyframes(["k"]) == set()
    with pytest.raises(TweenbridgeError), store.transaction():
        store.add_keyframe("k", 1, 0.0)
        store.add_keyframe("l", None, 0.0)  # type: ignore[arg-type]
    assert store.keyframes(["k"]) == set()


def test_whatever_number_is_asked_for_sqlite_remembers_few_statements(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(path)
    many = [f"{number:064x}" for number in range(1100)]
    with store.transaction():
        for key in many[::2]:
            store.add_frame(FrameRow(key, PNG, "h", 10), 1.0)
    read, asked = store._read, set()

    def spy(sql: str, values: Sequence[str] = ()) -> list[object]:
        asked.add(sql)
        return read(sql, values)

    monkeypatch.setattr(store, "_read", spy)
    for number in (*range(70), 500, 511, 512, 513, 1024, 1025, 1100):
        assert set(store.frames(many[:number])) == set(many[:number:2])
        assert store.frame_bytes(many[:number]) == 10 * ((number + 1) // 2)
    assert len(asked) <= 2 * 10


def test_frames_and_keyframes(path: Path) -> None:
    store = open_store(path)
    many = [f"{number:064x}" for number in range(1234)]
    with store.transaction():
        for key in many:
            store.add_frame(FrameRow(key, PNG, "h", 10), 1.0)
        store.add_keyframe("k.png", 5, 2.0)
        store.set_relation(many[:1], Relation.CUT)
    assert set(store.frames([*many, "f" * 64])) == set(many)
    assert store.frames(many[:1]) == {many[0]: FrameRow(many[0], PNG, "h", 10, Relation.CUT)}
    assert store.spool_bytes() == 12_345
    assert store.oldest_use() == 1.0
    with store.transaction():
        store.remove_frames(many)
        store.remove_keyframes(["k.png"])
    assert store.spool_bytes() == 0


def test_history_keeps_the_newest_finished_jobs_and_all_unfinished_ones(path: Path) -> None:
    store = open_store(path)
    for number in range(5):
        job = add(store, record(f"j{number}"))
        if number != 1:
            with store.transaction():
                store.update_job(job.after(Event.CANCELLED, now=100.0 + number))
    with store.transaction():
        assert store.trim_history(2, 0.0) == [("j0", "me"), ("j2", "me")]
        assert store.trim_history(9, 104.0) == [("j3", "me")]
    assert [job.id for job in store.newest(9)] == ["j4", "j1"]
    assert store.counts() == {"cancelled": 1, "receiving": 1}
    assert [job.state for job in store.unfinished()] == [JobState.RECEIVING]


@pytest.mark.parametrize("damage", ["no database", "cut off", "index", "a page of jobs"])
def test_what_can_be_read_of_a_damaged_database_is_kept_and_the_rest_is_said(
    path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(path)
    for number in range(200):
        made = record(f"j{number}")
        add(store, dataclasses.replace(made, params=params_hash(made.request)))
    store.close()
    data = bytearray(path.read_bytes())
    assert len(data) > 20_000
    if damage == "no database":
        path.write_bytes(b"this is no database" * 500)
    elif damage == "cut off":
        path.write_bytes(data[: len(data) // 2])
    else:
        begin = 8192 if damage == "index" else 15 * 4096
        data[begin : begin + 4096] = b"\xff" * 4096
        path.write_bytes(data)
    with caplog.at_level(logging.ERROR):
        fresh = open_store(path)
    saved = len(fresh.newest(999))
    if damage == "no database":
        assert saved == 0
        assert "how many could not be read cannot be told" in caplog.text
    else:
        assert saved == 200 if damage == "index" else 50 < saved < 200
        assert f"Jobs kept: {saved}; jobs that could not be read: {200 - saved}." in caplog.text
    ids = {job.id for job in fresh.newest(999)}
    assert ids <= {f"j{number}" for number in range(200)}
    assert all(job.params == params_hash(job.request) for job in fresh.newest(999))
    assert [aside.suffix for aside in path.parent.glob("*damaged*")].count(".sqlite3") == 1
    add(fresh, record())


def test_a_job_that_cannot_be_read_is_left_out_and_can_be_written_again(path: Path) -> None:
    store = open_store(path)
    for number in range(3):
        add(store, record(f"j{number}"))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE jobs SET request = x'00' WHERE id = 'j1'")
    connection.close()
    assert [job.id for job in store.newest(9)] == ["j2", "j0"]
    add(store, record("j1"))
    assert [job.id for job in store.newest(9)] == ["j1", "j2", "j0"]


def test_a_frame_whose_row_cannot_be_read_counts_as_not_there(path: Path) -> None:
    store = open_store(path)
    with store.transaction():
        for key in "ab":
            store.add_frame(FrameRow(key, PNG, "0" * 64, 9), 1.0)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE frames SET format = x'00' WHERE key = 'a'")
    connection.close()
    assert list(store.frames("ab")) == ["b"]


def test_text_that_is_no_text_does_not_hide_other_jobs(path: Path) -> None:
    store = open_store(path)
    for number in range(3):
        add(store, record(f"j{number}"))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE jobs SET title = CAST(x'ff80' AS TEXT) WHERE id = 'j1'")
    connection.close()
    assert [job.id for job in store.newest(9)] == ["j2", "j1", "j0"]


def test_damage_that_shows_while_the_database_is_open_is_said_as_such(path: Path) -> None:
    store = open_store(path)
    for number in range(200):
        add(store, record(f"j{number}"))
    store.close()
    store = open_store(path)
    path.write_bytes(path.read_bytes()[:12288] + b"\xff" * 1_000_000)
    # As when the list is larger than what SQLite keeps of it in memory.
    store._connection.execute("PRAGMA shrink_memory")
    with pytest.raises(TweenbridgeError) as caught:
        store.newest(999)
    assert caught.value.code is ErrorCode.DISK_FAILED
    assert store.damaged


def test_times_follow_a_clock_that_was_set(path: Path) -> None:
    store = open_store(path)
    add(store, record("j", created=100.0, started=101.0, finished=102.0))
    add(store, record("k", created=100.0))
    with store.transaction():
        store.add_frame(FrameRow("a", PNG, "0" * 64, 9), 100.0)
        store.add_keyframe("b", 9, 100.0)
        store.shift_times(50.0)
    moments = {job.id: (job.created, job.started, job.finished) for job in store.newest(9)}
    assert moments == {"j": (150.0, 151.0, 152.0), "k": (150.0, None, None)}
    assert [thing.used for thing in (*store.stored_frames(), *store.stored_keyframes())] == [150.0, 150.0]


def test_a_newer_schema_is_left_alone(path: Path) -> None:
    open_store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(TweenbridgeError) as refused:
        open_store(path)
    assert refused.value.code is ErrorCode.START_FAILED
    assert "newer" in str(refused.value)
    assert "TWEENBRIDGE_HOME" in refused.value.remedy
    assert path.read_bytes() == before


def test_the_database_of_an_older_version_is_moved_aside(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE jobs (number INTEGER PRIMARY KEY, id TEXT)")
        connection.execute("INSERT INTO jobs (id) VALUES ('j')")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    with caplog.at_level(logging.WARNING):
        fresh = open_store(path)
    assert "older Tweenbridge" in caplog.text
    assert add(fresh, record()).id == "j"
    (aside,) = path.parent.glob("jobs.old-*.sqlite3")
    with sqlite3.connect(aside) as connection:
        assert connection.execute("SELECT id FROM jobs").fetchall() == [("j",)]
    connection.close()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.integers(1, 99), st.booleans()), max_size=30))
def test_the_sum_of_sizes_is_kept_right(steps: list[tuple[str, int, int, bool]]) -> None:
    """Whatever comes, goes, is replaced or is rolled back."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "jobs.sqlite3")
        for kind, number, size, fails in steps:
            with contextlib.suppress(ZeroDivisionError), store.transaction():
                name = f"{number:064x}"
                if kind == "a" and size % 3:
                    store.add_keyframe(name, size, 1.0)
                elif kind == "a":
                    store.remove_keyframes([name, "nothing"])
                elif size % 3:
                    store.add_frame(FrameRow(name, PNG, "h", size), 1.0)
                else:
                    store.remove_frames([name, name])
                if fails:
                    raise ZeroDivisionError
            kept = store.spool_bytes()
            least_used = list(store.least_used())
            assert sorted(least_used, key=lambda thing: thing.used) == least_used
            added_up = sum(thing.size for thing in least_used)
            assert added_up == sum(thing.size for thing in (*store.stored_frames(), *store.stored_keyframes()))
            assert kept == added_up
        store.close()


Deed = tuple[str, int, str, str]

DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["add", "update", "remove", "trim", "roll back", "open again"]),
        st.integers(0, 4),
        st.sampled_from(["anna", "ben"]),
        st.sampled_from(["queued", "running", "done", "failed"]),
    ),
    max_size=25,
)


def do(store: Store, deed: Deed) -> None:
    """One change of the store, inside a transaction."""
    what, number, owner, state = deed
    job = record(
        f"j{number}", owner=owner, state=JobState(state), finished=1.0 if state in ("done", "failed") else None
    )
    known = store.job(job.id)
    if what in ("add", "roll back"):
        # Also over one that is there.
        store.add_job(job)
    elif what == "update" and known is not None:
        store.update_job(dataclasses.replace(job, order=known.order))
    elif what == "remove":
        store.remove_job(job.id)
    elif what == "trim":
        store.trim_history(number, 0.0)


@settings(max_examples=40, deadline=None)
@given(DEEDS)
def test_jobs_are_counted_right_whatever_happens(deeds: list[Deed]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "jobs.sqlite3")
        for deed in deeds:
            with contextlib.suppress(RuntimeError), store.transaction():
                do(store, deed)
                if deed[0] == "roll back":
                    raise RuntimeError
            if deed[0] == "open again":
                store.close()
                store = open_store(Path(folder) / "jobs.sqlite3")
            for owner in (None, "anna", "ben"):
                states = [job.state.value for job in store.newest(100, owner=owner)]
                assert store.counts(owner) == Counter(states)
        store.close()
