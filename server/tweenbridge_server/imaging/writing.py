"""An engine's pixels to result files like the keyframe's.

OpenImageIO does the writing; only the pixels of PNG files are compressed in `png.py`. Fields follow the table in
`metadata.py`, colour is said once (`declared.py`).

A result in the keyframe's own encoding is turned back as its rows were and keeps the orientation, so that it shows like
the keyframe whether or not a program heeds it, and keeps the data window; in another encoding it is stored upright, and
of the display window's size.
"""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Final

import numpy as np
import OpenImageIO as oiio
from tweenbridge.pixels import Alpha, Encoding, PixelFormat, SampleType
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from ..disk import disk_error
from ..engines.base import Image
from . import dates, declared, layout, metadata, png, spaces
from . import samples as sampling
from .formats import result_format
from .headers import ENCODING_NAMES
from .reading import FORMAT_NAMES, OIIO_TYPES, stored_samples
from .remarks import Remark
from .samples import has_alpha
from .still import Still
from .windows import Window, placed

_CHANNEL_NAMES: Final = {1: ("Y",), 2: ("Y", "A"), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}
_TIFF_COMPRESSIONS: Final = frozenset({"none", "lzw", "zip", "packbits"})
"""Those that lose nothing and take any depth; a keyframe of another kind has its results compressed with zip."""

_SPACE_LEFT: Final = 16 * 1024 * 1024


def write(path: Path, pixels: Image, like: Still, output: PixelFormat | None = None, threads: int = 1) -> PixelFormat:
    """Write an in-between as a file like the keyframe `like`, or as `output` says where it says something.

    Args:
        path: the file to write, whatever its name ends in.
        pixels: (H, W, 3|4) float32 as engines make them, of the keyframe's size.
        like: the gap's first keyframe, or what `pairing` makes of both.
        output: the wanted encoding; its other fields may be None, which means as the keyframe where the encoding can
            hold that, else the encoding's convention.
        threads: how many compress a PNG file; the bytes are the same for any number.

    Returns:
        The format of what was written, every field known.

    Raises:
        TweenbridgeError: UNSUPPORTED_FORMAT when the encoding cannot hold what is asked for, DISK_FULL, DISK_FAILED.
    """
    target = result_format(like.format, output)
    if (like.format.height, like.format.width) != (target.height, target.width) or pixels.shape[:2] != (
        like.shown.height,
        like.shown.width,
    ):
        raise TweenbridgeError(
            ErrorCode.UNSUPPORTED_FORMAT,
            f"A result has its keyframe's size, {pixels.shape[1]} x {pixels.shape[0]}; "
            f"{target.width} x {target.height} was asked for.",
        )
    assert target.channels and target.dtype and target.colour and target.alpha and like.format.colour
    window = _window(like, target)
    stored = layout.turned_back(pixels, like.orientation) if _is_same(like, target) else pixels
    space = space_of(like, target)
    source = like.colour.space
    unchanged = spaces.same(source, space) and target.colour is like.format.colour
    samples = sampling.to_samples(
        placed(stored, like.shown, window) if like.orientation == 1 else stored,
        like.format.colour,
        target.channels,
        target.dtype,
        target.colour,
        target.alpha,
        _floor(like),
        ceiling=np.inf if like.ceiling is None else like.ceiling,
        bare=like.bare,
        convert=None if unchanged else lambda rgb: spaces.convert(rgb, source, space),
    )
    _save(path, samples, like, target, window, threads)
    return target


def rewrite(path: Path, source: Path, still: Still, name: str, threads: int = 1) -> PixelFormat:
    """Write a keyframe's own samples as a result in its format: nothing of them changes, its fields follow the table.

    Raises:
        TweenbridgeError: as `reading.read` and `write`.
    """
    samples = stored_samples(source, still, name)
    window = still.data if _keeps_window(still, still.format) else _display(still)
    if still.orientation == 1:
        samples = placed(samples, still.data, window)
    _save(path, samples, still, still.format, window, threads)
    return still.format


def space_of(like: Still, target: PixelFormat) -> spaces.Space:
    """The colour space of results."""
    assert like.format.colour and target.colour
    return declared.fitting(like.colour, like.format.encoding, target.encoding, like.format.colour, target.colour)


