"""What the system says when a file cannot be written or read, as an error for the user."""

from __future__ import annotations

import errno

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FAILING = (errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENXIO, errno.ENODEV, getattr(errno, "ESTALE", -1))


def is_full(error: BaseException) -> bool:
    """Whether there was no room."""
    return isinstance(error, OSError) and error.errno in _FULL


def is_failing(error: BaseException) -> bool:
    """Whether the disk cannot be written or read at all: read-only, failing, gone."""
    return isinstance(error, OSError) and error.errno in _FAILING


def is_lost(error: OSError) -> bool:
    """Whether a file is gone or cannot be read any more; and not just now, as when descriptors have run out."""
    return error.errno in (errno.ENOENT, errno.EIO)


def disk_error(error: OSError, what: str) -> TweenbridgeError:
    """The error of a file that could not be written; `what` for the middle of a sentence, "a keyframe"."""
    if is_full(error):
        return TweenbridgeError(ErrorCode.DISK_FULL, f"The server's disk is full: {what} could not be stored.")
    reason = f" ({error.strerror})" if error.strerror else ""
    return TweenbridgeError(
        ErrorCode.DISK_FAILED, f"The server's folder cannot be written: {what} could not be stored{reason}."
    )
