"""A real gateway on loopback, a job service in memory behind it, and a raw DEALER to talk to it with."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zmq
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol import codec, handshake
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import Limits
from tweenbridge.protocol.messages import (
    Accepted,
    Challenge,
    ClientInfo,
    EngineInfo,
    Hello,
    JobInfo,
    JobState,
    Message,
    ProfileInfo,
    Prove,
    Received,
    Submit,
    Welcome,
    WorkerInfo,
)
from tweenbridge.protocol.models import ModelInfo, ModelRole, Models, ModelState
from tweenbridge_server.jobs.service import Change, StoredFrame
from tweenbridge_server.models.service import ModelChange
from tweenbridge_server.transport.gateway import Gateway
from tweenbridge_server.transport.keys import Keys, fresh_keys
from tweenbridge_server.transport.requests import Services

LIMITS = Limits(frame_bytes=4 * 1024 * 1024)


def info(job: str, state: JobState = JobState.RUNNING, **fields: Any) -> JobInfo:
    return JobInfo(job=job, state=state, total=7, done=0, engine="flow", profile="draft", **fields)


@dataclass(frozen=True)
class Owned:
    """What of a job's record the transport looks at."""

    owner: str


class MemoryService:
    """Keeps jobs in memory and frames in files that a test puts there."""

    def __init__(self) -> None:
        self.known: dict[str, JobInfo] = {}
        self.frames: dict[tuple[str, int], StoredFrame] = {}
        self.received: list[tuple[str, int, str]] = []
        self.owners: list[str] = []
        self.owner_of: dict[str, str] = {}
        self.put_gate = threading.Event()
        self.put_gate.set()
        self.raises: Exception | None = None
        self.paused = False

    @property
    def oversight(self) -> MemoryService:
        return self

    def add_frame(self, job: str, frame: int, path: Path, content: bytes) -> StoredFrame:
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        self.frames[job, frame] = StoredFrame(path, PixelFormat(Encoding.PNG), digest, len(content))
        return self.frames[job, frame]

    def _known(self, job: str) -> JobInfo:
        if self.raises is not None:
            raise self.raises
        if job not in self.known:
            raise TweenbridgeError(ErrorCode.UNKNOWN_JOB, f"There is no job {job!r} on this server.")
        return self.known[job]

    def submit(self, message: Submit, owner: str) -> Accepted:
        self.owners.append(owner)
        self.owner_of.setdefault(message.job, owner)
        self.known[message.job] = info(message.job, JobState.RECEIVING, title=message.title)
        need = tuple(range(len(message.request.keyframes)))
        return Accepted(message.job, JobState.RECEIVING, need, (), 7)

    def put(self, job: str, keyframe: int, data: memoryview) -> Received:
        self._known(job)
        self.put_gate.wait(20)
        self.received.append((job, keyframe, hashlib.sha256(data).hexdigest()))
        return Received(job, keyframe, ())

    def frame(self, job: str, frame: int) -> StoredFrame:
        if (job, frame) not in self.frames:
            raise TweenbridgeError(ErrorCode.NOT_READY, f"Frame {frame} is not ready.")
        return self.frames[job, frame]

    def cancel(self, job: str) -> JobInfo:
        self._known(job)
        self.known[job] = info(job, JobState.CANCELLED)
        return self.known[job]

    def release(self, job: str) -> None:
        self._known(job)
        del self.known[job]

    def info(self, job: str) -> JobInfo:
        return self._known(job)

    def jobs(self, limit: int, skip: int, owner: str | None) -> tuple[JobInfo, ...]:
        return self._of(owner)[skip:][:limit]

    def snapshot(self, owner: str | None) -> tuple[JobInfo, ...]:
        return self._of(owner)

    def _of(self, owner: str | None) -> tuple[JobInfo, ...]:
        return tuple(job for name, job in self.known.items() if owner in (None, self.owner_of.get(name)))

    def record(self, job: str) -> Owned:
        self._known(job)
        return Owned(self.owner_of[job])

    def counts(self, owner: str | None) -> dict[str, int]:
        return {"receiving": len(self.known)}

    def spool_bytes(self) -> int:
        return 123

    def workers(self) -> tuple[WorkerInfo, ...]:
        return (WorkerInfo("cpu", 4711, "idle"),)

    def engines(self) -> tuple[EngineInfo, ...]:
        return (EngineInfo("flow", "Optical flow", "1", (ProfileInfo("draft", "Draft"),)),)


TOON = ModelInfo("toon", "Toon", "dreammover", ModelRole.MODEL, ModelState.READY, location="/models/toon")


