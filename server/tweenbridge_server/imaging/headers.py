"""What must be known of a file before a decoder sees it: is it what it claims, how large, and is it all there.

Decoders are too late for this: opening a progressive JPEG decodes all of it, and a cut-off JPEG decodes to half a
picture.
"""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from typing import BinaryIO, Final

from tweenbridge.pixels import Encoding, PixelFormat, sniff
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

MAX_SIDE: Final = 16_384
MAX_PIXELS: Final = 80_000_000

ENCODING_NAMES: Final = {
    Encoding.PNG: "PNG",
    Encoding.TIFF: "TIFF",
    Encoding.EXR: "OpenEXR",
    Encoding.JPEG: "JPEG",
    Encoding.RAW: "raw",
}
"""What users call the encodings."""

_PNG_CHUNK_OVERHEAD: Final = 12
_PNG_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PNG_COMPRESSED_NOTES: Final = frozenset({b"zTXt", b"iTXt"})
_PNG_SPARE: Final = 65_536
_MOST_NOTES: Final = 64
"""Compressed notes of one PNG file: each may unfold to megabytes."""
_MOST_SCANS: Final = 100
"""Scans of one JPEG file: each is a walk over the whole picture. Progressive files have about ten."""
_JPEG_FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_SCAN: Final = 0xDA
_JPEG_END: Final = 0xD9
_JPEG_BARE_MARKERS: Final = frozenset(range(0xD0, 0xD8)) | {0x01, 0xFF}
_JPEG_NEXT_MARKER: Final = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")


def sentence(name: str, rest: str) -> str:
    """`rest` said of the keyframe called `name`, with a full stop; a file's name keeps its first letter as it is."""
    begin = name[:1].upper() if name.startswith(("keyframe", "the keyframe", "a keyframe")) else name[:1]
    return f"{begin}{name[1:]} {rest}."


def bad_keyframe(name: str, rest: str) -> TweenbridgeError:
    """The error for a keyframe whose file is damaged or senseless."""
    return TweenbridgeError(ErrorCode.BAD_KEYFRAME, sentence(name, rest))


def unsupported(name: str, rest: str) -> TweenbridgeError:
    """The error for a keyframe that is sound and not supported."""
    return TweenbridgeError(
        ErrorCode.UNSUPPORTED_FORMAT,
        sentence(name, rest),
        remedy="Export the picture as PNG, TIFF, OpenEXR or JPEG with grey or RGB channels.",
    )


def check_claim(claim: PixelFormat, found: PixelFormat, name: str) -> None:
    """Check a file against what its sender said of it.

    Raises:
        TweenbridgeError: BAD_KEYFRAME.
    """
    for what in ("width", "height", "channels", "dtype"):
        claimed, real = getattr(claim, what), getattr(found, what)
        if claimed is not None and claimed != real:
            raise bad_keyframe(name, f"does not have the {what} that it was sent with")


def check_size(width: int, height: int, name: str) -> None:
    """Refuse sizes that no keyframe has.

    Raises:
        TweenbridgeError: BAD_KEYFRAME for nothing at all, TOO_LARGE above 16384 a side or 80 megapixels.
    """
    if width <= 0 or height <= 0:
        raise bad_keyframe(name, f"says that it is {width} x {height} pixels large, which makes no sense")
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise TweenbridgeError(
            ErrorCode.TOO_LARGE,
            sentence(
                name,
                f"is {width} x {height} pixels large; at most {MAX_SIDE} pixels a side and "
                f"{MAX_PIXELS // 1_000_000} megapixels are accepted",
            ),
            remedy="Use smaller keyframes.",
        )


def check_file(path: Path, encoding: Encoding, name: str) -> None:
    """Check what can be checked before decoding: signature against `encoding`, size, and that PNG and JPEG have an end.

    Raises:
        TweenbridgeError: BAD_KEYFRAME, UNSUPPORTED_FORMAT or TOO_LARGE.
    """
    try:
        with path.open("rb") as file:
            _check_signature(file, encoding, name)
            if encoding is Encoding.PNG:
                _check_png(file, name)
            elif encoding is Encoding.JPEG:
                _check_jpeg(file, name)
    except OSError as error:
        raise bad_keyframe(name, f"cannot be read: {error.strerror or 'the file is not there'}") from error


def _check_signature(file: BinaryIO, encoding: Encoding, name: str) -> None:
    found = sniff(file.read(16))
    if found is encoding:
        return
    if os.fstat(file.fileno()).st_size == 0:
        raise bad_keyframe(name, "is empty")
    if found is None:
        raise unsupported(name, "is not an image that Tweenbridge can read")
    raise bad_keyframe(name, f"was sent as {ENCODING_NAMES[encoding]} but is {ENCODING_NAMES[found]} inside")


def _check_png(file: BinaryIO, name: str) -> None:
    """Follow the chunks to the end. What unfolds to far more than the picture needs is refused unseen."""
    file.seek(8)
    first = True
    room = notes = 0
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise bad_keyframe(name, "is damaged: the end of the file is missing")
        length, kind = struct.unpack(">I4s", head)
        if first:
            if kind != b"IHDR" or length != 13:
                raise bad_keyframe(name, "is damaged: it does not begin like a PNG image")
            body = file.read(10)
            if len(body) < 10:
                raise bad_keyframe(name, "is damaged: the end of the file is missing")
            width, height, depth, colour = struct.unpack(">IIBB", body)
            check_size(width, height, name)
            # Twice its rows unpacked: nothing that a program writes is so large.
            room = 2 * height * (2 + width * depth * _PNG_CHANNELS.get(colour, 4) // 8) + _PNG_SPARE
            file.seek(8 + 8)
            first = False
        room -= length if kind == b"IDAT" else 0
        notes += kind in _PNG_COMPRESSED_NOTES
        if room < 0 or notes > _MOST_NOTES:
            raise bad_keyframe(name, "holds far more data than a picture of its size can need")
        if kind == b"IEND":
            if len(file.read(4)) < 4:
                raise bad_keyframe(name, "is damaged: the end of the file is missing")
            return
        file.seek(length + _PNG_CHUNK_OVERHEAD - 8, os.SEEK_CUR)


def _check_jpeg(file: BinaryIO, name: str) -> None:
    file.seek(0)
    data = file.read()
    position = 2
    scans = 0
    sized = False
    while position + 2 <= len(data):
        if data[position] != 0xFF:
            raise bad_keyframe(name, "is damaged: it is not put together like a JPEG image")
        marker = data[position + 1]
        if marker == _JPEG_END and sized:
            return
        if marker in _JPEG_BARE_MARKERS:
            position += 1 if marker == 0xFF else 2
            continue
        if position + 9 > len(data):
            break
        (length,) = struct.unpack_from(">H", data, position + 2)
        if marker in _JPEG_FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", data, position + 5)
            check_size(width, height, name)
            sized = True
        position += 2 + length
        if marker == _JPEG_SCAN:
            scans += 1
            if scans > _MOST_SCANS:
                raise bad_keyframe(name, "holds far more data than a picture of its size can need")
            found = _JPEG_NEXT_MARKER.search(data, position)
            if found is None:
                break
            position = found.end() - 2
    raise bad_keyframe(name, "is damaged: the end of the file is missing")
