"""Finished frames on their way out: where they lie, and why one cannot be had."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from tweenbridge.pixels import PixelFormat
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobState

from .job import JobRecord
from .plan import Plan, canonical, make_plan

_PLANS_KEPT = 16


@dataclass(frozen=True)
class StoredFrame:
    """A finished frame's file."""

    path: Path
    format: PixelFormat
    sha256: str
    size: int


class PlanCache:
    """Plans of the finished jobs that frames were asked of last."""

    def __init__(self) -> None:
        self._plans: OrderedDict[tuple[str, str, bytes], Plan] = OrderedDict()

    def plan(self, record: JobRecord) -> Plan:
        """The plan that the job's frames were made by."""
        name = (record.id, record.params, canonical(record.making))
        if name not in self._plans:
            self._plans[name] = make_plan(record.request, record.making)
            if len(self._plans) > _PLANS_KEPT:
                self._plans.popitem(last=False)
        self._plans.move_to_end(name)
        return self._plans[name]


def is_whole(path: Path, size: int) -> bool:
    """Whether nobody deleted or changed the file behind the store's back."""
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def absent(record: JobRecord, frame: int) -> TweenbridgeError:
    """Why a frame of the job cannot be had."""
    if record.state is JobState.DONE:
        return TweenbridgeError(ErrorCode.EXPIRED, f"Frame {frame} of job {record.id} is no longer on the server.")
    if record.state is JobState.CANCELLED:
        return TweenbridgeError(ErrorCode.CANCELLED, f"Job {record.id} was cancelled before frame {frame} was made.")
    if record.error:
        return TweenbridgeError.from_info(record.error)
    return TweenbridgeError(ErrorCode.NOT_READY, f"Frame {frame} of job {record.id} is not made yet.")
