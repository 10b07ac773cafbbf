"""What a job is made from: keyframes as files or bytes, described by hash and size, and read only when the server asks.

Nothing here holds more than one keyframe's bytes at a time.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Mapping, Optional, Sequence, Union

import msgpack

from .pixels import Encoding, PixelFormat, sniff
from .protocol.codec import to_plain
from .protocol.errors import ErrorCode, TweenbridgeError
from .protocol.limits import Limits
from .protocol.messages import JobRequest, Keyframe, Scalar
from .timing import Schedule, Timing, schedule
from .words import one_line

_CHUNK = 1 << 20
_SIGNATURE_BYTES = 16
_HASHING_THREADS = 2
"""They read a large file while another is hashed."""

PathLike = Union[str, "os.PathLike[str]"]
Bytes = Union[bytes, bytearray, memoryview]


@dataclass(frozen=True)
class KeyframeSource:
    """One keyframe, where its bytes are and where it lies on the timeline.

    Attributes:
        data: a file's path, or the bytes themselves (of a file, or RAW rows with a `format`).
        position: timeline frame; either every keyframe of a job has one or none has.
        format: what the bytes are; None takes it from the bytes. RAW needs width, height, channels and dtype.
        name: what the user calls it, for error messages; "" takes the file's name.
    """

    data: Union[PathLike, Bytes]
    position: Optional[int] = None
    format: Optional[PixelFormat] = None
    name: str = ""

    @property
    def label(self) -> str:
        """The name, else the file's name, else nothing."""
        if self.name or not isinstance(self.data, (str, os.PathLike)):
            return self.name
        return Path(self.data).name


KeyframeLike = Union[KeyframeSource, PathLike, Bytes]
"""What is accepted as a keyframe."""


def _named(index: int, source: KeyframeSource) -> str:
    return f"Keyframe {index + 1} ({source.label})" if source.label else f"Keyframe {index + 1}"


def _even_distance(timing: Timing) -> int:
    """Timeline frames from one keyframe to the next when the keyframes have no positions."""
    if timing.count is not None:
        return timing.count + 1
    if timing.chart:
        return (len(timing.chart) + 1) * timing.hold
    raise TweenbridgeError(
        ErrorCode.BAD_REQUEST,
        "The number of in-betweens is not given, and the keyframes have no positions to tell it from.",
    )


def place(keyframes: Sequence[KeyframeLike], timing: Timing) -> tuple[KeyframeSource, ...]:
    """Keyframes as sources with positions; those without get evenly spaced ones that `timing` fits in.

    Raises:
        TweenbridgeError: BAD_REQUEST when only some have positions, or nothing tells the number of in-betweens.
    """
    sources = [item if isinstance(item, KeyframeSource) else KeyframeSource(item) for item in keyframes]
    with_position = sum(source.position is not None for source in sources)
    if with_position == len(sources):
        return tuple(sources)
    if with_position:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, "Some keyframes have a position and some have none: give all of them one, or none."
        )
    distance = _even_distance(timing)
    return tuple(dataclasses.replace(source, position=i * distance) for i, source in enumerate(sources))


# ---------------------------------------------------------------- bytes


def read(index: int, source: KeyframeSource) -> Bytes:
    """All bytes of one keyframe.

    Raises:
        TweenbridgeError: BAD_KEYFRAME, naming the keyframe.
    """
    if not isinstance(source.data, (str, os.PathLike)):
        return source.data
    try:
        return Path(source.data).read_bytes()
    except OSError as error:
        raise _unreadable(index, source, error) from error


def _unreadable(index: int, source: KeyframeSource, error: OSError) -> TweenbridgeError:
    reason = (error.strerror or str(error)).lower()
    return TweenbridgeError(
        ErrorCode.BAD_KEYFRAME,
        f"{_named(index, source)} cannot be read: {reason}.",
        remedy="Check that the keyframe's file exists and may be read.",
    )


def _hash_file(file: BinaryIO) -> tuple[bytes, int, str]:
    """(first bytes, size, SHA-256) of a file."""
    digest, size, start = hashlib.sha256(), 0, b""
    while True:
        chunk = file.read(_CHUNK)
        if not chunk:
            return start, size, digest.hexdigest()
        start = start or chunk[:_SIGNATURE_BYTES]
        digest.update(chunk)
        size += len(chunk)


def _format(index: int, source: KeyframeSource, start: bytes, size: int) -> PixelFormat:
    if source.format is None:
        encoding = sniff(start)
        if encoding is None:
            raise TweenbridgeError(
                ErrorCode.UNSUPPORTED_FORMAT, f"{_named(index, source)} is not a PNG, TIFF, OpenEXR or JPEG image."
            )
        return PixelFormat(encoding)
    if source.format.encoding is Encoding.RAW and source.format.raw_size() != size:
        raise TweenbridgeError(
            ErrorCode.BAD_KEYFRAME,
            f"{_named(index, source)} has {size} bytes, but its format makes {source.format.raw_size()}.",
        )
    return source.format


