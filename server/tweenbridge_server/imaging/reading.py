"""Keyframe files to engine-ready pixels. OpenImageIO decodes; what is the picture in a file is decided in `parts.py`.

Pixels are turned upright for the engines. OpenImageIO's number of threads is global (`OpenImageIO.attribute("threads",
n)`, `"exr_threads"`): the worker process sets it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import OpenImageIO as oiio
from tweenbridge.pixels import Alpha, Colour, Encoding, PixelFormat, SampleType
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from . import chroma, converted, declared, layout, metadata, parts, png
from . import samples as sampling
from .formats import float_samples
from .headers import (
    ENCODING_NAMES,
    MAX_SIDE,
    bad_keyframe,
    check_claim,
    check_file,
    check_size,
    sentence,
    unsupported,
)
from .remarks import Remark
from .samples import Samples
from .still import Still
from .windows import Window, placed

FORMAT_NAMES: Final = {
    Encoding.PNG: "png",
    Encoding.TIFF: "tiff",
    Encoding.EXR: "openexr",
    Encoding.JPEG: "jpeg",
}
SAMPLE_TYPES: Final = {
    "uint8": SampleType.UINT8,
    "uint16": SampleType.UINT16,
    "half": SampleType.FLOAT16,
    "float": SampleType.FLOAT32,
}
OIIO_TYPES: Final = {sample_type: name for name, sample_type in SAMPLE_TYPES.items()}
_NARROWED: Final = {
    "double": ("float", "64-bit floating point samples; results have 32 bits"),
    "uint32": ("uint16", "32-bit samples; results have 16 bits"),
    "uint": ("uint16", "32-bit samples; results have 16 bits"),
    "int": ("uint16", "signed 32-bit samples; results have 16 bits, and what is negative is 0"),
    "int32": ("uint16", "signed 32-bit samples; results have 16 bits, and what is negative is 0"),
    "int16": ("uint16", "signed samples; in results what is negative is 0"),
    "int8": ("uint8", "signed samples; in results what is negative is 0"),
    "uint64": ("uint16", "64-bit samples; results have 16 bits"),
    "int64": ("uint16", "signed 64-bit samples; results have 16 bits, and what is negative is 0"),
}
"""Sample types that results do not have: as what they are read, and what is said."""
_MOST_PARTS: Final = 1000
_MOST_NAMED: Final = 6


@dataclass(frozen=True)
class _Picture:
    """The picture in an open file: its part's header, its channels there, and what is said of the rest."""

    spec: oiio.ImageSpec
    layer: parts.Layer
    dtype: str
    names: tuple[str, ...]
    remarks: tuple[Remark, ...]

    @property
    def has_alpha(self) -> bool:
        return sampling.has_alpha(len(self.layer.channels))


def probe(path: Path, fmt: PixelFormat, name: str = "the keyframe") -> PixelFormat:
    """What `read` would say of the format of the file at `path`, from its header alone.

    Raises:
        TweenbridgeError: as `read`, for what the header shows.
    """
    if fmt.encoding is Encoding.RAW:
        return _raw_format(path, fmt, name)
    with _plain_errors(name):
        reader = _open(path, fmt.encoding, name)
        if reader is None:
            return chroma.form(path, fmt, name)
        with closing(reader):
            return _file_format(_picture(reader, fmt.encoding, name), fmt, name)


def read(path: Path, fmt: PixelFormat, name: str) -> Still:
    """Read a keyframe.

    Args:
        path: the file.
        fmt: its format as claimed; fields that are given must be true, but colour and alpha are believed.
        name: what to call the keyframe in errors and remarks, like "keyframe 2 (B.png)".

    Raises:
        TweenbridgeError: BAD_KEYFRAME for a file that is damaged or not what it claims, UNSUPPORTED_FORMAT for one that
            is sound and not supported, TOO_LARGE for absurd sizes, OUT_OF_MEMORY.
    """
    with _plain_errors(name):
        if fmt.encoding is Encoding.RAW:
            return _read_raw(path, _raw_format(path, fmt, name))
        return _read_file(path, fmt, name)


def stored_samples(path: Path, still: Still, name: str) -> Samples:
    """A file's samples as they are stored, (H, W, C) of its data window; only for a still that `is_raw`.

    Raises:
        TweenbridgeError: as `read`.
    """
    with _plain_errors(name):
        reader = _open(path, still.format.encoding, name)
        assert reader is not None and still.format.dtype
        with closing(reader):
            picture = _picture(reader, still.format.encoding, name)
            return _samples(reader, picture, OIIO_TYPES[still.format.dtype], name)


