"""Placing one sequence's stretches on a track: all of them exactly, or none, and the timeline as it was.

Whatever Resolve answers, the timeline is looked at afterwards: a clip counts as placed where it is listed at the right
place and of the right length, and "as it was" is said only where every track has the clips and the name it had before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Final, List, Optional, Sequence, Set, Tuple

from .api import told
from .errors import PluginError, Trouble
from .host import EDIT_PAGE, Host, settled
from .placement import Clip, Target
from .timeline import VIDEO, add_track, count_tracks, frame_count, items, span, tracks

if TYPE_CHECKING:
    from .api import MediaPoolItem, TimelineItem

_VIDEO_ONLY = 1
_CLIP_COLOUR: Final = "Green"
_LISTED = 0.3
"""Seconds until a clip that was placed has to be listed, and one that was deleted has to be gone."""


@dataclass(frozen=True)
class Shape:
    """What every video track is called and what lies where on it."""

    tracks: Tuple[Tuple[str, Tuple[Tuple[int, int], ...]], ...]


def shape(host: Host) -> Shape:
    """The timeline's shape now."""
    return Shape(tuple((track.name, track.spans) for track in tracks(host)))


class Placer:
    """Places stretches.

    What `endFrame` means differs between versions: the last frame, or the one after it. The first placement finds out
    by measuring.

    Attributes:
        left_behind: clips of the sequence lie on the timeline although it was not placed.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self.exclusive: Optional[bool] = None
        self.left_behind = False
        self._made: Optional[int] = None
        """The track that was added."""
        self._kept: Set[Tuple[int, int, int]] = set()
        """(track, start, end) of this sequence's clips that lay on the timeline before: they stay."""

    def place(self, media: MediaPoolItem, clips: Sequence[Clip], target: Target) -> int:
        """Place the clips; returns the track's index.

        Raises:
            PluginError: PLACEMENT. It says whether the timeline is as it was.
        """
        before, kept = shape(self._host), self._places(media)
        self._kept, self._made = set(kept), None
        index: Optional[int] = target.index
        try:
            if index is None:
                index = self._made = add_track(self._host, target.name, target.above)
            for clip in clips:
                self._place(media, clip, index)
            for clip in clips:
                self.find(media, clip, index).SetClipColor(_CLIP_COLOUR)
            for clip in clips:
                self.find(media, clip, index)
        except PluginError as error:
            if not self._host.is_alive():
                raise
            left = self._undo(media, before, kept)
            raise PluginError(error.code, error.sentence, f"{left} {error.remedy}".strip()) from error
        except BaseException:
            if self._host.is_alive():
                self._undo(media, before, kept)
            raise
        return index

    def _place(self, media: MediaPoolItem, clip: Clip, index: int) -> None:
        first = True if self.exclusive is None else self.exclusive
        for exclusive in (first, not first, first):
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
                self._kept.add((index, clip.record, clip.end))
                return
            self._take_away(media, [item for item in made if item is not None])
        raise PluginError(
            Trouble.PLACEMENT,
            f"DaVinci Resolve did not place the in-betweens between {clip.a} and {clip.b} where they belong.",
            "Unlock its tracks and close open dialogs, then try again.",
        )

    def _is_there(self, media: MediaPoolItem, clip: Clip, index: int) -> bool:
        try:
            self.find(media, clip, index)
        except PluginError:
            return False
        return True

    def find(self, media: MediaPoolItem, clip: Clip, index: int) -> TimelineItem:
        """The clip as Resolve lists it, at the right place and of the right length.

        Raises:
            PluginError: PLACEMENT, it is not there.
        """
        for item in self._ours(media, index):
            if span(item) == (clip.record, clip.end):
                return item
        raise PluginError(
            Trouble.PLACEMENT,
            f"The in-betweens between {clip.a} and {clip.b} are not on the timeline where they were placed.",
            "Close open dialogs in DaVinci Resolve, then try again.",
        )

    def _ours(self, media: MediaPoolItem, index: int) -> List[TimelineItem]:
        """The track's clips that come from this sequence."""
        wanted, found = told(media.GetUniqueId), []
        for item in items(self._host, index):
            origin = told(item.GetMediaPoolItem)
            if origin is not None and told(origin.GetUniqueId) == wanted:
                found.append(item)
        return found

    def _places(self, media: MediaPoolItem) -> Set[Tuple[int, int, int]]:
        """(track, start, end) of all clips on the timeline that come from this sequence."""
        tracks_there = range(1, count_tracks(self._host) + 1)
        return {(index, *span(item)) for index in tracks_there for item in self._ours(media, index)}

    # ------------------------------------------------------------ taking away

    def _take_away(self, media: MediaPoolItem, broken: Sequence[TimelineItem] = ()) -> bool:
        """Delete the sequence's clips except those to be kept, and items that Resolve made and does not list.

        Returns:
            Whether they are gone.
        """
        self._host.open_page(EDIT_PAGE)
        tracks_there = range(1, count_tracks(self._host) + 1)

        def unwanted() -> List[TimelineItem]:
            return [i for at in tracks_there for i in self._ours(media, at) if (at, *span(i)) not in self._kept]

        for item in broken:
            if item.GetStart() is None:
                self._host.timeline.DeleteClips([item])
        return delete(self._host, unwanted)

    def _undo(self, media: MediaPoolItem, before: Shape, kept: Set[Tuple[int, int, int]]) -> str:
        """Leave the timeline as it was; returns a sentence that says how it is."""
        host, self._kept = self._host, kept
        self.left_behind = not self._take_away(media)
        if self.left_behind:
            left = sorted({f"V{index}" for index, *_ in self._places(media) - kept})
            return (
                f"They could not be taken away again from track {' and '.join(left)}: "
                "undo the last steps in DaVinci Resolve, or delete them there by hand."
            )
        known = len(before.tracks)
        made = self._made or known + 1
        for _ in range(2):
            if count_tracks(host) == known + 1 and not items(host, made):
                host.timeline.DeleteTrack(VIDEO, made)
        now = settled(lambda: shape(host), lambda shown: shown == before, _LISTED)
        if now == before:
            return "The timeline is as it was."
        if len(now.tracks) == known + 1 and now.tracks[: made - 1] + now.tracks[made:] == before.tracks:
            return f"An empty track, V{made}, could not be deleted again."
        return "Not all tracks are as they were: compare them with your last version, or undo the last steps."


def delete(host: Host, unwanted: Callable[[], List[TimelineItem]]) -> bool:
    """Delete clips from the timeline; whether they are gone. Resolve may say nothing, or no, once.

    Args:
        unwanted: lists those that are still there.
    """
    for _ in range(3):
        there = unwanted()
        if not there:
            return True
        host.timeline.DeleteClips(there)
        if not settled(unwanted, lambda found: not found, _LISTED):
            return True
    return not unwanted()
