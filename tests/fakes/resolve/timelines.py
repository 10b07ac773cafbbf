"""The fake's timelines: tracks, clips, markers, In and Out, the playhead, and what a frame shows.

Items, the playhead and placements count frames from timecode zero; markers, In and Out from the timeline's start.
"""

from __future__ import annotations

import json
from fractions import Fraction

from . import pictures
from .base import Annotated, ApiObject


class TimelineItem(Annotated):
    """A clip on a track."""

    def __init__(self, media, start, length, source, index):
        super().__init__()
        self._studio = media and media._studio
        self._media, self._start, self._length, self._source, self._index = media, start, length, source, index
        self._colour, self._ghost, self._title = "", False, ""

    def _broken(self):
        """The same item, whose getters say nothing any more."""
        self._ghost = True
        return self

    def _said(self, value):
        return None if self._ghost else value

    def GetName(self):
        return self._said(self._title or (self._media and self._media._name))

    def GetStart(self, subframe_precision=False):
        return self._said(self._start)

    def GetEnd(self, subframe_precision=False):
        shown = self._media is not None and self._media._studio.quirks.item_end_shown
        return self._said(self._start + self._length - shown)

    def GetDuration(self, subframe_precision=False):
        return self._said(self._length)

    def GetLeftOffset(self, subframe_precision=False):
        return self._said(self._source)

    def GetMediaPoolItem(self):
        return self._said(self._media)

    def GetTrackTypeAndIndex(self):
        return self._said(["video", self._index])

    def GetClipColor(self):
        return self._said(self._colour)

    def SetClipColor(self, colorName):
        self._colour = colorName
        return True

    def GetUniqueId(self):
        return self._said(self._id)


class Graph(ApiObject):
    """A timeline's node graph: for each node its tools and its LUT, and whether it is on, which no call tells."""

    def __init__(self, studio, switches):
        super().__init__()
        self._studio, self._switches = studio, switches

    def _absent(self):
        return ("SetNodeEnabled",) if self._studio.quirks.nodes_switch == "missing" else ()

    def _nodes(self):
        return self._studio.quirks.timeline_nodes

    def GetNumNodes(self):
        return len(self._nodes())

    def GetLUT(self, nodeIndex):
        return self._nodes()[nodeIndex - 1][1]

    def GetToolsInNode(self, nodeIndex):
        return list(self._nodes()[nodeIndex - 1][0]) or None

    def SetNodeEnabled(self, nodeIndex, isEnabled):
        how = self._studio.quirks.nodes_switch
        if how == "raises":
            raise RuntimeError("the graph is gone")
        if how == "takes":
            self._switches[nodeIndex] = isEnabled
        return how != "refused"


class Track:
    """A video track."""

    def __init__(self, name):
        self.name, self.locked, self.enabled, self.items = name, False, True, []
        self.is_the_users = False
        """It was there before, whatever it is called."""


