"""Reading the timeline and placing on it: keyframes from markers, In/Out or selected clips; tracks; clips, verified.

Nothing that was on the timeline is ever moved, cut or deleted. What is placed is looked up again, and taken away again
when it does not lie exactly where it should.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, Dict, Final, List, Optional, Sequence, Tuple

from . import timecode
from .api import has
from .errors import PluginError, Trouble
from .host import EDIT_PAGE, Host, settled
from .placement import Clip, Keyframe, Target, Track
from .timecode import AbsoluteFrame, RelativeFrame

if TYPE_CHECKING:
    from .api import MediaPoolItem, TimelineItem

VIDEO: Final = "video"
_VIDEO_ONLY = 1
_CLIP_COLOUR: Final = "Green"
_LISTED = 0.3
"""Seconds until a clip that was placed has to be listed."""
_FIRST_COLOUR = "Blue"
"""The colour that Resolve's own marker key (M) makes."""


class Source(str, Enum):
    """What keyframes are taken from, in the order in which they are looked for."""

    MARKERS = "markers"
    IN_OUT = "in_out"
    SELECTED = "selected"
    TAKE = "take"
    """The in-betweens under the playhead: the keyframes they were made from."""


# ---------------------------------------------------------------- keyframes


def in_out(host: Host) -> Optional[Tuple[AbsoluteFrame, AbsoluteFrame]]:
    """The timeline's In and Out, both shown frames; None where one of them is not set."""
    if not has(host.timeline, "GetMarkInOut"):
        return None
    marks = (host.timeline.GetMarkInOut() or {}).get(VIDEO) or {}
    if marks.get("in") is None or marks.get("out") is None:
        return None
    first, last = (timecode.absolute(RelativeFrame(int(marks[name])), host.start) for name in ("in", "out"))
    return first, last


def marker_colours(host: Host) -> Tuple[str, ...]:
    """Colours of which two or more markers lie within In and Out, or on the timeline; the likeliest first."""
    counts = Counter(colour for _, colour, _ in _markers(host))
    several = [colour for colour, count in counts.items() if count > 1]
    return tuple(sorted(several, key=lambda colour: (colour != _FIRST_COLOUR, -counts[colour], colour)))


def _markers(host: Host) -> List[Tuple[AbsoluteFrame, str, str]]:
    """(frame, colour, name) of the markers within In and Out where those are set, in time order."""
    found = []
    marks = in_out(host)
    for place, marker in (host.timeline.GetMarkers() or {}).items():
        frame = timecode.absolute(RelativeFrame(round(place)), host.start)
        if marks is None or marks[0] <= frame <= marks[1]:
            found.append((frame, str(marker.get("color") or ""), str(marker.get("name") or "")))
    return sorted(found)


def keyframes(host: Host, source: Source, colour: str = "") -> Tuple[Keyframe, ...]:
    """The keyframes that a source gives; () for fewer than two.

    Args:
        source: MARKERS, IN_OUT or SELECTED.
        colour: of the markers; "" takes the likeliest.
    """
    found: List[Tuple[AbsoluteFrame, str]] = []
    if source is Source.MARKERS:
        chosen = colour or next(iter(marker_colours(host)), "")
        found = [(frame, name) for frame, shown, name in _markers(host) if shown == chosen]
    elif source is Source.IN_OUT:
        marks = in_out(host)
        found = [] if marks is None else [(marks[0], "In"), (marks[1], "Out")]
    elif source is Source.SELECTED:
        found = _selected(host)
    named: Dict[AbsoluteFrame, str] = {}
    for frame, name in sorted(found):
        named.setdefault(frame, name)
    if len(named) < 2:
        return ()
    return tuple(Keyframe(frame, f"{name} {host.text(frame)}".strip()) for frame, name in named.items())


