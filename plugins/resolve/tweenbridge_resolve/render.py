"""One frame of the timeline as Resolve renders it: slower than a still, and never wrong about what is on the frame."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from .errors import PluginError, Trouble
from .host import Host

_FORMAT = "tif"
_CODEC = "RGB16"
_SINGLE_CLIP = 1
_PATIENCE = 60.0
"""Seconds that one frame may take; heavy grades and noise reduction take some."""
_PRESET = "Tweenbridge, your settings before"


def render_frame(host: Host, frame: int, folder: Path) -> Path:
    """Render one frame into a new folder inside `folder`; returns the file. The user's render settings come back.

    Raises:
        PluginError: STILL, it cannot be rendered.
    """
    target = folder / f"render-{uuid.uuid4().hex[:8]}"
    target.mkdir(parents=True)
    with _settings_kept(host):
        project, size = host.project, host.size()
        codecs = sorted((project.GetRenderCodecs(_FORMAT) or {}).values())
        # "RGB16" is what is there in every version seen; among others the shortest name is the plainest.
        fitting = sorted((codec for codec in codecs if codec.startswith(_CODEC)), key=len) or codecs or [_CODEC]
        project.SetCurrentRenderFormatAndCodec(_FORMAT, fitting[0])
        project.SetCurrentRenderMode(_SINGLE_CLIP)
        wanted = {
            "SelectAllFrames": False, "MarkIn": frame, "MarkOut": frame, "TargetDir": str(target),
            "CustomName": "frame", "ExportVideo": True, "ExportAudio": False,
        }  # fmt: skip
        if size is not None:
            wanted.update({"FormatWidth": size[0], "FormatHeight": size[1]})
        project.SetRenderSettings(wanted)
        job = project.AddRenderJob()
        if not job:
            raise _failed(host, frame, "it takes no render job")
        try:
            if not project.StartRendering([job]):
                raise _failed(host, frame, "it does not begin to render")
            _wait(host, frame, job)
        finally:
            project.DeleteRenderJob(job)
    files = [path for path in sorted(target.rglob("*")) if path.suffix.lower() in (".tif", ".tiff")]
    if len(files) != 1:
        raise _failed(host, frame, f"it wrote {len(files)} files")
    return files[0]


def _wait(host: Host, frame: int, job: str) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        status = host.project.GetRenderJobStatus(job) or {}
        if not host.project.IsRenderingInProgress():
            shown = str(status.get("JobStatus") or "Complete")
            if shown != "Complete":
                raise _failed(host, frame, f"the render ended as {shown!r}")
            return
        if time.monotonic() > end:
            host.project.StopRendering()
            raise _failed(host, frame, f"rendering took more than {_PATIENCE:.0f} seconds")
        time.sleep(0.02)


@contextmanager
def _settings_kept(host: Host) -> Iterator[None]:
    """Put the render settings back. There is no way to read them, so they are kept as a preset meanwhile."""
    project = host.project
    before, mode = project.GetCurrentRenderFormatAndCodec() or {}, project.GetCurrentRenderMode()
    # One that a crash has left behind would be in the way.
    project.DeleteRenderPreset(_PRESET)
    kept = project.SaveAsNewRenderPreset(_PRESET)
    try:
        yield
    finally:
        if kept:
            project.LoadRenderPreset(_PRESET)
            project.DeleteRenderPreset(_PRESET)
        if before.get("format") and before.get("codec"):
            project.SetCurrentRenderFormatAndCodec(before["format"], before["codec"])
        if mode is not None:
            project.SetCurrentRenderMode(mode)


def _failed(host: Host, frame: int, reason: str) -> PluginError:
    return PluginError(
        Trouble.STILL,
        f"DaVinci Resolve does not give the picture at {host.text(frame)}: {reason}.",
        "Stop the playback, wait for renders to end, then try again.",
    )
