"""Frame files on their way out: mapped, so that the kernel copies from its page cache straight into the socket."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

if TYPE_CHECKING:
    from ..jobs.service import StoredFrame

Payload = mmap.mmap | bytes

_MAP_FROM = 256 * 1024
"""Files below this size are cheaper to read than to map."""


def open_payload(stored: StoredFrame) -> Payload:
    """The bytes of a frame's file. The service has just hashed them: they are the ones that were stored.

    Raises:
        TweenbridgeError: EXPIRED when the file is gone or not what was stored.
    """
    try:
        with Path(stored.path).open("rb") as file:
            size = file.seek(0, 2)
            if size != stored.size or size == 0:
                raise TweenbridgeError(ErrorCode.EXPIRED, "A finished frame was changed on the server's disk.")
            if size < _MAP_FROM:
                file.seek(0)
                return file.read()
            return _mapped(file.fileno(), size)
    except OSError as error:
        raise TweenbridgeError(
            ErrorCode.EXPIRED, f"A finished frame can no longer be read from the server's disk ({error.strerror})."
        ) from error


def _mapped(descriptor: int, size: int) -> mmap.mmap:
    if sys.platform != "linux":
        return mmap.mmap(descriptor, size, access=mmap.ACCESS_READ)
    # Read from disk here, on an I/O thread, and not by ZeroMQ's one thread while every other client waits.
    return mmap.mmap(descriptor, size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE, prot=mmap.PROT_READ)