def _open(path: Path, encoding: Encoding, name: str) -> oiio.ImageInput | None:
    """An open file; None for an OpenEXR file of luminance and chroma, which OpenImageIO does not read."""
    check_file(path, encoding, name)
    wishes = oiio.ImageSpec()
    wishes["oiio:UnassociatedAlpha"] = 1
    reader = oiio.ImageInput.open(str(path), wishes)
    if reader is not None and reader.format_name() == FORMAT_NAMES[encoding]:
        return reader
    _forget_error(oiio)
    if encoding is Encoding.EXR and chroma.is_luminance_chroma(path):
        return None
    raise bad_keyframe(name, f"is damaged: it is no complete {ENCODING_NAMES[encoding]} image")


def _picture(reader: oiio.ImageInput, encoding: Encoding, name: str) -> _Picture:
    """What in the file is the picture.

    Raises:
        TweenbridgeError: UNSUPPORTED_FORMAT where nothing is.
    """
    headers = [reader.spec()]
    while len(headers) < (_MOST_PARTS if encoding is Encoding.EXR else 2) and reader.seek_subimage(len(headers), 0):
        headers.append(reader.spec())
    _forget_error(reader)
    pages = len(headers) > 1 and encoding is not Encoding.EXR
    if pages:
        headers = headers[:1]
    if headers[0].depth > 1 or all(header.deep for header in headers):
        raise unsupported(name, "holds deep or volume data")
    listed = [_part(header, encoding) for header in headers]
    layer = parts.choose(listed)
    if layer is None:
        raise unsupported(
            name, f"holds no picture, only the channels {', '.join(headers[0].channelnames[:_MOST_NAMED])}"
        )
    remarks = []
    if pages:
        said = "holds several pictures; the first is used. Another is named by its number, like FILE@1"
        remarks.append(Remark("first_picture", sentence(name, said)))
    rest = parts.left_out(listed, layer)
    if rest:
        more = f" and {len(rest) - _MOST_NAMED} more" if len(rest) > _MOST_NAMED else ""
        used = f"only its layer {layer.name} is used" if layer.name else "only its picture is used"
        said = f"also holds {', '.join(rest[:_MOST_NAMED])}{more}; {used}"
        remarks.append(Remark("parts_left_out", sentence(name, said)))
    spec = headers[layer.part]
    formats = spec.channelformats
    types = [str(formats[channel] if formats else spec.format) for channel in layer.channels]
    dtype = types[0] if len(set(types)) == 1 else "float"
    if dtype in _NARROWED:
        dtype, said = _NARROWED[dtype]
        if encoding is Encoding.EXR:
            dtype = "float"
        remarks.append(Remark("samples_narrowed", sentence(name, f"has {said}")))
    names = tuple(spec.channelnames[channel] for channel in layer.channels)
    return _Picture(spec, layer, dtype, names, tuple(remarks))


def _part(header: oiio.ImageSpec, encoding: Encoding) -> parts.Part:
    if header.deep:
        return parts.Part("", ())
    name = header.get_string_attribute("name") if encoding is Encoding.EXR else ""
    return parts.Part(name, tuple(header.channelnames), header.alpha_channel)


def _file_format(picture: _Picture, claim: PixelFormat, name: str) -> PixelFormat:
    """The full format that a file's header shows, checked against what is supported and claimed."""
    spec = picture.spec
    check_size(spec.width, spec.height, name)
    check_size(spec.full_width, spec.full_height, name)
    data, display = _windows(spec)
    around = data.union(display)
    check_size(around.width, around.height, name)
    if spec.tile_width > 2 * MAX_SIDE or spec.tile_height > 2 * MAX_SIDE:
        raise bad_keyframe(name, "is damaged: its tiles have a senseless size")
    dtype = SAMPLE_TYPES.get(picture.dtype)
    if dtype is None:
        raise unsupported(name, f"has samples of the type {spec.format}")
    is_float = float_samples(dtype)
    straight = claim.encoding in (Encoding.PNG, Encoding.JPEG) or spec.get_int_attribute("oiio:UnassociatedAlpha")
    swapped = layout.orientation_of(spec) >= 5
    found = PixelFormat(
        encoding=claim.encoding,
        width=spec.full_height if swapped else spec.full_width,
        height=spec.full_width if swapped else spec.full_height,
        channels=len(picture.layer.channels),
        dtype=dtype,
        colour=claim.colour or (Colour.SCENE_LINEAR if is_float else Colour.DISPLAY),
        alpha=claim.alpha or (Alpha.STRAIGHT if straight else Alpha.PREMULTIPLIED),
    )
    check_claim(claim, found, name)
    return found


