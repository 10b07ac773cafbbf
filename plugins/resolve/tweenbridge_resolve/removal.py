"""Taking a take away again: its clips on the timeline, its clip in the media pool, and, if wanted, its files."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, List, Optional, Tuple

from . import media as pool
from . import timeline
from .api import told
from .errors import PluginError, Trouble
from .host import Host
from .placing import delete

if TYPE_CHECKING:
    from .api import MediaPoolItem, TimelineItem


@dataclass(frozen=True)
class Removable:
    """What would go.

    Attributes:
        tracks: with clips of it.
        files: of its sequence; () where they are not there, or not known.
    """

    name: str
    media: MediaPoolItem
    clips: int
    tracks: Tuple[int, ...]
    files: Tuple[Path, ...]

    @property
    def question(self) -> str:
        """What is asked before."""
        clips = "" if self.clips == 1 else f" ({self.clips} clips)"
        where = " and ".join(f"V{track}" for track in self.tracks)
        start = f"Remove “{self.name}”{clips} from {where} and from the Media Pool?"
        if not self.files:
            return start
        return f"{start} Its {len(self.files)} files in {self.files[0].parent} can be deleted as well."


def removable(host: Host) -> Optional[Removable]:
    """The take under the playhead; None where there is none."""
    frame = host.playhead()
    media = None if frame is None else pool.take_media(host, frame)
    if media is None:
        return None
    clips = _clips(host, media)
    name = str(told(media.GetName) or "in-betweens")
    return Removable(name, media, len(clips), tuple(sorted({at for at, _ in clips})), _files(media))


def _clips(host: Host, media: MediaPoolItem) -> List[Tuple[int, TimelineItem]]:
    wanted, found = told(media.GetUniqueId), []
    for track in timeline.tracks(host):
        for item in timeline.items(host, track.index):
            origin = told(item.GetMediaPoolItem)
            if origin is not None and told(origin.GetUniqueId) == wanted:
                found.append((track.index, item))
    return found


def _files(media: MediaPoolItem) -> Tuple[Path, ...]:
    """The sequence's files: everything in its folder that is named like its first file up to the number."""
    path = Path(str(told(media.GetClipProperty, "File Path") or ""))
    # Resolve writes a sequence as name_[0001-0007].tif.
    stem = re.sub(r"(\[\d+-\d+\]|\d+)\.tiff?$", "", path.name)
    if "_take" not in stem:
        return ()
    return tuple(sorted(path.parent.glob(f"{stem}*.tif")))


def remove(host: Host, what: Removable, with_files: bool) -> str:
    """Remove a take; returns what was done, in a sentence. Other clips, and emptied tracks, stay as they are.

    Raises:
        PluginError: PLACEMENT, a clip does not go (its track is locked); nothing else was removed then.
    """
    host.not_restored.clear()
    with host.view_kept():
        if not delete(host, lambda: [item for _, item in _clips(host, what.media)]):
            raise PluginError(
                Trouble.PLACEMENT,
                f"DaVinci Resolve did not delete “{what.name}” from the timeline.",
                "Unlock its track, then try again.",
            )
        gone = pool.discard(host, what.media)
    if not gone:
        kept = ["Its files are kept."] if what.files else []
        return " ".join([f"“{what.name}” is gone from the timeline.", *host.not_restored, *kept])
    left = 0
    for path in what.files if with_files else ():
        try:
            path.unlink()
        except OSError:
            left += 1
    if with_files and what.files:
        with suppress(OSError):
            what.files[0].parent.rmdir()
    files = "" if not with_files else f"; {left} files could not be deleted" if left else " with its files"
    undo = "Undo (Cmd/Ctrl+Z) brings back the clip on the timeline"
    end = f"{undo}, but not its files." if with_files else f"{undo}."
    return " ".join([f"“{what.name}” is removed{files}.", *host.not_restored, end])
