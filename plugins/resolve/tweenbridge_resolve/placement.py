"""Where in-betweens go: keyframes and the gaps between them, the frames of one sequence, tracks. Pure.

All gaps of a run share one image sequence, in time order. A clip on the timeline shows a stretch of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Iterable, Optional, Sequence, Tuple

from tweenbridge.timing import Schedule, Timing, ease, schedule

from .errors import PluginError, Trouble
from .timecode import AbsoluteFrame

TRACK_NAME = "In-betweens"
USUAL_BRIDGE = 8
"""Frames over a cut, unless the user says otherwise."""
_OURS = re.compile(rf"{TRACK_NAME}(?: \d+)?(?: take (\d+))?")


@dataclass(frozen=True)
class Keyframe:
    """A frame of the timeline between which and its neighbours in-betweens are made."""

    frame: AbsoluteFrame
    label: str


@dataclass(frozen=True)
class Clip:
    """A stretch of the sequence and where it goes.

    Attributes:
        gap: which gap of the job, from 0.
        a, b: its keyframes' labels.
        source: first frame of the stretch in the sequence, from 0.
        length: frames.
        record: the timeline frame that shows the first one.
    """

    gap: int
    a: str
    b: str
    source: int
    length: int
    record: AbsoluteFrame

    @property
    def end(self) -> AbsoluteFrame:
        """The first timeline frame after it."""
        return AbsoluteFrame(self.record + self.length)


@dataclass(frozen=True)
class Plan:
    """What a run makes.

    Attributes:
        keyframes: in time order.
        timing: as the server is asked; it has no `count`, so that gaps are filled exactly.
        schedule: the drawings to make and the slots that show them.
        clips: what goes on the timeline; gaps without room have none.
    """

    keyframes: Tuple[Keyframe, ...]
    timing: Timing
    schedule: Schedule
    clips: Tuple[Clip, ...]

    @property
    def frames(self) -> int:
        """Frames of the sequence."""
        return sum(clip.length for clip in self.clips)

    def files_of(self, drawing: int) -> Tuple[int, ...]:
        """The sequence's frames (from 0) that show a drawing: several on a hold."""
        found = []
        for clip in self.clips:
            shown = self.schedule.gaps[clip.gap].exposures
            found += [clip.source + slot for slot, index in enumerate(shown) if index == drawing]
        return tuple(found)


@dataclass(frozen=True)
class Track:
    """A video track.

    Attributes:
        index: from 1, the lowest.
        spans: the frames [start, end) that its clips cover.
    """

    index: int
    name: str
    locked: bool
    enabled: bool
    spans: Tuple[Tuple[int, int], ...]

    def is_free(self, clips: Iterable[Clip]) -> bool:
        """None of the clips would lie on one of its own."""
        return not any(start < clip.end and clip.record < end for clip in clips for start, end in self.spans)


@dataclass(frozen=True)
class Target:
    """The track that a run places on: an existing one, or (None) a new one to be called `name`.

    Attributes:
        above: the track that a new one goes directly above; None for the top.
    """

    index: Optional[int]
    name: str
    take: int
    above: Optional[int] = None


