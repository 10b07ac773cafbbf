"""The folder that in-betweens are written to: file names, what is there already, and never a file that is not ours.

Beside the frames lies a hidden list of what was written, one JSON object a line: the job, the file, the hash of its
bytes. An entry is written before its file, so that a file without an entry is always somebody else's.

Nothing that this very job did not write is written over or removed, unless the user asks for it (`overwrite`). Then
the frames of an earlier job are replaced as a sequence: its frames beyond the new job's last go, too, because two jobs
in one sequence would be shown as one.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tweenbridge.pixels import FILE_SUFFIX, Encoding
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.results import Frame
from tweenbridge.timing import Schedule

from ..jobs.spool import hash_file

LIST_NAME = ".tweenbridge.jsonl"

_PREFIX: Final = "inbetween_"
_LONGEST_NAME: Final = 100
"""Bytes of a keyframe's name in that of a folder."""


@dataclass(frozen=True)
class Entry:
    """One line of the list. `detail` tells apart files that one job can make in several ways (a film's frame rate)."""

    job: str
    file: str
    sha256: str
    detail: str = ""


def read_list(folder: Path) -> list[Entry]:
    """What is noted to have been written to a folder; nothing where there is no list."""
    entries = []
    try:
        lines = (folder / LIST_NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []
    for line in lines:
        try:
            entries.append(Entry(**json.loads(line)))
        except (ValueError, TypeError):
            continue  # a line cut off by a crash: its file counts as somebody else's
    return entries


def default_folder(first: str, last: str, job: str, overwrite: bool) -> Path:
    """A folder for a job whose user named none: `first-to-last`, with a number where another job's frames lie there.

    A job that was interrupted finds its folder again. Names are cut, because file systems take 255 bytes at most.

    Args:
        first, last: names of the keyframes, without endings.
        overwrite: take the plain name all the same.
    """
    base = f"{_cut(first)}-to-{_cut(last)}"
    candidates = (Path(base if number == 1 else f"{base}-{number}") for number in itertools.count(1))
    free = Path(base) if overwrite else None
    for folder in candidates:
        entries = read_list(folder)
        if any(entry.job == job for entry in entries):
            return folder
        if free is None and not any(_is_frame(entry) and (folder / entry.file).exists() for entry in entries):
            free = folder
        if not folder.exists():
            break
    assert free is not None
    return free


def _cut(name: str) -> str:
    return name.encode()[:_LONGEST_NAME].decode(errors="ignore").rstrip(" .") or "keyframe"


def _is_frame(entry: Entry) -> bool:
    """Whether an entry is of an in-between in the folder itself; a list that was tampered with names others."""
    return entry.file.startswith(_PREFIX) and Path(entry.file).name == entry.file


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
        self._entries = read_list(folder)
        self._files: list[list[Path]] = []
        self._drawings: dict[int, list[Path]] = {}
        number = 0
        for gap, encoding in zip(plan.gaps, encodings):
            files = []
            for drawing in gap.exposures:
                number += 1
                path = folder / f"{_PREFIX}{number:04d}{FILE_SUFFIX[encoding]}"
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
            raise _in_the_way(foreign)
        strangers = set(foreign)
        return frozenset(
            drawing
            for drawing, files in self._drawings.items()
            if all(path.exists() and path not in strangers for path in files)
        )

    def save(self, frame: Frame) -> None:
        """Write a drawing to the files of all slots that show it.

        Raises:
            TweenbridgeError: BAD_REQUEST when somebody else's file has come in the way since `check`.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._drawings[frame.index]:
            self._make_way(path)
            self._note(Entry(self._job, self._key(path), frame.sha256))
            frame.save(path)

    def _make_way(self, path: Path) -> None:
        if path.exists() and not self._overwrite and not self._owned(path):
            raise _in_the_way([path])

    def has_made(self, path: Path, detail: str) -> bool:
        """Whether a file made from the frames (a film, a sheet) is there already, made in this way."""
        return path.is_file() and self._owned(path, detail)

    def adopt(self, made: Path, path: Path, detail: str) -> None:
        """Move a finished file, made beside its place, to where it belongs. Raises what `save` raises."""
        self._make_way(path)
        self._note(Entry(self._job, self._key(path), hash_file(made), detail))
        os.replace(made, path)

    def remove_leftovers(self) -> int:
        """Remove what is left of sequences that were replaced, where nobody changed it. Returns how many files went."""
        if not self._overwrite:
            return 0
        ours = {path.name for files in self._files for path in files}
        others = [entry for entry in self._entries if entry.job != self._job and _is_frame(entry)]
        replaced = {(entry.job, Path(entry.file).suffix) for entry in others if entry.file in ours}
        removed = 0
        for entry in others:
            path = self._folder / entry.file
            stale = (entry.job, path.suffix) in replaced and path.name not in ours
            if stale and path.is_file() and hash_file(path) == entry.sha256:
                path.unlink()
                removed += 1
        return removed

    def _note(self, entry: Entry) -> None:
        if entry in self._entries:
            return
        self._entries.append(entry)
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / LIST_NAME).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry.__dict__) + "\n")


def _in_the_way(paths: Sequence[Path]) -> TweenbridgeError:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return TweenbridgeError(
        ErrorCode.BAD_REQUEST,
        f"{paths[0]}{more} would be written over, and was not made by this command with these keyframes and settings.",
        remedy="Choose another folder with --out (or another file name), or add --overwrite.",
    )


def write_own(path: Path, data: bytes, overwrite: bool) -> None:
    """Write a file, unless another with other contents is there.

    Raises:
        TweenbridgeError: BAD_REQUEST for a file in the way that may not be written over.
    """
    if path.exists() and not overwrite:
        if path.is_file() and path.read_bytes() == data:
            return
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST,
            f"{path} is there already, with other contents.",
            remedy="Choose another folder with --out, or add --overwrite.",
        )
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    os.replace(part, path)
