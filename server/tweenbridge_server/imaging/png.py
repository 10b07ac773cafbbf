"""The pixels of PNG files, compressed several times faster than libpng does it, on one thread or on several.

PNG (W3C Recommendation, 3rd edition): every row is filtered (section 9), the rows are one zlib stream (section 10), cut
into IDAT chunks (section 11.2.3). All rows have the filter Average, which costs grained pictures least, so that nothing
need be tried out. ISA-L compresses, at its lowest level that has Huffman codes made for the data.

Large pictures are compressed in strips that know nothing of each other, so that threads can share them. Each ends at a
byte's border with a full flush (RFC 1951, 3.2.4: an empty stored block); the whole is still one zlib stream (RFC 1950).

The same samples give the same bytes: strips, bands and chunks depend on the picture's size alone.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import IO, Final

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from .samples import Samples

Bytes = NDArray[np.uint8]

COLOUR_CHUNKS: Final = frozenset({b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"mDCV", b"cLLI"})
"""Those that say what the colours mean (PNG, 3rd edition, 11.3.2)."""

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_MOST_COLOUR: Final = 8 << 20
_AVERAGE: Final = 3
_LEVEL: Final = 1
_STRIP: Final = 3 << 19
"""Bytes compressed by themselves."""
_BAND: Final = 1 << 18
"""Bytes filtered at a time: they stay in the cache."""
_CHUNK: Final = 1 << 18
"""Most bytes of compressed data in an IDAT chunk."""
_ZLIB_HEADER: Final = b"\x78\x01"
"""A window of 32 KiB, compressed in the fastest way."""
_RAW_DEFLATE: Final = -15
_ADLER_BASE: Final = 65521


def colour_chunks(path: Path) -> tuple[tuple[bytes, bytes], ...]:
    """The chunks before the pixels that say what the colours mean, each kind once; the path is of a whole PNG file."""
    return tuple((kind, body) for kind, body in _head(path, COLOUR_CHUNKS))


def is_animated(path: Path) -> bool:
    """Whether a whole PNG file holds several pictures (PNG, 3rd edition, 11.3.6)."""
    return any(_head(path, frozenset({b"acTL"})))


def _head(path: Path, wanted: frozenset[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """The wanted ones of the chunks before the pixels."""
    with path.open("rb") as file:
        file.seek(len(_SIGNATURE))
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"IDAT":
                return
            if kind in wanted and length <= _MOST_COLOUR:
                yield kind, file.read(length)
                file.seek(4, os.SEEK_CUR)
            else:
                file.seek(length + 4, os.SEEK_CUR)


def with_chunks(data: bytes, chunks: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The bytes of a PNG file with further chunks behind its header."""
    end = len(_SIGNATURE) + 12 + 13
    more = (struct.pack(">I", len(body)) + kind + body + struct.pack(">I", _crc(kind, body)) for kind, body in chunks)
    return data[:end] + b"".join(more) + data[end:]


def _crc(kind: bytes, body: bytes | memoryview) -> int:
    return int(isal_zlib.crc32(body, isal_zlib.crc32(kind)))


def fill(path: Path, samples: Samples, threads: int = 1, colour: Sequence[tuple[bytes, bytes]] | None = None) -> None:
    """Give a PNG file of one row other rows: its header and metadata stay, the height becomes the samples'.

    Args:
        path: a PNG file without interlacing, as wide as the samples, of their depth and number of channels.
        samples: (H, W, C) uint8 or uint16.
        threads: how many compress; the bytes are the same for any number.
        colour: the chunks that say what the colours mean, instead of those that the file has; None keeps these.

    Raises:
        OSError: as writing does; the file is damaged then.
    """
    chunks = list(_chunks(path.read_bytes()))
    kinds = [kind for kind, _ in chunks]
    first = kinds.index(b"IDAT")
    with path.open("wb", buffering=0) as file:
        _write(file, _SIGNATURE)
        for kind, body in chunks[:first]:
            if kind == b"IHDR":
                _write_chunk(file, kind, _resized(body, samples.shape[0]))
                for declaration in colour or ():
                    _write_chunk(file, *declaration)
            elif colour is None or kind not in COLOUR_CHUNKS:
                _write_chunk(file, kind, body)
        _write_rows(file, samples, threads)
        for kind, body in chunks[first + kinds.count(b"IDAT") :]:
            _write_chunk(file, kind, body)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kinds and bodies of a file's chunks."""
    at = len(_SIGNATURE)
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + 8 + length]
        at += 12 + length


