"""Exceptions as errors of jobs."""

from __future__ import annotations

import errno

from tweenbridge.protocol.errors import ErrorCode, ErrorInfo, TweenbridgeError


def explain(error: BaseException) -> ErrorInfo:
    """An exception as the error of a job."""
    if isinstance(error, TweenbridgeError):
        return error.info
    # OpenCV reports memory that it cannot get as an error of its own, with this code; torch as one of this name.
    lacks = getattr(error, "code", None) == -4 or type(error).__name__ == "OutOfMemoryError"
    if isinstance(error, MemoryError) or lacks:
        return TweenbridgeError(ErrorCode.OUT_OF_MEMORY, "There is not enough memory for these keyframes.").info
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return TweenbridgeError(ErrorCode.DISK_FULL, "The disk is full: a frame could not be written.").info
    return TweenbridgeError(
        ErrorCode.INTERNAL, f"The in-betweens could not be made, because of a mistake in the program ({error!r:.200})."
    ).info
