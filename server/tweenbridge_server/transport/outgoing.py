"""Messages on their way out: made to fit into a header, and sent without ever waiting for the peer."""

from __future__ import annotations

import errno
import itertools
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

import zmq
from tweenbridge.protocol import codec
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import Delta, Details, Job, JobInfo, Jobs, Message, Progress, Snapshot
from tweenbridge.protocol.models import ModelInfo, Models, ModelsFound

if TYPE_CHECKING:
    from .frame_files import Payload

MAX_QUEUED = 200
"""Messages that may wait for one peer. Frames are bounded by the fetch window long before."""


class Outcome(Enum):
    """What became of a message."""

    SENT = "sent"
    FULL = "full"
    """The peer does not read what it was sent; the message was dropped."""
    GONE = "gone"
    """The peer is not connected any more."""


def _brief(info: JobInfo) -> JobInfo:
    return replace(info, notes=(), title=info.title[:80], origin=info.origin[:80])


def _brief_model(info: ModelInfo) -> ModelInfo:
    return replace(info, description="", sources=(), title=info.title[:80])


def _shorter(message: Message) -> Message | None:
    """The same message with less in it, or None when nothing is left to leave out."""
    if isinstance(message, Models) and message.models:
        models = tuple(_brief_model(info) for info in message.models)
        if models != message.models:
            return replace(message, models=models)
        return replace(message, models=models[: len(models) * 3 // 4])
    if isinstance(message, ModelsFound) and message.found:
        return replace(message, found=message.found[: len(message.found) * 3 // 4], whole=False)
    if isinstance(message, (Jobs, Snapshot)) and message.jobs:
        brief = tuple(_brief(info) for info in message.jobs)
        if brief != message.jobs:
            return replace(message, jobs=brief)
        return replace(message, jobs=brief[: len(brief) * 3 // 4])
    if isinstance(message, (Job, Progress, Delta)) and message.info is not None:
        brief_info = _brief(message.info)
        return replace(message, info=brief_info) if brief_info != message.info else None
    if isinstance(message, Details) and (message.ready or any(k.name for k in message.request.keyframes)):
        keyframes = tuple(replace(keyframe, name="") for keyframe in message.request.keyframes)
        return replace(message, ready=(), request=replace(message.request, keyframes=keyframes))
    return None


def encode(message: Message, number: int, answers: int | None) -> bytes:
    """A header's bytes. Lists of jobs that are too long for one header lose notes first, then their last jobs.

    Raises:
        TweenbridgeError: TOO_LARGE when nothing could be left out.
    """
    while True:
        try:
            return codec.encode(message, number, answers)
        except TweenbridgeError as error:
            shorter = _shorter(message) if error.code is ErrorCode.TOO_LARGE else None
            if shorter is None:
                raise
            message = shorter


class Sender:
    """Sends to the peers of a ROUTER. Belongs to the thread that owns the socket."""

    def __init__(self, router: zmq.Socket[bytes]) -> None:
        self._router = router
        self._numbers = itertools.count(1)

    def send(self, routing_id: bytes, message: Message, answers: int | None = None) -> Outcome:
        """Send a header on its own."""
        header = encode(message, next(self._numbers), answers)
        try:
            self._router.send(routing_id, zmq.NOBLOCK | zmq.SNDMORE)
            self._router.send(header, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            return _outcome(error)
        return Outcome.SENT

    def send_pixels(
        self, routing_id: bytes, message: Message, answers: int | None, payload: Payload
    ) -> tuple[Outcome, zmq.MessageTracker | None]:
        """Send a header and its pixel part without copying it; the tracker tells when it has left."""
        header = encode(message, next(self._numbers), answers)
        try:
            self._router.send(routing_id, zmq.NOBLOCK | zmq.SNDMORE)
            self._router.send(header, zmq.NOBLOCK | zmq.SNDMORE)
            part = zmq.Frame(payload, track=True, copy=False)
            tracker = self._router.send(part, zmq.NOBLOCK, copy=False, track=True)
        except zmq.ZMQError as error:
            return _outcome(error), None
        return Outcome.SENT, tracker


def _outcome(error: zmq.ZMQError) -> Outcome:
    if error.errno == zmq.EAGAIN:
        return Outcome.FULL
    if error.errno in (zmq.EHOSTUNREACH, errno.EPIPE):
        return Outcome.GONE
    raise error
