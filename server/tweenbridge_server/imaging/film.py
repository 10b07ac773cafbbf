"""Films out of stills: H.264 that plays everywhere, HEVC where the stills are HDR, FFV1 where nothing may be lost.

A film is in one colour space and says so. Stills in sRGB, in wider spaces and in linear light make a film of BT.709
primaries with the numbers of sRGB, as screens show them; stills in PQ or HLG make one of BT.2020 with that curve.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame as DecodedFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream
from numpy.typing import NDArray
from tweenbridge.pixels import SampleType
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from .display import read_still, shown
from .spaces import HLG, REC2020, SRGB_SPACE, Space
from .still import Still

_CAREFUL: Final = 0x4 | 0x40000 | 0x2000
"""libswscale's flags for bicubic, accurate rounding, full chroma; as numbers, because older PyAV lacks some names."""
_RGB, _BT709, _BT2020 = 0, 1, 9
_SRGB_CURVE, _PQ_CURVE, _HLG_CURVE = 13, 16, 18
"""ITU-T H.273, tables 2 to 4."""


@dataclass(frozen=True)
class _Kind:
    """How a film is encoded, and what it says of its colours (ITU-T H.273)."""

    space: Space
    codec: str
    pixels: str
    matrix: int
    primaries: int
    curve: int
    options: dict[str, str]
    lossless: bool = False


_SDR: Final = _Kind(
    SRGB_SPACE, "h264", "yuv420p", _BT709, _BT709, _BT709, {"crf": "16", "preset": "fast", "profile": "high"}
)


def encode(frames: Iterable[Path], out: Path, fps: float | Fraction) -> bool:
    """Make a film. Transparent pictures lie on light grey; pixels that are not square are said so, but not in `.mkv`.

    Args:
        frames: still images of one size, in order. Odd sizes are continued by one row or column to even ones.
        out: the file to write. `.mkv` holds the pictures without loss (FFV1, RGB); others are H.264 with 4:2:0, or HEVC
            with 10 bits where the first still is in PQ or HLG.
        fps: frames per second; 23.976 and its like mean the exact NTSC rate.

    Returns:
        whether something was transparent, which films do not hold.

    Raises:
        TweenbridgeError: BAD_REQUEST for no frames, unequal sizes or a senseless rate; what `io.read` raises;
            DISK_FULL, INTERNAL.
    """
    rate = _exact_rate(fps)
    lossless = out.suffix.lower() == ".mkv"
    try:
        form = "matroska" if lossless else "mp4"
        with av.open(str(out), "w", format=form, options={} if lossless else {"movflags": "+faststart"}) as container:
            return _encode(container, frames, rate, lossless)
    except BaseException as error:
        out.unlink(missing_ok=True)
        if isinstance(error, (av.FFmpegError, OSError)):
            raise _encode_error(out, error) from error
        raise


def _kind(still: Still, lossless: bool) -> _Kind:
    """What kind of film a first still asks for."""
    space = still.colour.space
    hdr = Space(primaries=REC2020, curve=space.curve) if space.is_hdr else None
    curve = _SRGB_CURVE if hdr is None else _HLG_CURVE if hdr.curve == HLG else _PQ_CURVE
    if lossless:
        deep = still.format.dtype is not SampleType.UINT8 or hdr is not None
        primaries = _BT709 if hdr is None else _BT2020
        return _Kind(hdr or SRGB_SPACE, "ffv1", "gbrp16le" if deep else "bgr0", _RGB, primaries, curve, {}, True)
    if hdr is None:
        return _SDR
    options = {"crf": "16", "preset": "fast", "x265-params": "log-level=none:info=0"}
    return _Kind(hdr, "libx265", "yuv420p10le", _BT2020, _BT2020, curve, options)