def _resized(header: bytes, height: int) -> bytes:
    """An IHDR chunk's body with another height."""
    return header[:4] + struct.pack(">I", height) + header[8:]


def _write_rows(file: IO[bytes], samples: Samples, threads: int) -> None:
    rows = max(1, _STRIP // samples[0].nbytes)
    tops = range(0, samples.shape[0], rows)
    checksum = 1
    if threads > 1 and len(tops) > 1:
        with ThreadPoolExecutor(threads, "compressing") as pool:
            strips = pool.map(_compressed, repeat(samples), tops, repeat(rows))
            checksum = _write_strips(file, strips)
    else:
        checksum = _write_strips(file, map(_compressed, repeat(samples), tops, repeat(rows)))
    _write_chunk(file, b"IDAT", checksum.to_bytes(4, "big"))


def _write_strips(file: IO[bytes], strips: Iterator[_Strip]) -> int:
    """Write compressed strips in order. Returns the Adler-32 checksum of what is in them."""
    checksum, lead = 1, _ZLIB_HEADER
    for strip in strips:
        data = memoryview(lead + strip.data)
        for at in range(0, len(data), _CHUNK):
            _write_chunk(file, b"IDAT", data[at : at + _CHUNK])
        checksum, lead = _joined(checksum, strip.checksum, strip.size), b""
    return checksum


@dataclass(frozen=True)
class _Strip:
    """Rows, filtered and compressed.

    Attributes:
        data: raw deflate blocks (RFC 1951).
        checksum: Adler-32 of the filtered rows.
        size: bytes of the filtered rows.
    """

    data: bytes
    checksum: int
    size: int


def _compressed(samples: Samples, top: int, rows: int) -> _Strip:
    compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW_DEFLATE)
    data, checksum, size = bytearray(), 1, 0
    for filtered in _filtered(samples, top, min(samples.shape[0], top + rows)):
        data += compressor.compress(filtered)
        checksum = isal_zlib.adler32(filtered, checksum)
        size += filtered.nbytes
    last = top + rows >= samples.shape[0]
    data += compressor.flush(isal_zlib.Z_FINISH if last else isal_zlib.Z_FULL_FLUSH)
    return _Strip(bytes(data), checksum, size)


def _joined(first: int, second: int, size: int) -> int:
    """Adler-32 (RFC 1950, section 9) of two pieces together, the second of which has `size` bytes."""
    low = (first & 0xFFFF) + (second & 0xFFFF) - 1
    high = (first >> 16) + (second >> 16) + size * ((first & 0xFFFF) - 1)
    return (high % _ADLER_BASE) << 16 | low % _ADLER_BASE


def _filtered(samples: Samples, first: int, end: int) -> Iterator[Bytes]:
    """Rows from `first` to before `end` in bands, (rows, 1 + bytes of a row), each row behind its filter's number."""
    _, width, channels = samples.shape
    reach = channels * samples.itemsize
    stride = width * reach
    rows = max(1, _BAND // stride)
    # Above the picture and to the left of it everything is 0.
    lines = np.zeros((rows + 1, reach + stride), np.uint8)
    if first > 0:
        lines[0, reach:] = _big_endian(samples[first - 1]).reshape(stride)
    filtered = np.full((rows, 1 + stride), _AVERAGE, np.uint8)
    for top in range(first, end, rows):
        count = min(rows, end - top)
        now = lines[1 : count + 1, reach:]
        now[...] = _big_endian(samples[top : top + count]).reshape(count, stride)
        left, above = lines[1 : count + 1, :-reach], lines[:count, reach:]
        out = filtered[:count, 1:]
        # The mean, rounded down, without leaving 8 bits: shared bits, and half of those that differ.
        np.bitwise_xor(left, above, out=out)
        out >>= 1
        out += left & above
        np.subtract(now, out, out=out)
        yield filtered[:count]
        lines[0] = lines[count]


def _big_endian(samples: Samples) -> Bytes:
    ordered = np.ascontiguousarray(samples, samples.dtype.newbyteorder(">"))
    return ordered.view(np.uint8)


def _write_chunk(file: IO[bytes], kind: bytes, body: bytes | memoryview) -> None:
    _write(file, b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", _crc(kind, body)))))


def _write(file: IO[bytes], data: bytes) -> None:
    rest = memoryview(data)
    while len(rest):
        rest = rest[file.write(rest) :]
