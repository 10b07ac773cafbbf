"""Starting the server: where the command comes from, what it inherits, and what is said when it fails."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tweenbridge import launcher
from tweenbridge.discovery import ServerAddress, read_address, write_address
from tweenbridge.launcher import record_command, server_command, start_command, start_server
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

SERVER = """
import json, os, socket, sys, time
from pathlib import Path
home = Path(os.environ["TWEENBRIDGE_HOME"])
listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen()
(home / "run").mkdir(parents=True, exist_ok=True)
text = json.dumps({"endpoint": "tcp://127.0.0.1:%d" % listener.getsockname()[1], "token": "00", "pid": os.getpid(),
                   "started": time.time(), "versions": [1]})
(home / "run" / "new.json").write_text(text)
os.replace(home / "run" / "new.json", home / "run" / "server.json")
print("listening"); sys.stdout.flush()
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(launcher, "_GRACE", 0.3)
    monkeypatch.delenv("TWEENBRIDGE_SERVER_COMMAND", raising=False)
    yield
    for process in launcher._started:
        process.kill()
        process.wait(10)


def use(program: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make a program the server's command."""
    script = tmp_path / "with a space" / "program.py"
    script.parent.mkdir()
    script.write_text(program)
    monkeypatch.setenv("TWEENBRIDGE_SERVER_COMMAND", f"{shlex.quote(sys.executable)} {shlex.quote(str(script))}")


def test_the_server_is_started_and_outlives_the_call(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(SERVER, monkeypatch, tmp_path)
    address = start_server(home)
    assert address == read_address(home)
    process = launcher._started[-1]
    assert process.pid == address.pid
    assert process.poll() is None
    time.sleep(0.1)
    assert (home / "logs" / "start.log").read_text() == "listening\n"
    assert start_server(home) == address, "one that runs is not started again"


def test_a_stale_address_is_not_taken_for_the_new_servers(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stale = ServerAddress("tcp://127.0.0.1:1", b"old", 1, 1.0, (1,))
    write_address(stale, home)
    use(SERVER, monkeypatch, tmp_path)
    assert start_server(home) != stale


def test_a_failed_start_tells_the_last_line(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use("print('hello'); raise SystemExit('The disk is full.')", monkeypatch, tmp_path)
    with pytest.raises(TweenbridgeError, match=r"did not start: The disk is full\.$") as caught:
        start_server(home)
    assert caught.value.code is ErrorCode.START_FAILED


def test_a_start_that_takes_too_long_is_given_up(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use("import time; time.sleep(60)", monkeypatch, tmp_path)
    with pytest.raises(TweenbridgeError, match="took too long"):
        start_server(home, timeout=0.4)


def test_the_loser_of_a_race_finds_the_winner(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The process we started ends because another one was faster; that one's address appears a moment later."""
    use("print('already runs')", monkeypatch, tmp_path)
    monkeypatch.setattr(launcher, "_GRACE", 10.0)
    start = launcher.ServerStart(home)
    launcher._started[-1].wait(10)
    assert start.poll() is None
    winner = ServerAddress("tcp://127.0.0.1:5", b"t", 5, 5.0, (1,))
    write_address(winner, home)
    assert start.poll() == winner


def test_a_command_that_does_not_exist_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWEENBRIDGE_SERVER_COMMAND", "/no/such/program serve")
    with pytest.raises(TweenbridgeError, match="could not be started") as caught:
        start_server(home)
    assert caught.value.code is ErrorCode.START_FAILED


def test_where_the_command_comes_from(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(TweenbridgeError) as caught:
        server_command(home)
    assert caught.value.code is ErrorCode.NOT_RUNNING
    assert "tweenbridge serve" in caught.value.remedy
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: object())
    assert server_command(home) == [sys.executable, "-m", "tweenbridge_server", "serve"]
    other = home / ("python.exe" if os.name == "nt" else "python")
    home.mkdir(exist_ok=True)
    other.touch(mode=0o700)
    record_command([str(other), "-m", "tweenbridge_server", "serve"], home)
    assert server_command(home)[0] == str(other)
    other.unlink()
    assert server_command(home)[0] == sys.executable, "an environment that was deleted is not tried"
    (home / "run" / "launch.json").write_text('{"command": "text"}')
    assert server_command(home)[0] == sys.executable
    monkeypatch.setenv("TWEENBRIDGE_SERVER_COMMAND", "tween 'with space'")
    assert server_command(home) == ["tween", "with space"]


def test_another_interpreter_gets_none_of_this_ones_paths(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONHOME", "PYTHONPATH"):
        monkeypatch.setenv(name, "/host/application")
    other = launcher._environment(["/opt/python"], home)
    assert "PYTHONHOME" not in other and "PYTHONPATH" not in other
    assert other["TWEENBRIDGE_HOME"] == str(home)
    assert launcher._environment([sys.executable], home)["PYTHONPATH"] == "/host/application"


def test_another_command_of_the_same_installation_is_started(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "TWEENBRIDGE_SERVER_COMMAND", f"{shlex.quote(sys.executable)} -c 'import sys; print(sys.argv)' serve"
    )
    with start_command(home, "confirm", "--once", stdout=subprocess.PIPE) as process:
        output, _ = process.communicate(timeout=30)
    assert output.decode().strip() == "['-c', 'confirm', '--once']"


def test_a_server_command_of_its_own_tells_of_no_other(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWEENBRIDGE_SERVER_COMMAND", f"{shlex.quote(sys.executable)} my_server.py")
    with pytest.raises(TweenbridgeError, match="Nothing tells where Tweenbridge is installed"):
        start_command(home, "tray")
