"""What a job gives: frames, each with its place in time."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Sequence, Union

from .pixels import FILE_SUFFIX, PixelFormat, encoding_for
from .protocol.errors import ErrorCode, TweenbridgeError
from .protocol.messages import FrameData, Keyframe
from .timing import Schedule


@dataclass(frozen=True, eq=False)
class Frame:
    """One finished drawing.

    Attributes:
        job: the job it belongs to.
        index: its number among the job's drawings, in time order.
        gap: the gap between keyframes `gap` and `gap + 1` (the loop's gap leads back to keyframe 0).
        t: its time in the gap, 0 to 1.
        slots: the slots (1..N) of the gap that show it; more than one on a hold.
        positions: the timeline frames of those slots, counted from the gap's first keyframe.
        format: what the bytes are.
        sha256: hash of the bytes.
        data: the bytes of the file, or RAW rows. Valid for as long as it is kept.
    """

    job: str
    index: int
    gap: int
    t: float
    slots: tuple[int, ...]
    positions: tuple[int, ...]
    format: PixelFormat
    sha256: str
    data: memoryview = field(repr=False)

    def save(self, path: Union[str, os.PathLike[str]]) -> Path:
        """Write the bytes to a file, so that nobody ever sees half of it. Returns the file's path.

        A path without an ending gets that of the format. Missing folders are made.

        Raises:
            TweenbridgeError: BAD_REQUEST when the ending promises another format than the frame has.
            OSError: the file cannot be written.
        """
        target = Path(path)
        if not target.suffix:
            target = target.with_suffix(FILE_SUFFIX[self.format.encoding])
        elif encoding_for(target.name) not in (None, self.format.encoding):
            raise TweenbridgeError(
                ErrorCode.BAD_REQUEST,
                f"{target.name} would hold a {self.format.encoding.value.upper()} image.",
                remedy=f"Let the name end in {FILE_SUFFIX[self.format.encoding]}, or ask for another output format.",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            part.write_bytes(self.data)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
        return target


def place_frame(reply: FrameData, data: memoryview, plan: Schedule, keyframes: Sequence[Keyframe]) -> Frame:
    """Put a frame that arrived where the schedule says."""
    drawing = plan.drawings[reply.frame]
    slots = plan.slots_of(drawing)
    start = keyframes[plan.gaps[drawing.gap].a].position
    return Frame(
        job=reply.job,
        index=drawing.index,
        gap=drawing.gap,
        t=drawing.t,
        slots=slots,
        positions=tuple(start + slot for slot in slots),
        format=reply.format,
        sha256=reply.sha256,
        data=data,
    )
