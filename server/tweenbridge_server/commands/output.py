"""The folder that in-betweens are written to: file names, what is there already, and never a file that is not ours.

Beside the frames lies a hidden list of what was written, one JSON object a line: the job, the file, the hash of its
bytes. An entry is written before its file, so that a file without an entry is always somebody else's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tweenbridge.pixels import FILE_SUFFIX, Encoding
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.results import Frame
from tweenbridge.timing import Schedule

from ..jobs.spool import hash_file

LIST_NAME = ".tweenbridge.jsonl"


@dataclass(frozen=True)
class Entry:
    """One line of the list. `detail` tells apart files that one job can make in several ways (a film's frame rate)."""

    job: str
    file: str
    sha256: str
    detail: str = ""


class OutputFolder:
    """Where one job's files go.

    Args:
        folder: made when the first file is written.
        job: the job's id.
        plan: its schedule: slots are numbered through all gaps.
        encodings: the encoding of each gap's frames.
        keyframes: files that must never be written to.
        overwrite: write over files that are not of this job.
    """

    def __init__(
        self, folder: Path, job: str, plan: Schedule, encodings: Sequence[Encoding], keyframes: Iterable[Path],
        overwrite: bool,
    ) -> None:  # fmt: skip
        self._folder = folder
        self._job = job
        self._overwrite = overwrite
        self._keyframes = {path.resolve() for path in keyframes}
        self._entries = self._read_list()
        self._files: list[list[Path]] = []
        self._drawings: dict[int, list[Path]] = {}
        number = 0
        for gap, encoding in zip(plan.gaps, encodings):
            files = []
            for drawing in gap.exposures:
                number += 1
                path = folder / f"inbetween_{number:04d}{FILE_SUFFIX[encoding]}"
                files.append(path)
                self._drawings.setdefault(drawing, []).append(path)
            self._files.append(files)

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def gaps(self) -> list[list[Path]]:
        """The files of each gap, one for each slot."""
        return self._files

    def _read_list(self) -> list[Entry]:
        entries = []
        try:
            lines = (self._folder / LIST_NAME).read_text(encoding="utf-8").splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return []
        for line in lines:
            try:
                entries.append(Entry(**json.loads(line)))
            except (ValueError, TypeError):
                continue  # a line cut off by a crash: its file counts as somebody else's
        return entries

    def _key(self, path: Path) -> str:
        """How the list names a file: relative inside the folder, so that the folder can be moved."""
        return path.name if path.parent == self._folder else str(path.resolve())

    def _owned(self, path: Path, detail: str | None = None) -> bool:
        """Whether a file that exists is this job's, as it was written."""
        hashes = {
            entry.sha256
            for entry in self._entries
            if entry.job == self._job and entry.file == self._key(path) and detail in (None, entry.detail)
        }
        return bool(hashes) and hash_file(path) in hashes

    def check(self, others: Iterable[Path] = ()) -> frozenset[int]:
        """Look at what is there, before anything is written.

        Args:
            others: further files that will be written, e.g. the film.

        Returns:
            the drawings whose files are all there, as this job wrote them.

        Raises:
            TweenbridgeError: BAD_REQUEST when a file is in the way that this job has not written.
        """
        if self._folder.exists() and not self._folder.is_dir():
            raise TweenbridgeError(
                ErrorCode.BAD_REQUEST, f"{self._folder} is not a folder.", remedy="Choose another folder with --out."
            )
        paths = [*(path for files in self._files for path in files), *others]
        for path in paths:
            if path.resolve() in self._keyframes:
                raise TweenbridgeError(
                    ErrorCode.BAD_REQUEST,
                    f"{path} is one of the keyframes, which are never written to.",
                    remedy="Choose another folder with --out, or another file name.",
                )
            if path.is_dir():
                raise TweenbridgeError(
                    ErrorCode.BAD_REQUEST, f"{path} is a folder.", remedy="Choose another file name."
                )
        foreign = [path for path in paths if path.exists() and not self._owned(path)]
        if foreign and not self._overwrite:
            more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
            raise TweenbridgeError(
                ErrorCode.BAD_REQUEST,
                f"{foreign[0]}{more} would be written over, and was not made by this command with these keyframes and "
                "settings.",
                remedy="Choose another folder with --out (or another file name), or add --overwrite.",
            )
        strangers = set(foreign)
        return frozenset(
            drawing
            for drawing, files in self._drawings.items()
            if all(path.exists() and path not in strangers for path in files)
        )

    def save(self, frame: Frame) -> None:
        """Write a drawing to the files of all slots that show it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._drawings[frame.index]:
            self._note(Entry(self._job, self._key(path), frame.sha256))
            frame.save(path)

    def has_made(self, path: Path, detail: str) -> bool:
        """Whether a file made from the frames (a film, a sheet) is there already, made in this way."""
        return path.is_file() and self._owned(path, detail)

    def adopt(self, made: Path, path: Path, detail: str) -> None:
        """Move a finished file, made beside its place, to where it belongs."""
        self._note(Entry(self._job, self._key(path), hash_file(made), detail))
        os.replace(made, path)

    def remove_leftovers(self) -> None:
        """Remove what an earlier job left here under our names, unchanged, beyond this job's last frame."""
        ours = {path for files in self._files for path in files}
        for entry in self._entries:
            path = self._folder / entry.file
            stale = entry.job != self._job and entry.file.startswith("inbetween_") and path not in ours
            if stale and path.is_file() and hash_file(path) == entry.sha256:
                path.unlink()

    def _note(self, entry: Entry) -> None:
        if entry in self._entries:
            return
        self._entries.append(entry)
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / LIST_NAME).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry.__dict__) + "\n")
