# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in-betweens go on the timeline: which channel, and which strips make room for them. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .errors import PluginError
from .gaps import Found, GapRange, Span

HIGHEST_CHANNEL = 128
"""Blender's last channel."""


@dataclass(frozen=True)
class Move:
    """Shift the strip called `name` by `by` frames."""

    name: str
    by: int


@dataclass(frozen=True)
class Room:
    """Strips to move, and where each gap is after that."""

    moves: tuple[Move, ...]
    gaps: tuple[GapRange, ...]


def lowest_free_channel(spans: Iterable[Span], start: int, end: int, highest: int = HIGHEST_CHANNEL) -> int:
    """The lowest channel on which a strip over frames start..end-1 overlaps no other and is hidden by none.

    Raises:
        PluginError: there is none up to `highest`.
    """
    there = [span for span in spans if span.start < end and span.end > start]
    taken = {span.channel for span in there}
    seen_over = max((span.channel for span in there if span.picture), default=0)
    for channel in range(seen_over + 1, highest + 1):
        if channel not in taken:
            return channel
    raise PluginError(
        f"There is no free channel above the strips at frames {start} to {end - 1}.",
        "Move a strip there to a lower channel, then insert again.",
    )


def frames_needed(gap: GapRange, count: int) -> int:
    """By how many frames later strips have to move for `count` in-betweens to fit into the gap; 0 when they do."""
    return max(0, count - gap.length + gap.overlap)


def ripple(spans: Iterable[Span], at: int, by: int) -> tuple[Move, ...]:
    """The moves that make `by` frames of room: every strip that begins at frame `at` or later moves."""
    if by < 0:
        raise ValueError(f"strips can only make room by moving to later frames, not by {by}")
    return tuple(Move(span.name, by) for span in spans if span.start >= at) if by else ()


def make_room(spans: Sequence[Span], found: Found, counts: Sequence[int]) -> Room:
    """The moves after which each gap has room for its count of in-betweens; nothing moves where all fit already.

    Args:
        spans: every strip at the top level.
        found: the gaps, in time order.
        counts: in-betweens for each gap.

    Raises:
        PluginError: a gap needs room, but one strip shows both its keyframes and cannot be in two places.
    """
    shift = {span.name: 0 for span in spans}
    shifted = 0
    gaps: list[GapRange] = []
    for gap, count in zip(found.gaps, counts, strict=True):
        by = frames_needed(gap, count)
        if by:
            _check_movable(spans, found, gap)
        for move in ripple(spans, gap.later, by):
            shift[move.name] += move.by
        start, end = gap.start + shifted, gap.later + shifted + by
        gaps.append(replace(gap, start=start, end=end, overlap=0))
        shifted += by
    return Room(tuple(Move(name, by) for name, by in shift.items() if by), tuple(gaps))


def _check_movable(spans: Sequence[Span], found: Found, gap: GapRange) -> None:
    keyframe = found.keyframes[gap.b]
    pictures = [span for span in spans if span.picture and span.start <= keyframe.frame < span.end]
    shown = [span for span in pictures if span.name == keyframe.strip] or sorted(pictures, key=lambda s: s.channel)[-1:]
    for span in shown:
        if span.start < gap.later:
            raise PluginError(
                f"“{span.name}” goes on across frame {gap.later}, so it cannot make room for in-betweens.",
                f"Split it at frame {gap.later} (K), or choose key drawings with enough frames between them.",
            )
