"""Small files that would unfold to gigabytes or minutes: refused, or read, at a bounded price."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from stills import NAME, gradient, save
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.imaging import io

SECONDS = 5.0


@cache
def zeros(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*more: bytes, rows: bytes = b"", side: int = 8, interlaced: bool = False) -> bytes:
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, interlaced)
    rows = rows or zlib.compress(bytes((1 + side * 3) * side))
    ends = (chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join((chunk(b"IHDR", head), *more, *ends))


PNG_BOMBS: dict[str, Callable[[], bytes]] = {
    "rows": lambda: png(rows=zeros(500)),
    "rows in many chunks": lambda: png(*[chunk(b"IDAT", zeros(1))] * 300),
    "one profile": lambda: png(chunk(b"iCCP", b"x\0\0" + zeros(300))),
    "one note": lambda: png(chunk(b"zTXt", b"x\0\0" + zeros(300))),
    "many notes": lambda: png(*(chunk(b"zTXt", b"k%d\0\0" % n + zeros(7)) for n in range(100))),
    "many long notes": lambda: png(*(chunk(b"iTXt", b"k%d\0\1\0\0\0" % n + zeros(7)) for n in range(100))),
}


def outcome(path: Path, encoding: Encoding) -> ErrorCode | None:
    """What reading comes to, within its bounds."""
    began = time.monotonic()
    tracemalloc.start()
    try:
        io.read(path, PixelFormat(encoding), NAME)
    except TweenbridgeError as error:
        assert str(error).startswith("Keyframe 2 (B.png) ")
        return error.code
    else:
        return None
    finally:
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(f"{path.name}: {path.stat().st_size} bytes, {time.monotonic() - began:.2f} s")
        assert taken < 64 * 2**20 and time.monotonic() - began < SECONDS


@pytest.mark.parametrize("which", PNG_BOMBS)
def test_png_bombs(tmp_path: Path, which: str) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(PNG_BOMBS[which]())
    refused = outcome(path, Encoding.PNG)
    assert refused is ErrorCode.BAD_KEYFRAME or (refused is None and which.startswith("one"))


def test_a_png_with_some_notes_and_the_worst_compression_is_read(tmp_path: Path) -> None:
    side, noise = 40, bytes(range(256)) * 20
    rows = b"".join(b"\0" + noise[row : row + side * 3] for row in range(side))
    stored = b"".join(zlib.compress(rows, 0) for _ in range(1))
    notes = [chunk(b"zTXt", b"k%d\0\0" % n + zlib.compress(b"text" * 100)) for n in range(20)]
    path = tmp_path / "fine.png"
    path.write_bytes(png(*notes, rows=stored, side=side))
    assert outcome(path, Encoding.PNG) is None


def test_a_jpeg_of_ten_thousand_scans(tmp_path: Path) -> None:
    sound = save(tmp_path / "sound.jpg", Encoding.JPEG, gradient(64, 64, 3, "uint8"), jpeg__progressive=1)
    data = sound.read_bytes()
    last = data.rindex(b"\xff\xda")
    path = tmp_path / "bomb.jpg"
    path.write_bytes(data[:last] + data[last:-2] * 10_000 + data[-2:])
    assert outcome(path, Encoding.JPEG) is ErrorCode.BAD_KEYFRAME
    assert outcome(sound, Encoding.JPEG) is None


def test_a_tiff_whose_directories_go_in_circles(tmp_path: Path) -> None:
    sound = save(tmp_path / "sound.tif", Encoding.TIFF, gradient(8, 8, 3, "uint8"), compression="none").read_bytes()
    (first,) = struct.unpack_from("<I", sound, 4)
    (count,) = struct.unpack_from("<H", sound, first)
    circle = bytearray(sound)
    struct.pack_into("<I", circle, first + 2 + 12 * count, first)
    path = tmp_path / "circle.tif"
    path.write_bytes(bytes(circle))
    assert outcome(path, Encoding.TIFF) in (None, ErrorCode.BAD_KEYFRAME)
