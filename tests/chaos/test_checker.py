"""The checker finds a violation of every promise, planted in evidence that is sound otherwise, and in a real folder."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from bench import Bench, flat
from tweenbridge.pixels import Encoding, PixelFormat, SampleType
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobState
from tweenbridge_server.jobs.job import JobRecord
from tweenbridge_server.jobs.plan import make_plan

from .checker import JUSTIFIED, Excuses, Promise, check
from .evidence import Accounts, Evidence, FrameFile, gather
from .journal import Entry, Journal, Saw, entries
from .plan import Kind

PICTURES = [flat(10), flat(90)]
DAMAGED_LIST = Excuses(frozenset({Kind.DAMAGE_DATABASE}), listed=frozenset({"j"}))


def promises(evidence: Evidence, excuses: Excuses = Excuses()) -> set[Promise]:  # noqa: B008 - frozen
    return {violation.promise for violation in check(evidence, excuses)}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that a real server has left, with one job of three frames that its client got."""
    home = tmp_path_factory.mktemp("checked") / "home"
    with Bench(home) as bench:
        bench.send("j", PICTURES)
        assert bench.wait("j").state is JobState.DONE
        journal = Journal(journal_of(home))
        journal.note(Entry(Saw.BEGAN, ""))
        journal.note(Entry(Saw.ACCEPTED, "ann", "j"))
        for frame in range(3):
            digest = bench.service.frame("j", frame).sha256
            journal.note(Entry(Saw.FRAME, "ann", "j", (frame, digest, digest)))
        journal.note(Entry(Saw.ENDED, "ann", "j", ("done", "", "")))
    return home


def journal_of(home: Path) -> Path:
    return home.with_name("ann.journal")


@pytest.fixture
def sound(home: Path) -> Evidence:
    return gather(home, [journal_of(home)], {})


def test_what_is_sound_is_found_sound(sound: Evidence) -> None:
    assert len(sound.jobs) == 1 and len(sound.frames) == 3 and len(sound.frame_files) == 3 and len(sound.journals) == 6
    assert check(sound, Excuses()) == []


def heard(evidence: Evidence, *more: Entry) -> Evidence:
    return replace(evidence, journals=(*evidence.journals, *more))


def with_job(evidence: Evidence, **changes: object) -> Evidence:
    job: JobRecord = replace(evidence.jobs["j"], **changes)  # type: ignore[arg-type]
    return replace(evidence, jobs={"j": job}, plans={"j": make_plan(job.request, job.making)})


def without_row(evidence: Evidence) -> Evidence:
    return replace(evidence, frames=dict(list(evidence.frames.items())[1:]))


def with_file(evidence: Evidence, **changes: object) -> Evidence:
    first: FrameFile = replace(evidence.frame_files[0], **changes)  # type: ignore[arg-type]
    return replace(evidence, frame_files=(first, *evidence.frame_files[1:]))


GREY = PixelFormat(Encoding.PNG, 16, 12, 1, SampleType.UINT8)
ENDED = (JobState.FAILED.value, ErrorCode.INTERNAL.value, "A mistake.")
FAILED = TweenbridgeError(ErrorCode.DISK_FULL, "Full.").info

