"""Keyframe files to engine-ready pixels, and an engine's pixels to result files like the keyframe's.

OpenImageIO does the reading and writing; only the pixels of PNG files are compressed in `png.py`.

A result has its keyframe's size, channels, depth, encoding and tags. Written back untouched, 8-bit and 16-bit samples
are exact (straight colour where alpha is not 0), half floats too; float32 is within 1e-5 of each value. Exceptions are
what the encodings cannot do: JPEG and lossy OpenEXR compressions lose by themselves; 1-bit and palette images come back
as 8-bit grey, RGB or RGBA, because an in-between has shades that they lack. An OpenEXR file's first part is read.

Pixels are turned upright for the engines. A result in the keyframe's own encoding is turned back and keeps the tag, so
that it shows like the keyframe whether or not a program heeds the tag; in another encoding it is stored upright.

OpenImageIO's number of threads is global (`OpenImageIO.attribute("threads", n)`, `"exr_threads"`): the worker process
sets it.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import OpenImageIO as oiio
from tweenbridge.pixels import Alpha, Colour, Encoding, PixelFormat, SampleType
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from ..disk import disk_error
from ..engines.base import Image
from . import layout, png
from . import samples as sampling
from .formats import check_alike, float_samples, result_format
from .headers import ENCODING_NAMES, MAX_SIDE, bad_keyframe, check_file, check_size, sentence

_FORMAT_NAMES: Final = {
    Encoding.PNG: "png",
    Encoding.TIFF: "tiff",
    Encoding.EXR: "openexr",
    Encoding.JPEG: "jpeg",
}
_SAMPLE_TYPES: Final = {
    "uint8": SampleType.UINT8,
    "uint16": SampleType.UINT16,
    "half": SampleType.FLOAT16,
    "float": SampleType.FLOAT32,
}
_OIIO_TYPES: Final = {sample_type: name for name, sample_type in _SAMPLE_TYPES.items()}
__all__ = ["Still", "check_alike", "probe", "read", "result_format", "write"]

_CHANNEL_NAMES: Final = {1: ("Y",), 2: ("Y", "A"), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}
_TIFF_COMPRESSIONS: Final = frozenset({"none", "lzw", "zip", "packbits"})
"""Those that lose nothing and take any depth; a keyframe of another kind has its results compressed with zip."""

_SPACE_LEFT: Final = 16 * 1024 * 1024

_LOCAL_TAGS: Final = ("compression", "jpeg:", "openexr:", "orientation", "oiio:colorspace", "oiio:gamma")
"""Tags that mean something in their own encoding alone."""

_COLOUR_TAGS: Final = ("iccprofile", "chromaticities", "cicp", "oiio:colorspace", "oiio:gamma")
"""Tags that describe the colour of the samples, and are wrong once that is converted."""


@dataclass(frozen=True)
class Still:
    """A keyframe as read, with all that a result needs to be like it.

    Attributes:
        pixels: (H, W, 3|4) float32, upright, engine-ready: display-referred (scene-linear keyframes are shaped, see
            colour.py), RGBA premultiplied, grey as equal R, G and B.
        format: the file's format, every field known. Width and height are those of the upright picture.
        tags: metadata that results carry on.
        channel_names: as in the file.
        orientation: the Exif orientation of the stored rows, 1 to 8.
        origin: (x, y) of the display window's upper left pixel (OpenEXR).
    """

    pixels: Image
    format: PixelFormat
    tags: oiio.ParamValueList = field(default_factory=oiio.ParamValueList)
    channel_names: tuple[str, ...] = ()
    orientation: int = 1
    origin: tuple[int, int] = (0, 0)


def probe(path: Path, fmt: PixelFormat, name: str = "the keyframe") -> PixelFormat:
    """What `read` would say of the format of the file at `path`, from its header alone.

    Raises:
        TweenbridgeError: as `read`, for what the header shows.
    """
    if fmt.encoding is Encoding.RAW:
        return _raw_format(path, fmt, name)
    with _plain_errors(name), closing(_open(path, fmt.encoding, name)) as reader:
        return _file_format(reader.spec(), fmt, name)


def read(path: Path, fmt: PixelFormat, name: str) -> Still:
    """Read a keyframe.

    Args:
        path: the file.
        fmt: its format as claimed; fields that are given must be true, but colour and alpha are believed.
        name: what to call the keyframe in errors, like "keyframe 2 (B.png)".

    Raises:
        TweenbridgeError: BAD_KEYFRAME for a file that is damaged or not what it claims, UNSUPPORTED_FORMAT for one that
            is sound and not supported, TOO_LARGE for absurd sizes, OUT_OF_MEMORY.
    """
    with _plain_errors(name):
        if fmt.encoding is Encoding.RAW:
            return _read_raw(path, _raw_format(path, fmt, name))
        return _read_file(path, fmt, name)


def write(path: Path, pixels: Image, like: Still, output: PixelFormat | None = None, threads: int = 1) -> PixelFormat:
    """Write an in-between as a file like the keyframe `like`, or as `output` says where it says something.

    Args:
        path: the file to write, whatever its name ends in.
        pixels: (H, W, 3|4) float32 as engines make them, of the keyframe's size.
        like: the gap's first keyframe.
        output: the wanted encoding; its other fields may be None, which means as the keyframe where the encoding can
            hold that, else the encoding's convention.
        threads: how many compress a PNG file; the bytes are the same for any number.

    Returns:
        The format of what was written, every field known.

    Raises:
        TweenbridgeError: UNSUPPORTED_FORMAT when the encoding cannot hold what is asked for, DISK_FULL, DISK_FAILED.
    """
    target = result_format(like.format, output)
    if pixels.shape[:2] != (target.height, target.width):
        raise TweenbridgeError(
            ErrorCode.UNSUPPORTED_FORMAT,
            f"A result has its keyframe's size, {pixels.shape[1]} x {pixels.shape[0]}; "
            f"{target.width} x {target.height} was asked for.",
        )
    assert target.channels and target.dtype and target.colour and target.alpha and like.format.colour
    same_encoding = target.encoding is like.format.encoding
    stored = layout.turned_back(pixels, like.orientation) if same_encoding else pixels
    samples = sampling.to_samples(
        stored, like.format.colour, target.channels, target.dtype, target.colour, target.alpha, _floor(like)
    )
    try:
        _check_space(path, samples.nbytes)
        if target.encoding is Encoding.RAW:
            samples.tofile(path)
        else:
            _write_file(path, samples, like, target, threads)
    except OSError as error:
        raise _write_error(path, error) from error
    return target


# ---------------------------------------------------------------- reading


def _open(path: Path, encoding: Encoding, name: str) -> oiio.ImageInput:
    check_file(path, encoding, name)
    wishes = oiio.ImageSpec()
    wishes["oiio:UnassociatedAlpha"] = 1
    reader = oiio.ImageInput.open(str(path), wishes)
    if reader is None or reader.format_name() != _FORMAT_NAMES[encoding]:
        _forget_error(oiio)
        raise bad_keyframe(name, f"is damaged: it is no complete {ENCODING_NAMES[encoding]} image")
    return reader


def _file_format(spec: oiio.ImageSpec, claim: PixelFormat, name: str) -> PixelFormat:
    """The full format that a file's header shows, checked against what is supported and claimed."""
    check_size(spec.width, spec.height, name)
    check_size(spec.full_width, spec.full_height, name)
    if spec.deep or spec.depth > 1:
        raise _unsupported(name, "holds deep or volume data")
    if spec.tile_width > 2 * MAX_SIDE or spec.tile_height > 2 * MAX_SIDE:
        raise bad_keyframe(name, "is damaged: its tiles have a senseless size")
    channels = spec.nchannels
    if not 1 <= channels <= 4:
        raise _unsupported(name, f"has {channels} channels; red, green, blue and alpha are supported")
    if sampling.has_alpha(channels) and spec.alpha_channel != channels - 1:
        raise _unsupported(name, f"has the channels {', '.join(spec.channelnames)}, of which the last is no alpha")
    dtype = _SAMPLE_TYPES.get(str(spec.format))
    if dtype is None:
        raise _unsupported(name, f"has samples of the type {spec.format}")
    is_float = float_samples(dtype)
    straight = claim.encoding in (Encoding.PNG, Encoding.JPEG) or spec.get_int_attribute("oiio:UnassociatedAlpha")
    swapped = layout.orientation_of(spec) >= 5
    found = PixelFormat(
        encoding=claim.encoding,
        width=spec.full_height if swapped else spec.full_width,
        height=spec.full_width if swapped else spec.full_height,
        channels=channels,
        dtype=dtype,
        colour=claim.colour or (Colour.SCENE_LINEAR if is_float else Colour.DISPLAY),
        alpha=claim.alpha or (Alpha.STRAIGHT if straight else Alpha.PREMULTIPLIED),
    )
    for what in ("width", "height", "channels", "dtype"):
        claimed, real = getattr(claim, what), getattr(found, what)
        if claimed is not None and claimed != real:
            raise bad_keyframe(name, f"does not have the {what} that it was sent with")
    return found


