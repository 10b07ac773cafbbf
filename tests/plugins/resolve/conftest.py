"""Tests of the script for DaVinci Resolve, against the fake one, with the real server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
for folder in (ROOT / "plugins" / "resolve", ROOT / "tests", Path(__file__).parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from fakes.real_server import RealServer  # noqa: E402 - the path is set above
from tweenbridge import Client  # noqa: E402
from tweenbridge_resolve import dialog, folders  # noqa: E402


@pytest.fixture(scope="session")
def studio_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a real server that runs for all tests of this folder."""
    home = tmp_path_factory.mktemp("studio") / "home"
    with RealServer(home):
        yield home


@pytest.fixture
def client(studio_home: Path) -> Iterator[Client]:
    """A client of the real server."""
    with Client(studio_home, name="DaVinci Resolve") as made:
        yield made


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """The folder that image sequences are kept in."""
    return tmp_path / "films"


@pytest.fixture
def home(studio_home: Path, monkeypatch: pytest.MonkeyPatch, films: Path) -> Iterator[Path]:
    """The data folder as the user's own, which forgets earlier runs; sequences go into `films`."""
    monkeypatch.setenv("TWEENBRIDGE_HOME", str(studio_home))
    monkeypatch.setattr(dialog, "usual_folder", lambda: films)
    monkeypatch.setattr(folders, "usual_folder", lambda: films)
    yield studio_home
    for kept in ("resolve-choice.json", "resolve-speed.json"):
        (studio_home / kept).unlink(missing_ok=True)
