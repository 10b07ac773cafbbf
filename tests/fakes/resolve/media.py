"""The fake's media pool: bins, clips that are drawn or lie on disk, importing and placing."""

from __future__ import annotations

import os
from fractions import Fraction

from . import pictures
from .base import Annotated, ApiObject
from .timelines import Timeline, TimelineItem


class MediaPoolItem(Annotated):
    """A clip: drawn (`seed`), or a sequence of files."""

    def __init__(self, studio, name, frames, fps, files=(), seed=0):
        super().__init__()
        self._studio, self._name, self._frames, self._fps = studio, name, frames, fps
        # What a project takes clips for unless they say otherwise is not what it puts out.
        self._spaces = {"Input Color Space": "Rec.709 (Scene)", "Input Gamma": "Gamma 2.2"}
        self._files, self._seed, self._metadata, self._kept = list(files), seed, {}, {}

    def _picture(self, frame):
        """Samples of a source frame. What was shown once is kept by its path, whatever the file says later."""
        if not self._files:
            return self._kept.setdefault(frame, pictures.draw(frame, self._seed))
        path = self._files[frame]
        cache = self._studio.cached_files
        if path not in cache:
            cache[path] = pictures.read_image(path)
        if self._studio.managed and tuple(self._spaces.values()) != ("Rec.709", "Gamma 2.4"):
            return pictures.array.array("H", (sample * 9 // 10 for sample in cache[path]))
        return cache[path]

    def GetName(self):
        return self._name

    def SetName(self, name):
        self._name = name
        return True

    def GetUniqueId(self):
        return self._id

    def GetMediaId(self):
        return "media-" + self._id

    def GetClipProperty(self, propertyName=None):
        rate = self._fps if self._studio.quirks.language == "en" else self._studio.written(self._fps)
        values = {"FPS": rate, "Frames": str(self._frames), "File Path": (self._files or [""])[0], **self._spaces}
        return values if propertyName is None else values.get(propertyName, "")

    def SetClipProperty(self, propertyName, propertyValue):
        if propertyName in self._spaces and self._studio.managed:
            if not self._studio.quirks.input_space_refused:
                self._spaces[propertyName] = propertyValue
            return True
        if propertyName != "FPS":
            return False
        if not self._studio.quirks.rate_locked:
            self._fps = float(propertyValue)
        return True

    def GetThirdPartyMetadata(self, metadataType=None):
        return dict(self._metadata) if metadataType is None else self._metadata.get(metadataType, "")

    def SetThirdPartyMetadata(self, metadataType, metadataValue=None):
        if self._studio.quirks.keeps_metadata:
            self._metadata[metadataType] = metadataValue
        return True


class Folder(ApiObject):
    """A bin."""

    def __init__(self, studio, name):
        super().__init__()
        self._studio, self._name, self._clips, self._folders = studio, name, [], []

    def GetName(self):
        return self._name

    def GetUniqueId(self):
        return self._id

    def GetClipList(self):
        return list(self._clips)

    def GetSubFolderList(self):
        return list(self._folders)


def walk(folder):
    """A bin and all in it."""
    yield folder
    for inner in folder._folders:
        yield from walk(inner)


class MediaPool(ApiObject):
    """The media pool of a project."""

    def __init__(self, studio, project):
        super().__init__()
        self._studio, self._project = studio, project
        self._root = self._current = Folder(studio, "Master")

    def GetRootFolder(self):
        return self._root

    def GetCurrentFolder(self):
        return self._current

    def SetCurrentFolder(self, folder):
        self._current = folder
        return True

    def AddSubFolder(self, folder, name):
        made = Folder(self._studio, name)
        folder._folders.append(made)
        # As Resolve does: the new bin is shown at once.
        self._current = made
        return made

    def DeleteFolders(self, subfolders):
        for folder in walk(self._root):
            folder._folders = [inner for inner in folder._folders if inner not in subfolders]
        if self._current not in list(walk(self._root)):
            self._current = self._root
        return True

    def DeleteClips(self, clips):
        if self._studio.quirks.keeps_media:
            return True
        for folder in walk(self._root):
            folder._clips = [clip for clip in folder._clips if clip not in clips]
        for timeline in self._project._timelines:
            for track in timeline._tracks:
                track.items = [item for item in track.items if item._media not in clips]
        return True

    def ImportMedia(self, items):
        quirks = self._studio.quirks
        if quirks.import_fails:
            return []
        made = []
        for wanted in items:
            numbers = range(wanted["StartIndex"], wanted["EndIndex"] + 1)
            files = [wanted["FilePath"] % number for number in numbers]
            if not files or not all(os.path.isfile(path) for path in files):
                continue
            groups = [[path] for path in files] if quirks.individual_frames else [files]
            for group in groups:
                # A sequence comes in at the rate of the project, whatever the timeline's is.
                item = MediaPoolItem(
                    self._studio, os.path.basename(group[0]), len(group), self._project._rate_number(), group
                )
                self._current._clips.append(item)
                made.append(item)
        return [None, *made] if quirks.none_in_lists and made else made

    def CreateEmptyTimeline(self, name):
        timeline = Timeline(self._studio, name, self._project._rate, self._project._drop)
        self._project._timelines.append(timeline)
        self._project._current = timeline
        return timeline

    def DeleteTimelines(self, timeline):
        if self._studio.quirks.keeps_timelines:
            return True
        self._project._timelines = [known for known in self._project._timelines if known not in timeline]
        if self._project._current in timeline:
            self._project._current = next(iter(self._project._timelines), None)
        return True

    def AppendToTimeline(self, clips):
        made = []
        for wanted in clips:
            item = self._place(wanted)
            if item is None and self._studio.quirks.refuses_fractions and _has_fraction(wanted):
                return None
            if item is not None:
                made.append(item)
        return [None, *made] if self._studio.quirks.none_in_lists and made else made

    def _place(self, wanted):
        quirks, timeline = self._studio.quirks, self._project._current
        if timeline is None or (quirks.refuses_fractions and _has_fraction(wanted)):
            return None
        media, first = wanted["mediaPoolItem"], int(wanted["startFrame"])
        end = int(wanted["endFrame"]) + (0 if quirks.exclusive_end else 1)
        # A stretch ends with its media.
        end = min(end, media._frames)
        index = wanted.get("trackIndex", 1)
        if not 1 <= index <= len(timeline._tracks) or timeline._tracks[index - 1].locked or first >= end:
            return None
        # At another rate than the timeline's, media plays slower or faster.
        length = round((end - first) * timeline._exact() / _exact(media._fps))
        start = int(wanted.get("recordFrame", timeline._end())) + quirks.misplaces
        item = TimelineItem(media, start, length, first, index)
        if any(other._start < start + length and start < other._start + other._length
               for other in timeline._tracks[index - 1].items):  # fmt: skip
            return item._broken() if quirks.overlaps == "ghost" else None
        timeline._tracks[index - 1].items.append(item)
        timeline._unlisted = quirks.stale_lists
        return item


def _has_fraction(wanted):
    return any(isinstance(value, float) for value in wanted.values())


def _exact(fps):
    nominal = round(float(fps))
    return Fraction(nominal) if abs(float(fps) - nominal) < 0.001 else Fraction(nominal * 1000, 1001)
