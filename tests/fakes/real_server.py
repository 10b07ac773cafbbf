"""The real server as a process of its own, run by the interpreter that has what it needs, for tests of the client."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tweenbridge.discovery import ServerAddress, read_address


def server_python() -> str:
    """The interpreter that runs the server: `$TWEENBRIDGE_TEST_SERVER_PYTHON`, else this one. Skips without one."""
    chosen = os.environ.get("TWEENBRIDGE_TEST_SERVER_PYTHON")
    if chosen:
        return chosen
    for name in ("tweenbridge_server", "numpy", "OpenImageIO", "filelock"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"The real server cannot run here: there is no {name}.")
    return sys.executable


def server_command() -> list[str]:
    """The command that starts the server."""
    return [server_python(), "-m", "tweenbridge_server", "serve"]


class RealServer:
    """One server process at a time on one data folder; as a context manager, started and, whatever happens, ended."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RealServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> ServerAddress:
        """Start it and wait until it listens. One that does not is ended."""
        try:
            return self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> ServerAddress:
        before = read_address(self.home)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment["TWEENBRIDGE_HOME"] = str(self.home)
        self._process = subprocess.Popen(
            server_command(), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        end = time.monotonic() + 30
        while time.monotonic() < end:
            address = read_address(self.home)
            if address is not None and address != before:
                return address
            assert self._process.poll() is None, f"the server ended with status {self._process.returncode}"
            time.sleep(0.01)
        raise AssertionError("the server did not start")

    def kill(self) -> None:
        """End it with -9, as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def close(self) -> None:
        """End it in order."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
