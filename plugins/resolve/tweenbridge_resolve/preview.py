"""A small picture of a frame for the window: 8-bit PNG (ISO/IEC 15948), which every toolkit reads. No image library."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Optional

from . import tiff

_WIDEST = 160
"""Pixels."""


def write_preview(frame: Path, path: Path) -> Optional[Path]:
    """Write a small picture of a TIFF frame; None where the frame is compressed, or cannot be read or written."""
    try:
        still = tiff.read(frame.read_bytes())
        if still is None:
            return None
        step = max(1, -(-still.width // _WIDEST))
        rows = []
        for y in range(0, still.height, step):
            row = bytearray(b"\0")
            for x in range(0, still.width, step):
                pixel = still.pixel(x, y)
                if pixel is None:
                    return None
                # One channel is grey; a fourth is alpha.
                row += bytes(round(255 * value) for value in (pixel[:3] if len(pixel) >= 3 else pixel[:1] * 3))
            rows.append(bytes(row))
        width = len(range(0, still.width, step))
        header = struct.pack(">IIBBBBB", width, len(rows), 8, 2, 0, 0, 0)
        parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")]
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts))
    except OSError:
        return None
    return path


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
