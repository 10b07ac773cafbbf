"""Two clips and what lies between them: a gap to fill, or a cut to bridge. From the selection, else the playhead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Optional, Tuple

from . import timeline
from .api import has, told
from .host import Host
from .placement import Keyframe, is_ours
from .timecode import AbsoluteFrame

if TYPE_CHECKING:
    from .api import TimelineItem


@dataclass(frozen=True)
class Side:
    """One of the two clips: it covers the frames [start, end) of a track."""

    item: str
    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Pair:
    """A clip and the next one, which begins where it ends or later."""

    a: Side
    b: Side

    @property
    def gap(self) -> int:
        """Frames between them; 0 for a cut."""
        return self.b.start - self.a.end

    @property
    def items(self) -> Tuple[str, str]:
        """Resolve's ids of both."""
        return self.a.item, self.b.item

    @property
    def longest_bridge(self) -> int:
        """Frames that a bridge can cover, half on each side, so that a frame of each clip is left as its keyframe."""
        before, after = self.a.end - self.a.start - 1, self.b.end - self.b.start - 1
        # The odd frame goes after the cut.
        return max(0, min(2 * before + 1, 2 * after))

    def fill(self, host: Host) -> Tuple[Keyframe, ...]:
        """The last frame of the one and the first of the other; () for a cut."""
        return self._keyframes(host, self.a.end - 1, self.b.start) if self.gap else ()

    def bridge(self, host: Host, frames: int) -> Tuple[Keyframe, ...]:
        """Keyframes with so many frames between them, the cut in the middle; () where there is no cut or no room."""
        frames = min(frames, self.longest_bridge)
        if self.gap or frames < 1:
            return ()
        return self._keyframes(host, self.a.end - 1 - frames // 2, self.b.start + frames - frames // 2)

    def _keyframes(self, host: Host, first: int, last: int) -> Tuple[Keyframe, ...]:
        return (
            Keyframe(AbsoluteFrame(first), f"{self.a.name} {host.text(first)}"),
            Keyframe(AbsoluteFrame(last), f"{self.b.name} {host.text(last)}"),
        )


def pair(host: Host) -> Optional[Pair]:
    """Two selected clips; without a selection, the clips around the gap or the cut that the playhead is on."""
    selected = _selected(host)
    if len(selected) == 2 and selected[0].end <= selected[1].start:
        return Pair(*selected)
    return None if selected else _at_playhead(host)


def selected_count(host: Host) -> int:
    """How many video clips are selected; 0 where this version does not tell."""
    return len(_selected(host))


def _selected(host: Host) -> List[Side]:
    if not has(host.timeline, "GetSelectedClips"):
        return []
    found = []
    for item in told(host.timeline.GetSelectedClips) or []:
        if item is None or item.GetStart() is None or not item.GetDuration():
            continue
        kind = told(item.GetTrackTypeAndIndex) if has(item, "GetTrackTypeAndIndex") else None
        if not kind or kind[0] == timeline.VIDEO:
            found.append(_side(item))
    return sorted(found, key=lambda side: side.start)


def _at_playhead(host: Host) -> Optional[Pair]:
    """On the highest track where it is between two clips: in a gap, or on the last or first frame beside a cut."""
    frame = host.playhead()
    if frame is None:
        return None
    for track in reversed(timeline.tracks(host)):
        if is_ours(track.name) or not track.enabled:
            continue
        sides = sorted((_side(item) for item in timeline.items(host, track.index)), key=lambda side: side.start)
        for a, b in zip(sides, sides[1:]):
            if a.end - (a.end == b.start) <= frame < b.start + (a.end == b.start):
                return Pair(a, b)
    return None


def lies_there(host: Host, clips: Pair) -> bool:
    """Both clips are where they were."""
    wanted = {clips.a, clips.b}
    for track in timeline.tracks(host):
        wanted -= {_side(item) for item in timeline.items(host, track.index)}
    return not wanted


def _side(item: TimelineItem) -> Side:
    start, end = timeline.span(item)
    name = str(told(item.GetName) or "A clip")
    known = told(item.GetUniqueId) if has(item, "GetUniqueId") else None
    return Side(known or name, name, start, end)


def tracks_of(host: Host, ids: Tuple[str, ...]) -> Tuple[int, ...]:
    """The tracks that clips lie on now, lowest first; () where one of them is not there."""
    found, missing = set(), set(ids)
    for track in timeline.tracks(host):
        there = {_side(item).item for item in timeline.items(host, track.index)} & set(ids)
        found |= {track.index} if there else set()
        missing -= there
    return () if missing else tuple(sorted(found))
