"""Reading the timeline: keyframes from markers, In and Out; tracks and what lies on them."""

from __future__ import annotations

import re
from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, Dict, Final, List, Optional, Sequence, Tuple

from . import timecode
from .api import has, told
from .errors import PluginError, Trouble
from .host import Host, settled
from .placement import Keyframe, Track
from .timecode import AbsoluteFrame, RelativeFrame

if TYPE_CHECKING:
    from .api import MediaPoolItem, TimelineItem

VIDEO: Final = "video"
_FIRST_COLOUR = "Blue"
"""The colour that Resolve's own marker key (M) makes."""


class Source(str, Enum):
    """What keyframes are taken from."""

    MARKERS = "markers"
    IN_OUT = "in_out"
    FILL = "fill"
    """The gap between two clips."""
    BRIDGE = "bridge"
    """The cut between two clips."""
    TAKE = "take"
    """The in-betweens under the playhead: the keyframes they were made from."""


# ---------------------------------------------------------------- keyframes


def in_out(host: Host) -> Optional[Tuple[AbsoluteFrame, AbsoluteFrame]]:
    """The timeline's In and Out, both shown frames; None where one of them is not set."""
    if not has(host.timeline, "GetMarkInOut"):
        return None
    marks = (told(host.timeline.GetMarkInOut) or {}).get(VIDEO) or {}
    if marks.get("in") is None or marks.get("out") is None:
        return None
    first, last = (timecode.absolute(RelativeFrame(int(marks[name])), host.start) for name in ("in", "out"))
    return first, last


def marker_colours(host: Host) -> Tuple[str, ...]:
    """Colours of which two or more markers lie within In and Out, or on the timeline; the likeliest first."""
    counts = Counter(colour for _, colour, _ in _markers(host))
    several = [colour for colour, count in counts.items() if count > 1]
    return tuple(sorted(several, key=lambda colour: (colour != _FIRST_COLOUR, -counts[colour], colour)))


def all_markers(host: Host) -> List[Tuple[AbsoluteFrame, str, str]]:
    """(frame, colour, name) of the timeline's markers, in time order."""
    found = []
    for place, marker in (told(host.timeline.GetMarkers) or {}).items():
        frame = timecode.absolute(RelativeFrame(round(place)), host.start)
        found.append((frame, str(marker.get("color") or ""), str(marker.get("name") or "")))
    return sorted(found)


def _markers(host: Host) -> List[Tuple[AbsoluteFrame, str, str]]:
    """Those within In and Out where both are set."""
    marks = in_out(host)
    return [found for found in all_markers(host) if marks is None or marks[0] <= found[0] <= marks[1]]


def keyframes(host: Host, source: Source, colour: str = "") -> Tuple[Keyframe, ...]:
    """The keyframes that a source gives; () for fewer than two.

    Args:
        source: MARKERS or IN_OUT.
        colour: of the markers; "" takes the likeliest.
    """
    found: List[Tuple[AbsoluteFrame, str]] = []
    if source is Source.MARKERS:
        chosen = colour or next(iter(marker_colours(host)), "")
        found = [(frame, name) for frame, shown, name in _markers(host) if shown == chosen]
    elif source is Source.IN_OUT:
        marks = in_out(host)
        found = [] if marks is None else [(marks[0], "In"), (marks[1], "Out")]
    named: Dict[AbsoluteFrame, str] = {}
    for frame, name in sorted(found):
        named.setdefault(frame, name)
    if len(named) < 2:
        return ()
    return tuple(Keyframe(frame, f"{name} {host.text(frame)}".strip()) for frame, name in named.items())


def check_on_timeline(host: Host, found: Sequence[Keyframe]) -> None:
    """Raises PluginError, NO_KEYFRAMES, for a keyframe outside the timeline, where there is nothing to see."""
    end = max((stop for track in tracks(host) for _, stop in track.spans), default=host.start)
    for keyframe in found:
        if not host.start <= keyframe.frame < end:
            raise PluginError(
                Trouble.NO_KEYFRAMES,
                f"The keyframe {keyframe.label} lies outside the timeline's clips, which end before {host.text(end)}.",
                "Move its marker, or In or Out, onto a clip, then try again.",
            )


