# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the artist selected to keyframes and the gaps between them. Pure: strips come in as spans of frames.

All frames are timeline frames. A strip and a gap cover half-open ranges, as in Blender: the strip [1, 11) shows frames
1 to 10. A gap's frames are those strictly between its two keyframes, where the in-betweens go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from .errors import PluginError


class Source(Enum):
    """What the keyframes were taken from."""

    STRIPS = "strips"
    LIST = "list"
    MARKERS = "markers"


@dataclass(frozen=True)
class Span:
    """Where a strip is: it covers frames start..end-1.

    Attributes:
        picture: it is seen, and not merely heard or muted.
        bright: it may hold values above white.
        id: what it is known by when it is renamed; "" where nothing was made from it yet.
        origin: the frame at which its content begins, which trimming does not change.
        made: its frames are in-betweens.
        slow: it is rendered by an engine of its own, which may take long for every frame.
    """

    name: str
    channel: int
    start: int
    end: int
    picture: bool = True
    bright: bool = False
    id: str = ""
    origin: int = 0
    made: bool = False
    slow: bool = False


@dataclass(frozen=True)
class Marker:
    """A marker of the timeline."""

    name: str
    frame: int
    selected: bool = False


@dataclass(frozen=True)
class KeyframeAt:
    """A keyframe to render.

    Attributes:
        frame: timeline frame that shows it.
        label: what the artist sees it called.
        strip: the strip it was taken from, or "".
        hide: strips to mute while it is rendered, because they overlap the one it was taken from.
        id, offset: how that strip is known, and the frame counted from where its content begins.
    """

    frame: int
    label: str
    strip: str = ""
    hide: tuple[str, ...] = ()
    id: str = ""
    offset: int = 0


@dataclass(frozen=True)
class GapRange:
    """The frames start..end-1 between keyframes `a` and `b` (indices); none where later strips have to move first.

    `overlap` is the number of frames by which the second strip begins too early.
    """

    index: int
    a: int
    b: int
    start: int
    end: int
    overlap: int = 0

    @property
    def length(self) -> int:
        """Frames that in-betweens can fill as things are."""
        return self.end - self.start

    @property
    def later(self) -> int:
        """Strips that begin at this frame or after it come after the gap."""
        return self.end - self.overlap


@dataclass(frozen=True)
class Found:
    """Keyframes in the order of the shot, the gaps between them, and sentences the panel shows about them."""

    source: Source
    keyframes: tuple[KeyframeAt, ...]
    gaps: tuple[GapRange, ...]
    notes: tuple[str, ...] = ()


_SELECT_STRIPS = "Select two or more strips that follow one another in time."


def from_strips(spans: Iterable[Span]) -> Found:
    """Gaps between neighbouring strips: from the last frame of one to the first frame of the next.

    A strip of one frame is a single keyframe of the gaps on both its sides.

    Raises:
        PluginError: fewer than two strips, or strips that do not follow one another.
    """
    ordered = sorted(spans, key=lambda span: (span.start, span.end, span.channel, span.name))
    if len(ordered) < 2:
        raise PluginError("In-betweens need two strips, and fewer are selected.", _SELECT_STRIPS)
    for left, right in zip(ordered, ordered[1:]):
        if right.start == left.start or right.end <= left.end:
            raise PluginError(f"“{right.name}” does not come after “{left.name}”.", _SELECT_STRIPS)
    keyframes: list[KeyframeAt] = []
    gaps: list[GapRange] = []
    notes: list[str] = []

    def add(span: Span, frame: int, which: str) -> int:
        if keyframes and keyframes[-1].strip == span.name and keyframes[-1].frame == frame:
            return len(keyframes) - 1
        label = span.name if span.end - span.start == 1 else f"{span.name}, {which} frame"
        over = tuple(other.name for other in ordered if other is not span and other.start <= frame < other.end)
        keyframes.append(KeyframeAt(frame, label, span.name, over))
        return len(keyframes) - 1

    for left, right in zip(ordered, ordered[1:]):
        a = add(left, left.end - 1, "last")
        b = add(right, right.start, "first")
        overlap = max(0, left.end - right.start)
        gaps.append(GapRange(len(gaps), a, b, left.end, max(left.end, right.start), overlap))
        if overlap:
            notes.append(f"“{left.name}” and “{right.name}” overlap by {_frames(overlap)}: later strips have to move.")
        elif left.end == right.start:
            notes.append(f"There is no gap between “{left.name}” and “{right.name}”: later strips have to move.")
    return Found(Source.STRIPS, tuple(keyframes), tuple(gaps), tuple(notes))


