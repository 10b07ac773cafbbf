"""The whole server as a process of its own: start, the lock, and every way to end it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from processor import Stopwatch
from tweenbridge import Client, KeyframeSource
from tweenbridge.discovery import ServerAddress, lock_file, read_address
from tweenbridge.pixels import Encoding, PixelFormat, SampleType
from tweenbridge.protocol import codec, handshake
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import (
    ClientInfo,
    GetStatus,
    Hello,
    JobRequest,
    Keyframe,
    Message,
    Prove,
    Put,
    Received,
    Status,
    Stop,
    Stopping,
    Submit,
    Welcome,
)
from tweenbridge.timing import Timing
from tweenbridge.version import __version__
from tweenbridge_server.app import only_server, serve
from tweenbridge_server.config import Config, load_config
from tweenbridge_server.diagnostics.logs import log_file

PROGRAM = """
import sys
from pathlib import Path
from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge.version import __version__
from tweenbridge_server.app import serve
from tweenbridge_server.config import load_config
try:
    sys.exit(serve(load_config(Path(sys.argv[1]))))
except TweenbridgeError as error:
    sys.exit(f"{error.code.value}: {error} {error.remedy}")
"""


class Process:
    """A server process on a data folder."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.popen = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(home)], stderr=subprocess.PIPE, text=True, env=os.environ | environment
        )

    def address(self) -> ServerAddress:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and self.popen.poll() is None:
            address = read_address(self.home)
            if address is not None and address.pid == self.popen.pid:
                return address
            time.sleep(0.01)
        raise AssertionError(f"the server did not start: {self.popen.poll()}")

    def wait(self) -> int:
        return self.popen.wait(20)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "a home"


@pytest.fixture
def started(home: Path) -> Iterator[list[Process]]:
    """Processes to end after the test, in whatever state they are."""
    processes: list[Process] = []
    yield processes
    for process in processes:
        if process.popen.poll() is None:
            process.popen.kill()
        process.popen.communicate()


@pytest.fixture
def server(home: Path, started: list[Process]) -> Process:
    started.append(Process(home))
    started[-1].address()
    return started[-1]


class Conversation:
    """An open session with a server at an address."""

    def __init__(self, address: ServerAddress) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        if address.curve_key is not None:
            assert address.client_secret is not None
            self.socket.curve_secretkey = address.client_secret.encode()
            self.socket.curve_publickey = zmq.curve_public(address.client_secret.encode())
            self.socket.curve_serverkey = address.curve_key.encode()
        self.socket.connect(address.endpoint)
        nonce = handshake.make_nonce()
        challenge = self.ask(Hello(address.versions, nonce, ClientInfo("test")))
        proof = handshake.client_proof(address.token, nonce, challenge.nonce, challenge.version)
        self.welcome = self.ask(Prove(proof))

    def ask(self, message: Message, pixels: bytearray | None = None) -> Any:
        header = codec.encode(message, 1)
        self.socket.send_multipart([header] if pixels is None else [header, pixels])
        while True:
            assert self.socket.poll(10_000), "the server said nothing"
            answer = codec.decode(self.socket.recv())
            if answer.re is not None:
                return answer.message

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.context.term()


# ------------------------------------------------------------ start


def test_a_started_server_can_be_found_and_talked_to(server: Process) -> None:
    with Conversation(server.address()) as client:
        assert isinstance(client.welcome, Welcome)
        status = client.ask(GetStatus())
    assert isinstance(status, Status)
    assert status.pid == server.popen.pid and status.data_dir == str(server.home)
    assert status.server == f"tweenbridge {__version__}" and status.memory < 80_000_000
    launch = json.loads((server.home / "run" / "launch.json").read_text())["command"]
    assert launch == [sys.executable, "-m", "tweenbridge_server", "serve"]


def test_it_is_ready_in_under_a_second(home: Path, started: list[Process]) -> None:
    times = []
    for _ in range(3):
        watch = Stopwatch()
        started.append(Process(home))
        with Conversation(started[-1].address()):
            times.append(watch.own(started[-1].popen.pid))
        started[-1].popen.send_signal(signal.SIGTERM)
        started[-1].wait()
    assert min(times) < 1.0


def test_a_second_server_says_which_one_runs_and_ends(server: Process, started: list[Process]) -> None:
    address = server.address()
    second = Process(server.home)
    started.append(second)
    _, message = second.popen.communicate(timeout=20)
    assert second.popen.returncode not in (0, None)
    assert "busy" in message and str(server.home) in message and "tweenbridge stop" in message
    assert f"process {address.pid} at {address.endpoint}, since " in message
    assert time.strftime("%Y-%m-%d", time.localtime(address.started)) in message
    with Conversation(read_address(server.home) or address) as client:
        assert isinstance(client.welcome, Welcome)


def test_the_lock_decides_not_the_file(home: Path, started: list[Process]) -> None:
    """A server that was killed leaves its address behind; the next one starts all the same."""
    first = Process(home)
    started.append(first)
    stale = first.address()
    first.popen.kill()
    first.wait()
    assert read_address(home) == stale
    started.append(Process(home))
    address = started[-1].address()
    assert address.token != stale.token
    with only_server(home.parent / "elsewhere"), Conversation(address) as client:
        assert isinstance(client.welcome, Welcome)


