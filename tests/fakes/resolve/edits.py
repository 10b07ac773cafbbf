"""What an editor does on the fake's timeline while a script is at work: past the API, as the mouse does it."""

from __future__ import annotations

from .timelines import TimelineItem


def everything(timeline):
    """(track, item) of all clips."""
    return [(track, item) for track in timeline._tracks for item in track.items]


def ripple(timeline, at, by, markers=False):
    """Insert (or, with a negative number, delete) so many frames before the clips that begin at or after a frame.

    Args:
        at: counted from the timeline's start.
        markers: Ripple Timeline Markers is on.
    """
    for _, item in everything(timeline):
        if item._start >= timeline._start + at:
            item._start += by
    if markers:
        moved = {frame + by if frame >= at else frame: marker for frame, marker in timeline._markers.items()}
        timeline._markers = moved


def insert_before_all(resolve, frames, markers=False):
    """A clip is inserted at the head: everything moves."""
    timeline = resolve._manager._project._current
    ripple(timeline, 0, frames, markers)
    track = timeline._tracks[0]
    media = resolve._manager._project._pool._root._clips[0]
    track.items.append(TimelineItem(media, timeline._start, frames, 0, 1))


def trim_head(item, frames):
    """The clip begins so many frames later; what it shows stays where it was."""
    item._start += frames
    item._source += frames
    item._length -= frames


def trim_tail(item, frames):
    """The clip ends so many frames earlier."""
    item._length -= frames


def slip(item, frames):
    """The clip stays and shows what lies so many frames later in its source."""
    item._source += frames


def split(timeline, track, item, at):
    """The blade at a frame (counted from the timeline's start): the second part is a new clip."""
    first = timeline._start + at - item._start
    if 0 < first < item._length:
        second = TimelineItem(item._media, item._start + first, item._length - first, item._source + first, item._index)
        second._title = item._title
        track.items.append(second)
        item._length = first


def grade(item, by):
    """Another grade: all that this clip's source shows is so much brighter."""
    media = item._media
    for frame in range(media._frames):
        media._kept[frame] = type(media._picture(frame))("H", [min(65535, s + by) for s in media._picture(frame)])