def from_list(frames: Sequence[int], labels: Sequence[str], strips: Sequence[str] = ()) -> Found:
    """Gaps between the frames the artist chose one by one. Frames chosen twice count once.

    Args:
        frames: timeline frames, in any order.
        labels: what each is called; as many as frames.
        strips: the strip each was chosen on; none, or as many as frames.

    Raises:
        PluginError: fewer than two different frames.
    """
    rows = list(zip(frames, labels, strips or [""] * len(frames), strict=True))
    remedy = "Move the playhead to a key drawing and press “Add Key Drawing at Playhead”, at least twice."
    return _neighbours(Source.LIST, rows, "In-betweens need two key drawings, and the list holds fewer.", remedy)


def from_markers(markers: Iterable[Marker]) -> Found:
    """Gaps between markers: the selected ones where two or more are selected, otherwise all.

    Raises:
        PluginError: fewer than two markers at different frames.
    """
    every = list(markers)
    selected = [marker for marker in every if marker.selected]
    chosen = selected if len({marker.frame for marker in selected}) >= 2 else every
    rows = [(marker.frame, marker.name, "") for marker in chosen]
    remedy = "Add a marker (M) at every keyframe."
    return _neighbours(Source.MARKERS, rows, "In-betweens need two markers, and there are fewer.", remedy)


def _neighbours(source: Source, rows: Iterable[tuple[int, str, str]], too_few: str, remedy: str) -> Found:
    first_named: dict[int, KeyframeAt] = {}
    for frame, label, strip in rows:
        first_named.setdefault(frame, KeyframeAt(frame, label or f"Frame {frame}", strip))
    keyframes = tuple(first_named[frame] for frame in sorted(first_named))
    if len(keyframes) < 2:
        raise PluginError(too_few, remedy)
    gaps = tuple(
        GapRange(i, i, i + 1, keyframes[i].frame + 1, keyframes[i + 1].frame) for i in range(len(keyframes) - 1)
    )
    notes = tuple(
        f"“{keyframes[gap.a].label}” and “{keyframes[gap.b].label}” are neighbours: there is no frame between them."
        for gap in gaps
        if gap.length == 0
    )
    return Found(source, keyframes, gaps, notes)


def only(found: Found, keep: Sequence[GapRange]) -> Found:
    """Some of the gaps, with the keyframes that they need."""
    used = sorted({index for gap in keep for index in (gap.a, gap.b)})
    place = {index: number for number, index in enumerate(used)}
    gaps = (replace(gap, index=number, a=place[gap.a], b=place[gap.b]) for number, gap in enumerate(keep))
    return Found(found.source, tuple(found.keyframes[index] for index in used), tuple(gaps))


def is_occupied(gap: GapRange, spans: Iterable[Span]) -> bool:
    """Something is seen in the gap that is not seen at its keyframes: in-betweens, or another clip."""
    a, b = gap.start - 1, gap.end
    return any(
        span.picture and span.start < gap.end and span.end > gap.start
        and not (span.start <= a < span.end or span.start <= b < span.end)
        for span in spans
    )  # fmt: skip


def runs(found: Found) -> tuple[tuple[GapRange, ...], ...]:
    """Gaps grouped into unbroken runs, in which the keyframe that ends one gap begins the next: one job each."""
    grouped: list[list[GapRange]] = []
    for gap in found.gaps:
        if grouped and grouped[-1][-1].b == gap.a:
            grouped[-1].append(gap)
        else:
            grouped.append([gap])
    return tuple(tuple(run) for run in grouped)


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"
