# SPDX-License-Identifier: GPL-3.0-or-later
"""Keyframes follow the strips that they were taken from, when these are moved, trimmed, renamed or split. Pure.

A keyframe of the selected strips is a strip's last or first frame, wherever that is now. One of the list, or at a
marker, is a frame of the strip that was seen there: it is found by how far it is from where the strip's content begins,
which trimming does not change.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Protocol

from .errors import PluginError
from .gaps import Found, KeyframeAt, Source, Span

_AGAIN = "Undo that, or select what is at both ends of the gap and generate."


class Anchored(Protocol):
    """What remembers the strip that a keyframe was taken from, by its id and its name then, and its content's frame."""

    @property
    def strip(self) -> str: ...

    @property
    def id(self) -> str: ...

    @property
    def offset(self) -> int: ...


def strip_now(
    spans: Iterable[Span], keyframe: Anchored, begins_at: int | None = None, ends_at: int | None = None
) -> Span:
    """The strip that a keyframe was taken from.

    Args:
        spans: every strip at the top level.
        keyframe: what is remembered.
        begins_at, ends_at: where its in-betweens touch it. Of several parts of a split strip, the one there is meant.

    Raises:
        PluginError: it is gone, or not seen any more.
    """
    every = list(spans)
    same = [span for span in every if keyframe.id and span.id == keyframe.id]
    if not same:
        same = [span for span in every if span.name == keyframe.strip and not (keyframe.id and span.id)]
    if not same:
        raise PluginError(
            f"“{keyframe.strip}”, which a key drawing was taken from, is not on the timeline any more.", _AGAIN
        )
    touching = [span for span in same if span.start == begins_at or span.end == ends_at]
    named = [span for span in same if span.name == keyframe.strip]
    found = (touching or named or same)[0]
    if not found.picture:
        raise PluginError(
            f"“{found.name}”, which a key drawing was taken from, is not seen any more.", "Unmute it, or undo."
        )
    return found


def frame_now(span: Span, keyframe: Anchored, source: Source, first: bool) -> int:
    """The timeline frame that shows a keyframe now.

    Args:
        span: its strip.
        keyframe: what is remembered.
        source: what it was taken from.
        first: it ends a gap, and so is the first frame of its strip; used for selected strips.

    Raises:
        PluginError: the frame was trimmed away.
    """
    if source is Source.STRIPS:
        return span.start if first else span.end - 1
    frame = span.origin + keyframe.offset
    if not span.start <= frame < span.end:
        raise PluginError(f"The frame of “{span.name}” that is a key drawing was trimmed away.", _AGAIN)
    return frame


def frames_now(
    spans: Sequence[Span], pair: tuple[Anchored, Anchored], source: Source, between: tuple[int, int]
) -> tuple[tuple[Span, int], tuple[Span, int]]:
    """The strips and frames of the two keyframes of a gap.

    Args:
        spans: every strip at the top level.
        pair: what is remembered of them.
        source: what they were taken from.
        between: first frame of the strip between them, and the frame after its last.

    Raises:
        PluginError: as `strip_now` and `frame_now`.
    """
    a = strip_now(spans, pair[0], ends_at=between[0])
    b = strip_now(spans, pair[1], begins_at=between[1])
    return (a, frame_now(a, pair[0], source, False)), (b, frame_now(b, pair[1], source, True))


def anchored(found: Found, spans: Iterable[Span]) -> Found:
    """The same keyframes, each with the strip that shows it and the in-betweens over this to hide meanwhile.

    Raises:
        PluginError: there is nothing to see at one of them.
    """
    every = list(spans)
    return dataclasses.replace(found, keyframes=tuple(shown_by(each, every) for each in found.keyframes))


def shown_by(keyframe: KeyframeAt, spans: Iterable[Span]) -> KeyframeAt:
    """The same keyframe with the strip that shows it, its own where that is seen there, else the topmost.

    Raises:
        PluginError: there is nothing to see.
    """
    there = [span for span in spans if span.picture and span.start <= keyframe.frame < span.end]
    shown = [span for span in there if span.name == keyframe.strip] or sorted(there, key=lambda span: span.channel)[-1:]
    if not shown:
        raise PluginError(
            f"There is nothing to see at frame {keyframe.frame}.",
            "Choose frames at which a strip is seen, or put the strip back that was there.",
        )
    [strip] = shown
    over = tuple(span.name for span in there if span.made and span.channel > strip.channel)
    hide = tuple(dict.fromkeys((*keyframe.hide, *over)))
    return dataclasses.replace(keyframe, strip=strip.name, id=strip.id, offset=keyframe.frame - strip.origin, hide=hide)
