"""What moving bytes costs: submit, put and fetch through a real server, against a memcpy of the same bytes.

    python benchmarks/wire.py [--json FILE] [--repeat N]

The server is a process of its own on an empty data folder, as an artist's is. `put` includes that the server hashes the
keyframe and stores it; `fetch` is from the request to the bytes in this process; `client fetch` is the same through
`tweenbridge.Client`, which hashes what it receives. Jobs have two equal keyframes, so that no engine's time is in it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import zmq
from tweenbridge import Client, KeyframeSource
from tweenbridge.discovery import ServerAddress
from tweenbridge.events import FrameArrived, JobEnded
from tweenbridge.launcher import start_server
from tweenbridge.pixels import Encoding, PixelFormat, SampleType
from tweenbridge.protocol import codec, handshake
from tweenbridge.protocol.messages import (
    Accepted,
    ClientInfo,
    Error,
    Fetch,
    FrameData,
    Hello,
    JobRequest,
    Keyframe,
    ListJobs,
    Message,
    Ping,
    Prove,
    Put,
    Received,
    Release,
    Submit,
)
from tweenbridge.timing import Timing

FRAMES = 4
"""In-betweens of the job whose frames are fetched."""
SMALL_REQUESTS = 2000


@dataclass(frozen=True)
class Size:
    """A kind of frame that is moved."""

    name: str
    format: PixelFormat


def _raw(width: int, height: int, dtype: SampleType) -> PixelFormat:
    return PixelFormat(Encoding.RAW, width, height, 4, dtype)


SIZES = (
    Size("1080p RGBA8", _raw(1920, 1080, SampleType.UINT8)),
    Size("4K RGBA8", _raw(3840, 2160, SampleType.UINT8)),
    Size("4K float32", _raw(3840, 2160, SampleType.FLOAT32)),
)


@dataclass(frozen=True)
class Row:
    """One line of the table: median milliseconds, and how many copies of the same bytes that is."""

    size: str
    what: str
    milliseconds: float
    memcpy_milliseconds: float

    @property
    def ratio(self) -> float:
        """How many times a memcpy."""
        return self.milliseconds / self.memcpy_milliseconds


class Session:
    """A DEALER with an open session: the wire without the client's work."""

    def __init__(self, address: ServerAddress) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.connect(address.endpoint)
        self._number = 0
        nonce = handshake.make_nonce()
        challenge: Any = self.ask(Hello(address.versions, nonce, ClientInfo("benchmark")))
        proof = handshake.client_proof(address.token, nonce, challenge.nonce, challenge.version)
        self.ask(Prove(proof))

    def ask(self, message: Message, pixels: bytes | bytearray | None = None) -> Message:
        """Send and wait for the answer. Hints in between are skipped; an error ends the benchmark."""
        return self.ask_for_bytes(message, pixels)[0]

    def ask_for_bytes(
        self, message: Message, pixels: bytes | bytearray | None = None
    ) -> tuple[Message, zmq.Frame | None]:
        """Like `ask`, with the frame's bytes where the answer is a frame."""
        self._number += 1
        header = codec.encode(message, self._number)
        self._socket.send_multipart([header] if pixels is None else [header, pixels], copy=False)
        while True:
            parts = self._socket.recv_multipart(copy=False)
            answer = codec.decode(parts[0].buffer)
            if answer.re == self._number:
                if isinstance(answer.message, Error):
                    raise SystemExit(f"{message.TYPE}: {answer.message.error.message}")
                return answer.message, parts[1] if len(parts) > 1 else None

    def close(self) -> None:
        """End the session."""
        self._socket.close()
        self._context.term()


def _milliseconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


