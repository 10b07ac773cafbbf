"""Server, Settings, first run and the tray's icon, against the real server and the real command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.real_server import RealServer
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot
from tweenbridge import Client
from tweenbridge_tray.app import Tray
from tweenbridge_tray.command import Outcome
from tweenbridge_tray.instance import Instance, show_running
from tweenbridge_tray.session import Link, Session
from tweenbridge_tray.state.log import parse
from tweenbridge_tray.views.settings_page import _Line, _Number

Until = Callable[[Callable[[], object]], None]


def pressed(page: QWidget, text: str, qtbot: QtBot) -> None:
    def found() -> list[QPushButton]:
        return [b for b in page.findChildren(QPushButton) if b.text() == text and b.isVisible() and b.isEnabled()]

    qtbot.waitUntil(lambda: len(found()) == 1)
    qtbot.mouseClick(found()[0], Qt.MouseButton.LeftButton)


# ------------------------------------------------------------ Server


def test_the_server_page_shows_how_it_is_and_stops_and_starts_it(
    qtbot: QtBot, home: Path, tmp_path: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    tray = Tray(home, tmp_path)
    qtbot.addWidget(tray.window)
    tray.open()
    tray.window.show_page("server")
    until(lambda: len(tray.server.memory) >= 1 and tray.server.status is not None)
    page = tray.server_page
    assert page._facts["endpoint"]._whole.startswith("tcp://127.0.0.1:")
    assert page._facts["folder"]._whole == str(home)
    assert tray.server.memory[-1].server > 10e6
    assert not tray.server.serves_others and page._alone.isVisible(), "a server for this computer alone has no keys"
    pressed(page, "Stop", qtbot)
    until(lambda: tray.session.link is Link.OFF)
    qtbot.wait(600)
    assert tray.session.link is Link.OFF, "what was stopped on purpose stays so"
    pressed(page, "Start", qtbot)
    until(lambda: tray.session.link is Link.ON)
    tray.session.stop_server()
    until(lambda: tray.session.link is Link.OFF)
    tray.close()


def test_a_server_that_crashed_is_started_again(qtbot: QtBot, home: Path, tmp_path: Path, until: Until) -> None:
    with RealServer(home) as server:
        session = Session(home)
        session.start_server()
        until(lambda: session.link is Link.ON)
        epoch = session.server.epoch if session.server is not None else ""
        server.kill()
    until(lambda: session.link is Link.ON and session.server is not None and session.server.epoch != epoch)
    session.stop_server()
    until(lambda: session.link is Link.OFF)
    session.close()


def test_the_log_is_shown_narrowed_and_followed(online: Tray, until: Until, qtbot: QtBot) -> None:
    page, log = online.server_page, online.log
    online.window.show()
    online.window.show_page("server")
    page._tabs.setCurrentIndex(1)
    until(lambda: any("session opened" in line.text for line in log.lines()))
    log.narrow("error", "")
    assert log.lines() == []
    log.narrow("info", "session opened")
    assert log.lines() and all("session opened" in line.text for line in log.lines())
    before = len(log.lines())
    with Client(online.session.home, name="newcomer", start_server=False) as client:
        client.connect()
    until(lambda: len(log.lines()) > before)
    online.window.show_page("jobs")
    assert log._process is None, "nobody looks, and nothing reads"


def test_entries_that_are_none_are_left_out() -> None:
    assert parse("cut off {") is None
    assert parse('"text"') is None
    line = parse('{"time": "2026-01-01T10:00:00.000Z", "level": "error", "source": "a", "message": "b", "error": "c"}')
    assert line is not None and (line.level, line.text) == ("error", "a: b\nc")


def test_the_doctor_reports(online: Tray, until: Until, qtbot: QtBot) -> None:
    online.window.show()
    online.window.show_page("server")
    online.server_page._tabs.setCurrentIndex(2)
    pressed(online.server_page, "Check this installation", qtbot)
    until(lambda: online.server.checks and not online.server.checking)
    names = [check.name for check in online.server.checks]
    assert "Python" in names and "Server" in names


# ------------------------------------------------------------ Settings


def test_settings_are_written_and_taken_over_by_a_restart(online: Tray, until: Until, home: Path, qtbot: QtBot) -> None:
    (home / "config.toml").write_text('# mine\n[log]\nlevel = "info"\n')
    online.window.show()
    online.window.show_page("settings")
    page, settings = online.settings_page, online.settings
    until(lambda: settings.settings)
    days = page._fields["retention.days"]
    assert isinstance(days, _Number) and days._spin.value() == 7
    days._spin.setValue(30)
    days._spin.editingFinished.emit()
    until(lambda: settings.needs_restart)
    until(lambda: settings.settings["retention.days"].value == "30")
    text = (home / "config.toml").read_text()
    assert "# mine" in text and "days = 30" in text
    assert page._restart_card.isVisible()


def test_a_value_that_is_not_allowed_is_refused_with_a_sentence(online: Tray, until: Until, home: Path) -> None:
    said: list[str] = []
    online.settings.failed.connect(said.append)
    online.settings.refresh()
    until(lambda: online.settings.settings)
    host = online.settings_page._fields["server.host"]
    assert isinstance(host, _Line)
    host._line.setText("not an address")
    host._line.editingFinished.emit()
    until(lambda: said)
    assert "must be an IP address" in said[0]
    assert not (home / "config.toml").exists()
    until(lambda: host._line.text() == "127.0.0.1")


def test_what_the_environment_decides_cannot_be_changed_here(
    online: Tray, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWEENBRIDGE_RETENTION_DAYS", "3")
    online.settings.refresh()
    until(lambda: online.settings.settings)
    assert online.settings.settings["retention.days"].fixed
    assert not online.settings_page._fields["retention.days"].widget.isEnabled()


def test_the_apps_own_settings_are_remembered(online: Tray, tmp_path: Path, home: Path) -> None:
    online.settings.set_results_folder(tmp_path / "elsewhere")
    online.settings.set_notify(False)
    content = json.loads((home / "tray.json").read_text())
    assert content["results_folder"] == str(tmp_path / "elsewhere") and content["notify"] is False
    (home / "tray.json").write_text("damaged")
    from tweenbridge_tray.preferences import Preferences

    assert Preferences(home, tmp_path).results_folder == tmp_path / "Tweenbridge"


# ------------------------------------------------------------ first run, icon, second start


def test_the_first_run_offers_editors_and_ends_on_the_drop_page(tray: Tray, qtbot: QtBot) -> None:
    assert tray.welcome.is_due
    hosts = [
        {"id": "blender-5.0", "name": "Blender 5.0", "kind": "blender", "path": "/b", "installed": None},
        {"id": "old", "name": "Blender 3.6", "path": "/o", "installed": None, "obstacle": "Blender 3.6 is too old."},
    ]  # fmt: skip
    tray.welcome._found(Outcome(0, json.dumps({"hosts": hosts}), ""))
    assert [host.chosen for host in tray.welcome.hosts] == [True, True]
    ran: list[list[str]] = []

    def run(arguments: list[str], then: Callable[[Outcome], None]) -> None:
        ran.append(list(arguments))
        then(Outcome(1, "", "Error: Blender is running.\n"))

    tray.welcome._commands.run = run  # type: ignore[method-assign,assignment]
    tray.window.show_welcome()
    tray.window.show()
    pressed(tray.welcome_page, "Install in these editors", qtbot)
    assert ran == [["install", "--only", "blender-5.0", "--yes"]], "what cannot be done is not tried"
    assert tray.welcome.hosts[0].state == "Error: Blender is running."
    pressed(tray.welcome_page, "Start with optical flow now", qtbot)
    assert tray.window.page == "drop" and not tray.welcome.is_due


def test_without_an_installer_the_first_run_says_so(tray: Tray) -> None:
    tray.welcome._found(Outcome(2, "", "No such command 'install'."))
    assert "could not be looked for" in tray.welcome.problem


def test_the_menu_of_the_icon(online: Tray, until: Until) -> None:
    online.icon.refresh_menu()
    texts = [action.text() for action in online.icon.menu.actions() if not action.isSeparator()]
    assert texts == ["Open Tweenbridge", "Recent results", "Pause queue", "Stop server", "Quit"]
    online.icon._pause.trigger()
    until(lambda: online.jobs.paused)
    online.icon.refresh_menu()
    assert online.icon._pause.text() == "Go on with the queue"
    assert online.desktop.face.text == "The queue is paused"


def test_a_second_start_shows_the_first_ones_window(home: Path, tray: Tray, qtbot: QtBot) -> None:
    assert not show_running(home)
    instance = Instance(home)
    with qtbot.waitSignal(instance.show_wanted):
        assert show_running(home)
    assert not show_running(home.parent), "another data folder has a tray of its own"
    instance.close()
