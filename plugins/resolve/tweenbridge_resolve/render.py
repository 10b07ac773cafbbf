"""One frame of the timeline as Resolve renders it: slower than a still, and never wrong about what is on the frame."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any, Dict, Optional

from .api import has, told
from .errors import PluginError, Trouble
from .host import DELIVER_PAGE, Host
from .kept import render_kept

_FORMAT = "tif"
_CODEC = "RGB16"
_SINGLE_CLIP = 1
_PATIENCE = 60.0
"""Seconds that one frame may take; heavy grades and noise reduction take some."""


def render_frame(host: Host, frame: int, folder: Path) -> Path:
    """Render one frame into a new folder inside `folder`; returns the file.

    The user's render settings, In and Out and page come back.

    Raises:
        PluginError: STILL, it cannot be rendered.
    """
    if host.project.IsRenderingInProgress():
        raise _failed(host, frame, "it is rendering something else")
    target = folder / f"render-{uuid.uuid4().hex[:8]}"
    target.mkdir(parents=True)
    page = told(host.resolve.GetCurrentPage)
    try:
        with render_kept(host):
            _render(host, frame, target)
    finally:
        if page is not None and host.is_alive():
            host.open_page(page)
    files = [path for path in sorted(target.rglob("*")) if path.suffix.lower() in (".tif", ".tiff")]
    if len(files) != 1:
        raise _failed(host, frame, f"it wrote {len(files)} files")
    return files[0]


def _render(host: Host, frame: int, target: Path) -> None:
    project, size = host.project, host.size()
    codecs = sorted((told(project.GetRenderCodecs, _FORMAT) or {}).values())
    # "RGB16" is what is there in every version seen; among others the shortest name is the plainest.
    fitting = sorted((codec for codec in codecs if codec.startswith(_CODEC)), key=len) or codecs or [_CODEC]
    wanted: Dict[str, Any] = {
        "SelectAllFrames": False, "MarkIn": frame, "MarkOut": frame, "TargetDir": str(target),
        "CustomName": "frame", "ExportVideo": True, "ExportAudio": False,
    }  # fmt: skip
    if size is not None:
        wanted.update({"FormatWidth": size[0], "FormatHeight": size[1]})

    def prepare() -> str:
        project.SetCurrentRenderFormatAndCodec(_FORMAT, fitting[0]) or project.SetCurrentRenderFormatAndCodec(
            _FORMAT, fitting[0]
        )
        project.SetCurrentRenderMode(_SINGLE_CLIP) or project.SetCurrentRenderMode(_SINGLE_CLIP)
        # Without them a job would be the user's own: the whole timeline, into the user's folder.
        taken = project.SetRenderSettings(wanted) or project.SetRenderSettings(wanted)
        return (project.AddRenderJob() or "") if taken else ""

    job = prepare()
    if not job and host.open_page(DELIVER_PAGE):
        # Some versions take jobs on this page only.
        job = prepare()
    if not job:
        raise _failed(host, frame, "it did not take a render job")
    try:
        if not _is_ours(host, job, target):
            raise _failed(host, frame, "it did not take the render settings")
        if not (project.StartRendering([job]) or project.IsRenderingInProgress() or project.StartRendering([job])):
            raise _failed(host, frame, "it did not begin to render")
        _wait(host, frame, job)
    finally:
        gone = project.DeleteRenderJob(job) or project.DeleteRenderJob(job)
        if not gone or _listed(host, job) is not None:
            host.tell("A job of Tweenbridge is left in the Render Queue: delete it.")


def _listed(host: Host, job: str) -> Optional[Dict[str, Any]]:
    """A job as the Render Queue lists it; None where it does not."""
    listed = told(host.project.GetRenderJobList) if has(host.project, "GetRenderJobList") else None
    return next((each for each in listed or [] if each.get("JobId") == job), None)


def _is_ours(host: Host, job: str, target: Path) -> bool:
    """A job renders into our folder, as far as it is listed: settings that did not take would leave the user's."""
    folder = (_listed(host, job) or {}).get("TargetDir")
    try:
        return not folder or Path(folder).samefile(target)
    except OSError:
        return False


def _wait(host: Host, frame: int, job: str) -> None:
    """Wait for a job's end. How it ended is told by numbers: the words are in the interface's language."""
    end = time.monotonic() + _PATIENCE
    while host.project.IsRenderingInProgress():
        if time.monotonic() > end:
            host.project.StopRendering()
            raise _failed(host, frame, f"rendering took more than {_PATIENCE:.0f} seconds")
        time.sleep(0.02)
    status = told(host.project.GetRenderJobStatus, job) or {}
    if status.get("Error"):
        raise _failed(host, frame, f"{status['Error']}".rstrip("."))
    if status.get("CompletionPercentage") not in (None, 100):
        raise _failed(host, frame, f"the render ended at {status['CompletionPercentage']} %")


def _failed(host: Host, frame: int, reason: str) -> PluginError:
    return PluginError(
        Trouble.STILL,
        f"DaVinci Resolve could not render the frame at {host.text(frame)}: {reason}.",
        "Stop the playback, wait for renders to end, then try again.",
    )
