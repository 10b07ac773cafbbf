"""`tweenbridge keys` and `use`: what they write, and what they say of mistakes."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from tweenbridge.discovery import chosen_address, chosen_file, load_address
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.commands import keys
from tweenbridge_server.transport.client_keys import find_key
from tweenbridge_server.transport.keys import kept_keys


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("tcp://0.0.0.0:47800", "0.0.0.0", 47800),
        ("render-1:5", "render-1", 5),
        ("10.0.0.7", "10.0.0.7", None),
        ("tcp://[::1]:7", "::1", 7),
        ("[fe80::1]", "fe80::1", None),
    ],
)
def test_addresses(text: str, host: str, port: int | None) -> None:
    assert keys.split_address(text) == (host, port)


@pytest.mark.parametrize(
    "text", ["", "udp://x:1", "a b", "x:99999999", "x:y", "tcp://x:1/path", "u@x y", "://", "[::1"]
)
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(TweenbridgeError) as error:
        keys.split_address(text)
    assert error.value.code is ErrorCode.BAD_REQUEST


def test_a_key_file_has_what_a_client_needs_and_is_private(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "anna.json"
    keys.create(home, "anna", False)
    keys.export(home, "anna", file, "render-1:47800")
    address, server = load_address(file), kept_keys(home)
    assert address is not None and server.curve is not None
    assert (address.endpoint, address.token) == ("tcp://render-1:47800", server.token)
    assert (address.curve_key, address.client_secret) == (server.curve.public, find_key(home, "anna").secret)
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(TweenbridgeError, match="exists already"):
        keys.export(home, "anna", file, "render-1:47800")


def test_an_unknown_port_is_said_and_a_set_one_taken(tmp_path: Path) -> None:
    keys.create(tmp_path, "anna", True)
    with pytest.raises(TweenbridgeError, match="no port of its own"):
        keys.export(tmp_path, "anna", tmp_path / "a.json", "render-1")
    (tmp_path / "config.toml").write_text("[server]\nport = 4711\n")
    keys.export(tmp_path, "anna", tmp_path / "a.json", "render-1")
    address = load_address(tmp_path / "a.json")
    assert address is not None and address.endpoint == "tcp://render-1:4711"


def test_lists_show_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("anna", "boss"):
        keys.create(tmp_path, name, name == "boss")
    capsys.readouterr()
    for as_json in (False, True):
        keys.show(tmp_path, as_json)
    said = capsys.readouterr().out
    assert "administrator" in said and "anna" in said
    assert not any(find_key(tmp_path, name).secret in said for name in ("anna", "boss"))


def test_another_server_is_chosen_and_left(tmp_path: Path) -> None:
    home, file = tmp_path / "here", tmp_path / "anna.json"
    keys.create(tmp_path / "there", "anna", False)
    keys.export(tmp_path / "there", "anna", file, "render-1:1")
    keys.use(home, file)
    assert chosen_address(home) == load_address(file)
    keys.use(home, None, own=True)
    assert chosen_address(home) is None
    for wrong in ((None, False), (file, True), (tmp_path / "nothing", False)):
        with pytest.raises(TweenbridgeError) as error:
            keys.use(home, *wrong)
        assert error.value.code is ErrorCode.BAD_REQUEST
    chosen_file(home).write_text(json.dumps({"endpoint": "tcp://x:1"}))
    with pytest.raises(TweenbridgeError, match="cannot be read") as error:
        chosen_address(home)
    assert "tweenbridge use" in error.value.remedy
