"""The fake's application: projects, pages, stills and the render queue."""

from __future__ import annotations

import os
from collections import Counter

from . import pictures
from .base import ApiObject
from .media import MediaPool, MediaPoolItem
from .quirks import Quirks
from .timelines import Timeline, TimelineItem

_ENDED = {
    "en": {"Ready": "Ready", "Complete": "Complete", "Failed": "Failed"},
    "pt": {"Ready": "Pronto", "Complete": "Concluído", "Failed": "Falhou"},
    "de": {"Ready": "Bereit", "Complete": "Abgeschlossen", "Failed": "Fehlgeschlagen"},
}
"""How a render ended, in the interface's language."""
PAGES = ("media", "cut", "edit", "fusion", "color", "fairlight", "deliver")


class Studio:
    """What all objects of one running application share."""

    def __init__(self, quirks):
        self.quirks, self.page, self.cached_files, self.has_quit = quirks, "edit", {}, False
        self.calls, self.project = Counter(), None
        self.blocked = None
        """A dialog is in the way of every call; set by whoever closes it."""

    def colour_settings(self):
        """What the settings say of colour."""
        return {"colorScienceMode": self.quirks.colour_science, "colorSpaceOutput": "Rec.709",
                "colorSpaceOutputGamma": "Gamma 2.4", "separateColorSpaceAndGamma": "1", "colorAcesODT": "Rec.709",
                "outputLut3D": self.quirks.output_lut}  # fmt: skip

    @property
    def managed(self):
        """Imported clips are read as their Input Color Space says."""
        return "Managed" in self.quirks.colour_science

    def written(self, number):
        """A number as the interface's language writes it."""
        return str(number) if self.quirks.language == "en" else str(number).replace(".", ",")

    def refuses(self, name):
        """Count a call; whether it is one of those that do nothing."""
        self.calls[name] += 1
        return self.calls[name] in self.quirks.fails[name]