def describe(index: int, source: KeyframeSource) -> Keyframe:
    """What the server is told of a keyframe before it asks for the bytes.

    Raises:
        TweenbridgeError: BAD_KEYFRAME or UNSUPPORTED_FORMAT, naming the keyframe.
    """
    if source.position is None:
        raise TweenbridgeError(ErrorCode.BAD_REQUEST, f"{_named(index, source)} has no position.")
    if isinstance(source.data, (str, os.PathLike)):
        try:
            with open(source.data, "rb") as file:
                start, size, digest = _hash_file(file)
        except OSError as error:
            raise _unreadable(index, source, error) from error
    else:
        view = memoryview(source.data).cast("B")
        start, size, digest = bytes(view[:_SIGNATURE_BYTES]), view.nbytes, hashlib.sha256(view).hexdigest()
    if not size:
        raise TweenbridgeError(ErrorCode.BAD_KEYFRAME, f"{_named(index, source)} is empty.")
    return Keyframe(
        sha256=digest,
        size=size,
        format=_format(index, source, start, size),
        position=source.position,
        name=one_line(source.label),
    )


# ---------------------------------------------------------------- requests


@dataclass(frozen=True)
class Order:
    """What a caller asks for, before any keyframe was read: `request` turns it into what the server is asked.

    Attributes:
        sources: the keyframes, all with positions.
        timing, engine, profile, settings, output: as in `JobRequest`.
        plan: the drawings this makes.
    """

    sources: tuple[KeyframeSource, ...]
    timing: Timing
    engine: str
    profile: str
    settings: dict[str, Scalar]
    output: Optional[PixelFormat]
    plan: Schedule

    def request(self) -> JobRequest:
        """Hash the keyframes and put the request together. Reads every file once.

        Raises:
            TweenbridgeError: BAD_KEYFRAME or UNSUPPORTED_FORMAT, naming the keyframe.
        """
        with ThreadPoolExecutor(_HASHING_THREADS, "tweenbridge-hashing") as threads:
            keyframes = tuple(threads.map(describe, range(len(self.sources)), self.sources))
        return JobRequest(keyframes, self.timing, self.engine, self.profile, self.settings, self.output)


def make_order(
    keyframes: Sequence[KeyframeLike],
    *,
    count: Optional[int] = None,
    timing: Optional[Timing] = None,
    engine: str = "flow",
    profile: str = "",
    settings: Optional[Mapping[str, Scalar]] = None,
    output: Optional[PixelFormat] = None,
) -> Order:
    """Check the timing and give every keyframe its position. Reads no file.

    Raises:
        TweenbridgeError: BAD_REQUEST when the keyframes' positions and the timing do not fit.
    """
    timing = timing or Timing()
    if count is not None:
        timing = dataclasses.replace(timing, count=count)
    sources = place(keyframes, timing)
    plan = schedule([source.position for source in sources if source.position is not None], timing)
    return Order(sources, timing, engine, profile, dict(settings or {}), output, plan)


def job_id_for(request: JobRequest) -> str:
    """A job id made from the request's contents: the same keyframes and settings give the same id, on every machine.

    Submitting under such an id carries on where an interrupted run of the same request stopped.
    """
    plain = to_plain(request)
    plain["settings"] = sorted(plain["settings"].items())
    return hashlib.sha256(msgpack.packb(plain)).hexdigest()[:32]


def check_limits(request: JobRequest, frames: int, limits: Limits) -> None:
    """Compare a request with what the server accepts, before any of it is sent.

    Raises:
        TweenbridgeError: TOO_LARGE, naming the keyframe or the number that is too large.
    """
    if len(request.keyframes) > limits.keyframes_per_job:
        raise TweenbridgeError(
            ErrorCode.TOO_LARGE,
            f"A job may have {limits.keyframes_per_job} keyframes; this one has {len(request.keyframes)}.",
        )
    if frames > limits.frames_per_job:
        raise TweenbridgeError(
            ErrorCode.TOO_LARGE, f"A job may make {limits.frames_per_job} drawings; this one asks for {frames}."
        )
    for index, keyframe in enumerate(request.keyframes):
        if keyframe.size > limits.frame_bytes:
            name = f" ({keyframe.name})" if keyframe.name else ""
            raise TweenbridgeError(
                ErrorCode.TOO_LARGE,
                f"Keyframe {index + 1}{name} has {keyframe.size} bytes; {limits.frame_bytes} are allowed.",
            )