def test_a_server_that_is_just_ending_is_waited_for(home: Path, started: list[Process]) -> None:
    with only_server(home):
        started.append(Process(home))
        time.sleep(0.7)
        assert read_address(home) is None and started[-1].popen.poll() is None
    started[-1].address()


def test_a_port_that_is_taken_is_a_sentence(server: Process, started: list[Process], tmp_path: Path) -> None:
    port = server.address().endpoint.rsplit(":", 1)[1]
    process = Process(tmp_path / "other", TWEENBRIDGE_SERVER_PORT=port)
    started.append(process)
    _, message = process.popen.communicate(timeout=20)
    assert process.popen.returncode == 1
    assert message.startswith(f"start_failed: The server cannot listen on 127.0.0.1, port {port}")
    assert "Traceback" not in message


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_data_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(TweenbridgeError) as error:
        serve(load_config(tmp_path / "home", {}))
    assert error.value.code is ErrorCode.START_FAILED


def test_a_data_folder_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a folder")
    with pytest.raises(TweenbridgeError) as error:
        serve(Config(home=tmp_path / "home"))
    assert error.value.code is ErrorCode.START_FAILED and "TWEENBRIDGE_HOME" in error.value.remedy


def test_on_another_address_the_key_is_announced_and_needed(home: Path, started: list[Process]) -> None:
    started.append(Process(home, TWEENBRIDGE_SERVER_HOST="0.0.0.0"))
    address = started[-1].address()
    assert address.curve_key is not None and address.endpoint.startswith("tcp://127.0.0.1:")
    with Conversation(address) as client:
        assert isinstance(client.ask(Stop()), Stopping)
    assert started[-1].wait() == 0
    started.append(Process(home, TWEENBRIDGE_SERVER_HOST="0.0.0.0"))
    again = started[-1].address()
    assert (again.token, again.curve_key) == (address.token, address.curve_key)


def test_a_job_goes_through_the_whole_server(server: Process) -> None:
    """Two equal keyframes: what comes back are copies, byte for byte."""
    still = KeyframeSource(bytes(range(64)) * 3, format=PixelFormat(Encoding.RAW, 8, 8, 3, SampleType.UINT8))
    with Client(server.home, start_server=False) as client:
        frames = list(client.interpolate((still, still), count=3, profile="draft", timeout=60))
        assert [frame.index for frame in frames] == [0, 1, 2]
        assert all(bytes(frame.data) == still.data for frame in frames)
        assert client.status().memory < 80_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="says how glibc's memory is kept small")
def test_keyframes_that_were_stored_are_not_kept_in_memory(server: Process) -> None:
    pixels = bytearray(24 * 1024 * 1024)
    raw = PixelFormat(Encoding.RAW, 3072, 2048, 4, SampleType.UINT8)
    missing = Keyframe("0" * 64, 1000, PixelFormat(Encoding.PNG), 4)
    with Conversation(server.address()) as client:
        before = client.ask(GetStatus()).memory
        for number in range(6):
            pixels[0] = number
            keyframe = Keyframe(hashlib.sha256(pixels).hexdigest(), len(pixels), raw, 0)
            client.ask(Submit(f"job-{number}", JobRequest((keyframe, missing), Timing(count=3))))
            answer = client.ask(Put(f"job-{number}", 0), pixels)
            assert isinstance(answer, Received), answer
        assert client.ask(GetStatus()).memory - before < 16_000_000


# ------------------------------------------------------------ end


def assert_ended_in_order(process: Process) -> None:
    assert process.wait() == 0
    assert read_address(process.home) is None
    messages = [json.loads(line)["message"] for line in log_file(process.home).read_text().splitlines()]
    assert messages[0] == "server ready" and messages[-1] == "server ended"
    with only_server(process.home):
        pass  # the lock is free


def test_a_client_can_stop_it(server: Process) -> None:
    with Conversation(server.address()) as client, Conversation(server.address()) as other:
        assert isinstance(client.ask(Stop()), Stopping)
        assert other.socket.poll(10_000)
        assert isinstance(codec.decode(other.socket.recv()).message, Stopping)
        assert_ended_in_order(server)


@pytest.mark.skipif(os.name != "posix", reason="signals of this kind are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_in_order(server: Process, number: signal.Signals) -> None:
    with Conversation(server.address()) as client:
        server.popen.send_signal(number)
        assert client.socket.poll(10_000)
        assert isinstance(codec.decode(client.socket.recv()).message, Stopping)
    assert_ended_in_order(server)
    assert server.popen.stderr is not None and server.popen.stderr.read() == ""


def test_nothing_secret_is_in_the_log(server: Process) -> None:
    token = server.address().token
    with Conversation(server.address()) as client:
        client.ask(Stop())
    server.wait()
    text = log_file(server.home).read_text()
    assert "session opened" in text
    assert token.hex() not in text and repr(token) not in text
    assert lock_file(server.home).exists()


def test_unknown_settings_are_named_in_the_log(home: Path, started: list[Process]) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[server]\nprot = 5\n")
    started.append(Process(home))
    started[-1].address()
    assert "server.prot is not a setting" in log_file(home).read_text()