class Project(ApiObject):
    """An open project."""

    def __init__(self, studio, name, rate, drop):
        super().__init__()
        self._studio, self._name, self._rate, self._drop = studio, name, rate, drop
        self._timelines, self._current = [], None
        self._pool = MediaPool(studio, self)
        self._render = {"format": "mov", "codec": "H264", "mode": 0, "settings": {"CustomName": "the user's"}}
        self._presets, self._jobs, self._numbers, self._rendered = {}, {}, 0, []

    def _absent(self):
        return () if self._studio.quirks.has_stills else ("ExportCurrentFrameAsStill",)

    def _rate_number(self):
        return float(self._rate)

    def GetName(self):
        return self._name

    def GetUniqueId(self):
        return self._id

    def GetMediaPool(self):
        return self._pool

    def GetTimelineCount(self):
        return len(self._timelines)

    def GetTimelineByIndex(self, idx):
        return self._timelines[idx - 1] if 1 <= idx <= len(self._timelines) else None

    def GetCurrentTimeline(self):
        return self._current

    def SetCurrentTimeline(self, timeline):
        if timeline not in self._timelines:
            return False
        self._current = timeline
        return True

    def GetSetting(self, settingName):
        settings = {
            "timelineFrameRate": self._studio.written(self._rate),
            "timelineDropFrameTimecode": "1" if self._drop else "0",
        }
        return None if self._studio.quirks.settings_only else settings.get(settingName, "")

    # ------------------------------------------------------------ stills

    def ExportCurrentFrameAsStill(self, filePath):
        quirks = self._studio.quirks
        if self._current is None or not os.path.isdir(os.path.dirname(filePath)):
            return False
        pictures.write_tiff(
            filePath, self._current._viewer(), quirks.still_scale, quirks.still_bits, quirks.still_alpha
        )
        if quirks.broken_stills > 0:
            quirks.broken_stills -= 1
            with open(filePath, "r+b") as file:
                file.truncate(3000)
        return True

    # ------------------------------------------------------------ rendering

    def GetRenderFormats(self):
        return {"TIFF": "tif", "QuickTime": "mov"}

    def GetRenderCodecs(self, renderFormat):
        codecs = {"RGB 8 bits": "RGB8", "RGB 16 bits LZW": "RGB16LZW", "RGB 16 bits": "RGB16"}
        return codecs if renderFormat == "tif" else {"H.264": "H264"}

    def GetCurrentRenderFormatAndCodec(self):
        return {name: self._render[name] for name in ("format", "codec")}

    def SetCurrentRenderFormatAndCodec(self, format, codec):
        self._render.update(format=format, codec=codec)
        return True

    def GetCurrentRenderMode(self):
        return self._render["mode"]

    def SetCurrentRenderMode(self, renderMode):
        self._render["mode"] = renderMode
        return True

    def SetRenderSettings(self, settings):
        self._render["settings"] = dict(settings)
        if self._studio.quirks.marks_are_the_range and self._current is not None and "MarkIn" in settings:
            start = self._current._start
            self._current._set_marks(settings["MarkIn"] - start, settings["MarkOut"] - start)
        return True

    def GetRenderPresetList(self):
        return ["H.264 Master", *({"RenderPresetName": name} for name in self._presets)]

    def SaveAsNewRenderPreset(self, presetName):
        if presetName in self._presets or self._studio.quirks.presets_refused:
            return False
        self._presets[presetName] = {**self._render}
        return True

    def LoadRenderPreset(self, presetName):
        if presetName not in self._presets or self._studio.quirks.preset_sticks:
            return False
        self._render = {**self._presets[presetName]}
        return True

    def DeleteRenderPreset(self, presetName):
        return self._presets.pop(presetName, None) is not None

    def AddRenderJob(self):
        if self._studio.quirks.renders_on_deliver_only and self._studio.page != "deliver":
            return ""
        self._numbers += 1
        job = f"job-{self._numbers}"
        self._jobs[job] = {**self._render, "status": "Ready"}
        return job

    def DeleteRenderJob(self, jobId):
        return self._jobs.pop(jobId, None) is not None

    def GetRenderJobList(self):
        told = ("TargetDir", "MarkIn", "MarkOut")
        return [
            {"JobId": name, **{key: job["settings"][key] for key in told if key in job["settings"]}}
            for name, job in self._jobs.items()
        ]

    def StartRendering(self, jobIds, isInteractiveMode=False):
        for job in jobIds:
            self._work(self._jobs[job])
        return True

    def _work(self, job):
        settings = job["settings"]
        self._rendered.append(settings)
        if "MarkIn" not in settings:
            # The whole timeline, into whatever folder the user has chosen.
            job["status"] = "Complete"
            return
        if self._studio.quirks.render_fails or (job["format"], job["codec"]) != ("tif", "RGB16"):
            job["status"] = "Failed"
            return
        for frame in range(settings["MarkIn"], settings["MarkOut"] + 1):
            name = f"{settings['CustomName']}{frame:08}.tif"
            path = os.path.join(settings["TargetDir"], name)
            pictures.write_tiff(path, self._current._graded(frame), bits=self._studio.quirks.render_bits)
        job["status"] = "Complete"

    def StopRendering(self):
        return None

    def IsRenderingInProgress(self):
        return False

    def GetRenderJobStatus(self, jobId):
        failed = self._jobs[jobId]["status"] == "Failed"
        if self._jobs[jobId]["status"] == "Ready":
            return {"JobStatus": _ENDED[self._studio.quirks.language]["Ready"], "CompletionPercentage": 0}
        word = _ENDED[self._studio.quirks.language][self._jobs[jobId]["status"]]
        error = {"Error": "The Fusion composition could not be processed."} if failed else {}
        return {"JobStatus": word, "CompletionPercentage": 40 if failed else 100, **error}


class ProjectManager(ApiObject):
    """The projects."""

    def __init__(self, studio, project):
        super().__init__()
        self._studio, self._project = studio, project

    def GetCurrentProject(self):
        return self._project


class Resolve(ApiObject):
    """The application."""

    EXPORT_OTIO, EXPORT_NONE = "otio", ""

    def __init__(self, studio, project):
        super().__init__()
        self._studio, self._manager = studio, ProjectManager(studio, project)

    def GetProductName(self):
        if self._studio.has_quit:
            return None
        return "DaVinci Resolve Studio" if self._studio.quirks.studio else "DaVinci Resolve"

    def GetVersion(self):
        return [*self._studio.quirks.version, 0, ""]

    def GetVersionString(self):
        return ".".join(str(part) for part in self._studio.quirks.version)

    def GetProjectManager(self):
        return self._manager

    def GetCurrentPage(self):
        return self._studio.page

    def OpenPage(self, pageName):
        if pageName not in PAGES or (pageName == "edit" and not self._studio.quirks.edit_page_opens):
            return False
        self._studio.page = pageName
        return True


def make_resolve(quirks=None, rate="24", drop=False, start="01:00:00:00", frames=40, project_rate=None):
    """A Resolve with a timeline that shows one drawn clip of so many frames on its only track."""
    studio = Studio(quirks or Quirks())
    project = studio.project = Project(studio, "Show: reel 1", project_rate or rate, drop)
    timeline = Timeline(studio, "Shot 12", rate, drop, start)
    project._timelines.append(timeline)
    project._current = timeline
    media = MediaPoolItem(studio, "hop.mov", frames, float(rate))
    project._pool._root._clips.append(media)
    timeline._tracks[0].items.append(TimelineItem(media, timeline._start, frames, 0, 1))
    return Resolve(studio, project)