# ---------------------------------------------------------------- tracks


def items(host: Host, index: int) -> List[TimelineItem]:
    """The clips of a video track, without those that Resolve cannot tell the place of."""
    listed = told(host.timeline.GetItemListInTrack, VIDEO, index) or []
    return [item for item in listed if item is not None and item.GetStart() is not None and item.GetDuration()]


def span(item: TimelineItem) -> Tuple[int, int]:
    """The frames [start, end) that a clip covers. Whether `GetEnd` is one of them is not documented."""
    start = int(item.GetStart() or 0)
    return start, start + int(item.GetDuration() or 0)


def tracks(host: Host) -> Tuple[Track, ...]:
    """The video tracks, lowest first."""
    found = []
    for index in range(1, count_tracks(host) + 1):
        spans = tuple(span(item) for item in items(host, index))
        found.append(
            Track(
                index=index,
                name=str(told(host.timeline.GetTrackName, VIDEO, index) or ""),
                locked=bool(host.timeline.GetIsTrackLocked(VIDEO, index)),
                enabled=host.timeline.GetIsTrackEnabled(VIDEO, index) is not False,
                spans=spans,
            )
        )
    return tuple(found)


def count_tracks(host: Host) -> int:
    """How many video tracks there are.

    Raises:
        PluginError: PLACEMENT, Resolve does not say: a wrong number would mean the wrong track.
    """
    count = settled(lambda: host.timeline.GetTrackCount(VIDEO), lambda shown: bool(shown))
    if not count:
        raise PluginError(
            Trouble.PLACEMENT,
            "DaVinci Resolve does not say how many video tracks the timeline has.",
            "Close open dialogs in DaVinci Resolve, then try again.",
        )
    return int(count)


def item_at(host: Host, frame: int, index: int) -> Optional[TimelineItem]:
    """The clip of a video track that lies over a frame."""
    for item in items(host, index):
        start, end = span(item)
        if start <= frame < end:
            return item
    return None


def add_track(host: Host, name: str, above: Optional[int] = None) -> int:
    """Add a video track and name it; returns its index.

    Only a track that was not there before, and has nothing on it, is named: no other one is ever touched.

    Args:
        above: the track that it is wanted directly above; None for on top, where some versions put every one.

    Raises:
        PluginError: PLACEMENT, Resolve adds none, or does not say which one it is.
    """
    before = tracks(host)
    count = known = len(before)
    for _ in range(2):
        if above is None or above >= known:
            added = host.timeline.AddTrack(VIDEO)
        else:
            added = host.timeline.AddTrack(VIDEO, {"index": above + 1})
        # The count may be that of a moment ago.
        patience = 1.0 if added else 0.2
        count = settled(lambda: host.timeline.GetTrackCount(VIDEO) or 0, lambda shown: shown > known, patience)
        if count > known:
            break
    wanted = known + 1 if above is None else above + 1
    index = _new_one(before, tracks(host), wanted) if count == known + 1 else None
    if index is None:
        raise PluginError(
            Trouble.PLACEMENT,
            "DaVinci Resolve did not add a video track.",
            "Show the Edit page and close open dialogs, then try again.",
        )
    for _ in range(2):
        host.timeline.SetTrackName(VIDEO, index, name)
        if told(host.timeline.GetTrackName, VIDEO, index) == name:
            break
    return index


def _new_one(before: Sequence[Track], now: Sequence[Track], wanted: int) -> Optional[int]:
    """The index of the one track that was not there before: where it was wanted, or on top; None where it is neither.

    All others have the names and the clips that they had: of several empty tracks only one is the new one.
    """
    known = [(track.name, track.spans) for track in before]
    for index in (wanted, len(now)):
        others = [(track.name, track.spans) for track in now if track.index != index]
        if not now[index - 1].spans and others == known:
            return index
    return None


def frame_count(media: MediaPoolItem) -> Optional[int]:
    """Frames of an imported clip; None where Resolve does not say."""
    text = str(told(media.GetClipProperty, "Frames") or "").strip()
    # A count may be written as the system's language has it: 1,234 or 1.234 or 1 234.
    number = timecode.number(re.sub(r"[.,\s](?=\d{3}(\D|$))", "", text))
    return None if number is None else int(number)