class Timeline(Annotated):
    """A timeline."""

    def __init__(self, studio, name, rate, drop, start="01:00:00:00"):
        super().__init__()
        self._studio, self._name, self._rate, self._drop = studio, name, rate, drop
        self._tracks = [Track("Video 1")]
        self._start = self._frames(start)
        self._playhead, self._previous = self._start, self._start
        self._marks, self._selected = {}, []
        self._size = (pictures.WIDTH, pictures.HEIGHT)
        self._old_count, self._stale_counts, self._stale = 1, 0, 0
        self._stuck = studio.quirks.stuck_playhead
        self._unlisted = 0
        self._transitions = []
        """(cut, frames before it, frames after it)."""
        self._switches = {}
        """Of its own grade's nodes: False for those that are off."""

    def _absent(self):
        quirks = self._studio.quirks
        here = {"GetSettings": quirks.settings_only, "GetMarkInOut": quirks.mark_in_out,
                "DuplicateTimeline": quirks.duplicates != "missing",
                "GetSelectedClips": quirks.has_selection}  # fmt: skip
        return [name for name, there in here.items() if not there]

    # ------------------------------------------------------------ timecode, by counting pages of numbers

    def _nominal(self):
        return round(float(self._rate))

    def _exact(self):
        nominal = self._nominal()
        return Fraction(nominal) if float(self._rate) == nominal else Fraction(nominal * 1000, 1001)

    def _frames(self, timecode):
        hours, minutes, seconds, frames = (int(part) for part in timecode.replace(";", ":").split(":"))
        n = self._nominal()
        count = ((hours * 60 + minutes) * 60 + seconds) * n + frames
        if self._drop:
            whole = hours * 60 + minutes
            count -= n // 15 * (whole - whole // 10)
        return count

    def _timecode(self, frame):
        n, mark = self._nominal(), ";" if self._drop else ":"
        if self._drop:
            k = n // 15
            tens, rest = divmod(frame, 600 * n - 9 * k)
            frame += 9 * k * tens + (k * ((rest - k) // (60 * n - k)) if rest > k else 0)
        seconds, frames = divmod(frame, n)
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{mark}{frames:02}"

    def _end(self):
        return max((i._start + i._length for t in self._tracks for i in t.items), default=self._start)

    def _picture(self, frame):
        """What the viewer shows: the topmost enabled track that has anything there."""
        titled = False
        for track in reversed(self._tracks):
            for item in track.items if track.enabled else ():
                if item._start <= frame < item._start + item._length:
                    if item._title:
                        titled = True
                    else:
                        shown = item._media._picture(item._source + frame - item._start)
                        return pictures.with_title(shown) if titled else shown
        return pictures.with_title(pictures.black()) if titled else pictures.black()

    def _graded(self, frame):
        """The same under the timeline's own grade: each node that is on and has anything in it brightens."""
        nodes = enumerate(self._studio.quirks.timeline_nodes, start=1)
        on = sum(any(node) and self._switches.get(number, True) for number, node in nodes)
        return pictures.brighter(self._picture(frame), 4000 * on)

    # ------------------------------------------------------------ the API

    def GetName(self):
        return self._name

    def GetUniqueId(self):
        return self._id

    def DuplicateTimeline(self, timelineName=None):
        project = self._studio.project
        if self._studio.quirks.duplicates == "raises":
            raise RuntimeError("no")
        if self._studio.quirks.duplicates == "nothing" or timelineName in [each._name for each in project._timelines]:
            return None
        copy = Timeline(self._studio, timelineName or f"{self._name} copy", self._rate, self._drop)
        copy._start, copy._playhead, copy._size = self._start, self._start, self._size
        copy._switches = dict(self._switches)
        copy._markers = {frame: dict(marker) for frame, marker in self._markers.items()}
        for track in self._tracks:
            twin = Track(track.name)
            twin.locked, twin.enabled = track.locked, track.enabled
            for item in track.items:
                twin.items.append(TimelineItem(item._media, item._start, item._length, item._source, item._index))
                twin.items[-1]._title = item._title
            copy._tracks.append(twin)
        del copy._tracks[0]
        project._timelines.append(copy)
        # As Resolve does: the new one is shown at once.
        project._current = copy
        return None if self._studio.quirks.duplicates == "unsaid" else copy

    def GetStartFrame(self):
        return self._start + self._studio.quirks.lies_about_start

    def GetEndFrame(self):
        return self._end()

    def GetStartTimecode(self):
        return self._timecode(self._start)

    def SetStartTimecode(self, timecode):
        moved = self._frames(timecode) - self._start
        self._start += moved
        for track in self._tracks:
            for item in track.items:
                item._start += moved
        return True

    def _settings(self):
        rate = float(self._rate) if self._studio.quirks.rate_as_number else self._studio.written(self._rate)
        return {
            "timelineFrameRate": rate,
            "timelineDropFrameTimecode": "1" if self._drop else "0",
            **self._studio.colour_settings(),
            "timelineResolutionWidth": str(self._size[0]),
            "timelineResolutionHeight": str(self._size[1]),
        }

    def GetSetting(self, settingName):
        if self._studio.quirks.settings_only:
            return None
        return self._settings().get(settingName, "") if settingName else self._settings()

    def GetSettings(self):
        return self._settings()

    def GetCurrentTimecode(self):
        return None if self._studio.page == "media" else self._timecode(self._playhead)

    def SetCurrentTimecode(self, timecode):
        if self._studio.page in ("media", "fusion"):
            return False
        if self._stuck > 0:
            self._stuck -= 1
            return True
        wanted = self._frames(timecode)
        if wanted != self._playhead:
            self._previous, self._playhead = self._playhead, wanted
            self._stale = self._studio.quirks.stale_stills
        return True

    def _viewer(self):
        """What the viewer has drawn so far, which may still be the place before."""
        if self._stale > 0:
            self._stale -= 1
            return self._graded(self._previous)
        return self._graded(self._playhead)

    def GetNodeGraph(self):
        return Graph(self._studio, self._switches)

    def GetMarkInOut(self):
        return {kind: dict(marks) for kind, marks in self._marks.items()}

    def SetMarkInOut(self, mark_in, mark_out, type="all"):
        self._set_marks(mark_in, mark_out, type)
        return True

    def _set_marks(self, mark_in, mark_out, type="all"):
        for kind in ("video", "audio") if type == "all" else (type,):
            self._marks[kind] = {"in": mark_in, "out": mark_out}

    def ClearMarkInOut(self, type="all"):
        for kind in ("video", "audio") if type == "all" else (type,):
            self._marks.pop(kind, None)
        return True

    def GetSelectedClips(self):
        return [None, *self._selected]

    def GetTrackCount(self, trackType):
        if trackType != "video":
            return 0
        if self._stale_counts > 0:
            self._stale_counts -= 1
            return self._old_count
        return len(self._tracks)

    def AddTrack(self, trackType, newTrackOptions=None):
        if trackType != "video" or self._studio.quirks.no_new_tracks:
            return False
        self._old_count, self._stale_counts = len(self._tracks), self._studio.quirks.stale_track_count
        wanted = newTrackOptions.get("index") if isinstance(newTrackOptions, dict) else None
        place = wanted - 1 if wanted and self._studio.quirks.inserts_tracks else len(self._tracks)
        self._tracks.insert(place, Track(f"Video {len(self._tracks) + 1}"))
        return True

    def DeleteTrack(self, trackType, trackIndex):
        del self._tracks[trackIndex - 1]
        return True

    def GetTrackName(self, trackType, trackIndex):
        return self._tracks[trackIndex - 1].name

    def SetTrackName(self, trackType, trackIndex, name):
        self._tracks[trackIndex - 1].name = name
        return True

    def GetIsTrackLocked(self, trackType, trackIndex):
        return self._tracks[trackIndex - 1].locked

    def SetTrackLock(self, trackType, trackIndex, Bool):
        self._tracks[trackIndex - 1].locked = Bool
        return True

    def GetIsTrackEnabled(self, trackType, trackIndex):
        return self._tracks[trackIndex - 1].enabled

    def SetTrackEnable(self, trackType, trackIndex, Bool):
        if not self._studio.quirks.tracks_stay_on:
            self._tracks[trackIndex - 1].enabled = Bool
        return True

    def Export(self, fileName, exportType, exportSubtype):
        if exportType != "otio" or not self._studio.quirks.exports_otio:
            return False
        with open(fileName, "w", encoding="utf-8") as file:
            json.dump(self._otio(), file)
        return True

    def _otio(self):
        """The video tracks as OpenTimelineIO has them: clips and gaps one after the other, transitions in between."""
        tracks = []
        for track in self._tracks:
            children, at = [], self._start
            for item in sorted(track.items, key=lambda item: item._start):
                lengths = [("Gap.1", item._start - at), ("Clip.2", item._length)]
                for kind, length in lengths:
                    if length:
                        duration = {"OTIO_SCHEMA": "RationalTime.1", "value": float(length), "rate": 24.0}
                        children.append({"OTIO_SCHEMA": kind, "source_range": {"duration": duration}})
                at = item._start + item._length
                for cut, before, after in self._transitions:
                    if cut + self._start == at:
                        offsets = {"in_offset": {"value": float(before)}, "out_offset": {"value": float(after)}}
                        children.append({"OTIO_SCHEMA": "Transition.1", **offsets})
            tracks.append({"kind": "Video", "children": children})
        return {"tracks": {"children": [*tracks, {"kind": "Audio", "children": []}]}}

    def GetItemListInTrack(self, trackType, index):
        if not 1 <= index <= len(self._tracks):
            return None
        quirks, there = self._studio.quirks, self._tracks[index - 1].items
        if self._unlisted > 0:
            self._unlisted -= 1
            there = there[:-1]
        found = sorted(there, key=lambda item: item._start)
        if quirks.broken_items:
            found.insert(0, TimelineItem(None, 0, 0, 0, index)._broken())
        return [None, *found] if quirks.none_in_lists else found

    def DeleteClips(self, timelineItems, Bool=False):
        if (
            self._studio.quirks.keeps_clips
            or self._studio.page != "edit"
            or any(item is None or item._ghost for item in timelineItems)
        ):
            return False
        gone = [item for track in self._tracks if not track.locked for item in track.items if item in timelineItems]
        for track in self._tracks:
            track.items = [item for item in track.items if item not in gone]
            for item in track.items:
                # A ripple delete closes the gaps.
                item._start -= sum(each._length for each in gone if Bool and each._start < item._start)
        return True
