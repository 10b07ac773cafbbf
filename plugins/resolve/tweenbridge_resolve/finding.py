"""Everything on the timeline that in-betweens could be made from, for the user to choose among."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Tuple

from . import media, timeline
from .api import told
from .cautions import clip_markers
from .choice import Choice
from .clips import Pair, lies_there, pair, selected_count
from .errors import PluginError, Trouble
from .estimate import MANY
from .host import Host
from .placement import USUAL_BRIDGE, Keyframe
from .timeline import Source


@dataclass(frozen=True)
class Found:
    """Keyframes that one source gives.

    Attributes:
        title: the source in words.
        colour: of the markers.
        choice: the settings that in-betweens under the playhead were made with; None for other sources.
        pair: the two clips that lie around the gap or the cut.
    """

    source: Source
    title: str
    keyframes: Tuple[Keyframe, ...]
    choice: Optional[Choice] = None
    colour: str = ""
    pair: Optional[Pair] = None

    @property
    def only(self) -> Tuple[str, ...]:
        """The clips whose tracks alone are to give the keyframes' pictures."""
        return () if self.pair is None else self.pair.items

    @property
    def between(self) -> int:
        """Frames between the keyframes."""
        return sum(b.frame - a.frame - 1 for a, b in zip(self.keyframes, self.keyframes[1:]))

    def bridged(self, host: Host, frames: int) -> Found:
        """The same, with so many frames over the cut; other sources as they are."""
        if self.source is not Source.BRIDGE or self.pair is None:
            return self
        return Found(self.source, self.title, self.pair.bridge(host, frames), pair=self.pair)

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


def look(host: Host, bridge: int = USUAL_BRIDGE) -> Tuple[Found, ...]:
    """What there is, the likeliest first: clips that are selected, markers, the clips at the playhead, In and Out.

    Args:
        bridge: frames over a cut.
    """
    around = _around(host, pair(host), bridge)
    selected = selected_count(host) > 0
    found: List[Found] = list(around) if selected else []
    for colour in timeline.marker_colours(host):
        marked = timeline.keyframes(host, Source.MARKERS, colour)
        within = ", within In and Out" if timeline.in_out(host) else ""
        title = f"Between markers: {colour} ({len(marked)}{within})"
        found.append(Found(Source.MARKERS, title, marked, colour=colour))
    found += [] if selected else around
    marks = timeline.keyframes(host, Source.IN_OUT)
    if marks:
        found.append(Found(Source.IN_OUT, "Between In and Out", marks))
    # What would make very many frames is seldom meant: a forgotten In and Out, markers with notes.
    found.sort(key=lambda each: each.between > MANY)
    frame = host.playhead()
    take = None if frame is None else media.take_at(host, frame)
    if take is not None:
        what = "in-betweens" if take.whole else "this gap of the in-betweens"
        title = f"Edit {what} under the playhead (take {take.recipe.take})"
        found.append(Found(Source.TAKE, title, take.keyframes, take.recipe.choice))
    return tuple(found)


def _around(host: Host, clips: Optional[Pair], bridge: int) -> List[Found]:
    if clips is None:
        return []
    names = f"“{clips.a.name}” and “{clips.b.name}”"
    filled = clips.fill(host)
    if filled:
        return [Found(Source.FILL, f"Fill gap between {names}", filled, pair=clips)]
    bridged = clips.bridge(host, bridge)
    return [Found(Source.BRIDGE, f"Bridge cut between {names}", bridged, pair=clips)] if bridged else []


def best(host: Host, edit: bool = False, bridge: int = USUAL_BRIDGE) -> Found:
    """The likeliest source; with `edit`, the in-betweens under the playhead.

    Raises:
        PluginError: NO_KEYFRAMES.
    """
    found = look(host, bridge)
    if edit:
        found = tuple(each for each in found if each.source is Source.TAKE)
        if not found:
            raise PluginError(
                Trouble.NO_KEYFRAMES,
                "There are no in-betweens of Tweenbridge under the playhead.",
                "Move the playhead onto them, then try again.",
            )
    if not found:
        raise nothing_found(host)
    return found[0]


def nothing_found(host: Host) -> PluginError:
    """The error for a timeline without keyframes, which says what may have been meant."""
    on_clips, selected = clip_markers(host), selected_count(host)
    how = (
        "Select two clips, or park the playhead on a cut or in a gap; or set two or more markers of one colour (M) on "
        "the timeline's ruler, or an In and an Out point (I, O)."
    )
    if on_clips > 1:
        return PluginError(
            Trouble.NO_KEYFRAMES,
            f"{on_clips} markers lie on clips; only markers on the timeline's ruler are keyframes.",
            "Deselect all clips (Shift+Cmd/Ctrl+A) before you press M.",
        )
    if selected not in (0, 2):
        clips = "One clip is" if selected == 1 else f"{selected} clips are"
        return PluginError(Trouble.NO_KEYFRAMES, f"{clips} selected; in-betweens go between two.", how)
    return PluginError(Trouble.NO_KEYFRAMES, "The timeline has no keyframes yet.", how)


def changed(host: Host, before: Found, bridge: int) -> bool:
    """What was shown to the user is not what the timeline has by now, or another timeline is open.

    Args:
        bridge: frames over a cut.
    """
    now = Host(host.resolve)
    if told(now.timeline.GetUniqueId) != told(host.timeline.GetUniqueId) or now.start != host.start:
        return True
    if before.source is Source.TAKE:
        return False
    if before.pair is not None:
        # The playhead may have gone elsewhere since.
        return not lies_there(now, before.pair)
    return not any((each.title, each.keyframes) == (before.title, before.keyframes) for each in look(now, bridge))