class MemoryModels:
    """Has one model."""

    device = None

    def models(self, seq: int) -> Models:
        return Models(seq, (TOON,))


class Peer:
    """A raw DEALER that speaks the protocol as badly as a test likes."""

    def __init__(
        self, endpoint: str, token: bytes, curve_key: str | None = None, lazy: bool = False, secret: str = ""
    ) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.token = token
        self.numbers = 0
        if curve_key:
            own = secret.encode() or zmq.curve_keypair()[1]
            self.socket.curve_publickey, self.socket.curve_secretkey = zmq.curve_public(own), own
            self.socket.curve_serverkey = curve_key.encode()
        if lazy:
            # Its ZeroMQ takes next to nothing off the network until the test reads.
            self.socket.rcvhwm = 1
            self.socket.rcvbuf = 64 * 1024
        self.socket.connect(endpoint)

    def send(self, message: Message, pixels: bytes | None = None) -> int:
        self.numbers += 1
        header = codec.encode(message, self.numbers)
        self.socket.send_multipart([header] if pixels is None else [header, pixels])
        return self.numbers

    def receive_parts(self, timeout: float = 10.0) -> tuple[codec.Header, bytes | None]:
        if not self.socket.poll(int(timeout * 1000)):
            raise TimeoutError("the server said nothing")
        parts = self.socket.recv_multipart()
        assert len(parts) <= 2
        return codec.decode(parts[0]), parts[1] if len(parts) == 2 else None

    def receive(self, timeout: float = 10.0) -> codec.Header:
        return self.receive_parts(timeout)[0]

    def news(self) -> Any:
        """The next message, whatever it is."""
        return self.receive().message

    def ask(self, message: Message, pixels: bytes | None = None) -> Any:
        """Send and return the answer; news in between are skipped."""
        number = self.send(message, pixels)
        while True:
            header = self.receive()
            if header.re == number:
                return header.message

    def is_silent(self, seconds: float = 0.3) -> bool:
        return not self.socket.poll(int(seconds * 1000))

    def hello(self) -> tuple[bytes, Challenge]:
        nonce = handshake.make_nonce()
        challenge = self.ask(Hello((1,), nonce, ClientInfo("test", "1")))
        assert isinstance(challenge, Challenge), challenge
        return nonce, challenge

    def open(self) -> Peer:
        nonce, challenge = self.hello()
        assert challenge.proof == handshake.server_proof(self.token, nonce, challenge.nonce, challenge.version)
        proof = handshake.client_proof(self.token, nonce, challenge.nonce, challenge.version)
        welcome = self.ask(Prove(proof))
        assert isinstance(welcome, Welcome), welcome
        return self

    def close(self) -> None:
        self.socket.close()
        self.context.term()


class Served:
    """A gateway that runs, and what a test needs to talk to it."""

    def __init__(self, home: Path, keys: Keys, service: MemoryService, limits: Limits) -> None:
        self.keys = keys
        self.service = service
        services = Services(service, MemoryModels())  # type: ignore[arg-type]
        self.gateway = Gateway(services, "tweenbridge test", home, limits, keys, "127.0.0.1", 0)
        self.gateway.start()
        self._peers: list[Peer] = []

    def peer(
        self, token: bytes | None = None, curve_key: str | None = None, lazy: bool = False, secret: str = ""
    ) -> Peer:
        if curve_key is None and self.keys.curve is not None:
            curve_key = self.keys.curve.public
        if self.keys.local is not None and not secret:
            secret = self.keys.local.secret
        peer = Peer(self.gateway.endpoint, self.keys.token if token is None else token, curve_key, lazy, secret)
        self._peers.append(peer)
        return peer

    def client(self) -> Peer:
        return self.peer().open()

    def change(self, job: str, ready: tuple[int, ...] = (), **fields: Any) -> None:
        self.gateway.changed(Change(job, info(job, **fields), ready))

    def change_model(self, model: str, info: ModelInfo | None = TOON) -> None:
        self.gateway.model_changed(ModelChange(model, info))

    def close(self) -> None:
        for peer in self._peers:
            peer.close()
        self.gateway.stop()
        assert self.gateway.join(20), "the gateway did not end"


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts gateways; all are stopped, and must stop, after the test."""
    running: list[Served] = []

    def start(keys: Keys | None = None, limits: Limits = LIMITS) -> Served:
        served = Served(tmp_path, keys or fresh_keys(), MemoryService(), limits)
        running.append(served)
        return served

    yield start
    for served in running:
        served.close()


@pytest.fixture
def served(start_gateway: Callable[..., Served]) -> Served:
    return start_gateway()


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Waits until something holds; fails after ten seconds."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.01)

    return wait
