"""What each request asks of the job service. Runs on the gateway's I/O threads: it may hash, write and open files."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
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
    ModelInfo,
    ModelQuestion,
    ScanModels,
    UnloadModels,
    WatchModels,
)
from tweenbridge.protocol.oversight import GetDetails, GetThumbnail, PauseQueue, Retry, Thumbnail

from ..diagnostics.memory import resident_bytes
from ..engines import registry
from ..jobs.caller import Caller
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

FOR_ADMINISTRATORS = (PauseQueue, ChangeModel, ImportModel, ScanModels, UnloadModels)
"""What changes the server for everybody, or looks at its disk."""

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


def check_may(services: Services, request: Request, caller: Caller) -> None:
    """Refuse what is not the caller's business. Of others' jobs it does not even learn that they are there.

    Raises:
        TweenbridgeError: FORBIDDEN, UNKNOWN_JOB or CONFLICT.
    """
    if caller.rules:
        return
    if isinstance(request, FOR_ADMINISTRATORS):
        raise forbidden()
    job = job_of(request)
    if not job:
        return
    if isinstance(request, Submit):
        registry.check_names(request.request.engine, request.request.settings)
    try:
        owner = services.jobs.record(job).owner
    except TweenbridgeError:
        if isinstance(request, Submit):
            return
        raise
    if not caller.may_see(owner):
        if isinstance(request, Submit):
            raise TweenbridgeError(ErrorCode.CONFLICT, f"The job id {job[:64]!r} is taken.")
        raise TweenbridgeError(ErrorCode.UNKNOWN_JOB, f"There is no job {job[:64]!r} on this server.")


def forbidden() -> TweenbridgeError:
    """The error for what only administrators and the server's own user may do."""
    return TweenbridgeError(ErrorCode.FORBIDDEN, "That takes an administrator's key.")


def answer(
    services: Services, request: Request, caller: Caller, pixels: memoryview | None, now: Circumstances
) -> Reply:
    """Do what a request asks. Errors, also those nobody thought of, become replies."""
    try:
        check_may(services, request, caller)
        if isinstance(request, (ListModels, WatchModels, ChangeModel, ImportModel, ScanModels, UnloadModels)):
            return Reply(_answer_of_models(services.models, request, caller, now))
        return _answer(services, request, caller, pixels, now)
    except TweenbridgeError as error:
        return Reply(failure(error, request))
    except Exception:  # whatever a request hits, the server and its other clients go on
        log.exception("request failed", extra={"fields": {"type": request.TYPE, "job": job_of(request)}})
        unforeseen = TweenbridgeError(ErrorCode.INTERNAL, "The server failed to answer a request.")
        return Reply(failure(unforeseen, request))


def shown_to(caller: Caller, info: ModelInfo | None) -> ModelInfo | None:
    """A model as a caller may see it: where it lies on the server's disk is not everybody's business."""
    return info if info is None or caller.rules else replace(info, location="")


def _answer_of_models(models: ModelService, request: ModelQuestion, caller: Caller, now: Circumstances) -> ModelAnswer:
    if isinstance(request, ChangeModel):
        return Model(models.change(request))
    if isinstance(request, ImportModel):
        return Model(models.import_model(request))
    if isinstance(request, ScanModels):
        return models.scan(request.path)
    if isinstance(request, UnloadModels):
        return models.unload()
    listed = models.models(now.model_seq)
    shown = (shown_to(caller, info) for info in listed.models)
    return replace(listed, models=tuple(info for info in shown if info is not None))


def _answer(
    services: Services, request: JobQuestion | Overseen, caller: Caller, pixels: memoryview | None, now: Circumstances
) -> Reply:
    service = services.jobs
    if isinstance(request, Submit):
        return Reply(service.submit(request, caller.owner))
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
        limit, skip = max(0, min(request.limit, MOST_LISTED)), max(0, request.skip)
        return Reply(Jobs(service.jobs(limit, skip, caller.scope)))
    if isinstance(request, Watch):
        return Reply(Snapshot(now.seq, service.snapshot(caller.scope) if request.on else ()))
    if isinstance(request, GetEngines):
        return Reply(Engines(service.engines()))
    if isinstance(request, (SetPriority, PauseQueue, Retry, GetDetails, GetThumbnail)):
        return _oversee(services, request, caller, now)
    return Reply(_status(services, caller, now))


def _oversee(services: Services, request: Overseen, caller: Caller, now: Circumstances) -> Reply:
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
    return Reply(_status(services, caller, now))


def _status(services: Services, caller: Caller, now: Circumstances) -> Status:
    service = services.jobs
    return Status(
        server=now.server,
        epoch=now.epoch,
        pid=now.pid,
        uptime=now.uptime,
        memory=resident_bytes(),
        sessions=now.sessions,
        jobs=service.counts(caller.scope),
        spool_bytes=service.spool_bytes(),
        data_dir=now.data_dir if caller.rules else "",
        workers=service.workers(),
        paused=service.oversight.paused,
        device=services.models.device,
    )
