"""`poll(0)` in a main loop: it never waits, whatever the server, the network or the disk do."""

from __future__ import annotations

import os
import socket
import statistics
import sys
import time
from pathlib import Path

import pytest
from fakes.wire_server import FakeServer
from helpers import has, poll_until
from tweenbridge import Client, Connected, FrameArrived, JobEnded, ServerAddress, TweenbridgeError
from tweenbridge.connection import Arrival, Connection
from tweenbridge.discovery import write_address
from tweenbridge.protocol import messages as wire

TICK = 0.05
"""A host application's timer. A poll that takes longer would be felt."""
FRAME_4K = 3840 * 2160 * 4


def spent(client: Client) -> tuple[float, list[object]]:
    """Seconds of this thread's own work in one poll: what it does, without what other processes do meanwhile."""
    start = time.thread_time()
    events = client.poll(0)
    return time.thread_time() - start, list(events)


def worst_wait(client: Client, seconds: float, pause: float = 0.002) -> float:
    """The longest time that a poll took beyond the work it did, over a while.

    A poll that sleeps shows here. On a busy machine a thread may lose the processor for a while at any point, so the
    worst of many is compared with a sleep, not with zero.
    """
    worst = 0.0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start, work = time.perf_counter(), time.thread_time()
        client.poll(0)
        worst = max(worst, time.perf_counter() - start - (time.thread_time() - work))
        time.sleep(pause)
    return worst


def test_an_idle_poll_costs_less_than_a_millisecond(server: FakeServer, client: Client) -> None:
    poll_until(client, has(Connected))
    costs = []
    for _ in range(300):
        start = time.perf_counter()
        client.poll(0)
        costs.append(time.perf_counter() - start)
    assert statistics.median(costs) < 0.001


def test_waiting_for_a_quiet_server_sleeps(server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    poll_until(client, has(Connected))
    looks = []
    original = Connection.poll

    def counted(session: Connection) -> list[Arrival]:
        looks.append(session)
        return original(session)

    monkeypatch.setattr(Connection, "poll", counted)
    client.poll(0.3)
    with pytest.raises(TweenbridgeError):
        client._wait(lambda: False, 0.3)
    assert 4 <= len(looks) <= 20, "now and then for timers, and not again and again"


def test_polling_while_4k_frames_arrive(home: Path, pictures: list[bytes]) -> None:
    with FakeServer(home, frame_size=FRAME_4K), Client(home, start_server=False) as client:
        client.submit(pictures[:2], count=12)
        costs, sizes = [], []
        end = time.monotonic() + 60
        ended = False
        while not ended:
            assert time.monotonic() < end
            cost, events = spent(client)
            costs.append(cost)
            sizes += [len(event.frame.data) for event in events if isinstance(event, FrameArrived)]
            ended = any(isinstance(event, JobEnded) for event in events)
            time.sleep(0.001)
    assert sizes == [FRAME_4K] * 12
    assert max(costs) < TICK, "a frame is handed over without being copied"


def test_polling_while_large_keyframes_are_hashed_and_sent(home: Path, tmp_path: Path) -> None:
    paths = []
    for i in range(3):
        path = tmp_path / f"{i}.png"
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(1000) * 40_000)
        paths.append(path)
    with FakeServer(home) as server, Client(home, start_server=False) as client:
        client.submit(paths, count=1)
        costs = []
        while server.store.count(wire.Fetch) < 2:
            costs.append(spent(client)[0])
            time.sleep(0.001)
    assert max(costs) < TICK


@pytest.mark.parametrize("state", ["absent", "stale", "silent", "unreachable", "deaf"])
def test_polling_while_there_is_no_server(home: Path, pictures: list[bytes], state: str) -> None:
    plain = socket.socket()
    plain.bind(("127.0.0.1", 0))
    port = plain.getsockname()[1]
    if state == "silent":
        plain.listen()
    elif state == "stale":
        plain.close()
    host = "192.0.2.1" if state == "unreachable" else "127.0.0.1"
    if state not in ("absent", "deaf"):
        write_address(ServerAddress(f"tcp://{host}:{port}", b"t" * 32, 1, 1.0, (1,)), home)
    fake = FakeServer(home) if state == "deaf" else None
    if fake is not None:
        fake.deaf = True
        fake.__enter__()
    try:
        with Client(home, start_server=False) as client:
            client.submit(pictures, count=1)
            assert worst_wait(client, 3.6) < TICK
    finally:
        plain.close()
        if fake is not None:
            fake.__exit__()


def test_polling_while_a_server_is_being_started(
    home: Path, pictures: list[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The command takes its time and never becomes a server."""
    script = tmp_path / "slow.py"
    script.write_text("import time; time.sleep(60)")
    monkeypatch.setenv("TWEENBRIDGE_SERVER_COMMAND", f'"{sys.executable}" "{script}"')
    from tweenbridge import launcher

    with Client(home) as client:
        client.submit(pictures, count=1)
        client.poll(0)
        assert worst_wait(client, 1.0) < TICK
    (process,) = [started for started in launcher._started if started.poll() is None]
    process.kill()
    process.wait(10)


def test_waiting_ends_when_something_happens(server: FakeServer, client: Client) -> None:
    poll_until(client, has(Connected))
    reply = client.ask(wire.GetEngines())
    start = time.monotonic()
    while not reply.done:
        client.poll(0.05)
    assert time.monotonic() - start < 1.0