def _selected(host: Host) -> List[Tuple[AbsoluteFrame, str]]:
    """First frames of the selected video clips, where this version tells which those are."""
    if not has(host.timeline, "GetSelectedClips"):
        return []
    found = []
    for item in host.timeline.GetSelectedClips() or []:
        start = None if item is None else item.GetStart()
        if item is None or start is None:
            continue
        kind = item.GetTrackTypeAndIndex() if has(item, "GetTrackTypeAndIndex") else None
        if not kind or kind[0] == VIDEO:
            found.append((AbsoluteFrame(int(start)), str(item.GetName() or "")))
    return found


def check_on_timeline(host: Host, found: Sequence[Keyframe]) -> None:
    """Raises PluginError, NO_KEYFRAMES, for a keyframe outside the timeline, where there is nothing to see."""
    end = host.timeline.GetEndFrame()
    for keyframe in found:
        if keyframe.frame < host.start or (end is not None and keyframe.frame > end):
            raise PluginError(
                Trouble.NO_KEYFRAMES,
                f"The keyframe {keyframe.label} lies outside the timeline's clips.",
                "Move or delete its marker, then try again.",
            )


# ---------------------------------------------------------------- tracks


def items(host: Host, index: int) -> List[TimelineItem]:
    """The clips of a video track, without those that Resolve cannot tell the place of."""
    listed = host.timeline.GetItemListInTrack(VIDEO, index) or []
    return [item for item in listed if item is not None and item.GetStart() is not None and item.GetDuration()]


def span(item: TimelineItem) -> Tuple[int, int]:
    """The frames [start, end) that a clip covers. Whether `GetEnd` is one of them is not documented."""
    start = int(item.GetStart() or 0)
    return start, start + int(item.GetDuration() or 0)


def tracks(host: Host) -> Tuple[Track, ...]:
    """The video tracks, lowest first."""
    found = []
    for index in range(1, int(host.timeline.GetTrackCount(VIDEO) or 0) + 1):
        spans = tuple(span(item) for item in items(host, index))
        found.append(
            Track(
                index=index,
                name=str(host.timeline.GetTrackName(VIDEO, index) or ""),
                locked=bool(host.timeline.GetIsTrackLocked(VIDEO, index)),
                enabled=host.timeline.GetIsTrackEnabled(VIDEO, index) is not False,
                spans=spans,
            )
        )
    return tuple(found)


def item_at(host: Host, frame: int, index: int) -> Optional[TimelineItem]:
    """The clip of a video track that lies over a frame."""
    for item in items(host, index):
        start, end = span(item)
        if start <= frame < end:
            return item
    return None


def add_track(host: Host, name: str) -> int:
    """Add a video track on top and name it; returns its index.

    Raises:
        PluginError: PLACEMENT, Resolve adds none.
    """
    before = int(host.timeline.GetTrackCount(VIDEO) or 0)
    added = host.timeline.AddTrack(VIDEO)
    # The count may be that of a moment ago.
    index = int(settled(lambda: host.timeline.GetTrackCount(VIDEO) or 0, lambda count: count > before))
    if index <= before:
        if not added:
            raise PluginError(
                Trouble.PLACEMENT,
                "DaVinci Resolve adds no video track.",
                "Show the Edit page and close open dialogs, then try again.",
            )
        index = before + 1
    host.timeline.SetTrackName(VIDEO, index, name)
    return index


# ---------------------------------------------------------------- placing


