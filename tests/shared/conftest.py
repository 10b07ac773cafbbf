"""What the tests of the client share. They need pytest, hypothesis, pyzmq and msgpack, and no server code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
for folder in (ROOT / "shared", ROOT / "tests", ROOT / "tests" / "shared"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from fakes.wire_server import FakeServer  # noqa: E402 - the path is set above
from tweenbridge import Client  # noqa: E402

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty data folder."""
    return tmp_path / "home"


@pytest.fixture
def server(home: Path) -> Iterator[FakeServer]:
    """A well-behaved server in this process."""
    with FakeServer(home) as fake:
        yield fake


@pytest.fixture
def client(home: Path) -> Iterator[Client]:
    """A client that starts no server."""
    with Client(home, start_server=False) as made:
        yield made


@pytest.fixture
def pictures() -> list[bytes]:
    """Three keyframes' bytes: enough of a PNG to be taken for one."""
    return [PNG + bytes([i]) * 100 for i in range(3)]
