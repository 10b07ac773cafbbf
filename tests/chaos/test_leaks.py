"""What every broken connection and every dead worker leaves behind in one server that goes on: nothing."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest
from tweenbridge import Client

from .pictures import keyframes
from .site import Site

CUTS = 40
WORKERS = 6
SLACK = 4
"""Descriptors and threads that come and go; one for each broken connection or dead worker would be more."""


def quiet(server: psutil.Process) -> tuple[int, int]:
    """Descriptors and threads of the server once nothing happens any more."""
    lowest = (1 << 30, 1 << 30)
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        now = (server.num_fds(), server.num_threads())
        lowest = (min(lowest[0], now[0]), min(lowest[1], now[1]))
        time.sleep(0.05)
    return lowest


def break_connections(site: Site, times: int) -> None:
    """Have clients through the proxy lose their connection in the middle of a job."""
    for number in range(times):
        with Client(site.near, start_server=False) as client:
            client.submit(keyframes(number, 2, 16), count=2, engine="blend", job=f"cut{number}")
            end = time.monotonic() + 0.1
            while time.monotonic() < end:
                client.poll(0.01)
            site.proxy.cut()
            client.poll(0.01)


def kill_workers(site: Site, times: int) -> None:
    """Kill a worker, and have the next job start another, so many times."""
    for number in range(times):
        for worker in site.workers():
            worker.kill()
        with Client(site.home, start_server=False) as client:
            assert len(list(client.interpolate(keyframes(1000 + number, 2, 16), count=1, engine="blend"))) == 1


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(psutil.Process, "num_fds"), reason="descriptors are counted on POSIX")
def test_broken_connections_and_dead_workers_leave_nothing(tmp_path: Path) -> None:
    with Site(tmp_path / "site", name="leaks") as site:
        site.ensure_server()
        assert site.process is not None
        server = psutil.Process(site.process.pid)
        break_connections(site, 5)
        kill_workers(site, 1)
        before = quiet(server)
        break_connections(site, CUTS)
        kill_workers(site, WORKERS)
        after = quiet(server)
        assert after[0] <= before[0] + SLACK, f"{before[0]} descriptors before, {after[0]} after"
        assert after[1] <= before[1] + SLACK, f"{before[1]} threads before, {after[1]} after"
        assert site.left_running() == []
