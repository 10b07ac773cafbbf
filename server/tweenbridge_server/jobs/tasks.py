"""What a worker is told of a gap."""

from __future__ import annotations

from itertools import count

from tweenbridge.protocol.messages import Keyframe

from ..executors.base import FrameOrder, GapTask, KeyframeFile
from .active import ActiveJob
from .keyframes import called
from .spool import keyframe_name


def gap_task(number: str, job: ActiveJob, gap: int, spool: str) -> GapTask:
    """The task to make what a gap of a job still lacks; `spool` is the spool's folder."""
    planned, request = job.plan.gaps[gap], job.record.request
    return GapTask(
        id=number,
        job=job.id,
        gap=gap,
        spool=spool,
        engine=request.engine,
        profile=job.record.making.profile,
        settings=job.record.making.settings,
        a=keyframe_file(request.keyframes[planned.a], planned.a),
        b=keyframe_file(request.keyframes[planned.b], planned.b),
        frames=tuple(FrameOrder(frame.key, frame.t) for frame in job.missing(gap)),
        output=request.output,
        identity=job.record.making.identity,
        shot=tuple(map(keyframe_file, request.keyframes, count())) if job.record.making.whole_shot else (),
    )


def keyframe_file(keyframe: Keyframe, index: int) -> KeyframeFile:
    """A keyframe of a job as workers find it in the spool."""
    return KeyframeFile(keyframe_name(keyframe), keyframe.format, called(keyframe, index))
