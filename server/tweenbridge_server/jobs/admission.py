"""What may come in: a submitted job checked against the server's limits before anything is stored.

Pure but for engines that look where their model's files are.
"""

from __future__ import annotations

import re
from pathlib import Path

from tweenbridge.pixels import Encoding
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import Limits
from tweenbridge.protocol.messages import JobRequest, Keyframe, Note, Submit
from tweenbridge.words import is_one_line

from ..engines import registry
from .job import JobRecord
from .keyframes import at_start, called
from .plan import Making, Plan, check_size, make_plan, params_hash, too_many_frames

_JOB_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HASH = re.compile(r"[0-9a-f]{64}")
_LONGEST_TEXT = 1000
_LARGEST_POSITION = 2**53
_BUSY_SECONDS = 2.0


def _refused(message: str) -> TweenbridgeError:
    return TweenbridgeError(ErrorCode.BAD_REQUEST, message)


def check_job_id(job: str) -> None:
    """Refuse an id that is none.

    Raises:
        TweenbridgeError: BAD_REQUEST.
    """
    if not _JOB_ID.fullmatch(job):
        raise _refused("A job id is 1 to 64 letters, digits, dots, dashes and underscores.")


def _is_text(text: str) -> bool:
    return len(text) <= _LONGEST_TEXT and is_one_line(text)


def _check_keyframe(keyframe: Keyframe, index: int, limits: Limits) -> None:
    if abs(keyframe.position) > _LARGEST_POSITION or not _is_text(keyframe.name):
        raise _refused(f"Keyframe {index + 1} has a senseless position or name.")
    name = at_start(called(keyframe, index))
    if not _HASH.fullmatch(keyframe.sha256):
        raise _refused(f"{name} has no proper sha256 hash: 64 lower-case hexadecimal digits.")
    if keyframe.size < 1:
        raise TweenbridgeError(ErrorCode.BAD_KEYFRAME, f"{name} is empty.")
    if keyframe.size > limits.frame_bytes:
        raise TweenbridgeError(
            ErrorCode.TOO_LARGE,
            f"{name} is {keyframe.size / 1e6:.0f} MB large; {limits.frame_bytes / 1e6:.0f} MB are allowed.",
        )
    if keyframe.format.encoding is Encoding.RAW and keyframe.format.raw_size() != keyframe.size:
        raise TweenbridgeError(
            ErrorCode.BAD_KEYFRAME, f"{name} has {keyframe.size} bytes; its size needs {keyframe.format.raw_size()}."
        )


def making_of(request: JobRequest, home: Path) -> tuple[Making, tuple[Note, ...]]:
    """How the request's frames would be made now, on this machine, and what the user should know of that.

    Raises:
        TweenbridgeError: BAD_REQUEST, MODEL_MISSING, MODEL_FAILED, saying what is wrong.
    """
    profile, settings = registry.check(request.engine, request.profile, request.settings)
    resolved = registry.resolve(request.engine, profile, settings, home)
    version = registry.info(request.engine).version
    making = Making(version, profile, resolved.settings, resolved.identity, resolved.whole_shot)
    return making, resolved.notes


def check(message: Submit, owner: str, limits: Limits, home: Path, now: float) -> tuple[JobRecord, Plan]:
    """The record and the plan of a submitted job; `home` is the server's data folder.

    Raises:
        TweenbridgeError: BAD_REQUEST, BAD_KEYFRAME, UNSUPPORTED_FORMAT, TOO_LARGE, MODEL_MISSING or MODEL_FAILED,
            saying what is wrong.
    """
    check_job_id(message.job)
    request = message.request
    if not (_is_text(message.title) and _is_text(message.origin)):
        raise _refused("The job's title or origin is too long, or not one line of text.")
    if len(request.keyframes) > limits.keyframes_per_job:
        raise TweenbridgeError(
            ErrorCode.TOO_LARGE,
            f"The job has {len(request.keyframes)} keyframes; {limits.keyframes_per_job} are allowed.",
        )
    for index, keyframe in enumerate(request.keyframes):
        _check_keyframe(keyframe, index, limits)
    check_size(request, limits.frames_per_job)
    making, notes = making_of(request, home)
    plan = make_plan(request, making)
    if len(plan.keys) > limits.frames_per_job:
        raise too_many_frames(limits.frames_per_job)
    record = JobRecord(
        id=message.job,
        owner=owner,
        params=params_hash(request),
        request=request,
        making=making,
        total=len(plan.keys),
        priority=message.priority,
        title=message.title,
        origin=message.origin,
        created=now,
        notes=notes,
    )
    return record, plan


def check_count(unfinished: int, of_client: int, limits: Limits) -> None:
    """Refuse one more job where there are as many unfinished ones, in all or of its client, as the server takes.

    Raises:
        TweenbridgeError: BUSY.
    """
    if unfinished >= limits.queued_jobs or of_client >= limits.jobs_per_client:
        raise TweenbridgeError(
            ErrorCode.BUSY, "The server has as many unfinished jobs as it takes.", retry_after=_BUSY_SECONDS
        )
