"""What the self-check tries of working beside an editor: what a render leaves, clips that move, tracks, colours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Callable, Sequence, Tuple

from . import media, survey, timeline
from .alone import tracks_alone
from .errors import PluginError, Trouble
from .grade import without_grade
from .host import Host
from .placement import Clip, Keyframe, Target
from .placing import Placer, delete
from .render import render_frame
from .stills import Stills
from .timecode import AbsoluteFrame
from .timeline import VIDEO, add_track, items, span

if TYPE_CHECKING:
    from .api import MediaPoolItem

_LATER = 200
"""Frames behind everything else on the scratch timeline."""


class Note(Exception):
    """A check went as it can be lived with; the sentence says what is special here."""


class LiveChecks:
    """The checks. Each leaves the timeline as it found it."""

    def __init__(self, host: Host, clip: MediaPoolItem, folder: Path, placer: Placer, start: int) -> None:
        self._host, self._media, self._folder, self._placer, self._start = host, clip, folder, placer, start

    def all(self) -> Sequence[Tuple[str, Callable[[], str]]]:
        """Title and check of each. A check returns what it found, or raises."""
        return (
            ("After a render", self.after_render),
            ("Clips that move", self.moving),
            ("Tracks alone", self.alone),
            ("A timeline's grade", self.ungraded),
            ("A track in between", self.inserting),
            ("Transitions", self.transitions),
            ("Colour management", self.colours),
        )

    def after_render(self) -> str:
        before = (self._start - self._host.start, self._start - self._host.start + 3)
        self._host.timeline.SetMarkInOut(*before, "video")
        try:
            render_frame(self._host, self._start + 1, self._folder)
            found = timeline.in_out(self._host)
        finally:
            self._host.timeline.ClearMarkInOut("all")
        lost, self._host.not_restored = self._host.not_restored, []
        if lost or found != tuple(self._host.start + mark for mark in before):
            raise _failed(" ".join(lost) or f"In and Out are {found} after a render")
        return "In and Out, render settings and page are as before"

    def _place(self, record: int, target: Target) -> int:
        return self._placer.place(self._media, [Clip(0, "A", "B", 0, 4, AbsoluteFrame(record))], target)

    def moving(self) -> str:
        """A ripple delete moves the clips behind: what was surveyed has to be found again where it lies then."""
        first = self._start + _LATER
        index = self._place(first, Target(None, "Check", 1))
        keyframes = [Keyframe(AbsoluteFrame(first + 10 + frame), "") for frame in (0, 3)]
        try:
            self._place(first + 10, Target(index, "Check", 1))
            before = survey.take(self._host, keyframes)
            gone = [item for item in items(self._host, index) if span(item)[0] == first]
            self._host.timeline.DeleteClips(gone, True)
            change = survey.compare(self._host, before)
        finally:
            delete(self._host, lambda: items(self._host, index))
            self._host.timeline.DeleteTrack(VIDEO, index)
        if change.sentence or change.shift != -4:
            raise _failed(
                f"a clip that moved by -4 frames was found moved by {change.shift}. {change.sentence}".strip()
            )
        return "a clip that a ripple moves keeps its id, and is found where it lies then"

    def alone(self) -> str:
        """The lowest track's picture without those above, which then are on again."""
        before = [track.enabled for track in timeline.tracks(self._host)]
        lowest = next((track.index for track in timeline.tracks(self._host) if track.spans), None)
        if lowest is None:
            raise _failed("there is no clip to try it with")
        with tracks_alone(self._host, [lowest]):
            Stills(self._host, self._folder / "alone").take(self._start + 2, "alone")
        if [track.enabled for track in timeline.tracks(self._host)] != before or self._host.not_restored:
            raise _failed("tracks that were switched off for a still are not on again")
        return "others are off for a still, and on again"

    def ungraded(self) -> str:
        """A copy of the timeline whose first node is off, which then is gone again."""
        with without_grade(self._host, (1,)) as view:
            if not view.nodes:
                raise Note("keyframes cannot be captured without it here: bypass it yourself.")
        lost, self._host.not_restored = self._host.not_restored, []
        if lost:
            raise _failed(" ".join(lost))
        return "keyframes are captured without it, from a copy that is gone again"

    def inserting(self) -> str:
        known = len(timeline.tracks(self._host))
        index = add_track(self._host, "Check", above=1)
        self._host.timeline.DeleteTrack(VIDEO, index)
        if len(timeline.tracks(self._host)) != known:
            raise _failed(f"the empty track V{index} was not deleted")
        if index != 2:
            raise Note("tracks are added on top only: move titles above the in-betweens by hand.")
        return "goes directly above the clips' own, below titles"

    def transitions(self) -> str:
        if getattr(self._host.resolve, "EXPORT_OTIO", None) is None:
            raise Note("this version does not tell of transitions: keep keyframes out of them yourself.")
        return "are told by an OpenTimelineIO export"

    def colours(self) -> str:
        said = media.match_colours(self._host, self._media)
        if said:
            raise Note(said)
        return "in-betweens are read as what the project puts out"


def _failed(sentence: str) -> PluginError:
    return PluginError(Trouble.PLACEMENT, f"{sentence}.")
