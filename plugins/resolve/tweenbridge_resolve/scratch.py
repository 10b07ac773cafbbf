"""A timeline to try things on: made for it, with a sequence of known colours, and gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, Tuple

from . import media, tiff
from .api import told
from .errors import PluginError, Trouble
from .host import Host

if TYPE_CHECKING:
    from .api import MediaPoolItem, Resolve

NAME = "Tweenbridge self-check"
FRAMES = 12


def colour(frame: int) -> Tuple[float, float, float]:
    """The colour, 0 to 1, that fills a frame of the sequence; far from those of the frames beside it."""
    return 0.15 + 0.06 * frame, 0.8 if frame % 2 else 0.25, 0.85 - 0.06 * frame


@contextmanager
def scratch_timeline(resolve: Resolve) -> Iterator[Tuple[Host, MediaPoolItem, Path]]:
    """A host on an empty timeline of its own, the imported sequence, and a folder for files.

    Afterwards the timeline, the sequence, their bin and the folder are gone, and the user's timeline is shown again.

    Raises:
        PluginError: NO_TIMELINE or IMPORT, it cannot be made.
    """
    user = Host(resolve)
    folder = Path(tempfile.mkdtemp(prefix="tweenbridge-selfcheck-"))
    try:
        with user.view_kept():
            place = media.bin_folder(user, NAME)
            try:
                user.pool.SetCurrentFolder(place)
                timeline = user.pool.CreateEmptyTimeline(NAME)
                if timeline is None:
                    raise PluginError(
                        Trouble.NO_TIMELINE,
                        "DaVinci Resolve did not make a timeline for the check.",
                        f"Delete a timeline “{NAME}” that an earlier check has left behind, then try again.",
                    )
                try:
                    user.project.SetCurrentTimeline(timeline)
                    host = Host(resolve)
                    _write(folder, host)
                    yield host, media.import_sequence(host, folder, media.PATTERN, FRAMES, NAME), folder
                finally:
                    user.project.SetCurrentTimeline(user.timeline)
                    user.pool.DeleteTimelines([timeline])
            finally:
                user.pool.DeleteFolders([place])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    left = _left(user)
    if left:
        raise PluginError(
            Trouble.NO_TIMELINE, f"The {left} could not be deleted again.", "Delete it in the Media Pool."
        )


def _left(host: Host) -> str:
    """What of the check is still in the project."""
    count = int(told(host.project.GetTimelineCount) or 0)
    timelines = [told(host.project.GetTimelineByIndex, index) for index in range(1, count + 1)]
    if any(each is not None and told(each.GetName) == NAME for each in timelines):
        return f"timeline “{NAME}”"
    return f"bin “{NAME}”" if media.bins(host, NAME) else ""


def _write(folder: Path, host: Host) -> None:
    """The sequence: flat colours, a quarter of the timeline's size, in its shape."""
    width, height = host.size() or (1920, 1080)
    width, height = max(1, width // 4), max(1, height // 4)
    for frame in range(FRAMES):
        pixel = [round(65535 * value) for value in colour(frame)]
        (folder / (media.PATTERN % (frame + 1))).write_bytes(tiff.write(width, height, pixel * (width * height)))
