"""Everything that crosses the wire, as small frozen dataclasses (models.py: what is about models).

PROTOCOL.md says when each is sent.

A message's `TYPE` is the header's `t`; its fields lie flat in the header beside `v`, `id` and `re` (see codec.py).
A field with a default may be absent. Unknown fields are ignored, so fields can be added within a version.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import ClassVar, Optional, Union

from ..pixels import PixelFormat
from ..timing import Timing
from .errors import ErrorInfo
from .limits import Limits
from .models import DeviceInfo, ModelAnswer, ModelQuestion
from .oversight import GapInfo, GetDetails, GetThumbnail, PauseQueue, Retry, Thumbnail

Scalar = Union[bool, int, float, str]
"""The value of one engine setting."""


class JobState(str, Enum):
    """Where a job is. The last three are final."""

    RECEIVING = "receiving"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """The job will not change any more, unless it is submitted again."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class Priority(IntEnum):
    """Which waiting job goes first."""

    INTERACTIVE = 0
    NORMAL = 1
    BACKGROUND = 2


# ---------------------------------------------------------------- values inside messages


@dataclass(frozen=True)
class ClientInfo:
    """Who connects: shown in lists and logs."""

    name: str
    version: str = ""


@dataclass(frozen=True)
class Keyframe:
    """One keyframe of a job, without its pixels.

    Attributes:
        sha256: hash of the file's bytes, 64 lower-case hexadecimal digits.
        size: length of the file's bytes.
        format: what the bytes are.
        position: timeline frame.
        name: what the user calls it; used in error messages.
    """

    sha256: str
    size: int
    format: PixelFormat
    position: int
    name: str = ""


@dataclass(frozen=True)
class JobRequest:
    """What to make. Two requests with equal fields ask for the same frames.

    Attributes:
        keyframes: in timeline order.
        timing: how the gaps between them are filled.
        engine, profile: which engine, in which of its profiles ("" is the engine's default).
        settings: engine settings that differ from their defaults.
        output: form of the results; None returns them as the keyframes are.
    """

    keyframes: tuple[Keyframe, ...]
    timing: Timing = field(default_factory=Timing)
    engine: str = "flow"
    profile: str = ""
    settings: dict[str, Scalar] = field(default_factory=dict)
    output: Optional[PixelFormat] = None


@dataclass(frozen=True)
class Note:
    """Something the user should know about a result that is not an error, e.g. a cut that was held."""

    code: str
    message: str
    gap: Optional[int] = None


@dataclass(frozen=True)
class JobInfo:
    """A job as lists show it. Times are seconds since 1970 (UTC); `eta` is seconds left, where it is known.

    `owner` names the key that the job came with; None is the server's own user.
    """

    job: str
    state: JobState
    total: int
    done: int
    engine: str
    profile: str
    priority: Priority = Priority.NORMAL
    title: str = ""
    origin: str = ""
    fraction: float = 0.0
    stage: str = ""
    eta: Optional[float] = None
    created: float = 0.0
    started: Optional[float] = None
    finished: Optional[float] = None
    error: Optional[ErrorInfo] = None
    notes: tuple[Note, ...] = ()
    owner: Optional[str] = None


@dataclass(frozen=True)
class ProfileInfo:
    """One profile of an engine."""

    name: str
    title: str
    description: str = ""


@dataclass(frozen=True)
class SettingInfo:
    """One engine setting, enough to draw a control for it. `kind` is "bool", "int", "float", "str" or "choice"."""

    name: str
    title: str
    kind: str
    default: Scalar
    minimum: Optional[float] = None
    maximum: Optional[float] = None
    choices: tuple[str, ...] = ()
    help: str = ""


@dataclass(frozen=True)
class EngineInfo:
    """What an engine says of itself. The first profile is the default.

    `needs` names the settings without which it cannot work; `memory` is about how many bytes a worker of it takes on
    its device at the usual size, 0 where that is not known.
    """

    name: str
    title: str
    version: str
    profiles: tuple[ProfileInfo, ...]
    settings: tuple[SettingInfo, ...] = ()
    description: str = ""
    needs: tuple[str, ...] = ()
    memory: int = 0


