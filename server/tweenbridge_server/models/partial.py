"""A file on its way here: written beside its place, hashed as it comes, and renamed once it is whole and right.

<name>.part        the bytes so far
<name>.part.tag    what they are the beginning of: a hash, or what the server calls this version of the file
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO

from .catalogue import KnownFile

_CHUNK = 4 * 2**20


class Partial:
    """The file `path` as far as it is here. Use it in a `with` statement.

    Args:
        path: where the whole file will be.
        git_size: the file's size where its git hash is wanted.
    """

    def __init__(self, path: Path, git_size: int | None = None) -> None:
        self.path = path
        self._part = path.with_name(path.name + ".part")
        self._tag = path.with_name(path.name + ".part.tag")
        self._git_size = git_size
        self._file: IO[bytes] | None = None
        self.size = 0

    def __enter__(self) -> Partial:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._begin()
        self._file = self._part.open("ab+")
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK):
            self._count(chunk)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def tag(self) -> str:
        """What the bytes are the beginning of; "" where that is not known."""
        try:
            return self._tag.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    def belongs_to(self, tag: str) -> None:
        """Keep what is here if it is the beginning of what `tag` stands for; begin anew otherwise."""
        if self.tag != tag or not tag:
            self.restart()
            self._tag.write_text(tag, "utf-8")

    def write(self, data: bytes) -> None:
        """Add the next bytes. OSError as the system says, with ENOSPC when the disk is full."""
        assert self._file is not None
        self._file.write(data)
        self._count(data)

    def restart(self) -> None:
        """Forget what is here."""
        assert self._file is not None
        self._file.truncate(0)
        self._begin()

    def finish(self) -> KnownFile:
        """Everything is here: put it in its place. Returns what it is."""
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        os.replace(self._part, self.path)
        self._tag.unlink(missing_ok=True)
        return KnownFile(self.size, self.sha256)

    @property
    def sha256(self) -> str:
        """Of the bytes so far."""
        return self._sha256.hexdigest()

    @property
    def git(self) -> str:
        """The hash that git would give the bytes so far."""
        return self._git.hexdigest()

    def flush(self) -> None:
        """Hand what was written to the system, so that it outlives this process."""
        assert self._file is not None
        self._file.flush()

    def _begin(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._git = git_hasher(self._git_size or 0)

    def _count(self, data: bytes) -> None:
        self.size += len(data)
        self._sha256.update(data)
        if self._git_size is not None:
            self._git.update(data)


def git_hasher(size: int) -> hashlib._Hash:
    """What git names a file of that size by (SHA-1 of a short head and the content): it tells files apart, no more."""
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def hash_file(path: Path, told: Callable[[int], None], with_git: bool = False) -> tuple[KnownFile, str]:
    """What a file is, and its git hash or "". `told` is called with the number of bytes just read. OSError."""
    size = path.stat().st_size
    sha256, git = hashlib.sha256(), git_hasher(size)
    count = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            if with_git:
                git.update(chunk)
            count += len(chunk)
            told(len(chunk))
    return KnownFile(count, sha256.hexdigest()), git.hexdigest() if with_git else ""
