"""The tray and other machines: keys made for them, and a tray that looks at another machine's server."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.real_server import RealServer
from PySide6.QtWidgets import QApplication
from tweenbridge import load_address
from tweenbridge_server.commands.keys import use
from tweenbridge_server.transport.client_keys import all_keys
from tweenbridge_tray.app import Tray
from tweenbridge_tray.session import Link

Until = Callable[[Callable[[], object]], None]


@pytest.fixture(autouse=True)
def open_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWEENBRIDGE_SERVER_HOST", "0.0.0.0")


def test_a_key_is_made_and_another_machine_uses_it(
    online: Tray, home: Path, until: Until, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert online.server.serves_others
    said: list[str] = []
    online.server.key_made.connect(said.append)
    target = tmp_path / "anna.json"
    online.server.make_key(target)
    until(lambda: said)
    assert said == [""] and [key.name for key in all_keys(home)] == ["anna"]
    assert stat.S_IMODE(target.stat().st_mode) & 0o077 == 0
    online.server.make_key(target)
    until(lambda: len(said) == 2)
    assert "anna already" in said[1]

    # Here both machines are this one, whatever its name is.
    address = load_address(target)
    assert address is not None
    port = address.endpoint.rsplit(":", 1)[1]
    target.write_text(target.read_text().replace(address.endpoint, f"tcp://127.0.0.1:{port}"))
    elsewhere = tmp_path / "elsewhere"
    use(elsewhere, target)
    other = Tray(elsewhere, tmp_path / "pictures")
    until(lambda: other.session.link is Link.ON)
    QApplication.processEvents()
    assert other.server.endpoint.endswith(port) and not other.server.serves_others
    other.close()


def test_a_name_that_cannot_be_one_is_said(online: Tray, server: RealServer, until: Until, tmp_path: Path) -> None:
    said: list[str] = []
    online.server.key_made.connect(said.append)
    online.server.make_key(tmp_path / "my new machine.json")
    until(lambda: said)
    assert "cannot be the name of a key" in said[0]