class Memcpy:
    """Copies of `size` bytes between two buffers that stay in place."""

    def __init__(self, size: int) -> None:
        self._source, self._target = bytearray(secrets.token_bytes(1024)) * (size // 1024), bytearray(size)
        self._size = len(self._source)
        self.times: list[float] = []

    def measure(self) -> None:
        """One copy; called between the measurements, so that both see the same load of the machine."""
        view = memoryview(self._target)
        self.times.append(_milliseconds(lambda: view.__setitem__(slice(0, self._size), self._source)))

    def median(self) -> float:
        """Of all copies, in milliseconds."""
        return statistics.median(self.times)


def _keyframes(pixels: bytearray, format: PixelFormat) -> tuple[Keyframe, Keyframe]:
    digest = hashlib.sha256(pixels).hexdigest()
    first = Keyframe(digest, len(pixels), format, 0)
    return first, Keyframe(digest, len(pixels), format, FRAMES + 1)


def measure_puts(session: Session, size: Size, repeat: int) -> list[Row]:
    """Submitting a job and putting one new keyframe."""
    pixels = bytearray(secrets.token_bytes(4096)) * (size.format.raw_size() // 4096)
    copies = Memcpy(len(pixels))
    submits, puts = [], []
    for _ in range(repeat):
        pixels[:16] = secrets.token_bytes(16)
        first, _ = _keyframes(pixels, size.format)
        # The second keyframe never comes: the job waits for it, and nothing computes meanwhile.
        second = Keyframe("0" * 64, 10_000, PixelFormat(Encoding.PNG), FRAMES + 1)
        job = f"put-{secrets.token_hex(6)}"
        request = JobRequest((first, second), Timing(count=FRAMES))

        def submit(job: str = job, request: JobRequest = request) -> None:
            answer = session.ask(Submit(job, request))
            assert isinstance(answer, Accepted) and 0 in answer.need, answer

        def put(job: str = job) -> None:
            answer = session.ask(Put(job, 0), pixels)
            assert isinstance(answer, Received), answer

        submits.append(_milliseconds(submit))
        puts.append(_milliseconds(put))
        copies.measure()
        session.ask(Release(job))
    memcpy = copies.median()
    return [
        Row(size.name, "submit", statistics.median(submits), memcpy),
        Row(size.name, "put", statistics.median(puts), memcpy),
    ]


def _follow(client: Client, keyframes: Sequence[KeyframeSource], job: str) -> list[float]:
    """Run or fetch again a job with the client; the moments at which frames arrived, in seconds."""
    client.submit(keyframes, count=FRAMES, job=job)
    moments = []
    while True:
        for event in client.poll(1.0):
            if isinstance(event, FrameArrived):
                moments.append(time.perf_counter())
            elif isinstance(event, JobEnded):
                if event.error is not None:
                    raise SystemExit(event.error.message)
                return moments


def measure_fetches(session: Session, client: Client, size: Size, repeat: int) -> list[Row]:
    """Fetching finished frames: over the wire alone, and with the client."""
    pixels = bytearray(secrets.token_bytes(4096)) * (size.format.raw_size() // 4096)
    copies = Memcpy(len(pixels))
    source = KeyframeSource(pixels, format=size.format)
    job = f"fetch-{secrets.token_hex(6)}"
    _follow(client, (source, source), job)

    def fetch(frame: int) -> None:
        answer, data = session.ask_for_bytes(Fetch(job, frame))
        assert isinstance(answer, FrameData) and data is not None and len(data.buffer) == len(pixels)

    fetches, client_fetches = [], []
    for number in range(repeat):
        fetches.append(_milliseconds(lambda frame=number % FRAMES: fetch(frame)))  # type: ignore[misc]
        copies.measure()
    for _ in range(max(2, repeat // FRAMES)):
        moments = _follow(client, (source, source), job)
        client_fetches += [(later - earlier) * 1000 for earlier, later in zip(moments, moments[1:])]
    session.ask(Release(job))
    memcpy = copies.median()
    return [
        Row(size.name, "fetch", statistics.median(fetches), memcpy),
        Row(size.name, "client fetch", statistics.median(client_fetches), memcpy),
    ]


def measure_small(session: Session, message: Message) -> dict[str, float]:
    """Median and 99th percentile of a small request, in microseconds."""
    times = sorted(_milliseconds(lambda: session.ask(message)) * 1000 for _ in range(SMALL_REQUESTS))
    return {"p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100]}


def run(home: Path, repeat: int) -> dict[str, Any]:
    """All measurements against a server of its own on the folder `home`."""
    address = start_server(home)
    with Client(home, name="benchmark") as client:
        session = Session(address)
        try:
            rows = []
            for size in SIZES:
                rows += measure_puts(session, size, repeat)
                rows += measure_fetches(session, client, size, repeat)
            small = {"ping": measure_small(session, Ping()), "list_jobs": measure_small(session, ListJobs())}
            time.sleep(3.0)
            memory = client.status().memory
        finally:
            session.close()
            client.stop_server()
    return {"rows": [asdict(row) | {"ratio": row.ratio} for row in rows], "small": small, "gateway_memory": memory}


def _table(result: dict[str, Any]) -> str:
    lines = [f"{'frame':<14}{'what':<14}{'ms':>9}{'memcpy ms':>11}{'ratio':>8}"]
    lines += [
        f"{row['size']:<14}{row['what']:<14}{row['milliseconds']:>9.2f}{row['memcpy_milliseconds']:>11.2f}"
        f"{row['ratio']:>8.1f}"
        for row in result["rows"]
    ]
    lines += [f"{name}: p50 {of['p50']:.0f} us, p99 {of['p99']:.0f} us" for name, of in result["small"].items()]
    lines.append(f"gateway process after all that: {result['gateway_memory'] / 1e6:.0f} MB resident")
    return "\n".join(lines)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the numbers to this file, too")
    parser.add_argument("--repeat", type=int, default=15, help="measurements of each kind (default: 15)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tweenbridge-wire-") as folder:
        result = run(Path(folder), arguments.repeat)
    print(_table(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