@dataclass(frozen=True)
class WorkerInfo:
    """One worker process. `memory` is resident bytes, `model_memory` what loading `model` (its place) has taken."""

    device: str
    pid: int
    state: str
    memory: int = 0
    job: str = ""
    model: str = ""
    model_memory: int = 0


# ---------------------------------------------------------------- client to server


@dataclass(frozen=True)
class Hello:
    """Opens a session: versions spoken (newest first) and 32 random bytes."""

    TYPE: ClassVar[str] = "hello"
    versions: tuple[int, ...]
    nonce: bytes
    client: ClientInfo


@dataclass(frozen=True)
class Prove:
    """The client's half of the handshake."""

    TYPE: ClassVar[str] = "prove"
    proof: bytes


@dataclass(frozen=True)
class Ping:
    """Asks for a `pong`; any message counts as a sign of life."""

    TYPE: ClassVar[str] = "ping"


@dataclass(frozen=True)
class Submit:
    """Asks for a job under an id that the client made, and for its previews or not. Sending it again is harmless."""

    TYPE: ClassVar[str] = "submit"
    job: str
    request: JobRequest
    priority: Priority = Priority.NORMAL
    title: str = ""
    origin: str = ""
    previews: bool = False


@dataclass(frozen=True)
class Put:
    """One keyframe's bytes (the pixel part), by its index in the job."""

    TYPE: ClassVar[str] = "put"
    job: str
    keyframe: int


@dataclass(frozen=True)
class Fetch:
    """Asks for one finished frame by its drawing index."""

    TYPE: ClassVar[str] = "fetch"
    job: str
    frame: int


@dataclass(frozen=True)
class Cancel:
    """Stops a job. Finished frames stay until they are released."""

    TYPE: ClassVar[str] = "cancel"
    job: str


@dataclass(frozen=True)
class Release:
    """The client has what it wants: the server may forget the job."""

    TYPE: ClassVar[str] = "release"
    job: str


@dataclass(frozen=True)
class GetJob:
    """Asks for one job's `job` message, and from then on for its previews or not."""

    TYPE: ClassVar[str] = "get_job"
    job: str
    previews: bool = False


@dataclass(frozen=True)
class ListJobs:
    """Asks for the newest jobs, newest first, but for the `skip` newest."""

    TYPE: ClassVar[str] = "list_jobs"
    limit: int = 50
    skip: int = 0


@dataclass(frozen=True)
class SetPriority:
    """Says which of the waiting jobs goes first, from the next gap on."""

    TYPE: ClassVar[str] = "set_priority"
    job: str
    priority: Priority


@dataclass(frozen=True)
class Watch:
    """Turns the stream of all jobs' changes on or off for this session."""

    TYPE: ClassVar[str] = "watch"
    on: bool = True


@dataclass(frozen=True)
class GetEngines:
    """Asks which engines there are."""

    TYPE: ClassVar[str] = "get_engines"


@dataclass(frozen=True)
class GetStatus:
    """Asks how the server is."""

    TYPE: ClassVar[str] = "get_status"


@dataclass(frozen=True)
class Stop:
    """Asks the server to end. Running jobs go on at its next start."""

    TYPE: ClassVar[str] = "stop"


# ---------------------------------------------------------------- server to client


@dataclass(frozen=True)
class Challenge:
    """The version chosen, the server's nonce, and proof that the server holds the token."""

    TYPE: ClassVar[str] = "challenge"
    version: int
    nonce: bytes
    proof: bytes


@dataclass(frozen=True)
class Welcome:
    """The session is open. `epoch` is new at every start of the server."""

    TYPE: ClassVar[str] = "welcome"
    epoch: str
    server: str
    limits: Limits


@dataclass(frozen=True)
class Pong:
    """Answers `ping`."""

    TYPE: ClassVar[str] = "pong"


@dataclass(frozen=True)
class Accepted:
    """The job is on disk. `need`: keyframes to put; `done`: frames ready to fetch; `total`: frames in all."""

    TYPE: ClassVar[str] = "accepted"
    job: str
    state: JobState
    need: tuple[int, ...]
    done: tuple[int, ...]
    total: int


