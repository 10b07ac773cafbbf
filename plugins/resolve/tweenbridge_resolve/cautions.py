"""What an editor should know before in-betweens are made: grades that would count twice, titles, transitions, black."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from . import timeline
from .api import has, told
from .grade import can_leave_out, graded_nodes, left_over
from .host import Host
from .placement import Keyframe, is_ours

_OFF = ("", "0", "none", "no lut selected", "false")
"""What settings say where nothing is set."""


def cautions(host: Host, keyframes: Sequence[Keyframe], alone: bool) -> Tuple[str, ...]:
    """One sentence for each thing; () where all is plain.

    Args:
        alone: the keyframes are taken without what lies above their clips.
    """
    found = [*_left_over(host), *_graded(host), *_covered(host, keyframes, alone), *_transitions(host, keyframes)]
    return tuple(dict.fromkeys(found))


def _left_over(host: Host) -> List[str]:
    """A run that was killed may have left the user in front of a copy of the timeline."""
    names, open_now = left_over(host), told(host.timeline.GetName)
    found = []
    if open_now in names:
        found.append(f"“{open_now}” is a copy that an interrupted run left behind: open your own timeline.")
    found += [
        f"“{name}” in the Media Pool is a copy that an interrupted run left behind. If you have not worked in it, "
        "delete it."
        for name in names
        if name != open_now
    ]
    return found


# ---------------------------------------------------------------- graded twice


def _graded(host: Host) -> List[str]:
    """The timeline's own grade and an output LUT lie over everything, over in-betweens made of graded stills too."""
    found = []
    if graded_nodes(host) and can_leave_out(host):
        found.append(
            "The timeline has a grade of its own. Keyframes are captured without it, from a copy of the timeline that "
            "is deleted again."
        )
    elif graded_nodes(host):
        found.append(
            "The timeline has a grade of its own. Bypass it on the Color page (Timeline in the node editor) before you "
            "generate, or in-betweens get it twice."
        )
    lut = _output_lut(host)
    if lut:
        found.append(
            f"The project has an output LUT ({lut}), which in-betweens would get twice: "
            "take it off in Project Settings > Color Management before you generate."
        )
    return found


def _output_lut(host: Host) -> str:
    """What the settings call an output LUT. Their names have changed between versions."""
    for owner in (host.timeline, host.project):
        settings: Optional[Dict[str, Any]] = None
        if has(owner, "GetSettings"):
            settings = told(owner.GetSettings)
        if settings is None and has(owner, "GetSetting"):
            # Without a name it gives all of them.
            every: Any = told(owner.GetSetting, "")
            settings = every if isinstance(every, dict) else None
        for name, value in (settings or {}).items():
            if "lut" in name.lower() and "output" in name.lower() and str(value).strip().lower() not in _OFF:
                return str(value)
    return ""


# ---------------------------------------------------------------- what lies at the keyframes


def _covered(host: Host, keyframes: Sequence[Keyframe], alone: bool) -> List[str]:
    shown = [track for track in timeline.tracks(host) if track.enabled and not is_ours(track.name)]
    found = []
    for keyframe in keyframes:
        there = [
            (track.index, item)
            for track in shown
            for item in timeline.items(host, track.index)
            if timeline.span(item)[0] <= keyframe.frame < timeline.span(item)[1]
        ]
        if not there:
            found.append(f"There is no clip at {host.text(keyframe.frame)}: that keyframe is black.")
        for index, item in [] if alone else there[1:]:
            kind = "clip" if told(item.GetMediaPoolItem) is not None else "title or generator"
            found.append(
                f"The {kind} “{told(item.GetName) or 'without a name'}” on V{index} lies above at "
                f"{host.text(keyframe.frame)} and will be in the in-betweens: switch V{index} off to leave it out."
            )
    return found


def _transitions(host: Host, keyframes: Sequence[Keyframe]) -> List[str]:
    """Transitions over a keyframe. The API lists none, but an OpenTimelineIO export has them."""
    kind = getattr(host.resolve, "EXPORT_OTIO", None)
    if kind is None or not has(host.timeline, "Export"):
        return []
    with tempfile.TemporaryDirectory(prefix="tweenbridge-") as folder:
        path = Path(folder) / "timeline.otio"
        try:
            done = host.timeline.Export(str(path), kind, getattr(host.resolve, "EXPORT_NONE", ""))
            exported = json.loads(path.read_text(encoding="utf-8")) if done else {}
        except (OSError, ValueError, TypeError):
            return []
    spans = transitions(exported, host.start)
    return [
        f"A transition lies over {host.text(k.frame)}: both clips are mixed there. Move that keyframe out of it."
        for k in keyframes
        if any(start <= k.frame < end for start, end in spans)
    ]


def transitions(exported: Any, start: int) -> List[Tuple[int, int]]:
    """The frames [start, end) that video transitions cover, in a timeline as OpenTimelineIO writes it."""
    found: List[Tuple[int, int]] = []
    try:
        for track in exported["tracks"]["children"]:
            at = start
            for child in track["children"] if track.get("kind") == "Video" else []:
                if str(child["OTIO_SCHEMA"]).startswith("Transition"):
                    before, after = (round(child[side]["value"]) for side in ("in_offset", "out_offset"))
                    found.append((at - before, at + after))
                else:
                    at += round(child["source_range"]["duration"]["value"])
    except (KeyError, TypeError, ValueError):
        return []
    return found


def clip_markers(host: Host) -> int:
    """Markers that lie on clips: they are no keyframes, and easily set when a clip is selected."""
    count = 0
    for track in timeline.tracks(host):
        for item in [] if is_ours(track.name) else timeline.items(host, track.index):
            count += len(told(item.GetMarkers) or {}) if has(item, "GetMarkers") else 0
    return count
