"""PNG files of 8 and 16 bits to arrays and back, without anyone's colour management."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


def write_png(path: Path, picture: Any) -> None:
    """Write rows x columns x (3 or 4) of uint8 or uint16."""
    height, width, channels = picture.shape
    rows = picture.astype(picture.dtype.newbyteorder(">")).reshape(height, -1).view(np.uint8)
    kind = {3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, picture.dtype.itemsize * 8, kind, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks)
    )


def read_png(path: Path) -> Any:
    """Read a PNG file that is not interlaced: rows x columns x channels of uint8 or uint16."""
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n"), path
    at, packed, header = 8, b"", b""
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            header = body
        elif kind == b"IDAT":
            packed += body
        at += length + 12
    width, height, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    assert not interlaced
    pixel = _CHANNELS[colour] * bits // 8
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * pixel)
    rows = np.zeros((height + 1, (width + 1) * pixel), np.uint8)
    for y, line in enumerate(lines, start=1):
        _unfilter(int(line[0]), line[1:], rows[y - 1], rows[y], pixel)
    samples = np.ascontiguousarray(rows[1:, pixel:])
    if bits == 16:
        samples = samples.view(">u2").astype(np.uint16)
    return samples.reshape(height, width, _CHANNELS[colour])


def _unfilter(kind: int, line: Any, above: Any, row: Any, pixel: int) -> None:
    """Undo one row's filter (PNG specification, 9.2); the rows begin with one pixel of zeros."""
    for i, value in enumerate(line.tolist(), start=pixel):
        left, up, corner = int(row[i - pixel]), int(above[i]), int(above[i - pixel])
        guess = left + up - corner
        nearest = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
        row[i] = (value + (0, left, up, (left + up) // 2, nearest)[kind]) & 255
