"""What must hold whatever happened, and where it does not. Pure: evidence in, violations out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tweenbridge.pixels import PixelFormat
from tweenbridge.protocol.errors import ErrorCode
from tweenbridge.protocol.messages import JobState

from .evidence import Evidence
from .journal import Entry, Saw
from .plan import Kind

MORE_DESCRIPTORS = 6
MORE_THREADS = 6
"""How many more than at first a quiet server may have: threads and files that are only made when first needed."""


class Promise(Enum):
    """What is promised."""

    KEPT = "a job that was acknowledged is in the list"
    ENDED = "a job that was acknowledged has ended"
    RIGHT_END = "a job ends done, or as what happened to it justifies"
    AGREED = "what clients saw agrees with the list"
    DELIVERED = "a client is given the bytes that were announced, and each frame once"
    COMPLETE = "a job that is done has all its frames"
    INTACT = "a frame's file has the hash, the size and the form that the list says"
    KEYFRAMES = "a keyframe's file has the bytes that its name says"
    NO_ORPHANS = "every file in the spool is in the list, and nothing half-written stays"
    ONCE = "what was finished is not computed again"
    SOUND = "the database is sound"
    SAID = "what a damaged list has lost is said"
    PLAIN = "a server that cannot start says why, and why is one of the faults"
    PROCESSES = "no process outlives its server"
    DESCRIPTORS = "descriptors do not grow"
    THREADS = "threads do not grow"


@dataclass(frozen=True)
class Violation:
    """A promise that was not kept."""

    promise: Promise
    what: str

    def __str__(self) -> str:
        return f"{self.promise.value}: {self.what}"


@dataclass(frozen=True)
class Excuses:
    """What the faults that happened justify.

    Attributes:
        kinds: of faults.
        listed: jobs that were in a list that was damaged: they may be gone from it, if that was said.
        frames, keyframes: whose files faults have damaged, and which nobody has asked for since.
    """

    kinds: AbstractSet[Kind] = frozenset()
    listed: AbstractSet[str] = frozenset()
    frames: AbstractSet[str] = frozenset()
    keyframes: AbstractSet[str] = frozenset()


@dataclass
class _Story:
    """What clients saw of one job."""

    accepted: bool = False
    released: bool = False
    cancelled: bool = False
    frames: dict[int, str] = field(default_factory=dict)
    ends: list[tuple[Any, ...]] = field(default_factory=list)


_ALWAYS = frozenset({ErrorCode.CANCELLED, ErrorCode.CONFLICT})
_AWAY = frozenset({ErrorCode.NOT_RUNNING, ErrorCode.TIMED_OUT, ErrorCode.START_FAILED})

JUSTIFIED: dict[Kind, frozenset[ErrorCode]] = {
    Kind.KILL_SERVER: _AWAY,
    Kind.KILL_WORKER: frozenset({ErrorCode.WORKER_DIED}),
    Kind.KILL_CLIENT: frozenset(),
    Kind.STOP_SERVER: _AWAY,
    Kind.STOP_WORKER: frozenset(),
    Kind.STOP_CLIENT: frozenset(),
    Kind.FULL_DISK: frozenset({ErrorCode.DISK_FULL}),
    Kind.READ_ONLY: frozenset({ErrorCode.DISK_FAILED}),
    Kind.DAMAGE_DATABASE: frozenset({ErrorCode.DISK_FAILED, ErrorCode.UNKNOWN_JOB}) | _AWAY,
    Kind.DAMAGE_FRAME: frozenset({ErrorCode.EXPIRED}),
    Kind.DAMAGE_KEYFRAME: frozenset({ErrorCode.DISK_FAILED}),
    Kind.SET_CLOCK: frozenset(),
    Kind.SLOW: frozenset({ErrorCode.TIMED_OUT}),
    Kind.STALL: frozenset({ErrorCode.TIMED_OUT}),
    Kind.CUT: frozenset(),
}
"""Errors that clients may see of jobs once a fault of that kind has happened."""


def check(evidence: Evidence, excuses: Excuses) -> list[Violation]:
    """Every violation there is."""
    return [*_jobs(evidence, excuses), *_files(evidence, excuses), *_machine(evidence), *_refusals(evidence, excuses)]


# ---------------------------------------------------------------- jobs


def _stories(journals: Iterable[Entry], listed: AbstractSet[str]) -> tuple[dict[str, _Story], list[Violation]]:
    stories: dict[str, _Story] = {}
    wrong = []
    given: set[tuple[str, str, int]] = set()
    for entry in journals:
        if entry.saw is Saw.BEGAN:
            given.clear()
        if not entry.job:
            continue
        story = stories.setdefault(entry.job, _Story())
        if entry.saw is Saw.ACCEPTED:
            story.accepted = True
        elif entry.saw is Saw.RELEASING:
            story.released = True
        elif entry.saw is Saw.CANCELLING:
            story.cancelled = True
        elif entry.saw is Saw.ENDED:
            story.ends.append(entry.value)
        elif entry.saw is Saw.FRAME:
            index, announced, came = entry.value
            what = f"frame {index} of job {entry.job}, as {entry.client} saw it"
            if announced != came:
                wrong.append(Violation(Promise.DELIVERED, f"{what}, has other bytes than announced"))
            if (entry.client, entry.job, index) in given:
                wrong.append(Violation(Promise.DELIVERED, f"{what}, came twice"))
            given.add((entry.client, entry.job, index))
            if story.frames.setdefault(index, announced) != announced and entry.job not in listed:
                # (Of a job that a damaged list has lost, the id may have gone to another request.)
                wrong.append(Violation(Promise.AGREED, f"{what}, was another one before"))
    return stories, wrong


def _jobs(evidence: Evidence, excuses: Excuses) -> Iterator[Violation]:
    stories, wrong = _stories(evidence.journals, excuses.listed)
    yield from wrong
    justified = _ALWAYS.union(*(JUSTIFIED[kind] for kind in excuses.kinds))
    missing = set()
    for job, story in stories.items():
        yield from _ends(job, story, justified)
        record = evidence.jobs.get(job)
        if record is not None:
            yield from _record(evidence, excuses, job, story, justified)
        elif story.accepted and not story.released:
            missing.add(job)
    for job in sorted(missing - excuses.listed):
        yield Violation(Promise.KEPT, f"job {job} is not there")
    lost = missing & excuses.listed
    if len(lost) > evidence.said_lost:
        what = f"{len(lost)} jobs are gone from a damaged list, and {evidence.said_lost} are said to be: {sorted(lost)}"
        yield Violation(Promise.SAID, what)


def _ends(job: str, story: _Story, justified: AbstractSet[ErrorCode]) -> Iterator[Violation]:
    for state, code, sentence in story.ends:
        if code and ErrorCode(code) not in justified:
            yield Violation(Promise.RIGHT_END, f"job {job} was {state} with {code}: {sentence}")
        if state == JobState.CANCELLED.value and not story.cancelled:
            yield Violation(Promise.RIGHT_END, f"job {job} was cancelled, and by nobody")


def _record(
    evidence: Evidence, excuses: Excuses, job: str, story: _Story, justified: AbstractSet[ErrorCode]
) -> Iterator[Violation]:
    record, plan = evidence.jobs[job], evidence.plans[job]
    if story.accepted and not record.state.is_final:
        yield Violation(Promise.ENDED, f"job {job} is {record.state.value}, {record.done} of {record.total} frames")
    error = record.error
    # A job that is cancelled may just have failed: nobody asks again then.
    excused = story.cancelled and error is not None and error.code in justified
    if story.accepted and record.state is JobState.FAILED and not excused:
        yield Violation(Promise.RIGHT_END, f"job {job} is failed for good: {error and error.message}")
    last = story.ends[-1][0] if story.ends else ""
    if last == JobState.DONE.value and record.state is not JobState.DONE:
        yield Violation(Promise.AGREED, f"job {job} was done for its client and is {record.state.value} in the list")
    if record.state is JobState.CANCELLED and not story.cancelled:
        yield Violation(Promise.RIGHT_END, f"job {job} is cancelled, and by nobody")
    for index, announced in story.frames.items():
        if index >= len(plan.keys):
            yield Violation(Promise.AGREED, f"job {job} has no frame {index}, and a client was given one")
            continue
        row = evidence.frames.get(plan.keys[index])
        if row is not None and row.sha256 != announced and row.key not in excuses.frames:
            yield Violation(Promise.AGREED, f"frame {index} of job {job} has another hash than its client was told")
    if record.state is JobState.DONE:
        gone = [
            index for index, key in enumerate(plan.keys) if key not in evidence.frames and key not in excuses.frames
        ]
        if gone:
            yield Violation(Promise.COMPLETE, f"job {job} is done and lacks frames {gone}")


# ---------------------------------------------------------------- files


def _files(evidence: Evidence, excuses: Excuses) -> Iterator[Violation]:
    files = {file.key: file for file in evidence.frame_files}
    for key, row in evidence.frames.items():
        file = files.get(key)
        if key in excuses.frames:
            continue
        if file is None:
            yield Violation(Promise.COMPLETE, f"frame {key[:12]} is in the list and has no file")
        elif file.size != row.size or row.sha256 != file.sha256:
            yield Violation(Promise.INTACT, f"frame {key[:12]} has another hash or size than the list says")
        elif file.format is None or not _agree(row.format, file.format):
            yield Violation(Promise.INTACT, f"frame {key[:12]} is {file.format} and {row.format} in the list")
    for key in sorted(files.keys() - evidence.frames.keys() - excuses.frames):
        yield Violation(Promise.NO_ORPHANS, f"frame {key[:12]} lies in the spool and is not in the list")
    for name in sorted(evidence.keyframe_files.keys() - evidence.keyframes - excuses.keyframes):
        yield Violation(Promise.NO_ORPHANS, f"keyframe {name[:12]} lies in the spool and is not in the list")
    for name in sorted(evidence.keyframes - evidence.keyframe_files.keys() - excuses.keyframes):
        yield Violation(Promise.COMPLETE, f"keyframe {name[:12]} is in the list and has no file")
    for name, digest in evidence.keyframe_files.items():
        if name[:64] != digest and name not in excuses.keyframes:
            yield Violation(Promise.KEYFRAMES, f"keyframe {name[:12]} has other bytes")
    for stray in evidence.strays:
        yield Violation(Promise.NO_ORPHANS, f"{stray} was left behind")
    if evidence.database != "ok":
        yield Violation(Promise.SOUND, evidence.database)


def _agree(said: PixelFormat, found: PixelFormat) -> bool:
    """Whether a file is what the list says; an adopted frame's row says only the encoding."""
    fields = ("encoding", "width", "height", "channels", "dtype")
    pairs = [(getattr(said, name), getattr(found, name)) for name in fields]
    return all(one in (None, other) for one, other in pairs)


# ---------------------------------------------------------------- processes


def _machine(evidence: Evidence) -> Iterator[Violation]:
    for key, times in evidence.computed_again.items():
        yield Violation(Promise.ONCE, f"frame {key[:12]} was computed {times} more times")
    for pid in evidence.left_running:
        yield Violation(Promise.PROCESSES, f"process {pid} is still there")
    if evidence.descriptors and evidence.descriptors[1] > evidence.descriptors[0] + MORE_DESCRIPTORS:
        yield Violation(Promise.DESCRIPTORS, "{} at first, {} now".format(*evidence.descriptors))
    if evidence.threads and evidence.threads[1] > evidence.threads[0] + MORE_THREADS:
        yield Violation(Promise.THREADS, "{} at first, {} now".format(*evidence.threads))


def _refusals(evidence: Evidence, excuses: Excuses) -> Iterator[Violation]:
    justified = {code.value for kind in excuses.kinds for code in JUSTIFIED[kind]}
    for said in evidence.refusals:
        if said.partition(":")[0] not in justified or "Traceback" in said:
            yield Violation(Promise.PLAIN, said[-600:])
