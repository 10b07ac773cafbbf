"""A client whose server answers at once, with plain frames: for tests by the thousand of what is done with frames."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import Any

from tweenbridge.events import Event, FrameArrived, JobEnded
from tweenbridge.pixels import Encoding, PixelFormat, SampleType
from tweenbridge.protocol.messages import JobState
from tweenbridge.results import Frame
from tweenbridge.timing import Schedule, Timing, schedule
from tweenbridge_resolve import tiff

_SIZE = (12, 6)


def colour(index: int) -> tuple[int, int, int]:
    """What fills a drawing, 0 to 65535: no two alike."""
    return 40000 + 257 * index, 20000, 1000 + 257 * index


@dataclass
class Handle:
    """A job."""

    id: str
    plan: Schedule
    ended: bool = False
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class InstantClient:
    """As much of `tweenbridge.client.Client` as a run uses. One frame arrives with each `poll`, then the end."""

    def __init__(self) -> None:
        self._job: Handle | None = None
        self._sent = 0

    def submit(self, sources: Any, *, timing: Timing, **_: Any) -> Handle:
        self._job = Handle(uuid.uuid4().hex, schedule([source.position for source in sources], timing))
        self._sent = 0
        return self._job

    def ask(self, message: object) -> None:
        return None

    def poll(self, timeout: float = 0.0) -> list[Event]:
        job = self._job
        if job is None or job.ended:
            return []
        if job.cancelled or self._sent == len(job.plan.drawings):
            job.ended = True
            return [JobEnded(job.id, JobState.CANCELLED if job.cancelled else JobState.DONE)]
        drawing = job.plan.drawings[self._sent]
        self._sent += 1
        data = tiff.write(*_SIZE, list(colour(drawing.index)) * (_SIZE[0] * _SIZE[1]))
        frame = Frame(
            job.id, drawing.index, drawing.gap, drawing.t, (), (), PixelFormat(Encoding.TIFF, dtype=SampleType.UINT16),
            hashlib.sha256(data).hexdigest(), memoryview(data),
        )  # fmt: skip
        return [FrameArrived(job.id, frame)]