class Placer:
    """Places the stretches of one sequence on a track: all of them exactly, or none.

    What `endFrame` means differs between versions: the last frame, or the one after it. The first placement finds out
    by measuring.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self.exclusive: Optional[bool] = None
        """`endFrame` is the frame after the last one; None until it was measured."""
        self.left_behind = False
        """Something that was placed could not be taken away again."""

    def place(self, media: MediaPoolItem, clips: Sequence[Clip], target: Target) -> int:
        """Put all clips on the target's track; returns its index.

        Args:
            media: the sequence, which has been imported for this run and lies nowhere yet.

        Raises:
            PluginError: PLACEMENT. Whatever was placed, and a track that was made for it, is gone again.
        """
        index = add_track(self._host, target.name) if target.index is None else target.index
        try:
            for number, clip in enumerate(clips):
                self._place(media, clips[:number], clip, index)
            for clip in clips:
                self._find(media, clip, index).SetClipColor(_CLIP_COLOUR)
        except BaseException as error:
            if self._host.is_alive():
                self._clear(media, index, target, error)
            raise
        return index

    def _clear(self, media: MediaPoolItem, index: int, target: Target, error: BaseException) -> None:
        """Leave the timeline as it was; say so where that cannot be."""
        self._take_away(media, (), index)
        self.left_behind = bool(self._ours(media, index))
        if self.left_behind:
            raise PluginError(
                Trouble.PLACEMENT,
                f"The in-betweens are not where they belong, and cannot be taken away from track V{index} again.",
                "Undo the last steps in DaVinci Resolve, or delete them there by hand.",
            ) from error
        if target.index is None and not items(self._host, index):
            self._host.timeline.DeleteTrack(VIDEO, index)

    def _place(self, media: MediaPoolItem, before: Sequence[Clip], clip: Clip, index: int) -> None:
        first = True if self.exclusive is None else self.exclusive
        for exclusive in (first, not first):
            wanted = {
                "mediaPoolItem": media,
                "startFrame": clip.source,
                "endFrame": clip.source + clip.length - (0 if exclusive else 1),
                "recordFrame": int(clip.record),
                "trackIndex": index,
                "mediaType": _VIDEO_ONLY,
            }
            made = self._host.pool.AppendToTimeline([wanted]) or []
            # What was placed may be listed a moment later.
            patience = _LISTED if any(made) else 0.0
            if settled(lambda: self._is_there(media, clip, index), bool, patience):
                # A stretch that ends with the sequence may have been cut to its end, and tells nothing.
                if self.exclusive is None and clip.source + clip.length < (frame_count(media) or 0):
                    self.exclusive = exclusive
                return
            self._take_away(media, before, index, [item for item in made if item is not None])
        raise PluginError(
            Trouble.PLACEMENT,
            f"DaVinci Resolve does not place the in-betweens between {clip.a} and {clip.b} where they belong.",
            "The timeline is as it was. Unlock its tracks and close open dialogs, then try again.",
        )

    def _is_there(self, media: MediaPoolItem, clip: Clip, index: int) -> bool:
        try:
            self._find(media, clip, index)
        except PluginError:
            return False
        return True

    def _find(self, media: MediaPoolItem, clip: Clip, index: int) -> TimelineItem:
        """The clip as Resolve lists it, at the right place and of the right length."""
        for item in self._ours(media, index):
            if span(item) == (clip.record, clip.end):
                return item
        raise PluginError(
            Trouble.PLACEMENT,
            f"The in-betweens between {clip.a} and {clip.b} are not where they were placed.",
            "They were taken away again. Close open dialogs in DaVinci Resolve, then try again.",
        )

    def _ours(self, media: MediaPoolItem, index: int) -> List[TimelineItem]:
        """The track's clips that come from this sequence."""
        wanted, found = media.GetUniqueId(), []
        for item in items(self._host, index):
            origin = item.GetMediaPoolItem()
            if origin is not None and origin.GetUniqueId() == wanted:
                found.append(item)
        return found

    def _take_away(
        self, media: MediaPoolItem, keep: Sequence[Clip], index: int, broken: Sequence[TimelineItem] = ()
    ) -> None:
        """Delete the sequence's clips from the track except `keep`, and items that Resolve made and does not list."""
        self._host.open_page(EDIT_PAGE)
        kept = {(int(clip.record), clip.length) for clip in keep}
        unwanted = [item for item in self._ours(media, index) if (item.GetStart(), item.GetDuration()) not in kept]
        if unwanted:
            self._host.timeline.DeleteClips(unwanted)
        for item in broken:
            if item.GetStart() is None:
                self._host.timeline.DeleteClips([item])


def frame_count(media: MediaPoolItem) -> Optional[int]:
    """Frames of an imported clip; None where Resolve does not say."""
    try:
        return int(float(media.GetClipProperty("Frames")))
    except (TypeError, ValueError):
        return None
