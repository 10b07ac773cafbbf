"""Tweenbridge's client library: keyframes in, in-betweens out. `docs/scripting.md` is its guide.

    from tweenbridge import Client

    with Client() as client:
        for frame in client.interpolate(["a.png", "b.png"], count=7):
            frame.save(f"out/{frame.index:04}")

Names starting with an underscore, and modules not re-exported here, may change at any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .discovery import ServerAddress, data_dir, load_address, read_address
from .events import (
    Connected,
    Disconnected,
    Event,
    FrameArrived,
    JobChanged,
    JobEnded,
    JobProgress,
    JobsListed,
    ModelChanged,
    ModelsListed,
    PreviewArrived,
    ServerStarting,
    ServerStopping,
)
from .job import JobHandle
from .keyframes import KeyframeSource, Order, job_id_for, make_order
from .pixels import Alpha, Colour, Encoding, PixelFormat, SampleType
from .protocol.errors import ErrorCode, ErrorInfo, TweenbridgeError
from .protocol.limits import Limits
from .protocol.messages import EngineInfo, JobInfo, JobRequest, JobState, Note, Priority, Scalar, Status
from .protocol.models import (
    DeviceInfo,
    FoundModel,
    Licence,
    ModelAction,
    ModelInfo,
    ModelOrigin,
    ModelRole,
    Models,
    ModelState,
)
from .results import Frame
from .timing import Schedule, Spacing, Timing, schedule
from .version import __version__

if TYPE_CHECKING:
    from .client import Client
    from .reply import Reply

__all__ = [
    "Alpha",
    "Client",
    "Colour",
    "Connected",
    "DeviceInfo",
    "Disconnected",
    "Encoding",
    "EngineInfo",
    "ErrorCode",
    "ErrorInfo",
    "Event",
    "FoundModel",
    "Frame",
    "FrameArrived",
    "JobChanged",
    "JobEnded",
    "JobHandle",
    "JobInfo",
    "JobProgress",
    "JobRequest",
    "JobState",
    "JobsListed",
    "KeyframeSource",
    "Licence",
    "Limits",
    "ModelAction",
    "ModelChanged",
    "ModelInfo",
    "ModelOrigin",
    "ModelRole",
    "ModelState",
    "Models",
    "ModelsListed",
    "Note",
    "Order",
    "PixelFormat",
    "PreviewArrived",
    "Priority",
    "Reply",
    "SampleType",
    "Scalar",
    "Schedule",
    "ServerAddress",
    "ServerStarting",
    "ServerStopping",
    "Spacing",
    "Status",
    "Timing",
    "TweenbridgeError",
    "__version__",
    "data_dir",
    "job_id_for",
    "load_address",
    "make_order",
    "read_address",
    "schedule",
]


def __getattr__(name: str) -> Any:
    # Worker processes and host applications use the values and the arithmetic without loading ZeroMQ.
    if name == "Client":
        from .client import Client

        return Client
    if name == "Reply":
        from .reply import Reply

        return Reply
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
