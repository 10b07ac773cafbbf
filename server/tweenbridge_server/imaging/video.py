"""Keyframes out of videos; films are made in `film.py`. PyAV (FFmpeg) does the decoding and encoding.

A keyframe argument `clip.mp4@36` means frame number 36, counted from 0 (`36f` too); a value with a colon or a point, or
one that ends in s, is a time: `@00:01.5`, `@1:02:03`, `@1.5`, `@90s`; it means the frame that shows at that time,
counted from the first frame. A file whose whole name, @ included, exists is a plain still.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame as DecodedFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream
from numpy.typing import NDArray
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from .film import encode
from .png import with_chunks
from .spaces import CICP_CURVES, CICP_PRIMARIES

_FRAME: Final = re.compile(r"(\d+)f?")
_SECONDS: Final = re.compile(r"(\d+\.\d*|\.\d+|\d+(?:\.\d*)?(?=s))s?")
_CLOCK: Final = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d*)?)")

__all__ = ["Length", "VideoFrame", "encode", "grab", "grabbed", "length", "number_of", "parse_keyframe_argument",
           "parse_position"]  # fmt: skip

_BT709: Final = 1
_UNSPECIFIED: Final = 2
_BT601: Final = 5
_WIDE: Final = frozenset({9, 11, 12})
"""Rec. 2020, DCI-P3 and Display P3 (ITU-T H.273, table 2)."""
_UNUSUAL_CURVES: Final = frozenset({8, 16, 18})
"""Linear light, PQ, HLG (table 3)."""
_HD_HEIGHT: Final = 577
"""Untagged pictures of at least this height have BT.709 colours, smaller ones BT.601, as broadcast has it."""
_CAREFUL: Final = 0x4 | 0x40000 | 0x2000
"""libswscale's flags for bicubic, accurate rounding, full chroma; as numbers, because older PyAV lacks some names."""


@dataclass(frozen=True)
class VideoFrame:
    """One frame of a video: by its number from 0, or by its time in seconds; exactly one is given."""

    path: Path
    number: int | None = None
    seconds: Fraction | None = None


def parse_keyframe_argument(argument: str) -> VideoFrame | None:
    """What a keyframe argument of the command line means; None for a plain still.

    Raises:
        TweenbridgeError: BAD_REQUEST when a video is named and what follows the @ is neither a number nor a time.
    """
    name, at, position = argument.rpartition("@")
    if not at or Path(argument).exists() or not Path(name).is_file():
        return None
    return parse_position(Path(name), position)


def parse_position(path: Path, position: str) -> VideoFrame:
    """A frame of a video by what stands behind the @.

    Raises:
        TweenbridgeError: BAD_REQUEST when that is neither a number nor a time.
    """
    if match := _FRAME.fullmatch(position):
        return VideoFrame(path, number=int(match[1]))
    if match := _SECONDS.fullmatch(position):
        return VideoFrame(path, seconds=Fraction(match[1]))
    if match := _CLOCK.fullmatch(position):
        return VideoFrame(path, seconds=int(match[1] or 0) * 3600 + int(match[2]) * 60 + Fraction(match[3]))
    raise TweenbridgeError(
        ErrorCode.BAD_REQUEST,
        f"{position!r} in {path}@{position} is neither a frame number nor a time.",
        remedy=f"Write {path.name}@36 for frame 36, or {path.name}@00:01.5 for a time.",
    )


def grab(wanted: VideoFrame, out: Path, side: int = 0) -> None:
    """Write `grabbed` to a file."""
    out.write_bytes(grabbed(wanted, side))


