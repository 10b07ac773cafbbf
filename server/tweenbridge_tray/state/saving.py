"""Writing frames to a folder that a user finds, as a numbered sequence, on a thread of its own."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from tweenbridge import Frame, Schedule

_ODD = re.compile(r"[^\w .()-]+")


def folder_for(parent: Path, first: str, last: str) -> Path:
    """A folder that is not there yet, named by the keyframes: `first-to-last`, `first-to-last 2`, ..."""
    names = [_ODD.sub("_", Path(name).stem).strip(" .") or "keyframe" for name in (first, last)]
    base = f"{names[0][:60]}-to-{names[1][:60]}"
    number = 1
    while (folder := parent / (base if number == 1 else f"{base} {number}")).exists():
        number += 1
    return folder


def numbers(plan: Schedule, with_keyframes: bool) -> tuple[dict[int, list[int]], dict[int, int]]:
    """The numbers that files of a sequence bear, from 1: of each drawing's slots, and of each keyframe.

    Without the keyframes the slots alone are counted, through all gaps; a loop does not repeat its first keyframe.
    """
    drawings: dict[int, list[int]] = {}
    keyframes: dict[int, int] = {}
    number = 0
    for gap in plan.gaps:
        if with_keyframes:
            number += 1
            keyframes[gap.a] = number
        for drawing in gap.exposures:
            number += 1
            drawings.setdefault(drawing, []).append(number)
    last = plan.gaps[-1].b
    if with_keyframes and last != 0:
        keyframes[last] = number + 1
    return drawings, keyframes


class Saver(QObject):
    """One folder, written to by one thread. Signals come on Qt's event loop."""

    saved = Signal(object)
    """The file of a frame that lies there now (a `Path`)."""
    failed = Signal(str)
    finished = Signal()
    """All that was begun before `finish` lies there."""

    def __init__(self, folder: Path, plan: Schedule, with_keyframes: bool, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.folder = folder
        self.files: list[Path] = []
        self._drawings, self._keyframes = numbers(plan, with_keyframes)
        self._word = "frame" if with_keyframes else "inbetween"
        self._thread = ThreadPoolExecutor(1, "saving")
        self._broken = False

    def save(self, frame: Frame) -> None:
        """Write a frame to the files of all slots that show it."""
        self._run(lambda: [self._write(frame, number) for number in self._drawings[frame.index]])

    def copy_keyframe(self, index: int, source: Path) -> None:
        """Copy a keyframe into its place, where the sequence has them."""
        if index in self._keyframes:
            self._run(lambda: [self._copy(source, self._keyframes[index])])

    def finish(self) -> None:
        """Say when everything is written."""
        self._thread.submit(self.finished.emit)

    def close(self) -> None:
        """Let the thread end when it has written what it was given."""
        self._thread.shutdown(wait=False)

    def _run(self, write: Callable[[], list[Path]]) -> None:
        future = self._thread.submit(write)
        future.add_done_callback(self._done)

    def _done(self, future: Future[list[Path]]) -> None:
        error = future.exception()
        if error is None:
            for path in future.result():
                self.saved.emit(path)
        elif not self._broken:
            self._broken = True
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self.failed.emit(reason)

    def _write(self, frame: Frame, number: int) -> Path:
        return frame.save(self.folder / f"{self._word}_{number:04d}")

    def _copy(self, source: Path, number: int) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"{self._word}_{number:04d}{source.suffix.lower()}"
        shutil.copyfile(source, target)
        return target
