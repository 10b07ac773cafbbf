"""Clients on another machine: two network namespaces with a cable between them, where the system lets tests make them.

Elsewhere both ends are this machine, over a loopback address that the server listens on as on any other.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from processor import Stopwatch
from tweenbridge.discovery import read_address

from .conftest import PATIENCE, Command, Studio, draw, frames, until

pytestmark = pytest.mark.slow

PORT = 47_813
CABLE = ("10.213.77.1", "10.213.77.2")


@dataclass
class Machine(Studio):
    """A studio in a network of its own; `inside` begins its commands."""

    inside: tuple[str, ...] = ()

    def start(self, *arguments: object, **options: Any) -> Command:
        """Start `tweenbridge` there."""
        if not self.inside:
            return super().start(*arguments, **options)
        import sys

        command = [*self.inside, sys.executable, "-m", "tweenbridge_server", *map(str, arguments)]
        environment = {**os.environ, "TWEENBRIDGE_HOME": str(self.home), **self.environment}
        return Command(
            command, cwd=self.folder, env=environment, text=True, encoding="utf-8",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        )  # fmt: skip


def _ip(*arguments: str) -> bool:
    ip = shutil.which("ip")
    return ip is not None and subprocess.run([ip, *arguments], capture_output=True, check=False).returncode == 0


def _lay_cable(ends: tuple[str, str]) -> bool:
    """Two namespaces and a cable between them; False where that is not permitted."""
    if not all(_ip("netns", "add", end) for end in ends):
        return False
    devices = tuple(f"tb{os.getpid()}{side}" for side in "ab")
    return _ip("link", "add", devices[0], "type", "veth", "peer", "name", devices[1]) and all(
        _ip("link", "set", device, "netns", end)
        and _ip("-n", end, "addr", "add", f"{address}/24", "dev", device)
        and _ip("-n", end, "link", "set", device, "up")
        and _ip("-n", end, "link", "set", "lo", "up")
        for device, end, address in zip(devices, ends, CABLE)
    )


@pytest.fixture(scope="module")
def network() -> Iterator[tuple[tuple[str, ...], tuple[str, ...], str]]:
    """How to begin commands on the server's and on the client's machine, and the server's address."""
    ends = (f"tb-server-{os.getpid()}", f"tb-client-{os.getpid()}")
    try:
        if _lay_cable(ends):
            yield ("ip", "netns", "exec", ends[0]), ("ip", "netns", "exec", ends[1]), CABLE[0]
        else:
            print("Network namespaces are not permitted here: both machines are this one.")
            yield (), (), "127.0.0.1"
    finally:
        for end in ends:
            _ip("netns", "delete", end)


@pytest.fixture(scope="module")
def server(
    network: tuple[tuple[str, ...], tuple[str, ...], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """A server for other machines, with its keys and their files."""
    base = tmp_path_factory.mktemp("server")
    machine = Machine(base / "work", base / "home", inside=network[0])
    machine.folder.mkdir()
    for name in ("anna", "bert", "boss"):
        machine.expect("keys", "create", name, *(["--admin"] if name == "boss" else []))
        machine.expect("keys", "export", name, f"{name}.json", "--at", f"{network[2]}:{PORT}")
    process = machine.start("serve", "--listen", f"tcp://0.0.0.0:{PORT}")
    try:
        until(lambda: read_address(machine.home) or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        yield machine
    finally:
        process.terminate()
        process.communicate(timeout=30)
        machine.shut()


@pytest.fixture
def client(network: tuple[tuple[str, ...], tuple[str, ...], str], tmp_path: Path) -> Machine:
    """A machine with nothing of its own running."""
    machine = Machine(tmp_path / "work", tmp_path / "home", inside=network[1])
    machine.folder.mkdir()
    return machine


def listed(machine: Machine) -> list[str]:
    return [job["title"] or job["job"] for job in json.loads(machine.expect("jobs", "--json"))]


def test_in_betweens_from_another_machine_and_nobody_else_sees_them(server: Machine, client: Machine) -> None:
    stills = [draw(client.folder / f"{name}.png", shift, 160, 96) for name, shift in (("a", 0), ("b", 12))]
    client.expect("use", server.folder / "anna.json")
    client.expect("interpolate", *stills, "-n", 2, "--profile", "draft", "--out", "between")
    assert len(frames(client.folder / "between")) == 2
    assert not (client.home / "run" / "server.json").exists(), "no server was started here"
    assert len(listed(client)) == 1
    refused = client.run("stop")
    assert refused.returncode != 0 and "administrator" in refused.stderr
    client.expect("use", server.folder / "bert.json")
    assert listed(client) == []
    client.expect("use", server.folder / "boss.json")
    assert len(listed(client)) == 1
    assert len(listed(server)) == 1, "the server's own user sees everything"
    client.expect("interpolate", *stills, "-n", 1, "--profile", "draft", "--out", "other")
    for machine in (server, client):
        heads, *rows = machine.expect("jobs").splitlines()
        assert "Whose" in heads and "boss" in rows[0] and "anna" in rows[1]
    client.expect("use", server.folder / "anna.json")
    assert "Whose" not in client.expect("jobs")


@pytest.mark.parametrize("which", ["revoked", "never made", "no key"])
def test_without_a_good_key_it_says_so_within_three_seconds(server: Machine, client: Machine, which: str) -> None:
    name = "gone" if which == "revoked" else "anna"
    if which == "revoked":
        server.expect("keys", "create", name)
        server.expect("keys", "export", name, "gone.json", "--at", json_of(server, "anna")["endpoint"])
    content = json_of(server, name)
    if which == "revoked":
        client.expect("use", server.folder / "gone.json")
        assert listed(client) == []
        server.expect("keys", "revoke", name)
    elif which == "never made":
        content["client_secret"] = content["client_secret"][::-1]
    else:
        del content["curve_key"], content["client_secret"]
    (client.folder / "key.json").write_text(json.dumps(content))
    client.expect("use", "key.json")
    alone, _ = _own_seconds(client, server, "--version")
    seconds, result = _own_seconds(client, server, "jobs")
    took = seconds - alone
    print(f"{which}: after {took:.2f} s: {result.stderr.strip()}")
    assert result.returncode != 0 and "key" in result.stderr and "Traceback" not in result.stderr
    assert took < 3


def json_of(server: Machine, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((server.folder / f"{name}.json").read_text())
    return content


def _own_seconds(client: Machine, server: Machine, *arguments: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Run `tweenbridge`; how long that took, without the time for which other programs had the processors."""
    watch, began = Stopwatch(*server.processes()), time.monotonic()
    own = 0.0
    with client.start(*arguments) as process:
        while process.poll() is None:
            own = watch.own(process.pid)
            assert time.monotonic() < began + PATIENCE, "it does not end"
            time.sleep(0.01)
        output, errors = process.communicate()
    return own, subprocess.CompletedProcess(process.args, process.returncode, output, errors)
