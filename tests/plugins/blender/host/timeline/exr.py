"""OpenEXR files of float samples to arrays and back, without anyone's colour management (openexr.com, file layout)."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

_ROWS_OF = {0: 1, 2: 1, 3: 16}
"""Rows per block: no compression, ZIPS, ZIP."""


def write_exr(path: Path, picture: Any) -> None:
    """Write rows x columns x (3 or 4) of scene-linear float32, premultiplied, without compression."""
    height, width, channels = picture.shape
    names = sorted("RGBA"[:channels])
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    listed = b"".join(name.encode() + b"\0" + struct.pack("<iB3xii", 2, 0, 1, 1) for name in names) + b"\0"
    attributes = (
        ("channels", "chlist", listed),
        ("compression", "compression", b"\0"),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1.0)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0.0, 0.0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1.0)),
    )
    head = b"\x76\x2f\x31\x01" + struct.pack("<i", 2)
    for name, kind, value in attributes:
        head += name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value
    head += b"\0"
    size = width * channels * 4
    offsets = [len(head) + 8 * height + y * (8 + size) for y in range(height)]
    order = ["RGBA".index(name) for name in names]
    rows = np.ascontiguousarray(picture[..., order].transpose(0, 2, 1), "<f4")
    blocks = b"".join(struct.pack("<2i", y, size) + rows[y].tobytes() for y in range(height))
    path.write_bytes(head + struct.pack(f"<{height}q", *offsets) + blocks)


def read_exr(path: Path) -> Any:
    """Read scan lines of float samples, uncompressed or ZIP: rows x columns x (3 or 4) float32, top row first."""
    data = path.read_bytes()
    assert data.startswith(b"\x76\x2f\x31\x01"), path
    attributes, at = {}, 8
    while data[at]:
        name, kind, _ = data[at : at + 512].split(b"\0", 2)
        at += len(name) + len(kind) + 2
        (length,) = struct.unpack_from("<i", data, at)
        attributes[name.decode()] = data[at + 4 : at + 4 + length]
        at += 4 + length
    left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    names, listed = [], attributes["channels"]
    while listed[0]:
        name, listed = listed.split(b"\0", 1)
        assert struct.unpack_from("<i", listed)[0] == 2, "only float samples"
        names.append(name.decode()[-1])
        listed = listed[16:]
    rows_of = _ROWS_OF[attributes["compression"][0]]
    offsets = struct.unpack_from(f"<{-(-height // rows_of)}q", data, at + 1)
    picture = np.zeros((height, len(names), width), np.float32)
    for offset in offsets:
        y, size = struct.unpack_from("<2i", data, offset)
        rows = min(rows_of, top + height - y)
        block = data[offset + 8 : offset + 8 + size]
        if size < rows * len(names) * width * 4:
            block = _unzip(block)
        picture[y - top : y - top + rows] = np.frombuffer(block, "<f4").reshape(rows, len(names), width)
    return picture[:, [names.index(name) for name in "RGBA" if name in names]].transpose(0, 2, 1)


def _unzip(block: bytes) -> bytes:
    """Undo deflate, then the differences, then the split into two halves."""
    steps = np.frombuffer(zlib.decompress(block), np.uint8).astype(np.int64)
    steps[1:] -= 128
    halves = (np.cumsum(steps) & 255).astype(np.uint8)
    half = -(-len(halves) // 2)
    joined = np.empty_like(halves)
    joined[::2], joined[1::2] = halves[:half], halves[half:]
    return joined.tobytes()
