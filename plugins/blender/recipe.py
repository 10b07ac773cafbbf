# SPDX-License-Identifier: GPL-3.0-or-later
"""How a strip of in-betweens was made, as text that it carries: enough to edit the settings and to make it again.

The text is JSON, stays below MAX_BYTES, and may have been written by an older or a newer version of the add-on:
missing fields get their defaults, unknown ones are kept and written back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .errors import PluginError
from .gaps import Source

FORMAT = 1
MAX_BYTES = 256 * 1024

Scalar = bool | int | float | str
T = TypeVar("T")


@dataclass(frozen=True)
class UsedKeyframe:
    """A keyframe as it was rendered: its timeline frame then, the hash of the file that was sent, and its strip.

    `id` and `offset` are `gaps.KeyframeAt`'s.
    """

    frame: int
    sha256: str
    label: str = ""
    strip: str = ""
    id: str = ""
    offset: int = 0


@dataclass(frozen=True)
class Recipe:
    """One strip's origin.

    Attributes:
        jobs: ids of the jobs that made its frames, the newest last.
        engine, profile, settings: as they were asked for.
        timing: fields of `tweenbridge.timing.Timing` as plain values.
        output: the form of the frames as the add-on's settings name it.
        source: what the keyframes were taken from.
        keyframes: every keyframe of the job.
        gap: index of the strip's gap in the job.
        model: the model that made it, where the engine has one.
        shot, folder, take: where its files are.
        plugin: version of the add-on.
        other: fields this version does not know.
    """

    jobs: tuple[str, ...]
    engine: str
    keyframes: tuple[UsedKeyframe, ...]
    profile: str = ""
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    timing: Mapping[str, Any] = field(default_factory=dict)
    output: str = ""
    source: Source = Source.STRIPS
    gap: int = 0
    model: str = ""
    shot: str = ""
    folder: str = ""
    take: int = 1
    plugin: str = ""
    other: Mapping[str, Any] = field(default_factory=dict)


def to_text(recipe: Recipe) -> str:
    """The text a strip carries.

    Raises:
        PluginError: it would be longer than MAX_BYTES.
    """
    plain: dict[str, Any] = {
        **recipe.other,
        "format": FORMAT,
        "jobs": list(recipe.jobs),
        "engine": recipe.engine,
        "profile": recipe.profile,
        "settings": dict(recipe.settings),
        "timing": dict(recipe.timing),
        "output": recipe.output,
        "source": recipe.source.value,
        "keyframes": [
            {
                "frame": k.frame,
                "sha256": k.sha256,
                "label": k.label,
                "strip": k.strip,
                "id": k.id,
                "offset": k.offset,
            }
            for k in recipe.keyframes
        ],
        "gap": recipe.gap,
        "model": recipe.model,
        "shot": recipe.shot,
        "folder": recipe.folder,
        "take": recipe.take,
        "plugin": recipe.plugin,
    }
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # A file name's undecodable bytes are written as JSON's own escapes.
    encoded = text.encode(errors="backslashreplace")
    if len(encoded) > MAX_BYTES:
        raise PluginError(
            "The settings of this shot are too long to be kept with its strip.",
            "Shorten the prompt or use fewer keyframes.",
        )
    return encoded.decode()


def from_text(text: str) -> Recipe:
    """Read what `to_text` wrote, in this version of the add-on or in another.

    Raises:
        PluginError: the text is not a recipe.
    """
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise _unreadable()
    try:
        plain = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise _unreadable() from error
    if not isinstance(plain, dict):
        raise _unreadable()
    rest = dict(plain)
    rest.pop("format", None)

    def take(name: str, kind: type[T], default: T) -> T:
        value = rest.pop(name, default)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _unreadable()
        return value

    jobs = take("jobs", list, [])
    if not all(isinstance(job, str) for job in jobs):
        raise _unreadable()
    settings = take("settings", dict, {})
    if not all(isinstance(value, (bool, int, float, str)) for value in settings.values()):
        raise _unreadable()
    try:
        source = Source(take("source", str, Source.STRIPS.value))
    except ValueError as error:
        raise _unreadable() from error
    return Recipe(
        jobs=tuple(jobs),
        engine=take("engine", str, ""),
        keyframes=tuple(_keyframe(entry) for entry in take("keyframes", list, [])),
        profile=take("profile", str, ""),
        settings=settings,
        timing=take("timing", dict, {}),
        output=take("output", str, ""),
        source=source,
        gap=take("gap", int, 0),
        model=take("model", str, ""),
        shot=take("shot", str, ""),
        folder=take("folder", str, ""),
        take=take("take", int, 1),
        plugin=take("plugin", str, ""),
        other=rest,
    )


def _keyframe(entry: object) -> UsedKeyframe:
    if not isinstance(entry, dict):
        raise _unreadable()
    frame, sha256 = entry.get("frame"), entry.get("sha256")
    label, strip, known = entry.get("label", ""), entry.get("strip", ""), entry.get("id", "")
    offset = entry.get("offset", 0)
    if not isinstance(frame, int) or not isinstance(offset, int) or isinstance(frame, bool) or isinstance(offset, bool):
        raise _unreadable()
    if not isinstance(sha256, str) or not all(isinstance(text, str) for text in (label, strip, known)):
        raise _unreadable()
    return UsedKeyframe(frame, sha256, label, strip, known, offset)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _unreadable() -> PluginError:
    return PluginError(
        "What this strip says about how it was made cannot be read.", "Select its key drawings and generate it again."
    )
