"""What each request asks of the job service. Runs on the gateway's I/O threads: it may hash, write and open files."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import (
    Cancel,
    Engines,
    Error,
    Fetch,
    FrameData,
    GetEngines,
    GetJob,
    GetStatus,
    Job,
    Jobs,
    ListJobs,
    Put,
    Release,
    Released,
    ServerMessage,
    SetPriority,
    Snapshot,
    Status,
    Submit,
    Watch,
)
from tweenbridge.protocol.models import (
    ChangeModel,
    ImportModel,
    ListModels,
    Model,
    ModelAnswer,
    ModelQuestion,
    ScanModels,
    UnloadModels,
    WatchModels,
)
from tweenbridge.protocol.oversight import GetDetails, GetThumbnail, PauseQueue, Retry, Thumbnail

from ..diagnostics.memory import resident_bytes
from .frame_files import Payload, open_payload

if TYPE_CHECKING:
    from ..jobs.service import JobService
    from ..models.service import ModelService

log = logging.getLogger(__name__)

JobQuestion = Submit | Put | Fetch | Cancel | Release | GetJob | ListJobs | Watch | GetEngines | GetStatus
Overseen = SetPriority | PauseQueue | Retry | GetDetails | GetThumbnail
Request = JobQuestion | Overseen | ModelQuestion
REQUESTS = (*get_args(JobQuestion), *get_args(Overseen), *get_args(ModelQuestion))
"""What only a client with an open session may send, and the services answer."""

MOST_LISTED = 1000


@dataclass(frozen=True)
class Circumstances:
    """What the gateway knows and a reply may need.

    Attributes:
        server, epoch, pid, data_dir: who this server is.
        uptime: seconds since it started.
        sessions: open sessions.
        seq: number of the last change of a job sent to the session that asks.
        model_seq: the same of models.
    """

    server: str
    epoch: str
    pid: int
    data_dir: str
    uptime: float
    sessions: int
    seq: int
    model_seq: int


@dataclass(frozen=True)
class Services:
    """What answers requests."""

    jobs: JobService
    models: ModelService


@dataclass(frozen=True)
class Reply:
    """A reply's message, and the frame's bytes where it is a frame."""

    message: ServerMessage
    payload: Payload | None = None


def job_of(request: object) -> str:
    """The job that a request is about; "" when it is about none."""
    return getattr(request, "job", "")


def failure(error: TweenbridgeError, request: object = None) -> Error:
    """The message that tells of an error."""
    return Error(error.info, job_of(request))


def answer(services: Services, request: Request, owner: str, pixels: memoryview | None, now: Circumstances) -> Reply:
    """Do what a request asks. Errors, also those nobody thought of, become replies."""
    try:
        if isinstance(request, (ListModels, WatchModels, ChangeModel, ImportModel, ScanModels, UnloadModels)):
            return Reply(_answer_of_models(services.models, request, now))
        return _answer(services, request, owner, pixels, now)
    except TweenbridgeError as error:
        return Reply(failure(error, request))
    except Exception:  # whatever a request hits, the server and its other clients go on
        log.exception("request failed", extra={"fields": {"type": request.TYPE, "job": job_of(request)}})
        unforeseen = TweenbridgeError(ErrorCode.INTERNAL, "The server failed to answer a request.")
        return Reply(failure(unforeseen, request))


def _answer_of_models(models: ModelService, request: ModelQuestion, now: Circumstances) -> ModelAnswer:
    if isinstance(request, ChangeModel):
        return Model(models.change(request))
    if isinstance(request, ImportModel):
        return Model(models.import_model(request))
    if isinstance(request, ScanModels):
        return models.scan(request.path)
    if isinstance(request, UnloadModels):
        return models.unload()
    return models.models(now.model_seq)


def _answer(
    services: Services, request: JobQuestion | Overseen, owner: str, pixels: memoryview | None, now: Circumstances
) -> Reply:
    service = services.jobs
    if isinstance(request, Submit):
        return Reply(service.submit(request, owner))
    if isinstance(request, Put):
        assert pixels is not None, "the gateway passes a put on with its pixels"
        return Reply(service.put(request.job, request.keyframe, pixels))
    if isinstance(request, Fetch):
        stored = service.frame(request.job, request.frame)
        message = FrameData(request.job, request.frame, stored.format, stored.sha256)
        return Reply(message, open_payload(stored))
    if isinstance(request, Cancel):
        return Reply(Job(service.cancel(request.job)))
    if isinstance(request, Release):
        service.release(request.job)
        return Reply(Released(request.job))
    if isinstance(request, GetJob):
        return Reply(Job(service.info(request.job)))
    if isinstance(request, ListJobs):
        return Reply(Jobs(service.jobs(max(0, min(request.limit, MOST_LISTED)), max(0, request.skip))))
    if isinstance(request, Watch):
        return Reply(Snapshot(now.seq, service.snapshot() if request.on else ()))
    if isinstance(request, GetEngines):
        return Reply(Engines(service.engines()))
    if isinstance(request, (SetPriority, PauseQueue, Retry, GetDetails, GetThumbnail)):
        return _oversee(services, request, now)
    return Reply(_status(services, now))


def _oversee(services: Services, request: Overseen, now: Circumstances) -> Reply:
    oversight = services.jobs.oversight
    if isinstance(request, SetPriority):
        return Reply(Job(oversight.set_priority(request.job, request.priority)))
    if isinstance(request, Retry):
        return Reply(Job(oversight.retry(request.job)))
    if isinstance(request, GetDetails):
        return Reply(oversight.details(request.job))
    if isinstance(request, GetThumbnail):
        made = oversight.thumbnail(request)
        return Reply(Thumbnail(request.job, made.width, made.height, request.frame, request.keyframe), made.png)
    oversight.pause(request.on)
    return Reply(_status(services, now))


def _status(services: Services, now: Circumstances) -> Status:
    service = services.jobs
    return Status(
        server=now.server,
        epoch=now.epoch,
        pid=now.pid,
        uptime=now.uptime,
        memory=resident_bytes(),
        sessions=now.sessions,
        jobs=service.counts(),
        spool_bytes=service.spool_bytes(),
        data_dir=now.data_dir,
        workers=service.workers(),
        paused=service.oversight.paused,
        device=services.models.device,
    )