@contextmanager
def _plain_errors(name: str) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise TweenbridgeError(ErrorCode.OUT_OF_MEMORY, sentence(name, "does not fit into memory")) from error
    except UnicodeDecodeError as error:
        raise bad_keyframe(name, "is damaged: its header holds senseless names") from error


def _windows(spec: oiio.ImageSpec) -> tuple[Window, Window]:
    """The data window and the display window of a file, seen from the display window's upper left pixel."""
    data = Window(spec.x - spec.full_x, spec.y - spec.full_y, spec.width, spec.height)
    return data, Window(0, 0, spec.full_width, spec.full_height)


def _samples(reader: oiio.ImageInput, picture: _Picture, dtype: str, name: str) -> Samples:
    part, channels = picture.layer.part, picture.layer.channels
    low, high = min(channels), max(channels) + 1
    if high - low <= 2 * len(channels):
        samples = reader.read_image(part, 0, low, high, dtype)
        if samples is not None and channels != tuple(range(low, high)):
            samples = np.ascontiguousarray(samples[..., [channel - low for channel in channels]])
    else:
        read = (reader.read_image(part, 0, channel, channel + 1, dtype) for channel in channels)
        planes = [plane for plane in read if plane is not None]
        samples = np.concatenate(planes, axis=2) if len(planes) == len(channels) else None
    if samples is None or reader.has_error:
        _forget_error(reader)
        raise bad_keyframe(name, "is damaged: its pixels cannot be decoded")
    return samples


def _read_file(path: Path, fmt: PixelFormat, name: str) -> Still:
    reader = _open(path, fmt.encoding, name)
    if reader is None:
        return chroma.read(path, fmt, name)
    with closing(reader):
        picture = _picture(reader, fmt.encoding, name)
        found = _file_format(picture, fmt, name)
        spec, remarks = picture.spec, list(picture.remarks)
        assert found.colour and found.alpha and found.dtype and found.channels
        through = converted.read(path, spec, name)
        if through is None:
            samples = _samples(reader, picture, OIIO_TYPES[found.dtype], name)
        else:
            samples = through.samples
            remarks.append(through.remark)
    data, display = _windows(spec)
    orientation = layout.orientation_of(spec)
    shown = display if orientation != 1 else display.union(data)
    colour = _colour(path, spec, found, through is not None)
    if colour.trouble:
        remarks.append(Remark("colour_not_believed", sentence(name, f"is taken for sRGB: {colour.trouble}")))
    remarks += sampling.remarks_on(samples, name)
    bare = sampling.is_bare(samples, found.colour)
    pixels = sampling.to_pixels(placed(samples, data, shown), found.colour, found.alpha, bare)
    if fmt.encoding is Encoding.PNG and png.is_animated(path):
        remarks.append(Remark("first_picture", sentence(name, "is animated; its first picture is used")))
    return Still(
        pixels=layout.upright(pixels, orientation),
        format=found,
        tags=spec.extra_attribs,
        channel_names=picture.names,
        orientation=orientation,
        origin=(spec.full_x, spec.full_y),
        data=data,
        shown=shown if orientation < 5 else Window(0, 0, shown.height, shown.width),
        colour=colour,
        bare=bare,
        remarks=tuple(remarks),
        is_plain=not remarks and metadata.is_faithful(spec.extra_attribs),
        is_raw=through is None,
    )


def _colour(path: Path, spec: oiio.ImageSpec, found: PixelFormat, is_converted: bool) -> declared.Declaration:
    assert found.colour and found.channels
    if is_converted:
        return declared.Declaration()
    if found.encoding is Encoding.PNG:
        return declared.of_png(png.colour_chunks(path))
    return declared.of_file(spec, found.encoding, found.colour, found.channels)


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
    bare = sampling.is_bare(rows, fmt.colour)
    remarks = tuple(sampling.remarks_on(rows, "a keyframe"))
    window = Window(0, 0, fmt.width, fmt.height)
    return Still(
        pixels=sampling.to_pixels(rows, fmt.colour, fmt.alpha, bare),
        format=fmt,
        data=window,
        shown=window,
        colour=declared.plain(fmt.colour),
        bare=bare,
        remarks=remarks,
        is_plain=not remarks,
    )
