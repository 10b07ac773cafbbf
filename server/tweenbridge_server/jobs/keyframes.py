"""Keyframes that clients send: their bytes checked, and written into the spool."""

from __future__ import annotations

import hashlib

from tweenbridge.pixels import FILE_SUFFIX, Encoding, sniff
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import Keyframe

from ..disk import disk_error
from .spool import Spool, keyframe_name


def called(keyframe: Keyframe, index: int) -> str:
    """What errors call a keyframe, for the middle of a sentence: "keyframe 2 (B.png)"."""
    return f"keyframe {index + 1} ({keyframe.name})" if keyframe.name else f"keyframe {index + 1}"


def at_start(name: str) -> str:
    """The same at the start of a sentence."""
    return name[0].upper() + name[1:]


def check_bytes(keyframe: Keyframe, index: int, data: memoryview) -> None:
    """Refuse bytes that are not the ones announced; the client may send them again.

    Raises:
        TweenbridgeError: BAD_KEYFRAME.
    """
    if len(data) != keyframe.size or hashlib.sha256(data).hexdigest() != keyframe.sha256:
        name = at_start(called(keyframe, index))
        message = f"{name} arrived with other bytes than announced."
        raise TweenbridgeError(ErrorCode.BAD_KEYFRAME, message, remedy="Send it again.")


def check_kind(keyframe: Keyframe, index: int, data: memoryview) -> None:
    """Refuse a file that is not of the announced encoding; no use sending it again.

    Raises:
        TweenbridgeError: BAD_KEYFRAME.
    """
    encoding = keyframe.format.encoding
    if encoding is not Encoding.RAW and sniff(bytes(data[:16])) is not encoding:
        kind = FILE_SUFFIX[encoding][1:].upper()
        name = at_start(called(keyframe, index))
        raise TweenbridgeError(ErrorCode.BAD_KEYFRAME, f"{name} is no {kind} file, or damaged.")


def write_keyframe(spool: Spool, keyframe: Keyframe, data: memoryview) -> None:
    """Put a keyframe's bytes under their final name, whole or not at all.

    Raises:
        TweenbridgeError: DISK_FULL, or DISK_FAILED when the folder cannot be written.
    """
    try:
        with spool.new_file(".part") as path:
            with path.open("wb", buffering=0) as file:
                rest = data
                while len(rest):
                    rest = rest[file.write(rest) :]
            spool.publish(path, spool.keyframe_path(keyframe_name(keyframe)))
    except OSError as error:
        raise disk_error(error, "a keyframe") from error
