"""What growth costs: requests and events against jobs waiting, frames in a job, jobs in the history, and clients.

    python benchmarks/scale.py [--quick] [--json FILE]

Workers are left out: an executor that computes nothing stands in for them, so that what is measured is the server's own
account of things, database and events included. Times are medians; in brackets, how many times those of the smallest.
Clients are sessions over loopback with a gateway in a process of its own, who ask how jobs are: flat out, then ten
times a second each, which is more than plugins and the tray do.
"""

from __future__ import annotations

import argparse
import hashlib
import heapq
import itertools
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import zmq
from tweenbridge.pixels import Encoding, PixelFormat, SampleType
from tweenbridge.protocol import codec, handshake
from tweenbridge.protocol.limits import Limits
from tweenbridge.protocol.messages import (
    Challenge,
    ClientInfo,
    GetJob,
    Hello,
    JobRequest,
    Keyframe,
    Message,
    Prove,
    Scalar,
    Submit,
    WorkerInfo,
)
from tweenbridge.timing import Timing
from tweenbridge_server.executors.base import Finished, GapTask, KeyframeFile, Made, OnEvent
from tweenbridge_server.jobs.job import Event
from tweenbridge_server.jobs.plan import Relation
from tweenbridge_server.jobs.retention import Retention
from tweenbridge_server.jobs.service import JobService
from tweenbridge_server.transport.gateway import Gateway
from tweenbridge_server.transport.keys import fresh_keys
from tweenbridge_server.transport.requests import Services

