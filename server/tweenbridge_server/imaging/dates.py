"""Today's date, taken out of a file: OpenImageIO writes it where the keyframe has none.

It is the capture date of no in-between, and makes files differ that are equal otherwise. The headers are those that
OpenImageIO writes ("OpenEXR File Layout", one part; TIFF 6.0, section 2, and BigTIFF).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from tweenbridge.pixels import Encoding

_EXR_HEADER: Final = 8
"""Bytes before an OpenEXR header: the magic number and the version."""
_CAPTURE_DATE: Final = b"capDate"
_DATE_TIME: Final = 306


def remove(path: Path, encoding: Encoding) -> None:
    """Take the date out of a file that was just written; where there is none, nothing happens."""
    if encoding is Encoding.EXR:
        data = path.read_bytes()
        without = _exr_without(data)
        if without is not data:
            path.write_bytes(without)
    elif encoding is Encoding.TIFF:
        _clear_tiff(path)


def _exr_without(data: bytes) -> bytes:
    """An OpenEXR file without its date; its chunks, which the header points to, move up."""
    at, found = _EXR_HEADER, None
    while data[at]:
        start = at
        name_end = data.index(b"\0", at)
        type_end = data.index(b"\0", name_end + 1)
        (size,) = struct.unpack_from("<i", data, type_end + 1)
        at = type_end + 5 + size
        if data[start:name_end] == _CAPTURE_DATE:
            found = (start, at)
    if found is None:
        return data
    table = at + 1
    offsets = _offsets(data, table)
    removed = found[1] - found[0]
    moved = struct.pack(f"<{len(offsets)}Q", *(offset - removed for offset in offsets))
    return data[: found[0]] + data[found[1] : table] + moved + data[table + len(moved) :]


def _offsets(data: bytes, at: int) -> list[int]:
    """The table of where chunks begin; it ends where the first of them does."""
    (first,) = struct.unpack_from("<Q", data, at)
    offsets: list[int] = []
    while at < first:
        (offset,) = struct.unpack_from("<Q", data, at)
        offsets.append(offset)
        first = min(first, offset)
        at += 8
    return offsets


def _clear_tiff(path: Path) -> None:
    """Take the entry of the date out of a TIFF's directory, whose other entries and end move up."""
    with path.open("r+b") as file:
        head = file.read(16)
        order = "<" if head[:2] == b"II" else ">"
        big = struct.unpack_from(f"{order}H", head, 2)[0] == 43
        count_form, entry_size, end = (f"{order}Q", 20, 8) if big else (f"{order}H", 12, 4)
        (at,) = struct.unpack_from(f"{order}Q", head, 8) if big else struct.unpack_from(f"{order}I", head, 4)
        file.seek(at)
        (count,) = struct.unpack(count_form, file.read(struct.calcsize(count_form)))
        entries = file.read(count * entry_size + end)
        for index in range(count):
            if struct.unpack_from(f"{order}H", entries, index * entry_size)[0] == _DATE_TIME:
                kept = entries[: index * entry_size] + entries[(index + 1) * entry_size :]
                file.seek(at)
                file.write(struct.pack(count_form, count - 1) + kept)
                return