PLANTED: dict[str, tuple[Callable[[Evidence], Evidence], Promise]] = {
    "a job is gone": (lambda it: replace(it, jobs={}, plans={}), Promise.KEPT),
    "a job still runs": (lambda it: with_job(it, state=JobState.RUNNING), Promise.ENDED),
    "a job waits for keyframes": (lambda it: with_job(it, state=JobState.RECEIVING), Promise.ENDED),
    "a job failed for good": (lambda it: with_job(it, state=JobState.FAILED, error=FAILED), Promise.RIGHT_END),
    "a job was cancelled by nobody": (lambda it: with_job(it, state=JobState.CANCELLED), Promise.RIGHT_END),
    "a client was told of a mistake": (lambda it: heard(it, Entry(Saw.ENDED, "ann", "j", ENDED)), Promise.RIGHT_END),
    "a client was told of a cancel": (
        lambda it: heard(it, Entry(Saw.ENDED, "ann", "j", ("cancelled", "cancelled", ""))), Promise.RIGHT_END,
    ),
    "the list says otherwise": (lambda it: with_job(it, state=JobState.FAILED, error=FAILED), Promise.AGREED),
    "a frame became another": (lambda it: heard(it, Entry(Saw.FRAME, "bob", "j", (0, "x", "x"))), Promise.AGREED),
    "a frame too many": (lambda it: heard(it, Entry(Saw.FRAME, "bob", "j", (3, "x", "x"))), Promise.AGREED),
    "other bytes came": (lambda it: heard(it, Entry(Saw.FRAME, "bob", "j", (0, "x", "y"))), Promise.DELIVERED),
    "a frame came twice": (lambda it: heard(it, it.journals[2]), Promise.DELIVERED),
    "a frame's row is gone": (without_row, Promise.COMPLETE),
    "a frame's file is gone": (lambda it: replace(it, frame_files=it.frame_files[1:]), Promise.COMPLETE),
    "a keyframe's file is gone": (lambda it: replace(it, keyframe_files={}), Promise.COMPLETE),
    "a frame's bytes changed": (lambda it: with_file(it, sha256="0" * 64), Promise.INTACT),
    "a frame was cut short": (lambda it: with_file(it, size=5), Promise.INTACT),
    "a frame cannot be decoded": (lambda it: with_file(it, format=None), Promise.INTACT),
    "a frame has another form": (lambda it: with_file(it, format=GREY), Promise.INTACT),
    "a keyframe's bytes changed": (
        lambda it: replace(it, keyframe_files=dict.fromkeys(it.keyframe_files, "0" * 64)), Promise.KEYFRAMES,
    ),
    "a frame nobody listed": (without_row, Promise.NO_ORPHANS),
    "a keyframe nobody listed": (lambda it: replace(it, keyframes=frozenset()), Promise.NO_ORPHANS),
    "a half-written file": (lambda it: replace(it, strays=("spool/tmp/1-2-3.part",)), Promise.NO_ORPHANS),
    "a frame was made twice": (lambda it: replace(it, computed_again={"0" * 64: 1}), Promise.ONCE),
    "the database is broken": (lambda it: replace(it, database="row 3 missing from index"), Promise.SOUND),
    "a server did not say why it would not start": (
        lambda it: replace(it, refusals=("Traceback (most recent call last):",)), Promise.PLAIN,
    ),
    "a process was left": (lambda it: replace(it, left_running=(4711,)), Promise.PROCESSES),
    "descriptors grow": (lambda it: replace(it, descriptors=(30, 60)), Promise.DESCRIPTORS),
    "threads grow": (lambda it: replace(it, threads=(20, 50)), Promise.THREADS),
}  # fmt: skip


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_violation_is_found(sound: Evidence, what: str) -> None:
    plant, promise = PLANTED[what]
    assert promise in promises(plant(sound))


def test_a_loss_from_a_damaged_list_has_to_be_said(sound: Evidence) -> None:
    gone = replace(sound, jobs={}, plans={})
    assert promises(gone, DAMAGED_LIST) == {Promise.SAID}
    assert promises(replace(gone, said_lost=1), DAMAGED_LIST) == set()


def test_every_promise_is_planted_once() -> None:
    assert {promise for _, promise in PLANTED.values()} | {Promise.SAID} == set(Promise)


def test_a_fault_justifies_its_own_errors_and_no_others(sound: Evidence) -> None:
    full = heard(sound, Entry(Saw.ENDED, "ann", "j", ("failed", "disk_full", "")), *sound.journals[-1:])
    assert promises(full, Excuses(frozenset({Kind.FULL_DISK}))) == set()
    for kind in set(Kind) - {Kind.FULL_DISK}:
        assert promises(full, Excuses(frozenset({kind}))) == {Promise.RIGHT_END}
    assert not any(ErrorCode.INTERNAL in codes for codes in JUSTIFIED.values())


