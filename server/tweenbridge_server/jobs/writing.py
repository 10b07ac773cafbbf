"""Writing what clients send into the spool."""

from __future__ import annotations

import errno

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from .spool import Spool

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)


def write_keyframe(spool: Spool, name: str, data: memoryview) -> None:
    """Put a keyframe's bytes under their final name, whole or not at all. OSError when the disk does not take them."""
    with spool.new_file(".part") as path:
        with path.open("wb", buffering=0) as file:
            rest = data
            while len(rest):
                rest = rest[file.write(rest) :]
        spool.publish(path, spool.keyframe_path(name))


def disk_full(error: OSError) -> TweenbridgeError:
    """A failed write as a user sees it."""
    if error.errno in _FULL:
        return TweenbridgeError(ErrorCode.DISK_FULL, "The server's disk is full: a keyframe could not be stored.")
    return TweenbridgeError(ErrorCode.INTERNAL, f"A keyframe could not be stored: {error.strerror}.")
