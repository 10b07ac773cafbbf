"""The address file: private, written in one piece, and stale or damaged ones do no harm."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest
from tweenbridge.discovery import (
    ServerAddress,
    address_file,
    data_dir,
    read_address,
    remove_address,
    write_address,
)

ADDRESS = ServerAddress("tcp://127.0.0.1:5000", bytes(range(32)), 42, 1760000000.5, (1,), "k" * 40, "s" * 40)


def test_what_is_written_is_read(home: Path) -> None:
    assert read_address(home) is None
    write_address(ADDRESS, home)
    assert read_address(home) == ADDRESS
    assert list(address_file(home).parent.iterdir()) == [address_file(home)]


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps a user's own folders private by itself.")
def test_only_the_user_may_read_it(home: Path) -> None:
    (home / "run").mkdir(parents=True, mode=0o755)
    old = os.umask(0)
    try:
        write_address(ADDRESS, home)
    finally:
        os.umask(old)
    assert stat.S_IMODE(address_file(home).stat().st_mode) == 0o600
    assert stat.S_IMODE(address_file(home).parent.stat().st_mode) == 0o700


def test_only_its_own_server_takes_it_away(home: Path) -> None:
    write_address(ADDRESS, home)
    remove_address(home, 43)
    assert read_address(home) == ADDRESS
    remove_address(home, 42)
    remove_address(home, 42)
    assert read_address(home) is None


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": 5},
        {"endpoint": None},
        {"token": "not hexadecimal"},
        {"token": ""},
        {"token": 7},
        {"pid": "many"},
        {"started": []},
        {"versions": 1},
        {"curve_key": "short"},
        {"curve_key": 40},
        {"client_secret": None},
        {"client_secret": "short"},
    ],
)
def test_a_damaged_file_counts_as_absent(home: Path, change: dict[str, object]) -> None:
    write_address(ADDRESS, home)
    content = json.loads(address_file(home).read_text())
    address_file(home).write_text(json.dumps({**content, **change}))
    assert read_address(home) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\0\0\0", '"text"'])
def test_nonsense_counts_as_absent(home: Path, text: str) -> None:
    write_address(ADDRESS, home)
    address_file(home).write_text(text)
    assert read_address(home) is None


def test_readers_never_see_half_a_file(home: Path) -> None:
    write_address(ADDRESS, home)
    seen: list[ServerAddress | None] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.append(read_address(home))

    reader = threading.Thread(target=read)
    reader.start()
    for pid in range(200):
        write_address(ServerAddress("tcp://127.0.0.1:1", b"x" * 500, pid, 1.0, (1,)), home)
    stop.set()
    reader.join()
    assert None not in seen


def test_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TWEENBRIDGE_HOME", str(tmp_path / "mine"))
    assert data_dir() == tmp_path / "mine"
    monkeypatch.delenv("TWEENBRIDGE_HOME")
    for platform, variable, expected in [
        ("linux", "XDG_DATA_HOME", tmp_path / "tweenbridge"),
        ("win32", "LOCALAPPDATA", tmp_path / "tweenbridge"),
    ]:
        monkeypatch.setattr("sys.platform", platform)
        monkeypatch.setenv(variable, str(tmp_path))
        assert data_dir() == expected
    monkeypatch.setattr("sys.platform", "darwin")
    assert data_dir() == Path.home() / "Library" / "Application Support" / "tweenbridge"
