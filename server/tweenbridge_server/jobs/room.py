"""Whether there is room on the disk for one more job: for its client, and in all."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import Limits

from .active import ActiveJob
from .job import JobRecord
from .spool import keyframe_name
from .store import Store

_SPOOL_FULL_SECONDS = 30.0
_SHARE_FULL_SECONDS = 5.0


def check_share(record: JobRecord, jobs: Iterable[ActiveJob], store: Store, limits: Limits) -> None:
    """Refuse a job with which its client's unfinished ones would hold more than one client's may.

    They hold their keyframes, whether these have come or not, and the frames that are made.

    Args:
        record: the new job.
        jobs: those of its owner, of which the unfinished ones count.

    Raises:
        TweenbridgeError: TOO_LARGE when it would not fit alone, BUSY until others have ended.
    """
    if not limits.client_bytes:
        return
    sizes = {keyframe_name(keyframe): keyframe.size for keyframe in record.request.keyframes}
    allowed = f"{limits.client_bytes / 1e6:.0f} MB are allowed for one client"
    if sum(sizes.values()) > limits.client_bytes:
        raise TweenbridgeError(
            ErrorCode.TOO_LARGE, f"The job's keyframes have {sum(sizes.values()) / 1e6:.0f} MB; {allowed}."
        )
    others = [job for job in jobs if job.id != record.id and not job.record.state.is_final]
    sizes |= {keyframe_name(keyframe): keyframe.size for job in others for keyframe in job.record.request.keyframes}
    held = sum(sizes.values()) + store.frame_bytes(key for job in others for key in job.places)
    if held > limits.client_bytes:
        raise TweenbridgeError(
            ErrorCode.BUSY,
            f"With this job, your unfinished ones would take {held / 1e6:.0f} MB of the server's disk; {allowed}.",
            retry_after=_SHARE_FULL_SECONDS,
        )


def check_spool(record: JobRecord, store: Store, limits: Limits, most: int, collect: Callable[[int], None]) -> None:
    """Refuse a job whose keyframes do not fit into the spool, even when `collect` has deleted what it may.

    Args:
        most: bytes that retention keeps.
        collect: deletes what nobody needs, down to so many bytes.

    Raises:
        TweenbridgeError: BUSY.
    """
    sizes = {keyframe_name(keyframe): keyframe.size for keyframe in record.request.keyframes}
    new = sum(sizes.values()) - sum(sizes[name] for name in store.keyframes(sizes))
    if store.spool_bytes() + new > limits.spool_bytes:
        collect(min(most, limits.spool_bytes - new))
        if store.spool_bytes() + new > limits.spool_bytes:
            raise TweenbridgeError(
                ErrorCode.BUSY,
                "The server's folder for keyframes and results is full of unfinished work.",
                retry_after=_SPOOL_FULL_SECONDS,
            )