def make_plan(keyframes: Sequence[Keyframe], timing: Timing) -> Plan:
    """What to make between the keyframes. Every gap is filled, on the timeline as it is.

    Args:
        timing: a `count` below a gap's frames is spread evenly over them, each drawing held; others change nothing.

    Raises:
        PluginError: NO_KEYFRAMES for fewer than two; NO_ROOM where keyframes leave no frame between them, or too few.
        TweenbridgeError: BAD_REQUEST, the timing makes no sense.
    """
    frames = [keyframe.frame for keyframe in keyframes]
    if len(frames) < 2:
        raise PluginError(
            Trouble.NO_KEYFRAMES,
            "In-betweens need at least two keyframes.",
            "Set two or more markers of one colour on the timeline, or In and Out.",
        )
    rooms = [b - a - 1 for a, b in zip(frames, frames[1:])]
    if not any(room > 0 for room in rooms):
        raise PluginError(
            Trouble.NO_ROOM,
            "The keyframes are neighbours: there is no frame between them.",
            "Move them apart, or bridge the cut; in-betweens never move what is on the timeline.",
        )
    fitted = _fitted(timing, [room for room in rooms if room > 0])
    made = schedule(frames, fitted)
    clips, source = [], 0
    for gap in made.gaps:
        if gap.exposures:
            a, b = keyframes[gap.a], keyframes[gap.b]
            record = AbsoluteFrame(a.frame + 1)
            clips.append(Clip(gap.index, a.label, b.label, source, len(gap.exposures), record))
            source += len(gap.exposures)
    return Plan(tuple(keyframes), fitted, made, tuple(clips))


def move_plan(plan: Plan, keyframes: Sequence[Keyframe]) -> Plan:
    """The same plan between keyframes that have moved as a whole."""
    shift = keyframes[0].frame - plan.keyframes[0].frame
    clips = tuple(replace(clip, record=AbsoluteFrame(clip.record + shift)) for clip in plan.clips)
    return replace(plan, keyframes=tuple(keyframes), clips=clips)


def _fitted(timing: Timing, rooms: Sequence[int]) -> Timing:
    """The same timing without a count: a chart of as many drawings where that is fewer than the frames there are."""
    chart, smallest = timing.chart, min(rooms)
    if timing.count is not None and timing.count < 1:
        raise PluginError(Trouble.NO_ROOM, "No in-betweens were asked for.", "Choose a number of 1 or more.")
    if timing.count is not None and not chart and timing.count < max(rooms):
        steps = timing.count + 1
        chart = tuple(ease(timing.spacing, i / steps) for i in range(1, steps))
    if len(chart) > smallest:
        raise PluginError(
            Trouble.NO_ROOM,
            f"{len(chart)} in-betweens do not fit between two keyframes that have {smallest} frames between them.",
            f"Choose at most {smallest}, or move the keyframes apart.",
        )
    return Timing(None, timing.spacing, chart, timing.hold, timing.loop)


def choose_track(tracks: Sequence[Track], clips: Sequence[Clip], above: Optional[int] = None) -> Target:
    """Where to place: a track of ours that is free there; else a new one, above all earlier takes.

    A new take is counted from the takes that lie there already, so that earlier ones stay below, untouched.

    Args:
        above: the track of the clips, where titles and clips above it are to stay above the in-betweens too; None for
            the top of all.
    """
    ordered = sorted(tracks, key=lambda track: track.index)
    takes = [_take(track.name) for track in ordered if _take(track.name) and not track.is_free(clips)]
    take = max(takes, default=0) + 1
    place = len(ordered) if above is None else above
    while place < len(ordered) and _take(ordered[place].name):
        place += 1
    if place:
        top = ordered[place - 1]
        if _take(top.name) >= take and not top.locked and top.enabled and top.is_free(clips):
            return Target(top.index, top.name, _take(top.name))
    return Target(
        None, _free_name(take, [track.name for track in tracks]), take, None if place == len(ordered) else place
    )


def _free_name(take: int, names: Sequence[str]) -> str:
    """A name that no track has: two of the same name could not be told apart."""
    ending = "" if take == 1 else f" take {take}"
    numbers = [""] + [f" {number}" for number in range(2, len(names) + 3)]
    return next(name for name in (f"{TRACK_NAME}{number}{ending}" for number in numbers) if name not in names)


def is_ours(name: str) -> bool:
    """A track's name is one that runs give."""
    return _OURS.fullmatch(name) is not None


def _take(name: str) -> int:
    """The take that a track's name tells; 0 for a track that is not ours."""
    found = _OURS.fullmatch(name)
    return int(found[1] or 1) if found else 0
