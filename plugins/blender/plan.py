# SPDX-License-Identifier: GPL-3.0-or-later
"""From keyframes and the artist's settings to what is to be done: jobs for the server, strips for the timeline. Pure.

A gap keeps its length and is filled, unless more in-betweens are asked for than fit: then later strips move, where the
artist allows it. Fewer in-betweens than fit are spread evenly over the gap, each shown for as many frames.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import PluginError
from .gaps import Found, GapRange, KeyframeAt, Source, Span, runs
from .placement import frames_needed, make_room

Scalar = bool | int | float | str
MIDDLE = 0.5


@dataclass(frozen=True)
class Wanted:
    """What the artist chose.

    Attributes:
        engine, profile, settings: which engine, and how it is set.
        count: in-betweens for every gap, each held for `hold` frames or longer; None fills the gaps as they are.
        spacing: a `tweenbridge.Spacing` value; not used with a chart.
        chart: times of the drawings in every gap, 0 to 1; () for none.
        hold: 1 on ones, 2 on twos, 3 on threes.
        loop: also lead from the last keyframe back to the first.
        ripple: later strips may move.
        ripple_markers, ripple_end: markers move with them, and the end of the scene's frame range.
        ripple_channels: strips on all channels move, rather than on those of the keyframes only.
        breakdown: only the middle pose of every gap.
        depth: a `frames.Depth` value.
        alpha: keyframes with transparency.
        draft_first: show what `flow` makes quickly, until the frames asked for are finished.
    """

    engine: str = "flow"
    profile: str = ""
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    count: int | None = None
    spacing: str = "linear"
    chart: tuple[float, ...] = ()
    hold: int = 1
    loop: bool = False
    ripple: bool = False
    ripple_markers: bool = False
    ripple_end: bool = False
    ripple_channels: bool = True
    breakdown: bool = False
    depth: str = "png8"
    alpha: bool = True
    draft_first: bool = False

    @property
    def has_draft(self) -> bool:
        """There is a draft, and it is not what was asked for anyway."""
        return self.draft_first and self.engine != "flow"


@dataclass(frozen=True)
class StripPlan:
    """A strip to insert: its first timeline frame and, for each of its frames, the number of the job's drawing.

    `index` numbers the strips of a shot; `gap` is the gap of the job. `a` and `b` are the timeline frames of the two
    keyframes once later strips have moved.
    """

    index: int
    gap: int
    start: int
    drawings: tuple[int, ...]
    a: int
    b: int


@dataclass(frozen=True)
class Cut:
    """Strips that begin at frame `at` or later move by `by` frames. All cuts count in frames before any strip moved.

    `channels` are those on which strips move; () for all.
    """

    at: int
    by: int
    channels: tuple[int, ...] = ()

    def shift(self, span: Span) -> int:
        """By how much a strip moves."""
        return self.by if span.start >= self.at and (not self.channels or span.channel in self.channels) else 0


@dataclass(frozen=True)
class JobPlan:
    """One job: keyframes (indices into the plan's) at positions, timing as fields of `tweenbridge.Timing`."""

    keyframes: tuple[int, ...]
    positions: tuple[int, ...]
    timing: Mapping[str, Any]
    strips: tuple[StripPlan, ...]


@dataclass(frozen=True)
class Plan:
    """Keyframes to render, jobs to submit, room to make before the jobs' strips are inserted; what to tell."""

    source: Source
    keyframes: tuple[KeyframeAt, ...]
    jobs: tuple[JobPlan, ...]
    cuts: tuple[Cut, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def strips(self) -> tuple[StripPlan, ...]:
        """All strips, in the order of the shot."""
        return tuple(strip for job in self.jobs for strip in job.strips)


def make_plan(found: Found, spans: Sequence[Span], wanted: Wanted) -> Plan:
    """What to do for these keyframes and settings.

    Args:
        found: keyframes and gaps.
        spans: every strip at the top level.
        wanted: the settings.

    Raises:
        PluginError: nothing can be filled, or there is no room and strips may not move.
    """
    counts = [_count(gap, wanted) for gap in found.gaps]
    filled = [(gap, count) for gap, count in zip(found.gaps, counts) if count > 0]
    if not filled:
        raise PluginError(
            "There are no frames between the keyframes.",
            "Choose a number of in-betweens and let later strips move, or move the key drawings apart.",
        )
    if not wanted.ripple and any(gap.overlap or count > gap.length for gap, count in filled):
        gap, count = next(each for each in filled if each[0].overlap or each[1] > each[0].length)
        names = f"“{found.keyframes[gap.a].label}” and “{found.keyframes[gap.b].label}”"
        held = f"{count} frames of in-betweens" if wanted.hold > 1 and not wanted.chart else f"{count}"
        raise PluginError(
            f"Between {names} there is room for {gap.length} in-betweens, not for {held}.",
            "Let later strips move, or choose a smaller number.",
        )
    kept = dataclasses.replace(found, gaps=tuple(gap for gap, _ in filled))
    room = make_room(spans, kept, [count for _, count in filled])
    moved = dataclasses.replace(kept, gaps=room.gaps)
    jobs: list[JobPlan] = []
    for run in runs(moved):
        jobs.append(_job(run, wanted, sum(len(job.strips) for job in jobs)))
    keyframes = found.keyframes
    channels = () if wanted.ripple_channels else _channels(found, spans)
    cuts = tuple(Cut(gap.later, by, channels) for gap, count in filled if (by := frames_needed(gap, count)))
    if wanted.loop and not wanted.breakdown:
        ends, gap = _loop(found, spans, room.gaps[-1].length, sum(cut.by for cut in cuts), len(keyframes))
        keyframes += ends
        job = _job((gap,), wanted, sum(len(job.strips) for job in jobs))
        jobs.append(dataclasses.replace(job, strips=(dataclasses.replace(job.strips[0], b=ends[1].frame),)))
    skipped = len(found.gaps) - len(filled)
    notes = ("Key drawings without a frame between them were left as they are.",) if skipped else ()
    return Plan(found.source, keyframes, tuple(jobs), cuts, notes)


def _channels(found: Found, spans: Sequence[Span]) -> tuple[int, ...]:
    """The channels of the strips that show the keyframes."""
    named = {keyframe.strip for keyframe in found.keyframes}
    return tuple(sorted({span.channel for span in spans if span.name in named}))


def _count(gap: GapRange, wanted: Wanted) -> int:
    """In-betweens to make room for."""
    if wanted.breakdown:
        return max(1, gap.length)
    return max(len(wanted.chart) or (wanted.count or 0) * wanted.hold, gap.length)


def _loop(
    found: Found, spans: Sequence[Span], length: int, shift: int, first: int
) -> tuple[tuple[KeyframeAt, ...], GapRange]:
    """The keyframes that a loop joins, the end of the shot and its beginning, and the gap after the end."""
    last, start = found.keyframes[-1], found.keyframes[0]
    if found.source is Source.STRIPS:
        where = {span.name: span for span in spans}
        last = dataclasses.replace(last, frame=where[last.strip].end - 1, label=f"{last.strip}, last frame", hide=())
        start = dataclasses.replace(start, frame=where[start.strip].start, label=f"{start.strip}, first frame", hide=())
    begin = last.frame + shift + 1
    return (last, start), GapRange(0, first, first + 1, begin, begin + length)


def _job(run: tuple[GapRange, ...], wanted: Wanted, first: int) -> JobPlan:
    times = _times(wanted)
    return _counted(run, wanted, first, times) if times else _filled(run, wanted, first)


def _times(wanted: Wanted) -> tuple[float, ...]:
    """The times of the drawings in every gap where it is said how many there are; () to fill the gap."""
    from tweenbridge.timing import Spacing, ease

    if wanted.breakdown:
        return (MIDDLE,)
    if wanted.chart or wanted.count is None:
        return wanted.chart
    spacing = Spacing(wanted.spacing)
    return tuple(ease(spacing, number / (wanted.count + 1)) for number in range(1, wanted.count + 1))


def _counted(run: tuple[GapRange, ...], wanted: Wanted, first: int, times: tuple[float, ...]) -> JobPlan:
    """A job of as many drawings as there are times in every gap, each shown for as many frames as the others.

    The server is told of gaps that these drawings fill, so that it makes no copy of a keyframe.
    """
    count, strips = len(times), []
    for index, gap in enumerate(run):
        shown = tuple(count * index + count * frame // gap.length for frame in range(gap.length))
        start = gap.start
        if wanted.breakdown:
            start, shown = gap.start + (gap.length - 1) // 2, (index,)
        strips.append(StripPlan(first + index, index, start, shown, gap.start - 1, gap.end))
    positions = tuple(index * (count + 1) for index in range(len(run) + 1))
    timing = {"count": count, "spacing": wanted.spacing, "chart": times, "hold": 1}
    return JobPlan((run[0].a, *(gap.b for gap in run)), positions, timing, tuple(strips))


def _filled(run: tuple[GapRange, ...], wanted: Wanted, first: int) -> JobPlan:
    """A job of a drawing for every frame, or for every few where they are held."""
    from tweenbridge.timing import Spacing, Timing, schedule

    positions = [0]
    for gap in run:
        positions.append(positions[-1] + gap.length + 1)
    plan = schedule(positions, Timing(spacing=Spacing(wanted.spacing), hold=wanted.hold))
    strips = tuple(
        StripPlan(first + index, index, gap.start, made.exposures, gap.start - 1, gap.end)
        for index, (gap, made) in enumerate(zip(run, plan.gaps))
    )
    timing = {"count": None, "spacing": wanted.spacing, "chart": (), "hold": wanted.hold}
    return JobPlan((run[0].a, *(gap.b for gap in run)), tuple(positions), timing, strips)


def new_drawings(job: JobPlan, strip: StripPlan) -> int:
    """How many in-betweens a strip shows. On twos it begins with the keyframe, held, which is none."""
    return len(set(strip.drawings)) - (1 if job.timing["hold"] > 1 else 0)


def covered(plan: Plan, spans: Sequence[Span]) -> tuple[str, ...]:
    """Clips that the strips of a plan would hide, each with its frames, once later strips have moved.

    One that is seen at a keyframe is not hidden: it is in the keyframe's picture. Nor are earlier takes.

    Args:
        plan: what is to be inserted.
        spans: every strip at the top level, where it is now.
    """
    found: dict[str, str] = {}
    for span in spans:
        by = sum(cut.shift(span) for cut in plan.cuts)
        first, end = span.start + by, span.end + by
        for strip in plan.strips:
            shown = any(first <= keyframe < end for keyframe in (strip.a, strip.b))
            begin, last = max(first, strip.start), min(end, strip.start + len(strip.drawings)) - 1
            if span.picture and not span.made and not shown and begin <= last:
                where = f"frame {begin}" if begin == last else f"frames {begin} to {last}"
                found.setdefault(span.name, f"“{span.name}” at {where}")
    return tuple(found.values())


def shifted(plan: Plan, by: int) -> Plan:
    """The same plan `by` frames later, for keyframes that have been moved."""
    jobs = []
    for job in plan.jobs:
        moved = (dataclasses.replace(s, start=s.start + by, a=s.a + by, b=s.b + by) for s in job.strips)
        jobs.append(dataclasses.replace(job, strips=tuple(moved)))
    cuts = tuple(dataclasses.replace(cut, at=cut.at + by) for cut in plan.cuts)
    return dataclasses.replace(plan, jobs=tuple(jobs), cuts=cuts)


def enumerated(items: Sequence[str], most: int = 3) -> str:
    """Words as a sentence has them: `a, b and c`, or `a, b, c and 2 more`."""
    shown = list(items) if len(items) <= most else [*items[:most], f"{len(items) - most} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def parse_chart(text: str) -> tuple[float, ...]:
    """Times from text such as `0.2 0.5 0.9` or `20% 50%, 90%`.

    Raises:
        PluginError: something in it is not a time between 0 and 1.
    """
    remedy = "Write times between 0 and 1 with spaces between them, e.g. 0.1 0.5 0.9."
    times = []
    for word in text.replace(",", " ").replace(";", " ").replace(" %", "%").split():
        try:
            time = float(word.rstrip("%")) / (100 if word.endswith("%") else 1)
        except ValueError as error:
            raise PluginError(f"The timing chart has “{word}” in it, which is not a time.", remedy) from error
        if not 0.0 <= time <= 1.0:
            raise PluginError(f"The timing chart has “{word}” in it; 0 is one key drawing and 1 the next.", remedy)
        times.append(time)
    if not times:
        raise PluginError("The timing chart is empty.", remedy)
    return tuple(times)
