"""A keyframe taken out of another file: a page, a layer, or a still in a format that jobs do not carry.

What is taken is a file of its own: a TIFF or OpenEXR file of one picture; WebP, GIF, BMP, DPX, JPEG XL and others that
OpenImageIO reads become a PNG, or OpenEXR where their samples are floating point; AVIF and HEIC become a PNG by PyAV.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Final

import av
import OpenImageIO as oiio
from tweenbridge.pixels import Encoding, sniff
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from . import parts
from .headers import bad_keyframe, check_file, check_size, sentence, unsupported
from .remarks import Remark
from .video import VideoFrame, grabbed

_STILL_BRANDS: Final = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")
_MOST_PARTS: Final = 1000
_WORKING: Final = "PNG, TIFF, OpenEXR, JPEG, WebP, GIF, BMP, DPX, JPEG 2000, JPEG XL, AVIF, HEIC"


def sniffed(path: Path) -> Encoding | None:
    """The encoding of a file that jobs carry as it is; None for every other file."""
    with path.open("rb") as file:
        return sniff(file.read(16))


def known(path: Path) -> Encoding:
    """The encoding of a file that is known to have one."""
    encoding = sniffed(path)
    assert encoding is not None
    return encoding


def has_pages(path: Path) -> bool:
    """Whether `FILE@N` names a picture in this still file; else it is for PyAV: a film, an animated PNG."""
    with path.open("rb") as file:
        head = file.read(16)
    return sniff(head) in (Encoding.TIFF, Encoding.EXR) or head[:4] == b"GIF8" or head[8:12] == b"WEBP"


def page(path: Path, number: int, folder: Path) -> Path:
    """Picture `number`, counted from 0, of a file of several, as a file in `folder`.

    Raises:
        TweenbridgeError: BAD_REQUEST when there are fewer; BAD_KEYFRAME.
    """
    _check(path)
    count = _count(path)
    if number >= count:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST,
            f"{path.name} has {count} pictures; there is no number {number}.",
            remedy=f"Choose one from 0 to {count - 1}.",
        )
    return _written(_buffer(path, number), path, folder)


def layer(path: Path, name: str, folder: Path) -> Path:
    """A layer of an OpenEXR file as a file in `folder`.

    Raises:
        TweenbridgeError: BAD_REQUEST when there is no such layer, with those that there are.
    """
    _check(path)
    reader = _open(path)
    with closing(reader):
        headers: list[oiio.ImageSpec] = []
        while len(headers) < _MOST_PARTS and reader.seek_subimage(len(headers), 0):
            headers.append(reader.spec())
    listed = [
        parts.Part(header.get_string_attribute("name"), () if header.deep else tuple(header.channelnames))
        for header in headers
    ]
    chosen = parts.choose(listed, name)
    if chosen is None:
        known = [found.name for found in parts.layers(listed) if found.name]
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST,
            f"{path.name} has no layer {name}.",
            remedy=f"Choose one of {', '.join(known)}." if known else "Leave --layer out: its picture has no name.",
        )
    names = tuple(listed[chosen.part].channels[channel] for channel in chosen.channels)
    buffer = oiio.ImageBufAlgo.channels(_buffer(path, chosen.part), chosen.channels, newchannelnames=names)
    return _written(buffer, path, folder)


def still(path: Path, folder: Path) -> tuple[Path, tuple[Remark, ...]]:
    """A still in a format that jobs do not carry, as a file in `folder`, and what is told of it.

    Raises:
        TweenbridgeError: UNSUPPORTED_FORMAT for what is no still, with what can be done.
    """
    with path.open("rb") as file:
        head = file.read(16)
    if head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS:
        target = folder / f"{path.stem}.png"
        target.write_bytes(grabbed(VideoFrame(path, number=0)))
        return target, ()
    if oiio.ImageInput.open(str(path)) is None:
        oiio.geterror()
        if _is_film(path):
            raise TweenbridgeError(
                ErrorCode.UNSUPPORTED_FORMAT,
                f"{path.name} is a film, and a keyframe is one picture.",
                remedy=f"Name a frame: {path.name}@36 is frame 36, {path.name}@00:01.5 the one at that time.",
            )
        raise TweenbridgeError(
            ErrorCode.UNSUPPORTED_FORMAT,
            sentence(path.name, "is not an image that Tweenbridge can read"),
            remedy=f"These work: {_WORKING}; and frames of films.",
        )
    several = _count(path, most=2) > 1
    said = f"holds several pictures; the first is used. Another is named by its number, like {path.name}@1"
    remarks = (Remark("first_picture", sentence(path.name, said)),) if several else ()
    return _written(_buffer(path, 0), path, folder), remarks


def _check(path: Path) -> None:
    encoding = sniffed(path)
    if encoding is not None:
        check_file(path, encoding, path.name)


def _open(path: Path) -> oiio.ImageInput:
    wishes = oiio.ImageSpec()
    wishes["oiio:UnassociatedAlpha"] = 1
    reader = oiio.ImageInput.open(str(path), wishes)
    if reader is None:
        oiio.geterror()
        raise bad_keyframe(path.name, "is damaged: it cannot be decoded")
    return reader


def _count(path: Path, most: int = 100_000) -> int:
    with closing(_open(path)) as reader:
        count = 1
        while count < most and reader.seek_subimage(count, 0):
            count += 1
        reader.geterror()
        return count


def _buffer(path: Path, number: int) -> oiio.ImageBuf:
    with closing(_open(path)) as reader:
        reader.seek_subimage(number, 0)
        spec = reader.spec()
    check_size(spec.width, spec.height, path.name)
    check_size(spec.full_width, spec.full_height, path.name)
    if spec.deep or spec.depth > 1:
        raise unsupported(path.name, "holds deep or volume data")
    wishes = oiio.ImageSpec()
    wishes["oiio:UnassociatedAlpha"] = 1
    buffer = oiio.ImageBuf(str(path), number, 0, wishes)
    if not buffer.read(number, 0, True):
        buffer.geterror()
        raise bad_keyframe(path.name, "is damaged: its pixels cannot be decoded")
    return buffer


def _written(buffer: oiio.ImageBuf, path: Path, folder: Path) -> Path:
    """A picture as a file of its own."""
    own = sniffed(path)
    spec = buffer.spec()
    is_float = str(spec.format) in ("half", "float", "double")
    if own in (Encoding.TIFF, Encoding.EXR):
        ending = ".tif" if own is Encoding.TIFF else ".exr"
    else:
        ending = ".exr" if is_float else ".png"
    if ending == ".png" and spec.nchannels > 4:
        buffer = oiio.ImageBufAlgo.channels(buffer, (0, 1, 2, 3) if spec.alpha_channel == 3 else (0, 1, 2))
    if ending != ".exr":
        buffer.specmod()["oiio:UnassociatedAlpha"] = 1
    target = folder / f"{path.stem}{ending}"
    if not buffer.write(str(target)):
        raise bad_keyframe(path.name, f"cannot be read: {buffer.geterror()[:200]}")
    return target


def _is_film(path: Path) -> bool:
    try:
        with av.open(str(path)) as container:
            # FFmpeg draws the letters of a text file, and takes single pictures, too.
            name = container.format.name
            return bool(container.streams.video) and name not in ("tty", "image2") and not name.endswith("_pipe")
    except (av.FFmpegError, OSError):
        return False
