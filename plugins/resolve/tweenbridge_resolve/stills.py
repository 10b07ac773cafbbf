"""The keyframes' pixels: a still of what the viewer shows, checked; where there is doubt, a one-frame render.

A still is quick, but may show the frame before: the viewer draws in its own time. So a still counts when a second one
agrees with it and it differs from that of the playhead's last place. Where it does not differ, the two frames may
really be the same, which only a render tells; then all keyframes of the run are rendered, so that all are alike.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import List, Optional, Sequence, Set, Tuple

from . import tiff
from .api import has
from .errors import PluginError, Trouble
from .host import Host
from .placement import Keyframe
from .render import render_frame

_ATTEMPTS = 4
_BITS = 16
"""Of a sample, that are asked for."""
_PAUSE = 0.05
"""Seconds for the viewer to draw, before another attempt."""


class Stills:
    """Takes keyframes' pictures into a folder.

    Attributes:
        rendered: frames that needed a render.
        shallow: pictures came with fewer than 16 bits, rendered too.
        alpha: all pictures that were taken last have it.
    """

    def __init__(self, host: Host, folder: Path) -> None:
        self._host = host
        self._folder = folder
        self._place: Optional[int] = None
        self._pictures: Set[str] = set()
        """What the viewer may still show from the playhead's last place; while that is not known, no still counts."""
        self.rendered: List[int] = []
        self.shallow = False
        self.alpha = False

    def take_all(self, keyframes: Sequence[Keyframe]) -> Tuple[Path, ...]:
        """One file for each keyframe, all of the same size.

        Raises:
            PluginError: PLAYHEAD, STILL or FOLDER, saying which keyframe.
        """
        frames = {f"keyframe_{i:03}": keyframe.frame for i, keyframe in enumerate(keyframes, start=1)}
        files = tuple(self.take(frame, name) for name, frame in frames.items())
        if self.rendered:
            # Stills and renders may differ by a shade, which would show as a jump between keyframes of one run.
            for path, frame in zip(files, frames.values()):
                if frame not in self.rendered:
                    self.render(frame, path)
        pictures = [still for still in map(_still, files) if still is not None]
        self.alpha = all(still.channels in (2, 4) for still in pictures)
        sizes = {(still.width, still.height) for still in pictures}
        if len(sizes) > 1:
            listed = ", ".join(f"{width} x {height}" for width, height in sorted(sizes))
            raise PluginError(
                Trouble.STILL,
                f"DaVinci Resolve gave keyframes of different sizes: {listed}.",
                "Set a timeline resolution in the project settings, then try again.",
            )
        return files

    def take(self, frame: int, name: str) -> Path:
        """The picture at a frame, as `name`.tif.

        Raises:
            PluginError: PLAYHEAD or STILL.
        """
        path = self._folder / f"{name}.tif"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self._folder, error) from error
        if self._place is None and self._can_export():
            self._look_around()
        self._host.seek(frame)
        still = self._trusted(frame, path) if self._can_export() else None
        if still is not None:
            self._place, self._pictures = frame, {still.digest}
            return path
        self._place, self._pictures = frame, {self.render(frame, path).digest}
        if self._can_export():
            self._look_around()
        return path

    def render(self, frame: int, path: Path) -> tiff.Still:
        """The picture at a frame as a render shows it, in the place of what is at `path`.

        Raises:
            PluginError: STILL.
        """
        path.unlink(missing_ok=True)
        render_frame(self._host, frame, self._folder).replace(path)
        self.rendered.append(frame)
        still = _still(path)
        self.shallow = self.shallow or (still is not None and still.bits < _BITS)
        if still is None:
            raise PluginError(
                Trouble.STILL,
                f"What DaVinci Resolve rendered at {self._host.text(frame)} is not a complete TIFF file.",
                "Check that the disk is not full, then try again.",
            )
        return still

    def _can_export(self) -> bool:
        return has(self._host.project, "ExportCurrentFrameAsStill")

    def _look_around(self) -> None:
        """Take note of what the viewer shows before the playhead moves, so that it is not taken for a keyframe."""
        frame, path = self._host.playhead(), self._folder / "before.tif"
        for _ in range(_ATTEMPTS):
            still = self._export(path)
            if still is not None and frame is not None:
                # All that it shows: it may itself not have drawn this place yet.
                self._place = frame
                self._pictures.add(still.digest)
            time.sleep(_PAUSE / _ATTEMPTS)
        path.unlink(missing_ok=True)

    def _trusted(self, frame: int, path: Path) -> Optional[tiff.Still]:
        """A still that is whole, deep, of the timeline's size, not the last place's, twice the same; None in doubt."""
        before = self._export(path)
        for _ in range(_ATTEMPTS):
            still = self._export(path)
            if still is not None and before is not None and still.digest == before.digest:
                if still.bits < _BITS:
                    return None
                stale = self._place is None or (self._place != frame and still.digest in self._pictures)
                if not stale and self._host.size() in (None, (still.width, still.height)):
                    return still
            before = still
            time.sleep(_PAUSE)
        return None

    def _export(self, path: Path) -> Optional[tiff.Still]:
        """One still of what the viewer shows; None where no whole file came."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if not self._host.project.ExportCurrentFrameAsStill(str(path)):
            return None
        return _still(path)


def differing(before: Sequence[Path], now: Sequence[Path]) -> List[int]:
    """Which pictures (from 0) are not the same any more."""
    pairs = enumerate(zip(map(_still, before), map(_still, now)))
    return [i for i, (a, b) in pairs if a is None or b is None or not tiff.alike(a, b)]


def _still(path: Path) -> Optional[tiff.Still]:
    try:
        return tiff.read(path.read_bytes())
    except OSError:
        return None


def unwritable(folder: Path, error: OSError) -> PluginError:
    """The error for a folder that does not take files."""
    return PluginError(
        Trouble.FOLDER,
        f"The folder “{folder}” cannot be written to: {error.strerror or error}.",
        "Choose another folder for the frames.",
    )
