"""Memory stays bounded: keyframes on their way in, frames on their way out, clients that do not read."""

from __future__ import annotations

import mmap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tweenbridge.protocol.errors import ErrorCode
from tweenbridge.protocol.limits import FETCH_WINDOW
from tweenbridge.protocol.messages import Error, Fetch, FrameData, Jobs, ListJobs, Put, Received, Submit
from tweenbridge_server.jobs.service import StoredFrame
from tweenbridge_server.transport.desk import MAX_REQUESTS, MAX_WAITING_FETCHES

from .test_gateway import SUBMIT

if TYPE_CHECKING:
    from .conftest import Peer, Served

MIB = 1024 * 1024


def own_memory() -> int:
    """Memory of this process that is not backed by files, in bytes."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))


needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")


def answers(peer: Peer, count: int) -> list[Any]:
    return [peer.news() for _ in range(count)]


# ------------------------------------------------------------ keyframes in


def test_puts_beyond_the_bound_are_busy_with_a_time_to_wait_and_succeed_later(served: Served) -> None:
    first, second, third = served.client(), served.client(), served.client()
    for peer in (first, second, third):
        peer.ask(SUBMIT)
    served.service.put_gate.clear()
    half = b"x" * (2 * MIB)
    for _ in range(3):
        first.send(Put("job-1", 0), half)
    beyond_own = first.news()
    assert isinstance(beyond_own, Error) and beyond_own.error.code is ErrorCode.BUSY
    assert beyond_own.error.retry_after and beyond_own.error.retryable and beyond_own.job == "job-1"
    for _ in range(2):
        second.send(Put("job-1", 0), half)
    assert second.is_silent()
    beyond_all = third.ask(Put("job-1", 0), half)
    assert isinstance(beyond_all, Error) and beyond_all.error.code is ErrorCode.BUSY
    assert isinstance(third.ask(ListJobs()), Jobs), "keyframes that are being stored keep no question waiting"
    served.service.put_gate.set()
    assert all(isinstance(answer, Received) for answer in answers(first, 2) + answers(second, 2))
    assert isinstance(third.ask(Put("job-1", 0), half), Received)
    assert isinstance(first.ask(Put("job-1", 0), half * 2), Received)


def test_a_client_that_leaves_during_its_put_gives_its_room_back(
    served: Served, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    leaver, stayer = served.client(), served.client()
    stayer.ask(SUBMIT)
    served.service.put_gate.clear()
    leaver.send(Put("job-1", 0), b"x" * (4 * MIB))
    stayer.send(Put("job-1", 0), b"x" * (4 * MIB))
    time.sleep(0.3)
    leaver.socket.close()
    served.service.put_gate.set()
    assert isinstance(stayer.news(), Received)
    wait_until(lambda: len(served.service.received) == 2)
    assert isinstance(stayer.ask(Put("job-1", 0), b"x" * (4 * MIB)), Received)


@needs_proc
def test_a_flood_of_keyframes_does_not_pile_up_in_memory(served: Served) -> None:
    """A client that sends without waiting meets refusals and the network's own back pressure."""
    peer = served.client()
    peer.ask(SUBMIT)
    served.service.put_gate.clear()
    pixels = mmap.mmap(-1, 4 * MIB)
    before = own_memory()
    highest = before
    for _ in range(60):
        peer.socket.send_multipart([_put_header(peer), pixels], copy=False)
        time.sleep(0.005)
        highest = max(highest, own_memory())
    served.service.put_gate.set()
    assert highest - before < 60 * MIB, "two frames for the bound, a few on their way, but not sixty of 4 MB"
    del pixels


def _put_header(peer: Peer) -> bytes:
    from tweenbridge.protocol import codec

    peer.numbers += 1
    return codec.encode(Put("job-1", 0), peer.numbers)


def test_too_many_requests_at_once_are_busy(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(served.service, "jobs", lambda limit, skip, owner: gate.wait(20) and ())
    peer = served.client()
    for _ in range(MAX_REQUESTS + 1):
        peer.send(ListJobs())
    refused = peer.news()
    assert isinstance(refused, Error) and refused.error.code is ErrorCode.BUSY
    gate.set()
    assert all(isinstance(answer, Jobs) for answer in answers(peer, MAX_REQUESTS))


# ------------------------------------------------------------ frames out


def test_more_fetches_than_the_window_are_served_in_turn(served: Served, tmp_path: Path) -> None:
    for frame in range(8):
        served.service.add_frame("job-1", frame, tmp_path / str(frame), bytes([frame]) * MIB)
    peer = served.client()
    numbers = {peer.send(Fetch("job-1", frame)): frame for frame in range(8)}
    seen = set()
    for _ in range(8):
        header, pixels = peer.receive_parts()
        assert isinstance(header.message, FrameData) and header.re is not None
        assert numbers[header.re] == header.message.frame
        assert pixels == bytes([header.message.frame]) * MIB
        seen.add(header.message.frame)
    assert seen == set(range(8))


@needs_proc
def test_a_client_that_asks_for_everything_and_reads_nothing_costs_no_memory(
    start_gateway: Callable[..., Served], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = start_gateway()
    opened: list[int] = []
    original = served.service.frame

    def counting(job: str, frame: int) -> StoredFrame:
        opened.append(frame)
        return original(job, frame)

    monkeypatch.setattr(served.service, "frame", counting)
    size = 32 * MIB
    for frame in range(4):
        served.service.add_frame("job-1", frame, tmp_path / f"frame{frame}", bytes(size))
    slow = served.peer(lazy=True).open()
    good = served.client()
    before = own_memory()
    asked = 100
    for number in range(asked):
        slow.send(Fetch("job-1", number % 4))
    for _ in range(10):
        time.sleep(0.1)
        assert own_memory() - before < 1.5 * size, "the client's own ZeroMQ, in this process, may hold one frame"
    assert isinstance(good.ask(ListJobs()), Jobs)
    assert len(opened) <= FETCH_WINDOW + 1
    received = [slow.news() for _ in range(asked)]
    frames = [answer for answer in received if isinstance(answer, FrameData)]
    refused = [answer.error.code for answer in received if isinstance(answer, Error)]
    assert len(frames) == FETCH_WINDOW + MAX_WAITING_FETCHES
    assert refused == [ErrorCode.BUSY] * (asked - len(frames))
    header, pixels = _fetch(good, 2)
    assert isinstance(header, FrameData) and pixels is not None and len(pixels) == size


@needs_proc
def test_a_client_that_asks_on_and_on_without_reading_costs_little_memory(served: Served) -> None:
    """Beyond what may wait for a peer, replies are refusals or dropped; when it reads again it is served again."""
    peer, good = served.peer(lazy=True).open(), served.client()
    for number in range(100):
        good.ask(Submit(f"job-{number}", SUBMIT.request, title="A title " * 50))
    before = own_memory()
    for _ in range(3000):
        peer.send(ListJobs(limit=100))
    assert isinstance(good.ask(ListJobs()), Jobs)
    assert own_memory() - before < 30 * MIB, "three thousand lists would be 130 MB"
    lists = 0
    while not peer.is_silent(0.5):
        lists += isinstance(peer.news(), Jobs)
    assert 0 < lists < 3000
    assert isinstance(peer.ask(ListJobs()), Jobs)


def _fetch(peer: Peer, frame: int) -> tuple[object, bytes | None]:
    peer.send(Fetch("job-1", frame))
    header, pixels = peer.receive_parts()
    return header.message, pixels