def grabbed(wanted: VideoFrame, side: int = 0) -> bytes:
    """One frame of a video as a PNG: RGB or RGBA, 8 bits, or 16 where the video has more, turned as it is shown.

    HDR and wide colours are declared in it (cICP), and so are pixels that are not square (pHYs).

    Args:
        side: most pixels of the longer side; 0 keeps the video's size.

    Raises:
        TweenbridgeError: BAD_KEYFRAME for a file that is no video or is damaged, BAD_REQUEST past the video's end.
    """
    with _plain_errors(wanted.path):
        pixels = _pixels(_find(wanted))
        chunks = _declared(wanted)
    longest = max(pixels.shape[:2])
    if 0 < side < longest:
        height, width = (max(1, round(length * side / longest)) for length in pixels.shape[:2])
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    ok, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert ok
    return with_chunks(data.tobytes(), chunks)


def _declared(wanted: VideoFrame) -> list[tuple[bytes, bytes]]:
    """What the video says of its colours and its pixels' shape, as PNG chunks; nothing for what is usual."""
    chunks = []
    with _opened(wanted) as (_, stream):
        primaries, curve = int(stream.codec_context.color_primaries), int(stream.codec_context.color_trc)
        if primaries in _WIDE or curve in _UNUSUAL_CURVES:
            known = primaries if primaries in CICP_PRIMARIES else _BT709
            chunks.append((b"cICP", bytes([known, curve if curve in CICP_CURVES else _BT709, 0, 1])))
        aspect = stream.sample_aspect_ratio
        if aspect and aspect != 1:
            chunks.append((b"pHYs", struct.pack(">IIB", aspect.denominator, aspect.numerator, 0)))
    return chunks


@dataclass(frozen=True)
class Length:
    """How many frames a video has, and how many it shows each second."""

    frames: int
    rate: Fraction


def length(path: Path) -> Length:
    """Count a video's frames; where it has no time stamps, they are all decoded for it.

    Raises:
        TweenbridgeError: BAD_KEYFRAME for a file that is no video or is damaged.
    """
    wanted = VideoFrame(path)
    with _plain_errors(path), _opened(wanted) as (container, stream):
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        times = _presentation_times(container, stream, wanted)
        if times is not None:
            return Length(len(times), rate)
    with _plain_errors(path), _opened(wanted) as (container, stream):
        return Length(sum(1 for _ in _decoded(container, stream)), rate)


def number_of(wanted: VideoFrame) -> int:
    """The number of the frame that is wanted by number or by time.

    Raises:
        TweenbridgeError: as `grab`.
    """
    with _plain_errors(wanted.path), _opened(wanted) as (container, stream):
        return _number(wanted, _presentation_times(container, stream, wanted), stream)


@contextmanager
def _plain_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        raise TweenbridgeError(
            ErrorCode.BAD_KEYFRAME,
            f"{path.name} cannot be read as a video: {error.strerror or 'it is damaged'}.",
            remedy="Check that the file plays, or export the frame as a still.",
        ) from error


# ---------------------------------------------------------------- finding a frame


def _find(wanted: VideoFrame) -> DecodedFrame:
    with _opened(wanted) as (container, stream):
        times = _presentation_times(container, stream, wanted)
        number = _number(wanted, times, stream)
    if times is not None:
        with _opened(wanted) as (container, stream):
            frame = _seek(container, stream, times[number])
            if frame is not None:
                return frame
    count = 0
    with _opened(wanted) as (container, stream):
        for count, frame in enumerate(_decoded(container, stream), start=1):
            if count == number + 1:
                return frame
        raise _past_end(wanted, count, stream)


@contextmanager
def _opened(wanted: VideoFrame) -> Iterator[tuple[InputContainer, VideoStream]]:
    with av.open(str(wanted.path)) as container:
        if not container.streams.video:
            raise TweenbridgeError(ErrorCode.BAD_KEYFRAME, f"{wanted.path.name} has no picture.")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield container, stream


def _seek(container: InputContainer, stream: VideoStream, time: int) -> DecodedFrame | None:
    """The frame of that time stamp, decoded from the sync point before it; None where the file cannot be sought in."""
    try:
        container.seek(time, stream=stream, backward=True)
        for frame in _decoded(container, stream):
            if frame.pts == time:
                return frame
            if frame.pts is None or frame.pts > time:
                return None
    except (av.FFmpegError, OSError):
        return None
    return None


