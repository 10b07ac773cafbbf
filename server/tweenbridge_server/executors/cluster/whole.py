"""Tasks on their way through the cluster: their parts, and what the events of all parts together mean. No Ray here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from ..base import (
    FINAL,
    Advanced,
    Computed,
    Cost,
    Finished,
    FrameOrder,
    GapTask,
    Made,
    Related,
    Stopped,
    TaskEvent,
)

MOST_LOSSES = 3
"""Actors or nodes that may be lost under one task before it counts as what they died of."""
_numbers = count(1)


@dataclass(eq=False)
class Part:
    """Some of a task's frames, which one actor makes.

    Attributes:
        weight: how much of the whole it is.
        task: as the actor gets it: those frames alone, under a name of its own.
        left: the frames that are not made yet, by key.
        fraction: how far it is, 0 to 1.
        computed, ended: what it has come to.
    """

    whole: Whole
    task: GapTask
    left: dict[str, FrameOrder]
    weight: int
    fraction: float = 0.0
    computed: bool = False
    ended: bool = False


@dataclass(eq=False)
class Whole:
    """A task as the server gave it.

    Attributes:
        kind: of tasks that cost the same.
        adopted: frames that were found in the spool, made by somebody who did not live to say so; told once it is known
            how the keyframes relate.
        over: its last event has been told: nothing more is.
    """

    task: GapTask
    kind: str = ""
    adopted: tuple[Made, ...] = ()
    parts: list[Part] = field(default_factory=list)
    related: bool = False
    noted_computed: bool = False
    cancelled: bool = False
    losses: int = 0
    over: bool = False

    @property
    def frames(self) -> list[FrameOrder]:
        """The frames to make, in order of time."""
        there = {made.key for made in self.adopted}
        return sorted((frame for frame in self.task.frames if frame.key not in there), key=lambda frame: frame.t)

    def divide(self, sizes: Sequence[int]) -> list[Part]:
        """Make parts of these sizes."""
        frames, start = self.frames, 0
        for size in sizes:
            self.parts.append(self._part(frames[start : start + size]))
            start += size
        return list(self.parts)

    def again(self, part: Part) -> Part:
        """A part for what was left of one whose actor is gone."""
        part.ended = part.computed = True
        part.fraction = 1.0
        part.weight -= len(part.left)
        anew = self._part(sorted(part.left.values(), key=lambda frame: frame.t))
        self.parts.append(anew)
        return anew

    def _part(self, frames: Sequence[FrameOrder]) -> Part:
        task = replace(self.task, id=f"{self.task.id}#{next(_numbers)}", frames=tuple(frames))
        return Part(self, task, {frame.key: frame for frame in frames}, max(1, len(frames)))

    def hear(self, part: Part, event: TaskEvent) -> list[TaskEvent]:
        """What an event of a part says of the whole."""
        if isinstance(event, FINAL):
            part.ended = part.computed = True
        if isinstance(event, Computed):
            part.computed = True
        if self.over:
            return []
        if isinstance(event, Made):
            part.left.pop(event.key, None)
            return [event]
        if isinstance(event, Related):
            return self._relate(event)
        if isinstance(event, Advanced):
            part.fraction = event.fraction
            return [Advanced(self._fraction(), event.stage)]
        if isinstance(event, Computed):
            return self._computed(event.cost)
        if isinstance(event, Finished):
            part.fraction = 1.0
            return self._end_if_done()
        if isinstance(event, Stopped):
            return self._end_if_done()
        if isinstance(event, FINAL):
            return self.end(event)
        return [event]

    def end(self, event: TaskEvent) -> list[TaskEvent]:
        """End the whole with that."""
        if self.over:
            return []
        self.over = True
        return [event]

    def _relate(self, event: Related) -> list[TaskEvent]:
        if self.related:
            return []
        self.related = True
        return [event, *(replace(made, relation=event.relation) for made in self.adopted)]

    def _fraction(self) -> float:
        weights = sum(part.weight for part in self.parts)
        return sum(part.weight * part.fraction for part in self.parts) / weights

    def _computed(self, cost: Cost) -> list[TaskEvent]:
        if self.noted_computed or not all(part.computed for part in self.parts):
            return []
        self.noted_computed = True
        return [Computed(cost)]

    def _end_if_done(self) -> list[TaskEvent]:
        if not all(part.ended for part in self.parts):
            return []
        return self.end(Stopped() if self.cancelled else Finished())
