"""TIFF, as far as the plugin needs it without an image library: is a still whole, how large is it, what is in it.

Classic TIFF in strips (TIFF 6.0, Adobe 1992), which is what Resolve and the server write. Pixels are read, and written
for the self-check, only where they are not compressed.
"""

from __future__ import annotations

import array
import hashlib
import struct
import sys
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

_TYPES = {1: "B", 3: "H", 4: "I"}
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _OFFSETS, _SAMPLES, _COUNTS = 256, 257, 258, 259, 273, 277, 279
_NOT_COMPRESSED = 1
_SHADE = 1.5 / 255
"""Samples that differ by no more are the same: a still may be 8 bit, and dithered."""
_LOOKED_AT = 160
"""Places compared along each side of a picture: in HD one every twelve pixels."""


@dataclass(frozen=True)
class Still:
    """One image file.

    Attributes:
        width, height: pixels.
        bits: of one sample.
        channels: samples of one pixel.
        digest: hash of the stored pixels, which no date or name in the file changes.
        strips: the stored pixels where they are not compressed, else None.
        order: byte order of the samples, "<" or ">".
    """

    width: int
    height: int
    bits: int
    channels: int
    digest: str
    strips: Optional[bytes]
    order: str

    def pixel(self, x: int, y: int) -> Optional[Tuple[float, ...]]:
        """One pixel's samples in 0 to 1; None where pixels are compressed or neither 8 nor 16 bit."""
        if self.strips is None or self.bits not in (8, 16):
            return None
        size = self.bits // 8
        start = (y * self.width + x) * self.channels * size
        kind = f"{self.order}{self.channels}{'B' if size == 1 else 'H'}"
        values = struct.unpack_from(kind, self.strips, start)
        return tuple(value / (256**size - 1) for value in values)


def alike(a: Still, b: Still) -> bool:
    """Two pictures show the same: to the bit, or, as a still and a render of one frame, to a shade wherever looked at.

    Alpha counts where both have it. Compressed pictures are alike only to the bit.
    """
    if a.digest == b.digest:
        return True
    if (a.width, a.height) != (b.width, b.height):
        return False
    places = [(x, y) for y in _spread(a.height) for x in _spread(a.width)]
    for x, y in places:
        one, other = a.pixel(x, y), b.pixel(x, y)
        if one is None or other is None or any(abs(p - q) > _SHADE for p, q in zip(one, other)):
            return False
    return True


def _spread(size: int) -> range:
    """Places along one side, _LOOKED_AT at most."""
    return range(0, size, max(1, -(-size // _LOOKED_AT)))


def read(data: bytes) -> Optional[Still]:
    """What a TIFF file holds; None where it is not one, or not whole."""
    try:
        return _read(data)
    except (struct.error, KeyError, IndexError, ValueError, ZeroDivisionError):
        return None


def _read(data: bytes) -> Optional[Still]:
    order = {b"II*\0": "<", b"MM\0*": ">"}[data[:4]]
    tags = _directory(data, order)
    width, height = tags[_WIDTH][0], tags[_HEIGHT][0]
    bits, channels = tags.get(_BITS, [1])[0], tags.get(_SAMPLES, [1])[0]
    parts: List[bytes] = []
    for offset, count in zip(tags[_OFFSETS], tags[_COUNTS]):
        parts.append(data[offset : offset + count])
        if len(parts[-1]) != count:
            return None
    stored = b"".join(parts)
    plain = tags.get(_COMPRESSION, [_NOT_COMPRESSED])[0] == _NOT_COMPRESSED
    if not stored or width < 1 or height < 1 or (plain and len(stored) < width * height * channels * bits // 8):
        return None
    digest = hashlib.sha256(stored).hexdigest()
    return Still(width, height, bits, channels, digest, stored if plain else None, order)


def _directory(data: bytes, order: str) -> Dict[int, List[int]]:
    """The numbers that the first directory holds, by tag."""
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, start)
    tags: Dict[int, List[int]] = {}
    for place in range(start + 2, start + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, place)
        if kind not in _TYPES or count > len(data):
            continue
        layout = f"{order}{count}{_TYPES[kind]}"
        (elsewhere,) = struct.unpack_from(f"{order}I", data, place + 8)
        values = struct.unpack_from(layout, data, place + 8 if struct.calcsize(layout) <= 4 else elsewhere)
        tags[tag] = list(values)
    return tags


def write(width: int, height: int, samples: Sequence[int]) -> bytes:
    """A 16-bit RGB file, not compressed, little-endian: rows from top to bottom, 0 to 65535, three to a pixel."""
    pixels = array.array("H", samples)
    if len(pixels) != width * height * 3:
        raise ValueError(f"{width} x {height} pixels have {width * height * 3} samples, not {len(pixels)}")
    if sys.byteorder == "big":
        pixels.byteswap()
    stored = pixels.tobytes()
    start = 8 + len(stored)
    entries = [
        (_WIDTH, 4, 1, width), (_HEIGHT, 4, 1, height), (_BITS, 3, 3, start + 2 + 12 * 10 + 4),
        (_COMPRESSION, 3, 1, _NOT_COMPRESSED), (262, 3, 1, 2), (_OFFSETS, 4, 1, 8), (_SAMPLES, 3, 1, 3),
        (278, 4, 1, height), (_COUNTS, 4, 1, len(stored)), (284, 3, 1, 1),
    ]  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", start) + stored + directory + struct.pack("<I3H", 0, 16, 16, 16)
