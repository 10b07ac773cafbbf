"""Every error a user or a caller can meet: a code, one plain sentence, and what to do about it.

The codes are part of the wire protocol (PROTOCOL.md, "Errors"). Each code carries a default remedy and
whether the same request may succeed when sent again, so that a raise site only has to say what happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Callable, Optional


class ErrorCode(str, Enum):
    """What went wrong, as a word that programs may compare."""

    BAD_MESSAGE = "bad_message"
    VERSION = "version"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    TOO_LARGE = "too_large"
    UNSUPPORTED_FORMAT = "unsupported_format"
    BAD_REQUEST = "bad_request"
    BAD_KEYFRAME = "bad_keyframe"
    BUSY = "busy"
    UNKNOWN_JOB = "unknown_job"
    CONFLICT = "conflict"
    NOT_READY = "not_ready"
    MODEL_MISSING = "model_missing"
    MODEL_FAILED = "model_failed"
    DOWNLOAD_FAILED = "download_failed"
    OUT_OF_MEMORY = "out_of_memory"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    DISK_FULL = "disk_full"
    DISK_FAILED = "disk_failed"
    WORKER_DIED = "worker_died"
    NOT_RUNNING = "not_running"
    START_FAILED = "start_failed"
    TIMED_OUT = "timed_out"
    INTERNAL = "internal"

    @classmethod
    def _missing_(cls, value: object) -> Optional[ErrorCode]:
        # A newer program may know more codes; what it reports is still an error with a sentence and a remedy.
        return cls.INTERNAL if isinstance(value, str) else None


_RETRYABLE = frozenset(
    {ErrorCode.BUSY, ErrorCode.NOT_READY, ErrorCode.DOWNLOAD_FAILED, ErrorCode.NOT_RUNNING, ErrorCode.TIMED_OUT}
)

REMEDIES: dict[ErrorCode, str] = {
    ErrorCode.BAD_MESSAGE: "Update the plugin and the server to the same version.",
    ErrorCode.VERSION: "Update the plugin and the server to the same version.",
    ErrorCode.UNAUTHORIZED: "Restart the Tweenbridge server, then reconnect.",
    ErrorCode.FORBIDDEN: "Ask whoever runs the server.",
    ErrorCode.TOO_LARGE: "Use fewer or smaller keyframes.",
    ErrorCode.UNSUPPORTED_FORMAT: "Use PNG, TIFF, OpenEXR or JPEG keyframes.",
    ErrorCode.BAD_REQUEST: "Correct the setting named in the message and try again.",
    ErrorCode.BAD_KEYFRAME: "Export the keyframe named in the message again.",
    ErrorCode.BUSY: "Wait a moment; the request is sent again by itself.",
    ErrorCode.UNKNOWN_JOB: "Generate the in-betweens again.",
    ErrorCode.CONFLICT: "Submit the changed request under a new job id.",
    ErrorCode.NOT_READY: "Wait until the frame has been generated.",
    ErrorCode.MODEL_MISSING: "Download the model, or choose another engine.",
    ErrorCode.MODEL_FAILED: "Verify the model's files, or choose another model.",
    ErrorCode.DOWNLOAD_FAILED: "Check the connection to the internet, then get the model again; what is here is kept.",
    ErrorCode.OUT_OF_MEMORY: "Close other programs, or use smaller keyframes.",
    ErrorCode.CANCELLED: "Generate again to continue; finished frames are kept.",
    ErrorCode.EXPIRED: "Generate the in-betweens again.",
    ErrorCode.DISK_FULL: "Free some disk space, then generate again; finished frames are kept.",
    ErrorCode.DISK_FAILED: "Check the server's disk, then generate again; finished frames are kept.",
    ErrorCode.WORKER_DIED: "Run `tweenbridge logs` to see why, then generate again.",
    ErrorCode.NOT_RUNNING: "Start it with `tweenbridge serve`.",
    ErrorCode.START_FAILED: "Run `tweenbridge doctor` to see why.",
    ErrorCode.TIMED_OUT: "Check that the server is running with `tweenbridge status`.",
    ErrorCode.INTERNAL: "Run `tweenbridge logs` and report what it says.",
}


@dataclass(frozen=True)
class ErrorInfo:
    """An error as it crosses the wire and as it is stored with a failed job.

    Attributes:
        code: what went wrong.
        message: one plain sentence for the user.
        remedy: what the user can do about it.
        retryable: the same request may succeed later, unchanged.
        retry_after: seconds to wait before trying again, where the sender knows.
    """

    code: ErrorCode
    message: str
    remedy: str = ""
    retryable: bool = False
    retry_after: Optional[float] = None


class TweenbridgeError(Exception):
    """An error with a code, a sentence and a remedy. `str()` is the sentence."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        remedy: Optional[str] = None,
        retry_after: Optional[float] = None,
    ) -> None:
        super().__init__(message)
        self.info = ErrorInfo(
            code=code,
            message=message,
            remedy=REMEDIES[code] if remedy is None else remedy,
            retryable=code in _RETRYABLE,
            retry_after=retry_after,
        )

    def __reduce__(self) -> tuple[Callable[[ErrorInfo], TweenbridgeError], tuple[ErrorInfo]]:
        # Exceptions are rebuilt from their sentence alone otherwise, which fails between processes.
        return TweenbridgeError.from_info, (self.info,)

    @classmethod
    def from_info(cls, info: ErrorInfo) -> TweenbridgeError:
        """Rebuild the exception from what the other side sent."""
        error = cls(info.code, info.message, remedy=info.remedy, retry_after=info.retry_after)
        error.info = info
        return error

    @property
    def code(self) -> ErrorCode:
        """What went wrong, for programs."""
        return self.info.code

    @property
    def remedy(self) -> str:
        """What the user can do about it."""
        return self.info.remedy