def remarks_on_results(like: Still, output: PixelFormat | None) -> tuple[Remark, ...]:
    """What is told of results in another format than the keyframe's: alpha and colours that it cannot hold."""
    target = result_format(like.format, output)
    assert target.channels and like.format.channels
    remarks = []
    encoding = ENCODING_NAMES[target.encoding]
    if has_alpha(like.format.channels) and not has_alpha(target.channels):
        remarks.append(Remark("alpha_lost", f"{encoding} holds no alpha: transparent parts of the results are black."))
    space = space_of(like, target)
    if not spaces.same(like.colour.space, space):
        before, after = declared.name_of(like.colour.space), declared.name_of(space)
        said = f"The results' colours are converted from {before} to {after}."
        remarks.append(Remark("colour_converted", said))
    return tuple(remarks)


def _is_same(like: Still, target: PixelFormat) -> bool:
    return target.encoding is like.format.encoding


def _display(like: Still) -> Window:
    assert like.format.width and like.format.height
    return Window(0, 0, like.format.width, like.format.height)


def _keeps_window(like: Still, target: PixelFormat) -> bool:
    if not _is_same(like, target) or like.orientation != 1:
        return False
    return target.encoding is Encoding.EXR or (
        target.encoding is Encoding.TIFF and like.data.left >= 0 and like.data.top >= 0
    )


def _window(like: Still, target: PixelFormat) -> Window:
    """The window of the samples that are written."""
    return like.data if _keeps_window(like, target) else _display(like)


def _save(
    path: Path, samples: sampling.Samples, like: Still, target: PixelFormat, window: Window, threads: int
) -> None:
    try:
        _check_space(path, samples.nbytes)
        if target.encoding is Encoding.RAW:
            samples.tofile(path)
        else:
            _write_file(path, samples, like, target, window, threads)
    except OSError as error:
        raise _write_error(path, error) from error


def _write_file(
    path: Path, samples: sampling.Samples, like: Still, target: PixelFormat, window: Window, threads: int
) -> None:
    assert target.dtype and target.colour
    height, width, channels = samples.shape
    spec = oiio.ImageSpec(width, height, channels, OIIO_TYPES[target.dtype])
    spec.channelnames = _CHANNEL_NAMES[channels]
    spec.alpha_channel = channels - 1 if has_alpha(channels) else -1
    for tag in metadata.kept(like.tags, like.format.encoding, target.encoding):
        spec.extra_attribs.append(tag)
    space = space_of(like, target)
    gray = channels < 3
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
        if channels == len(like.channel_names) and _is_same(like, target):
            spec.channelnames = like.channel_names
        if like.colour.chromaticities and space == like.colour.space:
            spec.attribute("chromaticities", "float[8]", like.colour.chromaticities)
    if _keeps_window(like, target):
        left, top = like.origin
        spec.x, spec.y = left + window.left, top + window.top
        spec.full_x, spec.full_y = like.origin
        display = _display(like)
        spec.full_width, spec.full_height = display.width, display.height
    if target.encoding in (Encoding.TIFF, Encoding.JPEG):
        icc = declared.icc_for(like.colour, space, gray, target.colour)
        if icc:
            spec.attribute("ICCProfile", f"uint8[{len(icc)}]", np.frombuffer(icc, np.uint8))
    undated = "datetime" not in {tag.name.lower() for tag in spec.extra_attribs}
    if undated and target.encoding in (Encoding.EXR, Encoding.TIFF):
        # Lest OpenImageIO write today's in several places.
        spec["DateTime"] = ""
    writer = oiio.ImageOutput.create(FORMAT_NAMES[target.encoding])
    assert writer is not None
    written = writer.open(str(path), spec) and writer.write_image(samples[: spec.height]) and writer.close()
    # For PNG a full disk shows in the error state alone; for TIFF that state may mean a harmless missing Exif block.
    if not written or (target.encoding is Encoding.PNG and writer.has_error):
        raise OSError("OpenImageIO could not write the file")
    if target.encoding is Encoding.PNG:
        png.fill(path, samples, threads, declared.png_chunks(like.colour, space, gray, target.colour))
    elif undated:
        dates.remove(path, target.encoding)


def _floor(like: Still) -> float:
    """The lowest colour of results: 0, or lower where a keyframe itself has negative light.

    Resampling overshoots at edges; where there is next to no alpha, the shaper would make much of it.
    """
    if like.floor is not None:
        return like.floor
    # Over all channels first: that is several times faster, and nearly always the answer.
    return min(0.0, float(like.pixels[..., :3].min())) if like.pixels.min() < 0 else 0.0


def _check_space(path: Path, size: int) -> None:
    """Refuse to begin a file for which there may be no room: libjpeg ends the whole process when the disk is full."""
    if shutil.disk_usage(path.parent).free < size + _SPACE_LEFT:
        raise OSError(errno.ENOSPC, "no space left")


def _write_error(path: Path, error: OSError) -> TweenbridgeError:
    path.unlink(missing_ok=True)
    return disk_error(error, "a frame")
