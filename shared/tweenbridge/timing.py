"""When each in-between is, and how long it is shown: pure arithmetic, the same on both ends of the wire.

Words (an animator's): a *gap* lies between neighbouring keyframes A and B and has N *slots*, the timeline frames
strictly between them. A *drawing* is one image to make, at time t of its gap (0 is A, 1 is B). A slot *exposes* a
drawing; on twos or threes several neighbouring slots expose the same one. A *timing chart* lists the t of each drawing.

Slot i (1..N) of a gap sits at u = i / (N + 1). On a hold of h it exposes the drawing begun at slot h * floor(i / h), so
the cadence counts from the keyframe itself: on twos, A is shown for two frames, then a new drawing every two. The first
h - 1 slots therefore expose A again; they are drawings at t = 0, which the server copies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Optional, Sequence

from .protocol.errors import ErrorCode, TweenbridgeError

MAX_HOLD = 24


class Spacing(str, Enum):
    """How drawings are spaced between two keyframes."""

    LINEAR = "linear"
    EASE_IN = "ease-in"
    """Slow out of A: starts slowly, arrives at full speed."""
    EASE_OUT = "ease-out"
    """Slow into B: starts at full speed, settles."""
    EASE_IN_OUT = "ease-in-out"


@dataclass(frozen=True)
class Timing:
    """How the gaps of a job are filled.

    Attributes:
        count: slots in every gap, or None to fill the timeline frames between the keyframes' positions.
        spacing: curve from even slot times to drawing times; not used where there is a chart.
        chart: explicit drawing times in [0, 1] for each gap; () for none. Its drawings are exposed as evenly as
            the slots allow, after A: with K drawings in N slots, slot i exposes drawing
            floor(i (K + 1) / (N + 1)), 0 being A.
            Without `count` and without room between the positions, a chart makes one slot per drawing and hold.
        hold: 1 on ones, 2 on twos, 3 on threes.
        loop: add a gap from the last keyframe back to the first, as long as the last gap.
    """

    count: Optional[int] = None
    spacing: Spacing = Spacing.LINEAR
    chart: tuple[float, ...] = ()
    hold: int = 1
    loop: bool = False


@dataclass(frozen=True)
class Drawing:
    """One image to make: `index` counts through the job, `t` in [0, 1] is its time in gap `gap`."""

    index: int
    gap: int
    t: float


@dataclass(frozen=True)
class GapTiming:
    """One gap: keyframe indices `a` and `b`, and for each slot the index of the drawing it exposes."""

    index: int
    a: int
    b: int
    exposures: tuple[int, ...]


@dataclass(frozen=True)
class Schedule:
    """All gaps of a job and all images to make, in time order."""

    gaps: tuple[GapTiming, ...]
    drawings: tuple[Drawing, ...]

    def slots_of(self, drawing: Drawing) -> tuple[int, ...]:
        """The slots (1..N) of its gap that expose the drawing."""
        exposures = self.gaps[drawing.gap].exposures
        return tuple(i for i, shown in enumerate(exposures, start=1) if shown == drawing.index)


def ease(spacing: Spacing, u: float) -> float:
    """Map an even time u in [0, 1] to the drawing's time. Monotone; 0 stays 0 and 1 stays 1.

    The eases are the sine curves animators know from every editor: ease-in 1 - cos(pi u / 2), ease-out sin(pi u / 2),
    ease-in-out (1 - cos(pi u)) / 2.
    """
    if spacing is Spacing.EASE_IN:
        return 1.0 - math.cos(math.pi * u / 2)
    if spacing is Spacing.EASE_OUT:
        return math.sin(math.pi * u / 2)
    if spacing is Spacing.EASE_IN_OUT:
        return (1.0 - math.cos(math.pi * u)) / 2
    return u


def _fail(message: str) -> TweenbridgeError:
    return TweenbridgeError(ErrorCode.BAD_REQUEST, message)


def _check(positions: Sequence[int], timing: Timing) -> None:
    if len(positions) < 2:
        raise _fail("In-betweens need at least two keyframes.")
    for index, (left, right) in enumerate(zip(positions, positions[1:]), start=2):
        if right <= left:
            raise _fail(f"Keyframe {index} is not later on the timeline than the one before it.")
    if timing.count is not None and timing.count < 0:
        raise _fail("The number of in-betweens cannot be negative.")
    if not 1 <= timing.hold <= MAX_HOLD:
        raise _fail(f"A drawing can be held for 1 to {MAX_HOLD} frames, not {timing.hold}.")
    for t in timing.chart:
        if not (math.isfinite(t) and 0.0 <= t <= 1.0):
            raise _fail(f"A timing chart lists times between 0 and 1; {t} is not one.")


def _slot_count(length: int, timing: Timing) -> int:
    """Slots in a gap whose keyframes are `length` timeline frames apart."""
    if timing.count is not None:
        return timing.count
    if length > 1 or not timing.chart:
        return length - 1
    return (len(timing.chart) + 1) * timing.hold - 1


def _slot_times(slots: int, timing: Timing) -> list[tuple[int, float]]:
    """For each slot: (which drawing of the gap it exposes, counted from 0 = the held keyframe A; the drawing's t)."""
    if timing.chart:
        drawings = len(timing.chart)
        if slots < drawings:
            raise _fail(f"The timing chart has {drawings} drawings, but a gap has only {slots} frames to show them in.")
        times = (0.0, *timing.chart)
        shown = [i * (drawings + 1) // (slots + 1) for i in range(1, slots + 1)]
        return [(k, times[k]) for k in shown]
    shown = [i // timing.hold for i in range(1, slots + 1)]
    return [(k, ease(timing.spacing, k * timing.hold / (slots + 1))) for k in shown]


def schedule(positions: Sequence[int], timing: Timing) -> Schedule:
    """Which drawings to make and which slots expose them.

    Args:
        positions: the keyframes' timeline frames, strictly increasing.
        timing: how the gaps are filled.

    Raises:
        TweenbridgeError: BAD_REQUEST, saying which keyframe or setting is wrong.
    """
    _check(positions, timing)
    pairs = [(k, k + 1) for k in range(len(positions) - 1)]
    lengths = [positions[b] - positions[a] for a, b in pairs]
    if timing.loop:
        pairs.append((len(positions) - 1, 0))
        lengths.append(lengths[-1])
    gaps: list[GapTiming] = []
    drawings: list[Drawing] = []
    for index, ((a, b), length) in enumerate(zip(pairs, lengths)):
        slots = _slot_times(_slot_count(length, timing), timing)
        exposures: list[int] = []
        previous: Optional[int] = None
        for shown, t in slots:
            if shown != previous:
                drawings.append(Drawing(index=len(drawings), gap=index, t=t))
                previous = shown
            exposures.append(len(drawings) - 1)
        gaps.append(GapTiming(index=index, a=a, b=b, exposures=tuple(exposures)))
    return Schedule(gaps=tuple(gaps), drawings=tuple(drawings))
