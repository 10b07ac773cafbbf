"""An unfinished job in memory: what it still lacks, how far it is, and how long it will take. No input or output."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from tweenbridge.protocol.messages import Accepted, JobInfo, Note
from tweenbridge.protocol.oversight import GapInfo

from .job import JobRecord
from .plan import Plan, PlannedFrame, Relation, note
from .spool import keyframe_name

_MOST_NOTES = 60
"""Notes of one job that engines may make."""


class ActiveJob:
    """The moving part of a job. `record` is replaced as its state changes."""

    def __init__(self, record: JobRecord, plan: Plan, keyframes: Iterable[str]) -> None:
        """`keyframes`: file names of those of the job's keyframes that the spool has."""
        self.record = record
        self.plan = plan
        names = [keyframe_name(keyframe) for keyframe in record.request.keyframes]
        wanted = {names[index] for gap in plan.gaps if gap.frames for index in (gap.a, gap.b)}
        if wanted and record.making.whole_shot:
            wanted = set(names)
        self.missing_keyframes = wanted - set(keyframes)
        self.keyframe_files = tuple(names)
        self.places: dict[str, list[tuple[int, int]]] = {}
        for gap in plan.gaps:
            for frame in gap.frames:
                self.places.setdefault(frame.key, []).append((gap.index, frame.index))
        self._ready: set[str] = set()
        self._drawn = 0
        self._drawn_in = [0] * len(plan.gaps)
        self._lacking = [len({frame.key for frame in gap.frames}) for gap in plan.gaps]
        self._relations: dict[int, Relation] = {}
        self._said = {(said.code, said.message): said for said in record.notes}
        self._parts: dict[int, float] = {}
        self._begun: dict[int, float] = {}
        self._stage = ""
        self._fraction = 0.0
        self._measured_from: tuple[float, float] | None = None

    @property
    def id(self) -> str:
        """The client's name for the job."""
        return self.record.id

    def need(self) -> tuple[int, ...]:
        """Indices of the keyframes to send; of equal keyframes the first."""
        first = {name: index for index, name in reversed(list(enumerate(self.keyframe_files)))}
        return tuple(sorted(first[name] for name in self.missing_keyframes))

    def accepted(self) -> Accepted:
        """What its client is told when it submits it."""
        return Accepted(self.id, self.record.state, self.need(), self.ready(), self.record.total)

    def missing(self, gap: int) -> tuple[PlannedFrame, ...]:
        """The frames of a gap that are not there yet, each key once."""
        frames = {frame.key: frame for frame in self.plan.gaps[gap].frames if frame.key not in self._ready}
        return tuple(frames.values())

    def gap_complete(self, gap: int) -> bool:
        """Nothing of the gap is left to do. A gap whose keyframes were never compared still is: for its note."""
        return not self.plan.gaps[gap].frames or (self._lacking[gap] == 0 and gap in self._relations)

    def complete(self) -> bool:
        """Nothing of the job is left to do."""
        return all(self.gap_complete(gap.index) for gap in self.plan.gaps)

    def ready(self) -> tuple[int, ...]:
        """Drawing indices of the frames that are there."""
        return tuple(index for index, key in enumerate(self.plan.keys) if key in self._ready)

    def frame_ready(self, key: str, relation: Relation | None) -> tuple[int, ...]:
        """A frame is there. Returns the drawings that became ready by it."""
        if relation:
            self.relate(key, relation)
        if key in self._ready or key not in self.places:
            return ()
        self._ready.add(key)
        for gap in {gap for gap, _ in self.places[key]}:
            self._lacking[gap] -= 1
        for gap, _ in self.places[key]:
            self._drawn_in[gap] += 1
            self._drawn += 1
        return tuple(index for _, index in self.places[key])

    def frame_lost(self, key: str) -> set[int]:
        """A frame is not there any more. Returns the gaps that lack it now."""
        if key not in self._ready:
            return set()
        self._ready.discard(key)
        gaps = {gap for gap, _ in self.places[key]}
        for gap in gaps:
            self._lacking[gap] += 1
        for gap, _ in self.places[key]:
            self._drawn_in[gap] -= 1
            self._drawn -= 1
        return gaps

    def shift_times(self, seconds: float) -> None:
        """The clock was set by that much."""
        self.record = self.record.moved(seconds)
        self._begun = {gap: moment + seconds for gap, moment in self._begun.items()}
        if self._measured_from is not None:
            since, already = self._measured_from
            self._measured_from = (since + seconds, already)

    def relate(self, key: str, relation: Relation) -> None:
        """The keyframes of the gaps that the frame is in relate so."""
        for gap, _ in self.places.get(key, ()):
            self._relations[gap] = relation

    def begin(self, gap: int, now: float) -> None:
        """A worker begins a gap."""
        self._parts[gap] = 0.0
        self._begun[gap] = now
        if self._measured_from is None:
            self._measured_from = (now, self._measure())

    def advance(self, gap: int, fraction: float, stage: str) -> None:
        """A worker has done `fraction` (0 to 1) of what was missing in a gap."""
        self._parts[gap] = fraction
        self._stage = stage

    def end(self, gap: int) -> None:
        """No worker is at that gap any more."""
        self._parts.pop(gap, None)

    def note(self, said: Note) -> bool:
        """An engine has said something about a gap. Returns whether that is news.

        What it says in the same words of several gaps becomes one note of the whole job.
        """
        words = (said.code, said.message)
        known = self._said.get(words)
        if known is None and len(self._said) >= _MOST_NOTES:
            return False
        self._said[words] = said if known is None or known.gap == said.gap else dataclasses.replace(said, gap=None)
        return self._said[words] != known

    def notes(self) -> tuple[Note, ...]:
        """What the user should know: of gaps that were not interpolated, then what engines said."""
        keyframes = self.record.request.keyframes
        found = (note(relation, self.plan.gaps[gap], keyframes) for gap, relation in sorted(self._relations.items()))
        seen = {(item.code, item.message): item for item in found if item}
        return tuple((seen | self._said).values())

    def _measure(self) -> float:
        """The share of the job's work that is done, 0 to 1, counting frames that are on their way."""
        total = len(self.plan.keys)
        if not total:
            return 0.0
        done = float(self._drawn)
        for gap, part in self._parts.items():
            done += max(0.0, part * len(self.plan.gaps[gap].frames) - self._drawn_in[gap])
        return min(done / total, 1.0)

    def gaps(self, now: float) -> tuple[GapInfo, ...]:
        """How far each gap is, and how long those will take that a worker is at."""
        found = []
        for gap in self.plan.gaps:
            total, done = len(gap.frames), self._drawn_in[gap.index]
            fraction = 1.0 if self.gap_complete(gap.index) else done / total
            eta = None
            part = self._parts.get(gap.index)
            if part is not None:
                fraction = max(fraction, part)
                since = now - self._begun[gap.index]
                eta = since * (1.0 - part) / part if part > 0 and since > 0 else None
            found.append(GapInfo(total, done, fraction, eta))
        return tuple(found)

    def info(self, now: float) -> JobInfo:
        """What lists show. The fraction never goes back."""
        self._fraction = max(self._fraction, self._measure())
        eta = None
        if self._measured_from and self._parts:
            since, already = self._measured_from
            if self._fraction > already and now > since:
                eta = (1.0 - self._fraction) * (now - since) / (self._fraction - already)
        return dataclasses.replace(
            self.record.to_info(),
            done=self._drawn,
            fraction=self._fraction,
            stage=self._stage if self._parts else "",
            eta=eta,
            notes=self.notes(),
        )
