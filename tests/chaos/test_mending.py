"""A job list that turns out to be damaged while the server runs: it is mended, said, and everybody goes on."""

from __future__ import annotations

import hashlib
import socket
import time
from pathlib import Path

import pytest
from tweenbridge import Client, JobState, Timing, TweenbridgeError
from tweenbridge.discovery import read_address
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol import messages as wire
from tweenbridge.protocol.errors import ErrorCode

from .faults import Faults
from .pictures import keyframes
from .plan import Fault, Kind
from .site import Site, has_mounts

JOBS = 60
KEYFRAMES = 250


def large_request(number: int) -> wire.JobRequest:
    """A job of many keyframes, so that sixty of them are more than SQLite keeps in memory."""
    form = PixelFormat(Encoding.PNG)
    wanted = tuple(
        wire.Keyframe(hashlib.sha256(f"{number} {index}".encode()).hexdigest(), 100, form, index * 2, "name" * 20)
        for index in range(KEYFRAMES)
    )
    return wire.JobRequest(wanted, Timing(count=1), "blend")


def answer(client: Client, question: wire.ClientMessage) -> wire.Message:
    reply = client.ask(question)
    end = time.monotonic() + 20
    while not reply.done:
        assert time.monotonic() < end
        client.poll(0.02)
    return reply.result()


@pytest.mark.slow
def test_a_list_that_is_damaged_while_the_server_runs_is_mended(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Site(tmp_path / "site", {"TWEENBRIDGE_SERVER_PORT": str(port)}, "mending") as site:
        site.ensure_server()
        with Client(site.home, start_server=False) as client:
            for number in range(JOBS):
                answer(client, wire.Submit(f"large{number}", large_request(number)))
            first = client.connect().epoch
        # Started again, the server has its list from the file, and not from what it wrote itself.
        site.stop_in_order()
        site.ensure_server()
        assert site.process is not None
        pid = site.process.pid
        with Client(site.home, start_server=False) as client:
            second = client.connect().epoch
            path = site.home / "jobs.sqlite3"
            size = path.stat().st_size
            with path.open("r+b") as file:
                file.seek(size // 4)
                file.write(b"\xff" * (size // 2))
            seen = set()
            end = time.monotonic() + 30
            epoch = second
            while epoch == second:
                assert time.monotonic() < end, "it was not noticed"
                try:
                    client.jobs(limit=500)
                    epoch = client.connect().epoch
                except TweenbridgeError as error:
                    seen.add(error.code)
            assert ErrorCode.DISK_FAILED in seen and seen <= {ErrorCode.DISK_FAILED, ErrorCode.BUSY}
            assert epoch not in (first, second)
            assert site.is_up and site.process.pid == pid, "it is the same process"
            address = read_address(site.home)
            assert address is not None and address.endpoint == f"tcp://127.0.0.1:{port}", "at the same address"
            kept = {info.job for info in client.jobs(limit=500)}
            pictures = keyframes(7, 2, 16)
            frames = list(client.interpolate(pictures, count=3, engine="blend"))
            assert len(frames) == 3, "and the server is well"
            log = (site.home / "logs" / "server.log").read_text()
        lost = JOBS - len(kept)
        assert 0 < lost < JOBS
        assert f"Jobs kept: {len(kept)}; jobs that could not be read: {lost}." in log
        assert len(list(site.home.glob("jobs.damaged-*.sqlite3"))) == 1
        # Whoever misses a job submits it again, as clients do by themselves.
        with Client(site.home, start_server=False) as client:
            missing = next(number for number in range(JOBS) if f"large{number}" not in kept)
            accepted = answer(client, wire.Submit(f"large{missing}", large_request(missing)))
            assert isinstance(accepted, wire.Accepted) and accepted.state is JobState.RECEIVING


@pytest.mark.skipif(not has_mounts(), reason="a small disk needs Linux and root")
def test_a_server_that_finds_its_disk_full_says_so_and_starts_when_there_is_room(tmp_path: Path) -> None:
    with Site(tmp_path / "site", name="full-disk") as site:
        room = Faults(site).inflict(Fault(Kind.FULL_DISK, 0.0, 0.0, choice=0.0, amount=0.0))
        assert room is not None
        assert not site.start()
        (said,) = site.refusals
        assert said.startswith("disk_full: "), said
        assert "Free some disk space" in said and "Traceback" not in said
        room()
        assert site.start()
