"""The tray against the real server, without a screen. Waiting runs Qt's event loop."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

PATIENCE = 30_000
"""Milliseconds that anything may take."""


def _qt_starts() -> bool:
    if importlib.util.find_spec("PySide6") is None or importlib.util.find_spec("pytestqt") is None:
        return False
    program = "from PySide6.QtWidgets import QApplication; QApplication([])"
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True).returncode == 0


HAS_QT = _qt_starts()
collect_ignore_glob = [] if HAS_QT else ["test_[!a]*.py"]

if HAS_QT:
    from fakes.pictures import keyframe
    from fakes.processor import Patience, own_processes
    from fakes.real_server import RealServer
    from PySide6.QtCore import QStandardPaths
    from PySide6.QtWidgets import QApplication
    from pytestqt.qtbot import QtBot
    from tweenbridge import Client
    from tweenbridge_tray.app import Tray
    from tweenbridge_tray.session import Link, Session
    from tweenbridge_tray.views import style

    Until = Callable[[Callable[[], object]], None]

    @pytest.fixture(scope="session", autouse=True)
    def dressed(qapp: QApplication) -> None:
        QStandardPaths.setTestModeEnabled(True)
        style.apply(qapp)

    @pytest.fixture(autouse=True)
    def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """An empty data folder, which commands use, too."""
        folder = tmp_path / "home"
        folder.mkdir()
        monkeypatch.setenv("TWEENBRIDGE_HOME", str(folder))
        monkeypatch.setenv("HOME", str(tmp_path))
        return folder

    @pytest.fixture
    def server(home: Path) -> Iterator[RealServer]:
        """The real server, running."""
        with RealServer(home) as real:
            yield real

    @pytest.fixture
    def until(qtbot: QtBot) -> Until:
        """Runs the event loop until something holds."""

        def wait(condition: Callable[[], object]) -> None:
            patience = Patience(PATIENCE / 1000, own_processes)
            while not condition():
                assert not patience.is_over, "it did not happen in time"
                qtbot.wait(10)

        return wait

    @pytest.fixture
    def tray(qtbot: QtBot, home: Path, tmp_path: Path) -> Iterator[Tray]:
        """The whole app, not shown, which starts no server by itself."""
        session = Session(home, Client(home, name="tray", start_server=False))
        made = Tray(home, tmp_path / "pictures", session)
        qtbot.addWidget(made.window)
        yield made
        made.close()

    @pytest.fixture
    def online(tray: Tray, server: RealServer, until: Until) -> Tray:
        """The app in a session with the real server; drafts, which need nothing compiled."""
        until(lambda: tray.session.link is Link.ON and tray.recipe.engine is not None)
        tray.recipe.choose_profile("draft")
        return tray

    @pytest.fixture
    def stills(tmp_path: Path) -> list[Path]:
        """Three small keyframes."""
        files = [tmp_path / f"walk_{number:03d}.png" for number in range(3)]
        for number, file in enumerate(files):
            file.write_bytes(keyframe(number))
        return files
