"""From a request to gaps, drawings and the content address of every frame. Pure.

A frame's key is a hash of everything that decides its bytes: both keyframes (bytes and declared form), the engine and
its version, the profile, the complete settings, the identity of the model, the time in the gap and the form of the
result; and all keyframes of the job where the engine looks at all of them. Equal keys mean equal frames, whichever job
asks.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgpack
from tweenbridge import timing
from tweenbridge.protocol.codec import to_plain
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobRequest, Keyframe, Note, Scalar

SCHEME = 3
"""Part of every key; raised when imaging changes what a frame's bytes are."""


class Relation(str, Enum):
    """How the two keyframes of a gap relate."""

    MOTION = "motion"
    CUT = "cut"
    IDENTICAL = "identical"


class Source(Enum):
    """Where a drawing comes from."""

    ENGINE = "engine"
    A = "a"
    B = "b"


@dataclass(frozen=True)
class PlannedFrame:
    """One drawing: its index in the job, its time in the gap and its content address."""

    index: int
    t: float
    key: str


@dataclass(frozen=True)
class PlannedGap:
    """One gap: keyframe indices `a` and `b` and its drawings in time order."""

    index: int
    a: int
    b: int
    frames: tuple[PlannedFrame, ...]


@dataclass(frozen=True)
class Plan:
    """All gaps of a job; `keys[i]` is the content address of drawing i."""

    gaps: tuple[PlannedGap, ...]
    keys: tuple[str, ...]


def canonical(value: Any) -> bytes:
    """Msgpack bytes that do not depend on the order of map keys."""

    def ordered(item: Any) -> Any:
        if isinstance(item, Mapping):
            return {key: ordered(item[key]) for key in sorted(item)}
        if isinstance(item, (list, tuple)):
            return [ordered(part) for part in item]
        return item

    packed: bytes = msgpack.packb(ordered(to_plain(value)))
    return packed


def params_hash(request: JobRequest) -> str:
    """What tells two requests apart."""
    return hashlib.sha256(canonical(request)).hexdigest()


def check_size(request: JobRequest, most_frames: int) -> None:
    """Refuse a schedule that would be absurdly long, before it is laid out.

    Raises:
        TweenbridgeError: TOO_LARGE.
    """
    positions = [keyframe.position for keyframe in request.keyframes]
    lengths = [max(0, b - a - 1) for a, b in zip(positions, positions[1:])]
    if request.timing.loop and lengths:
        lengths.append(lengths[-1])
    count = request.timing.count
    slots = sum(lengths) if count is None else count * len(lengths)
    if slots > most_frames * timing.MAX_HOLD or len(request.timing.chart) > most_frames:
        raise too_many_frames(most_frames)


def too_many_frames(most_frames: int) -> TweenbridgeError:
    """The error for a job of more drawings than the server makes."""
    return TweenbridgeError(
        ErrorCode.TOO_LARGE,
        f"The job asks for more than {most_frames} in-betweens.",
        remedy="Ask for fewer in-betweens, or split the job.",
    )


@dataclass(frozen=True)
class Making:
    """How a job's frames are made: what decides their bytes beside keyframes, times and output.

    Attributes:
        version: of the engine.
        profile, settings: resolved, none left out.
        identity: of the model; "" for engines without one.
        whole_shot: every frame depends on all keyframes of the job.
    """

    version: str
    profile: str
    settings: dict[str, Scalar]
    identity: str = ""
    whole_shot: bool = False


def gap_seed(a: Keyframe, b: Keyframe, request: JobRequest, making: Making) -> bytes:
    """Hash of what all frames of one gap have in common (32 bytes)."""
    shot = _contents(request.keyframes) if making.whole_shot else []
    common = [SCHEME, _contents((a, b)), shot, request.engine, making.version, making.profile, making.settings]
    return hashlib.sha256(canonical([*common, making.identity, request.output])).digest()


def _contents(keyframes: Sequence[Keyframe]) -> list[Any]:
    return [[keyframe.sha256, keyframe.format] for keyframe in keyframes]


def frame_key(seed: bytes, t: float) -> str:
    """Content address of the frame at time `t` of the gap that `seed` describes (64 hexadecimal digits)."""
    return hashlib.sha256(seed + struct.pack("<d", t)).hexdigest()


def make_plan(request: JobRequest, making: Making) -> Plan:
    """Lay a request out.

    Raises:
        TweenbridgeError: BAD_REQUEST, from the timing.
    """
    layout = timing.schedule([keyframe.position for keyframe in request.keyframes], request.timing)
    seeds = [gap_seed(request.keyframes[gap.a], request.keyframes[gap.b], request, making) for gap in layout.gaps]
    frames: list[list[PlannedFrame]] = [[] for _ in layout.gaps]
    keys: list[str] = []
    for drawing in layout.drawings:
        key = frame_key(seeds[drawing.gap], drawing.t)
        keys.append(key)
        frames[drawing.gap].append(PlannedFrame(drawing.index, drawing.t, key))
    gaps = tuple(PlannedGap(gap.index, gap.a, gap.b, tuple(frames[gap.index])) for gap in layout.gaps)
    return Plan(gaps, tuple(keys))


def source(relation: Relation, t: float) -> Source:
    """Where the drawing at time `t` comes from: the engine, or a copy of a keyframe. A cut holds the nearer one."""
    if t <= 0.0:
        return Source.A
    if t >= 1.0:
        return Source.B
    if relation is Relation.IDENTICAL:
        return Source.A
    if relation is Relation.CUT:
        return Source.A if t < 0.5 else Source.B
    return Source.ENGINE


def _called(keyframes: Sequence[Keyframe], index: int) -> str:
    name = keyframes[index].name
    return f"{index + 1} ({name})" if name else str(index + 1)


def note(relation: Relation, gap: PlannedGap, keyframes: Sequence[Keyframe]) -> Note | None:
    """What the user should know about a gap that was not interpolated, or None."""
    if not gap.frames or relation is Relation.MOTION:
        return None
    between = f"keyframes {_called(keyframes, gap.a)} and {_called(keyframes, gap.b)}"
    if relation is Relation.CUT:
        text = f"Between {between} is a cut, so the nearer one is held. For motion up to it, add keyframes beside it."
        return Note("cut", text, gap.index)
    return Note("identical", f"No motion: {between} are identical, so their in-betweens are copies.", gap.index)
