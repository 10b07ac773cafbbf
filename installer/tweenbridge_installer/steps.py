"""The single steps of an installation: what each puts where, how it is done, and how it is taken away again.

Every step leaves the old state or the new one, or something that a second try of the same step clears away: files and
folders appear whole, by being renamed, from a name that only we use. Doing a step twice is the same as doing it once.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .blender import Blender, add_command, remove_command
from .errors import InstallError
from .login import Linked, Written
from .machine import Run
from .record import Item, Kind


@dataclass(frozen=True)
class PutFile:
    """Write a small file."""

    part: str
    what: str
    file: Written

    @property
    def item(self) -> Item:
        """What the record says of it."""
        return Item(Kind.FILE, self.file.path, self.part)

    def do(self, run: Run, say: Callable[[str], None]) -> None:
        """Do it."""
        path = self.file.path
        partial = partial_of(path)
        data = self.file.text.encode("utf-8")
        partial.write_bytes(data)
        if data.startswith(b"#!"):
            partial.chmod(partial.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        os.replace(partial, path)


@dataclass(frozen=True)
class PutLink:
    """Make a symbolic link."""

    part: str
    what: str
    link: Linked

    @property
    def item(self) -> Item:
        """What the record says of it."""
        return Item(Kind.LINK, self.link.path, self.part)

    def do(self, run: Run, say: Callable[[str], None]) -> None:
        """Do it."""
        partial = partial_of(self.link.path)
        partial.unlink(missing_ok=True)
        partial.symlink_to(self.link.target)
        os.replace(partial, self.link.path)


@dataclass(frozen=True)
class PutTree:
    """Copy a folder with all that is in it.

    Attributes:
        source: makes the folder to copy, when it is needed, or knows it.
        digest: names its content. The target's name should have it: a folder that is there is taken for that.
    """

    part: str
    what: str
    path: Path
    source: Callable[[], Path]
    digest: str

    @property
    def item(self) -> Item:
        """What the record says of it."""
        return Item(Kind.TREE, self.path, self.part, digest=self.digest)

    def do(self, run: Run, say: Callable[[str], None]) -> None:
        """Do it."""
        partial = partial_of(self.path)
        _clear(partial)
        shutil.copytree(self.source(), partial)
        _clear(self.path)
        os.replace(partial, self.path)


@dataclass(frozen=True)
class AddExtension:
    """Put the extension into a Blender: by Blender's own command, or, where it cannot be started, into its folder.

    Attributes:
        archive: makes the extension's zip, when it is needed, or knows it.
        digest: names what the zip is made of.
    """

    part: str
    what: str
    blender: Blender
    archive: Callable[[], Path]
    digest: str

    @property
    def item(self) -> Item:
        """What the record says of it."""
        return Item(Kind.EXTENSION, self.blender.place, self.part, self.blender.command, self.digest)

    def do(self, run: Run, say: Callable[[str], None]) -> None:
        """Do it."""
        archive = self.archive()
        if self.blender.command:
            answer = run(add_command(self.blender, archive))
            if answer.status == 0 and self.blender.place.is_dir():
                return
            if not answer.could_not_start:
                lines = [line.strip() for line in answer.output.splitlines() if line.strip()]
                raise InstallError(
                    f"{self.blender.name} did not take the extension: {lines[-1] if lines else 'it gave no reason'}"
                )
        self._unpack(archive)
        say(f"{self.blender.name} could not be started from here: turn Tweenbridge on in Preferences > Add-ons.")

    def _unpack(self, archive: Path) -> None:
        place = self.blender.place
        partial = partial_of(place)
        _clear(partial)
        with zipfile.ZipFile(archive) as content:
            content.extractall(partial)
        _clear(place)
        os.replace(partial, place)


Step = PutFile | PutLink | PutTree | AddExtension


def partial_of(path: Path) -> Path:
    """The name under which something is made before it gets its own."""
    return path.with_name(f".{path.name}.tweenbridge-part")


def _clear(path: Path) -> None:
    if not (path.exists() or path.is_symlink()):
        return
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def missing_folders(path: Path) -> tuple[Path, ...]:
    """The folders above a path that are not there, outermost first."""
    return tuple(reversed([folder for folder in path.parents if not folder.exists()]))


def make_folders(path: Path) -> None:
    """Make the folder that something goes into."""
    path.parent.mkdir(parents=True, exist_ok=True)


def take_away(item: Item, run: Run) -> None:
    """Take away what a step put there, whole or half-way; does nothing where it is gone already.

    Raises:
        OSError: it cannot be removed, for instance because a program uses it.
    """
    if item.kind is Kind.FOLDER:
        if item.path.is_dir() and not any(item.path.iterdir()):
            item.path.rmdir()
        return
    _clear(partial_of(item.path))
    if item.kind is Kind.EXTENSION and item.command and item.path.is_dir():
        # Blender also turns it off and takes its wheels away. What it leaves, for whatever reason, goes below.
        run(remove_command(item.command))
    _clear(item.path)


def explain(error: OSError) -> str:
    """Why a file could not be written or removed, and what to do."""
    where = error.filename2 or error.filename or "A file"
    if isinstance(error, PermissionError):
        closing = "Close the program that uses it" if sys.platform == "win32" else "Make the folder yours"
        return f"{where} may not be changed. {closing}, then run this again."
    return f"{where}: {error.strerror or error}."
