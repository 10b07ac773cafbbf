"""How a clip of in-betweens was made, as text that the clip carries: enough to make it again, or otherwise.

The text is JSON, and may have been written by an older or a newer version: missing fields get their defaults, unknown
ones are ignored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Optional, Tuple

from tweenbridge.protocol.codec import from_plain, to_plain
from tweenbridge.protocol.errors import TweenbridgeError

from .choice import Choice
from .placement import Keyframe
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
        """The keyframes, as they lay on the timeline."""
        return tuple(Keyframe(AbsoluteFrame(kept.frame), kept.label) for kept in self.keyframes)


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