def _encode(container: OutputContainer, frames: Iterable[Path], rate: Fraction, lossless: bool) -> bool:
    stream: VideoStream | None = None
    kind, size, transparent = _SDR, (0, 0), False
    for path in frames:
        still = read_still(path)
        if stream is None:
            kind = _kind(still, lossless)
        picture = shown(still, kind.space)
        transparent |= still.pixels.shape[2] == 4 and float(still.pixels[..., 3].min()) < 1
        height, width = picture.shape[:2]
        odd = (0, 0) if lossless else (height % 2, width % 2)
        even = np.pad(picture, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")
        if stream is None:
            size = (width, height)
            stream = _video_stream(container, even.shape[1], even.shape[0], rate, kind, _pixel_aspect(still))
        elif size != (width, height):
            raise TweenbridgeError(
                ErrorCode.BAD_REQUEST,
                f"{path.name} is {width} x {height} pixels large, and the video's first frame {size[0]} x {size[1]}.",
                remedy="Use frames of one size.",
            )
        container.mux(stream.encode(_frame(even, kind)))
    if stream is None:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, "There are no frames to make a video of.", remedy="Generate in-betweens first."
        )
    container.mux(stream.encode(None))
    return transparent


def _frame(picture: NDArray[np.float32], kind: _Kind) -> DecodedFrame:
    deep = kind.pixels not in ("yuv420p", "bgr0")
    highest, dtype = (65535, np.uint16) if deep else (255, np.uint8)
    numbers: NDArray[Any] = np.rint(picture * np.float32(highest)).astype(dtype)
    frame = DecodedFrame.from_ndarray(numbers, format="rgb48le" if deep else "rgb24")
    if kind.lossless:
        converted = frame.reformat(format=kind.pixels)
    else:
        converted = frame.reformat(
            format=kind.pixels,
            dst_colorspace=kind.matrix,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=_CAREFUL,
        )
    return converted


def _video_stream(
    container: OutputContainer, width: int, height: int, rate: Fraction, kind: _Kind, aspect: Fraction
) -> VideoStream:
    stream = container.add_stream(kind.codec, rate=rate, options=kind.options)
    assert isinstance(stream, VideoStream)
    stream.width, stream.height, stream.pix_fmt = width, height, kind.pixels
    context = stream.codec_context
    context.colorspace, context.color_primaries, context.color_trc = kind.matrix, kind.primaries, kind.curve
    context.color_range = ColorRange.JPEG if kind.lossless else ColorRange.MPEG
    if aspect != 1:
        context.sample_aspect_ratio = aspect
    if kind.codec == "libx265":
        # The name under which players of Apple's look for it.
        context.codec_tag = "hvc1"
    return stream


def _pixel_aspect(still: Still) -> Fraction:
    """A pixel's width by its height."""
    value = next((tag.value for tag in still.tags if tag.name == "PixelAspectRatio"), 1.0)
    if not isinstance(value, float) or not 0.1 < value < 10:
        return Fraction(1)
    aspect = Fraction(value).limit_denominator(1000)
    return 1 / aspect if still.orientation >= 5 else aspect


def _exact_rate(fps: float | Fraction) -> Fraction:
    """`fps` as the nearest whole or NTSC (n * 1000 / 1001) rate where it is close to one."""
    if not 0 < fps <= 1000:
        raise TweenbridgeError(ErrorCode.BAD_REQUEST, f"{fps} frames per second is no rate for a video.")
    exact = Fraction(fps)
    candidates = (Fraction(round(exact)), Fraction(round(exact * Fraction(1001, 1000)) * 1000, 1001))
    nearest = min(candidates, key=lambda rate: abs(rate - exact))
    return nearest if abs(nearest - exact) < Fraction(1, 100) else exact.limit_denominator(1001)


def _encode_error(out: Path, error: BaseException) -> TweenbridgeError:
    if getattr(error, "errno", None) == errno.ENOSPC:
        return TweenbridgeError(ErrorCode.DISK_FULL, f"The disk is full: {out.name} could not be written.")
    reason = getattr(error, "strerror", None) or "the encoder failed"
    return TweenbridgeError(
        ErrorCode.BAD_REQUEST,
        f"{out.name} could not be written: {reason}.",
        remedy="Choose another file for the video.",
    )