RAW = PixelFormat(Encoding.RAW, 2, 2, 3, SampleType.UINT8)
PICTURES = [bytes([number % 256, number // 256]) * 6 for number in range(200)]
LIMITS = Limits(jobs_per_client=10_000_000, queued_jobs=1_000_000, frames_per_job=10_000)
REPEATS = 40
REQUESTS = 4000
PAUSE = 0.1
"""Seconds between an answer and the same client's next question, where latency is measured."""

Costs = dict[str, float]
"""Seconds of each thing that is done."""


class IdleExecutor:
    """One slot, and nobody in it who does anything."""

    slots = 1

    def __init__(self) -> None:
        self.tasks: list[GapTask] = []
        self.on_event: OnEvent

    def start(self, on_event: OnEvent) -> None:
        self.on_event = on_event

    def prepare(self, engine: str, profile: str, settings: Mapping[str, Scalar]) -> None:
        """Nothing to prepare."""

    def expect(self, keyframe: KeyframeFile, spool: str) -> None:
        """Nothing to expect."""

    def run(self, task: GapTask) -> None:
        self.tasks.append(task)

    def cancel(self, task: str) -> None:
        """Tasks end when the benchmark says so."""

    def workers(self) -> tuple[WorkerInfo, ...]:
        return ()

    def unload(self) -> tuple[int, int]:
        return 0, 0

    def close(self) -> None:
        self.tasks.clear()


def request(number: int, frames: int = 1) -> JobRequest:
    """A job with keyframes that no job of another number has in this order."""
    first, second = divmod(number, len(PICTURES) - 1)
    pair = (first % len(PICTURES), (first + second + 1) % len(PICTURES))
    keyframes = tuple(
        Keyframe(hashlib.sha256(PICTURES[index]).hexdigest(), len(PICTURES[index]), RAW, place * (frames + 1))
        for place, index in enumerate(pair)
    )
    return JobRequest(keyframes, Timing(count=frames), "flow", "draft")


class Bench:
    """A service with its keyframes in place."""

    def __init__(self, home: Path, history: int = 500) -> None:
        self.executor = IdleExecutor()
        retention = Retention(history=history)
        self.service = JobService(home, LIMITS, retention, self.executor, lambda _: None, lambda _: None)
        self.service.start()
        self.numbers = itertools.count()
        self.service.oversight.pause(True)

    def store_keyframes(self) -> None:
        """Put every picture, so that jobs need none."""
        for start in range(0, len(PICTURES), 2):
            pair = [PICTURES[start], PICTURES[start + 1]]
            keyframes = tuple(
                Keyframe(hashlib.sha256(data).hexdigest(), len(data), RAW, index) for index, data in enumerate(pair)
            )
            self.service.submit(Submit("keyframes", JobRequest(keyframes, Timing(count=1), "flow", "draft")), "bench")
            for index, data in enumerate(pair):
                self.service.put("keyframes", index, memoryview(data))
            self.service.release("keyframes")

    def submit(self, frames: int = 1, owners: int = 10) -> str:
        """One more waiting job; returns its id."""
        number = next(self.numbers)
        job = f"job-{number}"
        self.service.submit(Submit(job, request(number, frames)), f"client {number % owners}")
        return job


@contextmanager
def bench(history: int = 500) -> Iterator[Bench]:
    """A service on an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        made = Bench(Path(folder), history)
        made.store_keyframes()
        try:
            yield made
        finally:
            made.service.close()


def median(act: Callable[[], object], repeats: int = REPEATS) -> float:
    """Seconds that something takes, typically."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _requests(made: Bench, job: str) -> Costs:
    service = made.service
    fresh: list[str] = []
    costs = {"submit": median(lambda: fresh.append(made.submit()))}
    ends = iter(fresh)
    costs["cancel"] = median(lambda: service.cancel(next(ends)), len(fresh))
    costs["how a job is"] = median(lambda: service.info(job))
    costs["50 newest jobs"] = median(lambda: service.jobs(50))
    costs["snapshot"] = median(service.snapshot, 10)
    costs["counts"] = median(lambda: (service.counts(), service.spool_bytes()))
    return costs


def _events(made: Bench) -> Costs:
    """A frame that is made, and the end of a gap with the start of the next one."""
    service, executor = made.service, made.executor
    for _ in range(REPEATS + 2):
        made.submit()
    service.oversight.pause(False)
    frames, ends = [], []
    for _ in range(REPEATS):
        task = executor.tasks.pop()
        began = time.perf_counter()
        for frame in task.frames:
            executor.on_event(task.id, Made(frame.key, RAW, "0" * 64, 12, Relation.MOTION))
        between = time.perf_counter()
        executor.on_event(task.id, Finished())
        frames.append((between - began) / len(task.frames))
        ends.append(time.perf_counter() - between)
    service.oversight.pause(True)
    return {"a frame made": statistics.median(frames), "next gap": statistics.median(ends)}


def waiting(jobs: int) -> Costs:
    """With so many jobs waiting."""
    with bench() as made:
        names = [made.submit() for _ in range(jobs)]
        return _requests(made, names[len(names) // 2]) | _events(made)


def frames_per_job(frames: int) -> Costs:
    """One job of so many frames, per frame where that is what grows."""
    with bench() as made:
        service, executor = made.service, made.executor
        costs = {"submit, per frame": median(lambda: made.submit(frames), 7) / frames}
        service.oversight.pause(False)
        task = executor.tasks.pop()
        job = task.job
        half = len(task.frames) // 2 + 1
        began = time.perf_counter()
        for frame in task.frames[:half]:
            executor.on_event(task.id, Made(frame.key, RAW, "0" * 64, 12, Relation.MOTION))
        costs["a frame made"] = (time.perf_counter() - began) / half
        costs["how the job is"] = median(lambda: service.info(job))
        return costs


def history(jobs: int) -> Costs:
    """With so many finished jobs in the list."""
    with tempfile.TemporaryDirectory() as folder:
        made = Bench(Path(folder), 1_000_000)
        made.store_keyframes()
        job = made.submit()
        record = made.service.record(job)
        done = record.after(Event.STARTED, Event.FINISHED, now=time.time(), done=1)
        with made.service._store.transaction():
            for number in range(jobs):
                made.service._store.add_job(replace(done, id=f"old-{number}", owner=f"client {number % 10}"))
                made.service._store.update_job(made.service._store.job(f"old-{number}") or done)
        costs = _requests(made, job) | {"keep house": median(made.service.keep_house, 5)}
        made.service.close()
        began = time.perf_counter()
        again = Bench(Path(folder), 1_000_000)
        costs["start"] = time.perf_counter() - began
        again.service.close()
        return costs


# ---------------------------------------------------------------- clients


class _NoModels:
    device = None


def _serve(jobs: int, pipe: Pipe) -> None:
    with bench() as made, tempfile.TemporaryDirectory() as folder:
        for _ in range(jobs):
            made.submit()
        keys = fresh_keys()
        services = Services(made.service, _NoModels())  # type: ignore[arg-type]
        gateway = Gateway(services, "scale", Path(folder), LIMITS, keys, "127.0.0.1", 0)
        gateway.start()
        pipe.send((gateway.endpoint, keys.token))
        pipe.recv()
        gateway.stop()
        gateway.join()


def _ask(socket: zmq.Socket[bytes], message: Message, number: int) -> Message:
    socket.send(codec.encode(message, number))
    return codec.decode(socket.recv()).message


def _session(context: zmq.Context[zmq.Socket[bytes]], endpoint: str, token: bytes) -> zmq.Socket[bytes]:
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(endpoint)
    nonce = handshake.make_nonce()
    challenge = _ask(socket, Hello((1,), nonce, ClientInfo("scale")), 1)
    assert isinstance(challenge, Challenge)
    _ask(socket, Prove(handshake.client_proof(token, nonce, challenge.nonce, challenge.version)), 2)
    return socket


def clients(number: int, jobs: int) -> Costs:
    """So many clients ask how jobs are while so many jobs wait."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(jobs, theirs))
    server.start()
    endpoint, token = ours.recv()
    with zmq.Context() as context:
        sockets = [_session(context, endpoint, token) for _ in range(number)]
        numbers = itertools.count(3)

        def ask(socket: zmq.Socket[bytes]) -> None:
            count = next(numbers)
            socket.send(codec.encode(GetJob(f"job-{count * 7919 % jobs}"), count))

        began = time.perf_counter()
        _talk(sockets, ask, 0.0)
        flat_out = (time.perf_counter() - began) / REQUESTS
        times = _talk(sockets, ask, PAUSE)
        for socket in sockets:
            socket.close()
    ours.send(None)
    server.join()
    times.sort()
    return {"flat out, per request": flat_out, "p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100]}


def _talk(sockets: list[zmq.Socket[bytes]], ask: Callable[[zmq.Socket[bytes]], None], pause: float) -> list[float]:
    """Seconds that each answer took; every client waits for so long after an answer."""
    poller = zmq.Poller()
    sent: dict[zmq.Socket[bytes], float] = {}
    times: list[float] = []
    now = time.perf_counter()
    # Not all at once, as no people do either.
    due = [(now + pause * place / len(sockets), place) for place in range(len(sockets))]
    places = {socket: place for place, socket in enumerate(sockets)}
    for socket in sockets:
        poller.register(socket, zmq.POLLIN)
    most = REQUESTS if pause == 0 else min(REQUESTS, 100 * len(sockets))
    while len(times) < most:
        now = time.perf_counter()
        while due and due[0][0] <= now:
            socket = sockets[heapq.heappop(due)[1]]
            sent[socket] = time.perf_counter()
            ask(socket)
        wait = 1000 if not due else max(0, int((due[0][0] - time.perf_counter()) * 1000))
        for socket, _ in poller.poll(wait):
            socket.recv()
            now = time.perf_counter()
            times.append(now - sent.pop(socket))
            heapq.heappush(due, (now + pause, places[socket]))
    while sent:
        for socket, _ in poller.poll():
            socket.recv()
            del sent[socket]
    return times


# ---------------------------------------------------------------- tables


def table(title: str, found: dict[int, Costs]) -> str:
    """A table in Markdown, a line for each size."""
    base = next(iter(found.values()))
    lines = [f"| {title} | " + " | ".join(base) + " |", "|---" * (1 + len(base)) + "|"]
    for size, costs in found.items():
        cells = [f"{1e3 * costs[name]:.3g} ms ({costs[name] / base[name]:.2g})" for name in base]
        lines.append(f"| {size} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="leave the largest sizes out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write what was measured")
    options = parser.parse_args()
    sizes = [1, 10, 100, 1000] if options.quick else [1, 10, 100, 1000, 10_000]
    most = sizes[-1]
    tables: dict[str, dict[int, Costs]] = {}
    kinds: dict[str, tuple[list[int], Callable[[int], Costs]]] = {
        "jobs waiting": (sizes, waiting),
        "frames in the job": (sizes, frames_per_job),
        "finished jobs": (sizes, history),
        f"clients, {most} jobs waiting": ([1, 10, 100], lambda number: clients(number, most)),
    }
    for title, (numbers, measure) in kinds.items():
        tables[title] = {number: measure(number) for number in numbers}
        print(table(title, tables[title]), end="\n\n", flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
