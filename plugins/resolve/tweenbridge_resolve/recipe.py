"""How a clip of in-betweens was made, as text that the clip carries: enough to make it again, or otherwise.

The text is JSON, and may have been written by an older or a newer version: missing fields get their defaults, unknown
ones are ignored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

from tweenbridge.protocol.codec import from_plain, to_plain
from tweenbridge.protocol.errors import TweenbridgeError

from .choice import Choice
from .errors import PluginError
from .placement import Keyframe, make_plan
from .timecode import AbsoluteFrame

MAX_BYTES = 64 * 1024


@dataclass(frozen=True)
class KeptKeyframe:
    """A keyframe as it was then: its timeline frame and what it was called."""

    frame: int
    label: str = ""


@dataclass(frozen=True)
class Recipe:
    """Where the in-betweens of one sequence come from.

    Attributes:
        choice: engine and settings.
        keyframes: in time order.
        take: 1 for the first one at this place.
        job: the server's id of the job.
        version: of Tweenbridge.
    """

    choice: Choice
    keyframes: Tuple[KeptKeyframe, ...]
    take: int = 1
    job: str = ""
    version: str = ""

    def restored(self) -> Tuple[Keyframe, ...]:
        """The keyframes, as they lay on the timeline then."""
        return tuple(Keyframe(AbsoluteFrame(kept.frame), kept.label) for kept in self.keyframes)


@dataclass(frozen=True)
class Lies:
    """Where a clip of a sequence lies now: its first timeline frame, and that frame's number in the sequence."""

    start: int
    source: int


def keyframes_now(recipe: Recipe, under: Lies, others: Sequence[Lies]) -> Tuple[Tuple[int, Keyframe], ...]:
    """The keyframes of a take where its clips lie now, each with the frames that it has moved by.

    Args:
        under: the clip that is to be edited.
        others: all clips of the take, this one among them.

    Returns:
        All keyframes, where all clips have moved alike; else those of the edited clip's gap; () where its clip tells
        of no gap.
    """
    shift = _shift(recipe, under)
    if shift is None:
        return ()
    keyframes: List[Keyframe] = list(recipe.restored())
    if any(_shift(recipe, other) != shift for other in others):
        first = max((k.frame for k in keyframes if k.frame + shift < under.start), default=keyframes[0].frame)
        at = [k.frame for k in keyframes].index(first)
        keyframes = keyframes[at : at + 2]
    return tuple((shift, Keyframe(AbsoluteFrame(k.frame + shift), k.label)) for k in keyframes)


def _shift(recipe: Recipe, lies: Lies) -> Optional[int]:
    """By how many frames a clip lies later than it was placed, whatever was trimmed off it since."""
    try:
        clips = make_plan(recipe.restored(), recipe.choice.timing).clips
    except (PluginError, TweenbridgeError):
        return None
    for clip in clips:
        if clip.source <= lies.source < clip.source + clip.length:
            return lies.start - (clip.record + lies.source - clip.source)
    return None


def to_text(recipe: Recipe) -> str:
    """The text that a clip carries: one line, ASCII, so that no version of Resolve changes it."""
    return json.dumps(to_plain(recipe), separators=(",", ":"), allow_nan=False)


def from_text(text: str) -> Optional[Recipe]:
    """Read what `to_text` wrote; None for anything else."""
    if len(text) > MAX_BYTES:
        return None
    try:
        recipe: Recipe = from_plain(Recipe, json.loads(text), "the recipe")
    except (ValueError, RecursionError, TweenbridgeError):
        return None
    return recipe
