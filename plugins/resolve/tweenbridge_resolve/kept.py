"""What a render changes in the user's project, put back afterwards: In and Out, render settings, render mode.

Nothing is rendered where it could not be put back: that is found out before anything is touched.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional, Sequence

from .api import has, told
from .errors import PluginError, Trouble
from .host import Host

_PRESET = "Tweenbridge, your settings before"
_KINDS: Sequence[Any] = ("video", "audio")


@contextmanager
def render_kept(host: Host) -> Iterator[None]:
    """Work on render settings, and with them In and Out; afterwards both are as they were.

    What cannot be put back is added to `host.not_restored`.

    Raises:
        PluginError: STILL, the settings or In and Out cannot be kept; nothing was changed.
    """
    marks = _marks(host)
    if marks is not None and any(None in (each.get("in"), each.get("out")) for each in marks.values()):
        raise _refused(
            "a render would take away your In or Out point, which can only be put back when both are set",
            "Set both In and Out, or clear both (Option or Alt+X), then try again.",
        )
    project = host.project
    before = told(project.GetCurrentRenderFormatAndCodec) or {}
    mode = told(project.GetCurrentRenderMode)
    name = _save(host)
    try:
        yield
    finally:
        if host.is_alive():
            _load(host, name, before)
            if before.get("format") and before.get("codec"):
                for _ in range(2):
                    if told(project.GetCurrentRenderFormatAndCodec) != before:
                        project.SetCurrentRenderFormatAndCodec(before["format"], before["codec"])
            if mode is not None:
                for _ in range(2):
                    if told(project.GetCurrentRenderMode) != mode:
                        project.SetCurrentRenderMode(mode)
            # Last: settings bring their range with them.
            _put_marks_back(host, marks)


def _save(host: Host) -> str:
    """Render settings cannot be read, so they are kept as a preset meanwhile; returns its name.

    A preset of that name that is there already holds settings which once did not come back: it is the user's.
    """
    if host.kept_preset:
        return host.kept_preset
    known = _presets(host) or []
    for name in (_PRESET, *(f"{_PRESET} {number}" for number in range(2, 10))):
        if name in known:
            continue
        saved = host.project.SaveAsNewRenderPreset(name) or host.project.SaveAsNewRenderPreset(name)
        now = _presets(host)
        if name in now if now is not None else saved:
            return name
    raise _refused(
        "that would change your settings on the Deliver page, which cannot be kept",
        "Open the Deliver page once and close open dialogs, then try again.",
    )


def _presets(host: Host) -> Optional[List[str]]:
    """Names of presets of ours; None where none are listed at all.

    What an entry of Resolve's list looks like is not documented; its name is in it.
    """
    listed = told(host.project.GetRenderPresetList) if has(host.project, "GetRenderPresetList") else None
    if not listed:
        return None
    found = [re.search(rf"{_PRESET}( \d)?", str(preset)) for preset in listed]
    return [each[0] for each in found if each]


def _load(host: Host, name: str, before: Dict[str, str]) -> None:
    """Bring the settings back. The preset goes only where that is seen: it is all that is left of them."""
    project = host.project
    loaded = project.LoadRenderPreset(name) or project.LoadRenderPreset(name)
    if not loaded or told(project.GetCurrentRenderFormatAndCodec) not in (None, before):
        host.kept_preset = name
        host.tell(
            f"Your render settings did not come back: on the Deliver page load the preset “{name}”, then delete it."
        )
        return
    host.kept_preset = ""
    for _ in range(2):
        project.DeleteRenderPreset(name)
        if name not in (_presets(host) or []):
            return
    host.tell(f"A preset of Tweenbridge’s is left on the Deliver page: delete “{name}”.")


def _marks(host: Host) -> Optional[Dict[str, Dict[str, int]]]:
    """The timeline's In and Out for each kind of track; None where this version does not tell."""
    if not has(host.timeline, "GetMarkInOut"):
        return None
    return {kind: dict(marks) for kind, marks in (told(host.timeline.GetMarkInOut) or {}).items() if marks}


def _put_marks_back(host: Host, marks: Optional[Dict[str, Dict[str, int]]]) -> None:
    if marks is None:
        host.tell("Keyframes were rendered, which may have changed In and Out: check them.")
        return
    for _ in range(2):
        now = _marks(host) or {}
        for kind in _KINDS:
            wanted = marks.get(kind)
            if now.get(kind) == wanted:
                continue
            if wanted is None:
                host.timeline.ClearMarkInOut(kind)
            else:
                host.timeline.SetMarkInOut(wanted["in"], wanted["out"], kind)
    if _marks(host) != marks:
        where = marks.get("video") or marks.get("audio")
        if where is None:
            host.tell("In and Out are set now and were not before: clear them (Option or Alt+X).")
        else:
            was = " and ".join(host.text(host.start + where[mark]) for mark in ("in", "out"))
            host.tell(f"In and Out did not come back: they were at {was}.")


def _refused(reason: str, remedy: str) -> PluginError:
    return PluginError(Trouble.STILL, f"A keyframe has to be rendered, and {reason}.", remedy)