@dataclass(frozen=True)
class Received:
    """A keyframe is on disk; `need` is what is still missing."""

    TYPE: ClassVar[str] = "received"
    job: str
    keyframe: int
    need: tuple[int, ...]


@dataclass(frozen=True)
class FrameData:
    """One frame; its bytes are the pixel part."""

    TYPE: ClassVar[str] = "frame"
    job: str
    frame: int
    format: PixelFormat
    sha256: str


@dataclass(frozen=True)
class Released:
    """The job is forgotten."""

    TYPE: ClassVar[str] = "released"
    job: str


@dataclass(frozen=True)
class Job:
    """One job as it is now. Answers `get_job`, `cancel`, `set_priority` and `retry`."""

    TYPE: ClassVar[str] = "job"
    info: JobInfo


@dataclass(frozen=True)
class Details:
    """Answers `get_details`: the request, how far its gaps are, and the frames that are ready."""

    TYPE: ClassVar[str] = "details"
    job: str
    request: JobRequest
    gaps: tuple[GapInfo, ...]
    ready: tuple[int, ...]


@dataclass(frozen=True)
class Jobs:
    """Answers `list_jobs`."""

    TYPE: ClassVar[str] = "jobs"
    jobs: tuple[JobInfo, ...]


@dataclass(frozen=True)
class Snapshot:
    """Answers `watch`: every unfinished job and the newest finished ones, as of sequence number `seq`."""

    TYPE: ClassVar[str] = "snapshot"
    seq: int
    jobs: tuple[JobInfo, ...]


@dataclass(frozen=True)
class Delta:
    """One job changed (or is gone, when `info` is absent). A hole in `seq` means: ask for a snapshot again."""

    TYPE: ClassVar[str] = "delta"
    seq: int
    job: str
    info: Optional[JobInfo] = None


@dataclass(frozen=True)
class Progress:
    """A hint to the job's client: its state and the frames that became ready since the last hint."""

    TYPE: ClassVar[str] = "progress"
    info: JobInfo
    ready: tuple[int, ...] = ()


@dataclass(frozen=True)
class Preview:
    """An unfinished in-between at a time (0 to 1) of a gap; its pixel part is a small PNG. Shown and forgotten."""

    TYPE: ClassVar[str] = "preview"
    job: str
    gap: int
    time: float
    width: int
    height: int


@dataclass(frozen=True)
class Engines:
    """Answers `get_engines`."""

    TYPE: ClassVar[str] = "engines"
    engines: tuple[EngineInfo, ...]


@dataclass(frozen=True)
class Status:
    """Answers `get_status`. `memory` is the gateway's resident bytes; `uptime` is seconds."""

    TYPE: ClassVar[str] = "status"
    server: str
    epoch: str
    pid: int
    uptime: float
    memory: int
    sessions: int
    jobs: dict[str, int]
    spool_bytes: int
    data_dir: str
    workers: tuple[WorkerInfo, ...] = ()
    paused: bool = False
    device: Optional[DeviceInfo] = None


@dataclass(frozen=True)
class Stopping:
    """The server ends now; sent to everyone who is connected."""

    TYPE: ClassVar[str] = "stopping"


@dataclass(frozen=True)
class Error:
    """The request that `re` names failed."""

    TYPE: ClassVar[str] = "error"
    error: ErrorInfo
    job: str = ""


ClientMessage = Union[
    Hello, Prove, Ping, Submit, Put, Fetch, Cancel, Release,
    GetJob, ListJobs, Watch, GetEngines, GetStatus, Stop,
    SetPriority, PauseQueue, Retry, GetDetails, GetThumbnail,
    ModelQuestion,
]  # fmt: skip
ServerMessage = Union[
    Challenge, Welcome, Pong, Accepted, Received, FrameData, Released, Job, Jobs,
    Snapshot, Delta, Progress, Preview, Engines, Status, Stopping, Error,
    Details, Thumbnail,
    ModelAnswer,
]  # fmt: skip
Message = Union[ClientMessage, ServerMessage]
