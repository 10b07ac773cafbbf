# SPDX-License-Identifier: GPL-3.0-or-later
"""The artist's list of frames, each of which follows the strip that it was chosen on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import follow, strips
from .errors import PluginError
from .gaps import Found, KeyframeAt, Source, from_list


@dataclass(frozen=True)
class Row:
    """A row of the list: the frame that shows it now, what it is called, its strip, and what is wrong with it or ""."""

    frame: int
    label: str
    strip: str
    problem: str = ""


def rows(scene: Any) -> list[Row]:
    """The rows in the order of the list, as they are now."""
    spans = strips.spans(scene)
    found = []
    for item in scene.tweenbridge.keyframes:
        kept = KeyframeAt(item.frame, item.name, item.strip, id=item.strip_id, offset=item.offset)
        try:
            strip = follow.strip_now(spans, kept)
            frame = follow.frame_now(strip, kept, Source.LIST, False)
        except PluginError as error:
            found.append(Row(item.frame, item.name, item.strip, error.sentence))
        else:
            found.append(Row(frame, f"{strip.name}, frame {frame}", strip.name))
    return found


def found_in(scene: Any) -> Found:
    """The drawings of the list and the gaps between them.

    Raises:
        PluginError: one is gone, or there are fewer than two.
    """
    every = rows(scene)
    broken = next((row for row in every if row.problem), None)
    if broken is not None:
        raise PluginError(broken.problem, "Take it off the list, or undo what was done to its strip.")
    return from_list([row.frame for row in every], [row.label for row in every], [row.strip for row in every])


def add(scene: Any, frame: int) -> bool:
    """Put the frame on the list, in time order; False where it is there already.

    Raises:
        PluginError: nothing is seen at that frame.
    """
    settings, now = scene.tweenbridge, rows(scene)
    there = [index for index, row in enumerate(now) if row.frame == frame and not row.problem]
    if there:
        settings.keyframe_index = there[0]
        return False
    one = follow.shown_by(KeyframeAt(frame, ""), strips.spans(scene))
    item = settings.keyframes.add()
    item.frame, item.strip, item.offset = frame, one.strip, one.offset
    item.strip_id = strips.identify(scene, one.strip)
    item.name = f"{one.strip}, frame {frame}"
    place = sum(row.frame < frame for row in now)
    settings.keyframes.move(len(now), place)
    settings.keyframe_index = place
    return True
