"""A small server that speaks the protocol and misbehaves on request, for tests of the client.

It keeps jobs in memory (shared between restarts through `Store`), and answers at once. `rules` bend it: a rule gets
each message before the server does, and returns the messages to send instead, or None to let the server answer.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import zmq
from tweenbridge.discovery import ServerAddress, remove_address, write_address
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol import codec, handshake
from tweenbridge.protocol import messages as wire
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import Limits
from tweenbridge.protocol.models import ListModels, ModelInfo, ModelRole, Models, ModelState, WatchModels
from tweenbridge.timing import schedule


class Answer(NamedTuple):
    """One message to send, with its pixel part where it has one."""

    message: wire.Message
    data: bytes | None = None


def error(code: ErrorCode, sentence: str = "It went wrong.", retry_after: float | None = None) -> Answer:
    """An error reply."""
    return Answer(wire.Error(TweenbridgeError(code, sentence, retry_after=retry_after).info))


@dataclass
class Stored:
    """A job in memory."""

    submit: wire.Submit
    total: int
    data: dict[int, bytes] = field(default_factory=dict)
    state: wire.JobState = wire.JobState.RECEIVING
    done: list[int] = field(default_factory=list)

    @property
    def need(self) -> tuple[int, ...]:
        """Keyframes that have not come."""
        return tuple(i for i in range(len(self.submit.request.keyframes)) if i not in self.data)

    def info(self) -> wire.JobInfo:
        """As lists show it."""
        return wire.JobInfo(
            job=self.submit.job, state=self.state, total=self.total, done=len(self.done),
            engine=self.submit.request.engine, profile="draft", origin=self.submit.origin,
        )  # fmt: skip


class Store:
    """Jobs, and a count of everything the server was asked, which outlives a restart."""

    def __init__(self) -> None:
        self.jobs: dict[str, Stored] = {}
        self.asked: list[wire.Message] = []

    def count(self, kind: type) -> int:
        """How many messages of one type have come."""
        return sum(isinstance(message, kind) for message in self.asked)

    def fetched(self) -> list[int]:
        """The frames asked for, in order."""
        return [message.frame for message in self.asked if isinstance(message, wire.Fetch)]


def frame_bytes(job: str, frame: int, size: int) -> bytes:
    """The bytes of a frame: recognisable, of the wanted size."""
    return f"{frame:08}".encode() * (size // 8)


class FakeServer:
    """One run of the server, in a thread of its own. Use as a context manager; `kill` is what -9 does."""

    def __init__(
        self, home: Path, store: Store | None = None, *, token: bytes = b"t" * 32, frame_size: int = 64,
        limits: Limits | None = None, curve: tuple[bytes, bytes] | None = None, port: int | None = None,
        finishes: bool = True,
    ) -> None:  # fmt: skip
        self.home = home
        self.store = store or Store()
        self.token = token
        self.epoch = uuid.uuid4().hex
        self.limits = limits or Limits()
        self.frame_size = frame_size
        self.finishes = finishes
        self.rules: dict[type, Callable[[wire.Message], list[Answer] | None]] = {}
        self.deaf = False
        self.prove_with = token
        self.sent_id = 0
        self.last_id = 0
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 0)
        if curve is not None:
            self._socket.setsockopt(zmq.CURVE_SERVER, 1)
            self._socket.setsockopt(zmq.CURVE_SECRETKEY, curve[1])
        if port is None:
            port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        else:
            self._socket.bind(f"tcp://127.0.0.1:{port}")
        self.port = port
        self.address = ServerAddress(
            endpoint=f"tcp://127.0.0.1:{port}", token=token, pid=os.getpid(), started=time.time(), versions=(1,),
            curve_key=curve[0].decode() if curve is not None else None,
            client_secret=zmq.curve_keypair()[1].decode() if curve is not None else None,
        )  # fmt: skip
        self._sessions: dict[bytes, bytes | None] = {}
        self._nonces: dict[bytes, tuple[bytes, bytes]] = {}
        self.pushes: list[Answer] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> FakeServer:
        self._thread.start()
        write_address(self.address, self.home)
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        remove_address(self.home, os.getpid())

    def kill(self) -> None:
        """Vanish without a word, leaving a stale address behind."""
        self._stop.set()
        self._thread.join(10)
        self._socket.close(0)
        self._context.term()

    # ------------------------------------------------------------ the loop

    def _run(self) -> None:
        while not self._stop.is_set():
            while self.pushes:
                message, data = self.pushes.pop(0)
                for peer in self._sessions:
                    self._send(peer, message, None, data)
            if not self._socket.poll(5):
                continue
            peer, header, *parts = self._socket.recv_multipart()
            if self.deaf:
                continue
            self._answer(peer, codec.decode(header), parts[0] if parts else b"")

    def _answer(self, peer: bytes, header: codec.Header, data: bytes) -> None:
        message = header.message
        self.last_id = header.id
        self.store.asked.append(message)
        rule = self.rules.get(type(message))
        answers = rule(message) if rule is not None else None
        if answers is None:
            answers = self._usual(peer, message, data)
        for answer, part in answers:
            self._send(peer, answer, header.id, part)

    def _send(self, peer: bytes, message: wire.Message, re: int | None, data: bytes | None) -> None:
        self.sent_id += 1
        is_hint = isinstance(message, (wire.Progress, wire.Preview, wire.Delta))
        header = codec.encode(message, self.sent_id, None if is_hint else re)
        self.send_raw(peer, [header] if data is None else [header, data])

    def send_raw(self, peer: bytes, parts: list[bytes]) -> None:
        """Send anything."""
        self._socket.send_multipart([peer, *parts], copy=False)

    # ------------------------------------------------------------ what a good server says

    def _usual(self, peer: bytes, message: wire.Message, data: bytes) -> list[Answer]:
        if isinstance(message, wire.Hello):
            mine = handshake.make_nonce()
            self._nonces[peer] = (message.nonce, mine)
            return [Answer(wire.Challenge(1, mine, handshake.server_proof(self.prove_with, message.nonce, mine, 1)))]
        if isinstance(message, wire.Prove):
            expected = handshake.client_proof(self.token, *self._nonces[peer], 1)
            if not handshake.matches(expected, message.proof):
                return [error(ErrorCode.UNAUTHORIZED)]
            self._sessions[peer] = None
            return [Answer(wire.Welcome(self.epoch, "fake 1", self.limits))]
        if peer not in self._sessions:
            return [error(ErrorCode.UNAUTHORIZED, "Say hello first.")]
        return self._in_session(message, data)

    def _in_session(self, message: wire.Message, data: bytes) -> list[Answer]:
        if isinstance(message, wire.Ping):
            return [Answer(wire.Pong())]
        if isinstance(message, wire.Submit):
            return self._submit(message)
        if isinstance(message, wire.GetStatus):
            home = str(self.home)
            return [Answer(wire.Status("fake 1", self.epoch, os.getpid(), 1.0, 1, len(self._sessions), {}, 0, home))]
        if isinstance(message, wire.GetEngines):
            profiles = (wire.ProfileInfo("draft", "Draft"),)
            return [Answer(wire.Engines((wire.EngineInfo("flow", "Optical flow", "1", profiles),)))]
        if isinstance(message, wire.ListJobs):
            return [Answer(wire.Jobs(tuple(job.info() for job in self.store.jobs.values())[: message.limit]))]
        if isinstance(message, wire.Watch):
            return [Answer(wire.Snapshot(7, tuple(job.info() for job in self.store.jobs.values())))]
        if isinstance(message, (ListModels, WatchModels)):
            toon = ModelInfo("toon", "Toon", "dreammover", ModelRole.MODEL, ModelState.READY)
            return [Answer(Models(7, (toon,)))]
        if isinstance(message, wire.Stop):
            return [Answer(wire.Stopping())]
        return self._of_job(message, data)

    def _of_job(self, message: wire.Message, data: bytes) -> list[Answer]:
        assert isinstance(message, (wire.Put, wire.Fetch, wire.Cancel, wire.Release, wire.GetJob))
        job = self.store.jobs.get(message.job)
        if job is None:
            return [error(ErrorCode.UNKNOWN_JOB)]
        if isinstance(message, wire.Put):
            keyframe = job.submit.request.keyframes[message.keyframe]
            assert hashlib.sha256(data).hexdigest() == keyframe.sha256
            job.data[message.keyframe] = data
            received = Answer(wire.Received(message.job, message.keyframe, job.need))
            return [received] if job.need else [received, *self._make(job)]
        if isinstance(message, wire.Fetch):
            if message.frame not in job.done:
                return [error(ErrorCode.NOT_READY)]
            pixels = frame_bytes(message.job, message.frame, self.frame_size)
            form = PixelFormat(Encoding.PNG)
            digest = hashlib.sha256(pixels).hexdigest()
            return [Answer(wire.FrameData(message.job, message.frame, form, digest), pixels)]
        if isinstance(message, wire.Cancel) and not job.state.is_final:
            job.state = wire.JobState.CANCELLED
        if isinstance(message, wire.Release):
            del self.store.jobs[message.job]
            return [Answer(wire.Released(message.job))]
        return [Answer(wire.Job(job.info()))]

    def _submit(self, message: wire.Submit) -> list[Answer]:
        job = self.store.jobs.get(message.job)
        if job is None:
            positions = [keyframe.position for keyframe in message.request.keyframes]
            total = len(schedule(positions, message.request.timing).drawings)
            job = self.store.jobs[message.job] = Stored(message, total)
        elif job.submit.request != message.request:
            return [error(ErrorCode.CONFLICT)]
        if job.state in (wire.JobState.FAILED, wire.JobState.CANCELLED):
            job.state = wire.JobState.RUNNING
        accepted = Answer(wire.Accepted(message.job, job.state, job.need, tuple(job.done), job.total))
        return [accepted] if job.need else [accepted, *self._make(job)]

    def _make(self, job: Stored) -> list[Answer]:
        """Finish every frame at once, or leave the job running for the test to go on with."""
        job.state = wire.JobState.RUNNING
        if not self.finishes:
            return [Answer(wire.Progress(job.info()))]
        return self.finish(job, range(job.total))

    def finish(self, job: Stored, frames: Any) -> list[Answer]:
        """Mark frames as done; the hints that tell the client."""
        new = tuple(frame for frame in frames if frame not in job.done)
        job.done.extend(new)
        if len(job.done) == job.total:
            job.state = wire.JobState.DONE
        return [Answer(wire.Progress(replace(job.info(), fraction=len(job.done) / max(1, job.total)), new))]