@contextmanager
def _plain_errors(name: str) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise TweenbridgeError(ErrorCode.OUT_OF_MEMORY, sentence(name, "does not fit into memory")) from error
    except UnicodeDecodeError as error:
        raise bad_keyframe(name, "is damaged: its header holds senseless names") from error


def _read_file(path: Path, fmt: PixelFormat, name: str) -> Still:
    with closing(_open(path, fmt.encoding, name)) as reader:
        spec = reader.spec()
        found = _file_format(spec, fmt, name)
        assert found.colour and found.alpha and found.dtype and found.channels
        samples = reader.read_image(0, 0, 0, found.channels, _OIIO_TYPES[found.dtype])
        if samples is None or reader.has_error:
            _forget_error(reader)
            raise bad_keyframe(name, "is damaged: its pixels cannot be decoded")
    pixels = sampling.to_pixels(layout.on_display_window(samples, spec), found.colour, found.alpha)
    orientation = layout.orientation_of(spec)
    return Still(
        pixels=layout.upright(pixels, orientation),
        format=found,
        tags=layout.kept_tags(spec),
        channel_names=tuple(spec.channelnames),
        orientation=orientation,
        origin=(spec.full_x, spec.full_y),
    )


def _forget_error(source: Any) -> None:
    """Take OpenImageIO's message away, which names files and may not even be text, before it prints it by itself."""
    with suppress(UnicodeDecodeError):
        source.geterror()


