"""The spool folder: keyframes and frames as files named by their content.

    keyframes/<sha256>.<ext>             what clients sent
    frames/<aa>/<key>.<sha256>.<ext>     what engines made; aa = the key's first two digits
    tmp/                                 files being written; emptied at every start

A file appears under its final name by an atomic rename of a complete, flushed file: what has a final name was whole.
A frame's name has the hash of its bytes, which tells what the disk has damaged since, also without the job list.
A RAW frame's name carries its form, too (`….1920x1080x4-uint8.raw`), since the bytes do not.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tweenbridge.pixels import FILE_SUFFIX, Alpha, Colour, Encoding, PixelFormat, SampleType
from tweenbridge.protocol.messages import Keyframe

log = logging.getLogger(__name__)

_ENCODINGS = {suffix: encoding for encoding, suffix in FILE_SUFFIX.items()}
_KEY = re.compile(r"[0-9a-f]{64}")
_KEYFRAME = re.compile(r"[0-9a-f]{64}\.[a-z]+")
_RAW_FORM = re.compile(
    r"(?P<width>\d+)x(?P<height>\d+)x(?P<channels>[1-4])-(?P<dtype>[a-z0-9]+)"
    r"(?:-(?P<colour>display|scene_linear))?(?:-(?P<alpha>straight|premultiplied))?"
)
_numbers = count(1)


@dataclass(frozen=True)
class SpoolFile:
    """A frame found in the spool: its place, what its name says, and its size in bytes."""

    place: str
    key: str
    sha256: str
    format: PixelFormat
    size: int


def frame_name(key: str, form: PixelFormat, sha256: str) -> str:
    """File name of a frame whose bytes have that hash. RAW needs a complete format."""
    if form.encoding is not Encoding.RAW:
        return f"{key}.{sha256}{FILE_SUFFIX[form.encoding]}"
    form.raw_size()
    words = [f"{form.width}x{form.height}x{form.channels}", form.dtype, form.colour, form.alpha]
    return f"{key}.{sha256}.{'-'.join(getattr(word, 'value', word) for word in words if word)}.raw"


def parse_frame_name(name: str) -> tuple[str, str, PixelFormat] | None:
    """The key, hash and format that a frame's file name says, or None for a foreign file."""
    key, sha256, suffix = name[:64], name[65:129], os.path.splitext(name)[1]
    encoding = _ENCODINGS.get(suffix)
    if encoding is None or not _KEY.fullmatch(key) or name[64] != "." or not _KEY.fullmatch(sha256):
        return None
    middle = name[129 : -len(suffix)]
    if encoding is not Encoding.RAW:
        return (key, sha256, PixelFormat(encoding)) if not middle else None
    form = _RAW_FORM.fullmatch(middle[1:])
    if not form or form["dtype"] not in [kind.value for kind in SampleType]:
        return None
    return (
        key,
        sha256,
        PixelFormat(
            encoding,
            width=int(form["width"]),
            height=int(form["height"]),
            channels=int(form["channels"]),
            dtype=SampleType(form["dtype"]),
            colour=Colour(form["colour"]) if form["colour"] else None,
            alpha=Alpha(form["alpha"]) if form["alpha"] else None,
        ),
    )


def keyframe_name(keyframe: Keyframe) -> str:
    """File name of a keyframe; its hash must have been checked to be one."""
    return keyframe.sha256 + FILE_SUFFIX[keyframe.format.encoding]


def hash_file(path: Path) -> str:
    """sha256 of a file's bytes, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    buffer = bytearray(1 << 20)
    with path.open("rb", buffering=0) as file:
        while length := file.readinto(buffer):
            digest.update(memoryview(buffer)[:length])
    return digest.hexdigest()


class Spool:
    """Paths and atomic file operations. Used by the server and by its workers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.keyframes = root / "keyframes"
        self.frames = root / "frames"
        self.temporary = root / "tmp"

    def create(self) -> None:
        """Make the folders."""
        for folder in (self.keyframes, self.frames, self.temporary):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keyframe_path(self, name: str) -> Path:
        """Where the keyframe file of that name lies."""
        return self.keyframes / name

    def frame_path(self, key: str, form: PixelFormat, sha256: str) -> Path:
        """Where the frame with those bytes lies, or will."""
        return self.frames / key[:2] / frame_name(key, form, sha256)

    def find_frame(self, key: str) -> SpoolFile | None:
        """The finished frame of that key, whatever its encoding."""
        return next((file for file in _listed(str(self.frames / key[:2])) if file.key == key), None)

    def intact_frame(self, key: str) -> SpoolFile | None:
        """The same, once its bytes are found to be what its name says; one that the disk has damaged is deleted."""
        found = self.find_frame(key)
        if found is None or hash_file(Path(found.place)) == found.sha256:
            return found
        log.error("A finished frame was damaged on the disk and is made again: %s", found.place)
        Path(found.place).unlink(missing_ok=True)
        return None

    def all_frames(self) -> Iterator[SpoolFile]:
        """Every finished frame."""
        with os.scandir(self.frames) as folders:
            for folder in folders:
                if folder.is_dir():
                    yield from _listed(folder.path)

    def all_keyframes(self) -> Iterator[tuple[str, int]]:
        """Name and size in bytes of every finished keyframe."""
        with os.scandir(self.keyframes) as entries:
            for entry in entries:
                if entry.is_file() and _KEYFRAME.fullmatch(entry.name):
                    yield entry.name, entry.stat().st_size

    @contextmanager
    def new_file(self, suffix: str) -> Iterator[Path]:
        """A path to write a file at; whatever is left there afterwards is deleted. `publish` moves it to its place."""
        path = self.temporary / f"{os.getpid()}-{threading.get_ident()}-{next(_numbers)}{suffix}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def publish(self, path: Path, place: Path) -> None:
        """Flush the complete file at `path` to the disk and give it its final name."""
        with path.open("rb+", buffering=0) as file:
            os.fsync(file.fileno())
        place.parent.mkdir(exist_ok=True)
        try:
            os.replace(path, place)
        except PermissionError:
            # Windows refuses while somebody reads the file; its content is the same by construction.
            if not place.exists():
                raise

    def sweep(self, is_over: Callable[[int], bool]) -> int:
        """Delete files that were being written when their writer ended. Returns how many.

        Args:
            is_over: whether the process of that id writes no more.
        """
        removed = 0
        with os.scandir(self.temporary) as entries:
            for entry in entries:
                writer = entry.name.partition("-")[0]
                with suppress(OSError):  # Windows keeps the file of a writer that is just ending; it goes next time
                    if not writer.isdecimal() or is_over(int(writer)):
                        os.unlink(entry.path)
                        removed += 1
        return removed


def _listed(folder: str) -> Iterator[SpoolFile]:
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            parsed = parse_frame_name(entry.name)
            if parsed and entry.is_file():
                yield SpoolFile(entry.path, *parsed, entry.stat().st_size)
