"""Moving, counting and deleting models' files, and the orders that name them."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from .catalogue import Entry, HubSource, KnownFile, OwnSource
from .orders import CheckOrder, FetchOrder, Place
from .register import Holding

log = logging.getLogger(__name__)

_REMOVED: Final = ".removed-"
"""What the names begin with of things that are being deleted."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_GIT: Final = re.compile(r"[0-9a-f]{40}")


def fetch_order(entry: Entry, folder: Path, here: dict[str, KnownFile], stall: float) -> FetchOrder:
    """The order to get an entry's files into a folder, where files that are still what they were `here` may stay."""
    places = tuple(
        Place(hub=source.repository, revision=source.revision, files=source.files)
        if isinstance(source, HubSource)
        else Place(addresses=dict(source.addresses()))
        for source in entry.sources
        if not isinstance(source, OwnSource)
    )
    return FetchOrder(str(folder), places, dict(entry.files), here, stall)


def check_order(holding: Holding, entry: Entry | None) -> CheckOrder:
    """The order to verify a model: against the register, else the catalogue, else the hub's names of its own files."""
    folder = _folder(holding)
    known, git = {}, {}
    for path, seen in named(holding).items():
        listed = entry.files.get(path, KnownFile()) if entry is not None else KnownFile()
        blob = _blob(folder / path)
        digest = seen.sha256 or listed.sha256 or (blob if _SHA256.fullmatch(blob) else "")
        known[path] = KnownFile(seen.size, digest)
        if _GIT.fullmatch(blob):
            git[path] = blob
    return CheckOrder(str(folder), known, git)


def named(holding: Holding) -> dict[str, KnownFile]:
    """A holding's files with the name of a single one filled in."""
    return {path or Path(holding.place).name: known for path, known in holding.files.items()}


def _folder(holding: Holding) -> Path:
    place = Path(holding.place)
    return place.parent if "" in holding.files else place


def _blob(path: Path) -> str:
    """In the hub's cache files are links to what is named by its hash; that hash, else ""."""
    try:
        target = path.resolve()
    except OSError:
        return ""
    return target.name if target.parent.name == "blobs" else ""


def root_of(place: Path, folder: Path) -> Path:
    """What to move or delete as a whole for a model that was downloaded to the folder for models."""
    return folder / place.relative_to(folder).parts[0] if folder in place.parents else place


def names_in_parts(holding: Holding, entry: Entry) -> dict[str, KnownFile]:
    """What a model's files were, by their names as a download."""
    return {path or entry.sources[0].files[0]: known for path, known in holding.files.items()}


def take_back(holding: Holding, entry: Entry, parts: Path, folder: Path) -> None:
    """Make a model that is here a download again, which keeps what is right and fetches the rest."""
    place = root_of(Path(holding.place), folder)
    if not place.exists():
        # It may never have left there: see Keeper._fetched.
        return
    delete(parts)
    parts.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir():
        os.replace(place, parts)
        return
    parts.mkdir()
    source = entry.sources[0]
    os.replace(place, parts / source.files[0])


def free_place(id: str, folder: Path, single: bool) -> Path:
    """Where a finished download may go in the folder for models; what is the user's own under that name stays."""
    ending = ".safetensors" if single else ""
    place, number = folder / f"{id}{ending}", 1
    while place.exists():
        number += 1
        place = folder / f"{id}-{number}{ending}"
    return place


def settle(parts: Path, place: Path, fetched: Iterable[str]) -> None:
    """Let a finished download appear at its place, as a whole."""
    wanted = set(fetched)
    for stray in [path for path in parts.rglob("*") if path.is_file()]:
        # Of an earlier version of the entry.
        if stray.relative_to(parts).as_posix() not in wanted:
            stray.unlink()
    if len(wanted) == 1:
        os.replace(parts / next(iter(wanted)), place)
        delete(parts)
    else:
        os.replace(parts, place)


def delete(place: Path) -> None:
    """Delete a model's files: all of them, or none where the system does not let us.

    Raises:
        TweenbridgeError: MODEL_FAILED where it does not.
    """
    if not place.exists():
        return
    away = place.with_name(f"{_REMOVED}{place.name}")
    try:
        _erase(away)
        # What some program holds open cannot be renamed on Windows, and stays whole.
        os.replace(place, away)
    except OSError as error:
        raise TweenbridgeError(
            ErrorCode.MODEL_FAILED,
            f"{place.name!r} cannot be deleted: {error.strerror or error}.",
            remedy="Wait until no job works with it, then try again.",
        ) from error
    try:
        _erase(away)
    except OSError as error:
        log.warning("%s could not be deleted yet: %s", away, error)


def sweep(folder: Path) -> None:
    """Delete what could not be deleted before."""
    for away in folder.glob(f"{_REMOVED}*"):
        try:
            _erase(away)
        except OSError as error:
            log.warning("%s could not be deleted: %s", away, error)


def _erase(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def bytes_in(folder: Path) -> int:
    """Bytes of all files in a folder; 0 where there is none."""
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(base, name)).st_size
            except OSError:
                continue
    return total


def free_bytes(folder: Path) -> int:
    """Bytes free on the disk where a folder is or will be."""
    place = next((path for path in (folder, *folder.parents) if path.exists()), Path.cwd())
    return shutil.disk_usage(place).free


def title_of(place: Path) -> str:
    """What to call a model that has no other title."""
    for parent in (place, *place.parents):
        if parent.name.startswith("models--"):
            return parent.name.rpartition("--")[2]
    return place.stem if place.suffix == ".safetensors" else place.name