def _raw_format(path: Path, fmt: PixelFormat, name: str) -> PixelFormat:
    expected = fmt.raw_size()
    assert fmt.width and fmt.height and fmt.dtype
    check_size(fmt.width, fmt.height, name)
    try:
        size = os.path.getsize(path)
    except OSError as error:
        raise bad_keyframe(name, "cannot be read: the file is not there") from error
    if size != expected:
        raise bad_keyframe(name, f"has {size:,} bytes of pixels where its size needs {expected:,}")
    is_float = float_samples(fmt.dtype)
    return replace(
        fmt,
        colour=fmt.colour or (Colour.SCENE_LINEAR if is_float else Colour.DISPLAY),
        alpha=fmt.alpha or (Alpha.PREMULTIPLIED if is_float else Alpha.STRAIGHT),
    )


def _read_raw(path: Path, fmt: PixelFormat) -> Still:
    assert fmt.width and fmt.height and fmt.channels and fmt.dtype and fmt.colour and fmt.alpha
    samples = np.fromfile(path, np.dtype(fmt.dtype.value).newbyteorder("<"))
    rows = samples.astype(fmt.dtype.value, copy=False).reshape(fmt.height, fmt.width, fmt.channels)
    return Still(pixels=sampling.to_pixels(rows, fmt.colour, fmt.alpha), format=fmt)


def _unsupported(name: str, rest: str) -> TweenbridgeError:
    return TweenbridgeError(ErrorCode.UNSUPPORTED_FORMAT, sentence(name, rest))


# ---------------------------------------------------------------- writing


def _write_file(path: Path, samples: sampling.Samples, like: Still, target: PixelFormat, threads: int) -> None:
    assert target.dtype
    height, width, channels = samples.shape
    spec = oiio.ImageSpec(width, height, channels, _OIIO_TYPES[target.dtype])
    same_encoding = target.encoding is like.format.encoding
    for tag in like.tags:
        key = tag.name.lower()
        foreign = not same_encoding and key.startswith(_LOCAL_TAGS)
        if not foreign and (target.colour is like.format.colour or key not in _COLOUR_TAGS):
            spec.extra_attribs.append(tag)
    if target.encoding is Encoding.PNG:
        spec["oiio:UnassociatedAlpha"] = 1
        spec.height = spec.full_height = 1
    elif target.encoding is Encoding.TIFF:
        if target.alpha is Alpha.STRAIGHT:
            spec["oiio:UnassociatedAlpha"] = 1
        spec["tiff:half"] = int(target.dtype is SampleType.FLOAT16)
        compression = spec.get_string_attribute("compression", "none")
        spec["compression"] = compression if compression in _TIFF_COMPRESSIONS else "zip"
    elif target.encoding is Encoding.JPEG:
        spec["compression"] = "jpeg:98"
        spec["jpeg:subsampling"] = "4:4:4"
    elif target.encoding is Encoding.EXR:
        if not spec.get_string_attribute("compression"):
            spec["compression"] = "zip"
        spec.x, spec.y = spec.full_x, spec.full_y = like.origin
        if channels == len(like.channel_names) and same_encoding:
            spec.channelnames = like.channel_names
        else:
            spec.channelnames = _CHANNEL_NAMES[channels]
    writer = oiio.ImageOutput.create(_FORMAT_NAMES[target.encoding])
    assert writer is not None
    written = writer.open(str(path), spec) and writer.write_image(samples[: spec.height]) and writer.close()
    # For PNG a full disk shows in the error state alone; for TIFF that state may mean a harmless missing Exif block.
    if not written or (target.encoding is Encoding.PNG and writer.has_error):
        raise OSError("OpenImageIO could not write the file")
    if target.encoding is Encoding.PNG:
        png.fill(path, samples, threads)


def _floor(like: Still) -> float:
    """The lowest colour of results: 0, or lower where the keyframe itself has negative light.

    Resampling overshoots at edges; where there is next to no alpha, the shaper would make much of it.
    """
    # Over all channels first: that is several times faster, and nearly always the answer.
    return min(0.0, float(like.pixels[..., :3].min())) if like.pixels.min() < 0 else 0.0


def _check_space(path: Path, size: int) -> None:
    """Refuse to begin a file for which there may be no room: libjpeg ends the whole process when the disk is full."""
    if shutil.disk_usage(path.parent).free < size + _SPACE_LEFT:
        raise OSError(errno.ENOSPC, "no space left")


def _write_error(path: Path, error: OSError) -> TweenbridgeError:
    path.unlink(missing_ok=True)
    return disk_error(error, "a frame")
