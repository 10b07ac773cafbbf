"""Shots for the fake's timeline: two clips with a gap or a cut, titles above."""

from __future__ import annotations

from .media import MediaPoolItem
from .timelines import TimelineItem, Track


def two_clips(resolve, first=(0, 10), second=(16, 14), index=1):
    """The track's clip gives way to two drawn ones, (start from the timeline's start, frames); returns both."""
    project = resolve._manager._project
    timeline = project._current
    track = timeline._tracks[index - 1]
    track.items.clear()
    made = []
    for name, (start, frames) in (("A.mov", first), ("B.mov", second)):
        # More source than is shown, and the second goes on where the first would.
        media = MediaPoolItem(resolve._studio, name, 60, float(timeline._rate))
        project._pool._root._clips.append(media)
        made.append(TimelineItem(media, timeline._start + start, frames, start, index))
        track.items.append(made[-1])
    return made


def title(resolve, start, frames, name="Lower third", track="Titles"):
    """A title on a track of its own on top."""
    timeline = resolve._manager._project._current
    timeline._tracks.append(Track(track))
    item = TimelineItem(None, timeline._start + start, frames, 0, len(timeline._tracks))
    item._title = name
    timeline._tracks[-1].items.append(item)
    return item
