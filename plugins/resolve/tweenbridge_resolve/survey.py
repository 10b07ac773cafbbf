"""What the timeline was like when the keyframes were taken, so that it can be looked at again before placing.

People go on working while frames are made. A ripple edit may have moved the keyframes' clips, a trim or a slip may have
changed what they show. A survey holds the stretch from the first keyframe to the last: every clip in it, as far as it
lies in it, counted from the first keyframe. What moved as a whole has the same stretch elsewhere.

The comparison is plain arithmetic; `take` and `compare` read the timeline.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, FrozenSet, List, Optional, Sequence, Tuple

from . import timeline
from .api import has, told
from .host import Host
from .placement import Keyframe, is_ours
from .timecode import AbsoluteFrame, Rate


@dataclass(frozen=True)
class Lying:
    """A clip on the timeline.

    Attributes:
        item: Resolve's id of it.
        start, end: the frames [start, end) that it covers.
        offset: source frames before its first one; None where Resolve does not say.
    """

    item: str
    name: str
    start: int
    end: int
    offset: Optional[int]

    @property
    def origin(self) -> int:
        """Where its source's first frame would lie: the same before and after a trim."""
        return self.start - (self.offset or 0)


@dataclass(frozen=True)
class Piece:
    """As much of a clip as lies in the stretch: frames [start, end) from the first keyframe, and its source frame."""

    item: str
    start: int
    end: int
    source: Optional[int]


@dataclass(frozen=True)
class Survey:
    """The stretch from the first keyframe to the last.

    Attributes:
        start: the timeline's first frame.
        first, last: keyframes.
        clips: what lies in it.
        markers: (frame from the timeline's start, colour) of those the keyframes were taken from; () for other sources.
        ours: ids of in-betweens that lay on the timeline already, whatever their track may be called later.
    """

    rate: Rate
    start: int
    first: int
    last: int
    clips: Tuple[Lying, ...]
    markers: FrozenSet[Tuple[int, str]]
    ours: FrozenSet[str]

    def pieces(self, clips: Sequence[Lying], shift: int) -> FrozenSet[Piece]:
        """What lies in the stretch, were it `shift` frames later."""
        first, last = self.first + shift, self.last + shift
        found = []
        for clip in clips:
            start, end = max(clip.start, first), min(clip.end, last + 1)
            if start < end:
                source = None if clip.offset is None else clip.offset + start - clip.start
                found.append(Piece(clip.item, start - first, end - first, source))
        return frozenset(found)


@dataclass(frozen=True)
class Change:
    """What has become of a stretch.

    Attributes:
        shift: frames by which it lies later now; where that is not clear, by which the timeline's start does.
        sentence: what else has changed; "" where nothing has.
        can_place: placing anyway makes sense.
    """

    shift: int
    sentence: str = ""
    can_place: bool = True


def take(host: Host, keyframes: Sequence[Keyframe], colour: str = "") -> Survey:
    """Survey the timeline between keyframes that were taken from markers of a colour ("": from something else)."""
    first, last = keyframes[0].frame, keyframes[-1].frame
    frames = {keyframe.frame - host.start for keyframe in keyframes}
    markers = frozenset(
        (frame - host.start, shown) for frame, shown, _ in timeline.all_markers(host) if shown == colour
    )
    kept = frozenset(marker for marker in markers if marker[0] in frames) if colour else frozenset()
    lying, ours = _lying(host)
    clips = tuple(clip for clip in lying if clip.start <= last and first < clip.end)
    return Survey(host.rate, host.start, first, last, clips, kept, ours)


def compare(host: Host, before: Survey) -> Change:
    """Look again at what was surveyed. The host has to know the timeline's present rate and start."""
    moved = host.start - before.start
    if host.rate != before.rate:
        return Change(
            moved,
            f"The timeline runs at {host.rate} frames per second now, and the in-betweens were made for {before.rate}.",
            can_place=False,
        )
    clips = [clip for clip in _lying(host)[0] if clip.item not in before.ours]
    shift = find_shift(before, clips, moved)
    if shift is None:
        return Change(moved, f"{_named(before, clips, moved)} while the in-betweens were made.")
    if not _markers_fit(host, before, shift - moved):
        return Change(shift, "The markers were moved or deleted while the in-betweens were made.")
    return Change(shift)


def find_shift(before: Survey, clips: Sequence[Lying], moved: int) -> Optional[int]:
    """By how many frames the stretch has moved as a whole; None where it has changed.

    Args:
        clips: the timeline's clips now.
        moved: by how many frames the timeline's start has moved.
    """
    origins: Dict[str, int] = {clip.item: clip.origin for clip in before.clips}
    shifts = [moved] + [clip.origin - origins[clip.item] for clip in clips if clip.item in origins]
    wanted = before.pieces(before.clips, 0)
    return next(
        (
            shift
            for shift in dict.fromkeys(shifts)
            if before.pieces(clips, shift) == wanted and (shift == moved or _edges_moved(before, clips, shift))
        ),
        None,
    )


def _edges_moved(before: Survey, clips: Sequence[Lying], shift: int) -> bool:
    """Each clip's start or end has moved by so much, as in a ripple. A slip moves neither, but what is shown."""
    now = {clip.item: clip for clip in clips}
    return all(
        then.item in now and shift in (now[then.item].start - then.start, now[then.item].end - then.end)
        for then in before.clips
    )


def _named(before: Survey, clips: Sequence[Lying], moved: int) -> str:
    now = {piece.item: piece for piece in before.pieces(clips, moved)}
    wanted = before.pieces(before.clips, 0)
    names = {clip.item: clip.name for clip in [*clips, *before.clips]}
    changed = [names[piece.item] for piece in wanted if now.get(piece.item) != piece]
    changed = changed or [names[item] for item in now if item not in {piece.item for piece in wanted}]
    listed = " and ".join(f"“{name}”" for name in sorted(set(changed))[:2]) or "The clips around the gap"
    return f"{listed} {'were' if len(set(changed)) != 1 else 'was'} moved, trimmed, replaced or deleted"


def _markers_fit(host: Host, before: Survey, shift: int) -> bool:
    """The markers are where they were, or have moved with the clips: which of both is a setting of Resolve's."""
    now = {(frame - host.start, colour) for frame, colour, _ in timeline.all_markers(host)}
    return any(all((frame + by, colour) in now for frame, colour in before.markers) for by in (0, shift))


def _lying(host: Host) -> Tuple[List[Lying], FrozenSet[str]]:
    """The timeline's video clips, and the ids of in-betweens, which lie between keyframes and never on one."""
    found, ours = [], set()
    for track in timeline.tracks(host):
        for item in timeline.items(host, track.index):
            start, end = timeline.span(item)
            offset = told(item.GetLeftOffset) if has(item, "GetLeftOffset") else None
            known = told(item.GetUniqueId) if has(item, "GetUniqueId") else None
            name = str(told(item.GetName) or "A clip")
            if is_ours(track.name):
                ours.add(known or name)
            else:
                found.append(Lying(known or name, name, start, end, None if offset is None else int(offset)))
    return found, frozenset(ours)


def follow(host: Host, keyframes: Sequence[Keyframe], shift: int) -> Tuple[Keyframe, ...]:
    """The keyframes so many frames later, with the timecodes in their labels."""
    found = []
    for keyframe in keyframes:
        frame = AbsoluteFrame(keyframe.frame + shift)
        label = keyframe.label.replace(host.text(keyframe.frame), host.text(frame))
        found.append(replace(keyframe, frame=frame, label=label))
    return tuple(found)