def test_a_job_that_its_client_released_or_cancelled_may_be_gone_or_cancelled(sound: Evidence) -> None:
    released = heard(sound, Entry(Saw.RELEASING, "ann", "j"))
    assert promises(replace(released, jobs={}, plans={})) == set()
    cancelled = heard(with_job(sound, state=JobState.CANCELLED), Entry(Saw.CANCELLING, "ann", "j"))
    cancelled = heard(cancelled, Entry(Saw.ENDED, "ann", "j", ("cancelled", "cancelled", "")))
    assert promises(cancelled) == set()


# ---------------------------------------------------------------- in a real folder


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)


def copied(home: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(home, tmp_path / "home"))


ON_DISK: dict[str, tuple[Callable[[Path], None], set[Promise]]] = {
    "a bit of a frame": (lambda home: flip(next(home.glob("spool/frames/*/*"))), {Promise.INTACT}),
    "half of a frame": (lambda home: os.truncate(next(home.glob("spool/frames/*/*")), 30), {Promise.INTACT}),
    "a frame less": (lambda home: next(home.glob("spool/frames/*/*")).unlink(), {Promise.COMPLETE}),
    "a bit of a keyframe": (lambda home: flip(next(home.glob("spool/keyframes/*"))), {Promise.KEYFRAMES}),
    "a keyframe less": (lambda home: next(home.glob("spool/keyframes/*")).unlink(), {Promise.COMPLETE}),
    "half a frame": (lambda home: (home / "spool/tmp/7-7-7.part").touch(), {Promise.NO_ORPHANS}),
    "a stray": (lambda home: (next(home.glob("spool/frames/*")) / "x.part").touch(), {Promise.NO_ORPHANS}),
    "a job's row": (lambda home: execute(home, "DELETE FROM jobs"), {Promise.KEPT}),
    "a frame's hash": (
        lambda home: execute(home, "UPDATE frames SET sha256 = 'x'"), {Promise.INTACT, Promise.AGREED},
    ),
    "frames' rows": (lambda home: execute(home, "DELETE FROM frames"), {Promise.COMPLETE, Promise.NO_ORPHANS}),
    "keyframes' rows": (lambda home: execute(home, "DELETE FROM keyframes"), {Promise.NO_ORPHANS}),
}  # fmt: skip


def execute(home: Path, sql: str) -> None:
    with sqlite3.connect(home / "jobs.sqlite3") as connection:
        connection.execute(sql)
    connection.close()


@pytest.mark.parametrize("what", ON_DISK)
def test_damage_in_a_real_folder_is_found(home: Path, tmp_path: Path, what: str) -> None:
    damage, expected = ON_DISK[what]
    folder = copied(home, tmp_path)
    damage(folder)
    assert promises(gather(folder, [journal_of(home)], {})) == expected


def test_computing_again_what_lay_finished_is_noticed(home: Path, sound: Evidence, tmp_path: Path) -> None:
    log = tmp_path / "blend.log"
    lines = {key: f"pair {number}" for number, key in enumerate(sound.frames)}
    accounts = Accounts(home, log)
    accounts.expect(lines)
    log.write_text("".join(f"frame 1 {line}\n" for line in lines.values()))
    accounts.look()
    assert accounts.computed_again() == {}
    first, second, _ = lines
    with log.open("a") as file:
        file.write(f"frame 2 {lines[first]}\nframe 2 {lines[second]}\n")
    accounts.look()
    assert accounts.computed_again() == {first: 1, second: 1}
    accounts.forget([first])
    accounts.look()
    assert accounts.computed_again() == {second: 1}, "a frame whose file was damaged may be made again"


def test_a_journal_survives_a_kill_in_the_middle_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Journal(path).note(Entry(Saw.ACCEPTED, "ann", "j"))
    with path.open("a") as file:
        file.write('["frame", "ann", "j", [1, ')
    assert list(entries([path])) == [Entry(Saw.ACCEPTED, "ann", "j")]
