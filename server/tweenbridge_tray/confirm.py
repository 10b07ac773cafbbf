"""`tweenbridge confirm`: a window for editors without windows of their own. A plan comes in, the choice goes out.

{"title": "…", "host": "DaVinci Resolve", "keyframes": [{"label": "…", "frame": 101}, …],
 "gaps": [{"from": 101, "to": 109, "count": 7}, …],
 "choice": {"engine": "flow", "profile": "draft", "timing": {…}, "settings": {…}},
 "notes": ["7 in-betweens (0.3 s of the timeline), up to 87 MB on disk"]}

{"accepted": true, "engine": "flow", "profile": "quality", "timing": {…}, "settings": {…}}

`choice` is what the window begins with: the last run's, or that of the in-betweens to be edited. `notes` are sentences
to be read before. Both may be left out.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tweenbridge import Scalar, Timing, TweenbridgeError
from tweenbridge.protocol.codec import from_plain

from .words import tr

BAD_PLAN = 2
"""The exit status for a plan that cannot be understood."""


@dataclass(frozen=True)
class Keyframe:
    """A keyframe that the editor has found: what it is called, and its timeline frame."""

    label: str
    frame: int


@dataclass(frozen=True)
class Gap:
    """A gap that the editor will have filled: the timeline frames of its keyframes, and the frames between them."""

    start: int
    end: int
    count: int


@dataclass(frozen=True)
class Choice:
    """How in-betweens are to be made, before the user says otherwise. "" is the server's own order."""

    engine: str = ""
    profile: str = ""
    timing: Timing = field(default_factory=Timing)
    settings: dict[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What the editor is about to ask for."""

    title: str
    host: str
    keyframes: tuple[Keyframe, ...]
    gaps: tuple[Gap, ...]
    choice: Choice = field(default_factory=Choice)
    notes: tuple[str, ...] = ()
    """What should be known before, a sentence each."""


def read_plan(text: str) -> Plan:
    """The plan in a JSON text.

    Raises:
        ValueError: it cannot be understood; the message says why.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ValueError(f"The plan is no JSON: {error}.") from error
    try:
        keyframes = tuple(Keyframe(_text(item["label"]), _whole(item["frame"])) for item in content["keyframes"])
        gaps = tuple(Gap(_whole(item["from"]), _whole(item["to"]), _whole(item["count"])) for item in content["gaps"])
        choice: Choice = from_plain(Choice, content.get("choice") or {}, "the choice")
        notes = tuple(_text(note) for note in content.get("notes") or [])
        plan = Plan(_text(content["title"]), _text(content.get("host", "")), keyframes, gaps, choice, notes)
    except KeyError as error:
        raise ValueError(f"The plan lacks {error.args[0]!r}.") from error
    except (TypeError, AttributeError, TweenbridgeError) as error:
        raise ValueError(f"The plan has another form than expected: {error}.") from error
    if not plan.gaps:
        raise ValueError("The plan has no gaps.")
    return plan


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


def summary(plan: Plan) -> str:
    """What was found, in a line."""
    frames = sum(gap.count for gap in plan.gaps)
    keyframes = tr("%n keyframes", len(plan.keyframes))
    gaps = tr("%n gaps", len(plan.gaps)) if len(plan.gaps) != 1 else tr("1 gap")
    return f"{keyframes} · {gaps} · " + tr("%n in-betweens", frames)


def run(home: Path, source: IO[str], target: IO[str]) -> int:
    """Ask the user, and write the choice. Returns the exit status: 0 for either answer, 2 for a bad plan."""
    try:
        plan = read_plan(source.read())
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return BAD_PLAN
    from .app import make_application
    from .session import Session
    from .state.models import ModelsState
    from .state.recipe import Recipe
    from .views.confirm_window import ConfirmWindow

    app = make_application(sys.argv[:1])
    session = Session(home)
    recipe = Recipe(session, ModelsState(session))
    window = ConfirmWindow(plan, recipe, session)
    session.start_server()
    window.show()
    window.raise_()
    window.activateWindow()
    app.exec()
    session.close()
    json.dump(window.choice(), target)
    target.write("\n")
    target.flush()
    return 0