def _number(wanted: VideoFrame, times: list[int] | None, stream: VideoStream) -> int:
    """The wanted frame's number in order of presentation. Without time stamps it follows from the rate."""
    if times is None:
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        return int((wanted.seconds or Fraction(0)) * rate) if wanted.number is None else wanted.number
    if wanted.number is not None:
        if wanted.number >= len(times):
            raise _past_end(wanted, len(times), stream)
        return wanted.number
    seconds = wanted.seconds or Fraction(0)
    last = Fraction(1) / stream.average_rate if stream.average_rate else Fraction(1, 25)
    if not times or seconds >= _seconds(times[-1] - times[0], stream) + last:
        raise _past_end(wanted, len(times), stream)
    return sum(_seconds(time - times[0], stream) <= seconds for time in times) - 1


def _presentation_times(container: InputContainer, stream: VideoStream, wanted: VideoFrame) -> list[int] | None:
    """The frames' time stamps in order of presentation, to a little past the wanted one; None where they are missing.

    Only packets are read, nothing is decoded. No later packet is shown before the decoding time of one at hand, so
    reading stops once enough frames lie before that.
    """
    times: list[int] = []
    settled = 0
    for packet in container.demux(stream):
        if packet.size == 0 or packet.is_discard:
            continue
        if packet.pts is None or packet.dts is None:
            return None
        times.append(packet.pts)
        if len(times) % 64 == 0:
            settled = sum(time < packet.dts for time in times)
        if wanted.number is not None and settled > wanted.number + 1:
            break
        if wanted.seconds is not None and settled and _seconds(packet.dts - min(times), stream) > wanted.seconds + 1:
            break
    return sorted(times)


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[DecodedFrame]:
    for frame in container.decode(stream):
        assert isinstance(frame, DecodedFrame)
        yield frame


def _seconds(ticks: int, stream: VideoStream) -> Fraction:
    return ticks * (stream.time_base or Fraction(1))


def _past_end(wanted: VideoFrame, count: int, stream: VideoStream) -> TweenbridgeError:
    rate = stream.average_rate
    length = f", {float(count / rate):.2f} seconds" if rate else ""
    asked = f"frame {wanted.number}" if wanted.number is not None else f"{float(wanted.seconds or 0):g} s"
    return TweenbridgeError(
        ErrorCode.BAD_REQUEST,
        f"{wanted.path.name} has {count} frames{length}; {asked} lies past its end.",
        remedy=f"Choose a frame from 0 to {count - 1}." if count else "Use another video.",
    )


def _pixels(frame: DecodedFrame) -> NDArray[Any]:
    """A decoded frame as (H, W, 3|4) uint8 or uint16 in OpenCV's channel order, upright."""
    bits = max(component.bits for component in frame.format.components)
    deep = bits > 8
    transparent = any(component.is_alpha for component in frame.format.components)
    matrix = frame.colorspace
    if matrix == _UNSPECIFIED or matrix == 0:
        matrix = _BT709 if frame.height >= _HD_HEIGHT else _BT601
    target = {(False, False): "rgb24", (False, True): "rgba", (True, False): "rgb48le", (True, True): "rgba64le"}
    rgb = frame.reformat(
        format=target[deep, transparent],
        src_colorspace=None if frame.format.is_rgb else matrix,
        dst_color_range=ColorRange.JPEG,
        interpolation=_CAREFUL,
    ).to_ndarray()
    if deep and not frame.format.is_rgb:
        # swscale widens 10-bit and 12-bit video by shifting, which leaves white a little below 65535.
        white = ((1 << bits) - 1) << (16 - bits) if frame.color_range == ColorRange.JPEG else 255 << 8
        colour = rgb[..., :3]
        colour[...] = np.minimum(np.rint(colour * np.float32(65535 / white)), 65535)
    upright = np.rot90(rgb, round(frame.rotation / 90))
    return np.ascontiguousarray(upright[..., [2, 1, 0, 3] if transparent else [2, 1, 0]])
