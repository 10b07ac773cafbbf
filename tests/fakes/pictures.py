"""Small PNG files made with the standard library alone, so that tests of the client need no image library."""

from __future__ import annotations

import struct
import zlib


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rows: list[bytes], width: int) -> bytes:
    """An 8-bit RGB PNG from rows of 3 * width bytes."""
    header = struct.pack(">IIBBBBB", width, len(rows), 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 1)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG file."""
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def keyframe(step: int, width: int = 64, height: int = 48) -> bytes:
    """A bright square on a gradient; it moves a little to the right with each step."""
    side = height // 4
    left = width // 8 + step * width // 16
    rows = []
    for y in range(height):
        row = bytearray()
        for x in range(width):
            inside = left <= x < left + side and side <= y < 2 * side
            row += bytes((250, 220, 40)) if inside else bytes((x * 120 // width, y * 120 // height, 60))
        rows.append(bytes(row))
    return png(rows, width)
