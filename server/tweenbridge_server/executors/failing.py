"""Exceptions as errors of jobs."""

from __future__ import annotations

from tweenbridge.protocol.errors import ErrorCode, ErrorInfo, TweenbridgeError

from ..disk import disk_error, is_failing, is_full


def explain(error: BaseException) -> ErrorInfo:
    """An exception as the error of a job."""
    if isinstance(error, TweenbridgeError):
        return error.info
    # OpenCV reports memory that it cannot get as an error of its own, with this code; torch as one of this name.
    lacks = getattr(error, "code", None) == -4 or type(error).__name__ == "OutOfMemoryError"
    if isinstance(error, MemoryError) or lacks:
        return TweenbridgeError(ErrorCode.OUT_OF_MEMORY, "There is not enough memory for these keyframes.").info
    if isinstance(error, OSError) and (is_full(error) or is_failing(error)):
        return disk_error(error, "a frame").info
    return TweenbridgeError(
        ErrorCode.INTERNAL, f"The in-betweens could not be made, because of a mistake in the program ({error!r:.200})."
    ).info
