"""Everything on the timeline that in-betweens could be made from, for the user to choose among."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Tuple

from . import media, timeline
from .choice import Choice
from .errors import PluginError, Trouble
from .host import Host
from .placement import Keyframe
from .timeline import Source


@dataclass(frozen=True)
class Found:
    """Keyframes that one source gives.

    Attributes:
        title: the source in words.
        colour: of the markers.
        choice: the settings that in-betweens under the playhead were made with; None for other sources.
    """

    source: Source
    title: str
    keyframes: Tuple[Keyframe, ...]
    choice: Optional[Choice] = None
    colour: str = ""

    def listing(self, host: Host) -> str:
        """The keyframes, one a line, and what lies between them."""
        lines = []
        for number, keyframe in enumerate(self.keyframes):
            if number:
                between = keyframe.frame - self.keyframes[number - 1].frame - 1
                lines.append(
                    f"      {between} {'frame' if between == 1 else 'frames'}" if between else "      no frame"
                )
            shown = host.text(keyframe.frame)
            name = keyframe.label.replace(shown, "").strip()
            lines.append(f"{shown}  {name}".rstrip())
        return "\n".join(lines)


def look(host: Host) -> Tuple[Found, ...]:
    """What there is, the likeliest first: markers, In and Out, selected clips, in-betweens under the playhead."""
    found: List[Found] = []
    for colour in timeline.marker_colours(host):
        marked = timeline.keyframes(host, Source.MARKERS, colour)
        found.append(Found(Source.MARKERS, f"{colour} markers ({len(marked)})", marked, colour=colour))
    for source, title in ((Source.IN_OUT, "In and Out"), (Source.SELECTED, "First frames of the selected clips")):
        taken = timeline.keyframes(host, source)
        if taken:
            found.append(Found(source, title, taken))
    frame = host.playhead()
    take = None if frame is None else media.take_at(host, frame)
    if take is not None:
        what = "in-betweens" if take.whole else "this gap of the in-betweens"
        title = f"Edit {what} under the playhead (take {take.recipe.take})"
        found.append(Found(Source.TAKE, title, take.keyframes, take.recipe.choice))
    return tuple(found)


def best(host: Host, edit: bool = False) -> Found:
    """The likeliest source; with `edit`, the in-betweens under the playhead.

    Raises:
        PluginError: NO_KEYFRAMES.
    """
    found = look(host)
    if edit:
        found = tuple(each for each in found if each.source is Source.TAKE)
        if not found:
            raise PluginError(
                Trouble.NO_KEYFRAMES,
                "There are no in-betweens of Tweenbridge under the playhead.",
                "Move the playhead onto them, then try again.",
            )
    if not found:
        raise nothing_found()
    return found[0]


def nothing_found() -> PluginError:
    """The error for a timeline without keyframes."""
    return PluginError(
        Trouble.NO_KEYFRAMES,
        "The timeline has no keyframes yet.",
        "Set two or more markers of one colour (M) where your drawings are, or an In and an Out point (I, O).",
    )
