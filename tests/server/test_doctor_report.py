"""The doctor's further lines, and its report: all about the installation is in it, and nothing about whose it is."""

from __future__ import annotations

import getpass
import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tweenbridge.version import __version__
from tweenbridge_installer import record
from tweenbridge_server.diagnostics import doctor, report, surroundings
from tweenbridge_server.diagnostics.checks import Check, Verdict
from tweenbridge_server.diagnostics.logs import log_file
from tweenbridge_server.diagnostics.report import Private, without_private
from tweenbridge_server.jobs.store_file import open_store

MIA = Private.of(
    {"<data folder>": Path("/data/mia/tb"), "~": Path("/home/mia.k")},
    {"<user>": ("mia.k",), "<computer>": ("studio-7.example.org",)},
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Data folder: /data/mia/tb/config.toml: no", "Data folder: <data folder>: no"),
        ("/home/mia.k/Film X/a.png is empty", "~"),
        ("reading '/home/mia.k/Film X/a.png', then", "reading '~', then"),
        ("/mnt/Secret Film/shot 12.png: gone", "<path>: gone"),
        (r"D:\Secret Film\a.png (empty)", "<path>(empty)"),
        (r"\\server\films\a.png", "<path>"),
        ("by Mia.K on STUDIO-7", "by <user> on <computer>"),
        ("at tcp://192.168.1.5:47800, tcp://127.0.0.1:9", "at tcp://<address>:47800, tcp://127.0.0.1:9"),
        ("OpenImageIO: 3.2.2.0, and/or 1/2", "OpenImageIO: 3.2.2.0, and/or 1/2"),
        ("token 0123456789abcdef0123456789abcdef", "token <key>"),
    ],
)
def test_what_is_private_is_replaced(text: str, wanted: str) -> None:
    assert without_private(text, MIA) == wanted


SECRETS = st.sampled_from(["/home/mia.k/a", "/data/mia/tb", "mia.k", "studio-7", "/mnt/film", "172.16.0.9"])
BETWEEN = st.text(alphabet=" .,:;'\"\n()=-", min_size=1, max_size=5)


@given(st.lists(st.tuples(BETWEEN, SECRETS), max_size=8), BETWEEN)
def test_nothing_private_stays_whatever_is_around_it(pairs: list[tuple[str, str]], end: str) -> None:
    text = without_private("".join(before + secret for before, secret in pairs) + end, MIA)
    assert not any(word in text for word in ("mia", "studio", "film", "172.16"))


def test_the_report_holds_the_lines_and_the_logs_warnings(tmp_path: Path) -> None:
    home = tmp_path / "mia's data"
    log_file(home).parent.mkdir(parents=True)
    entries = [
        {"time": "T1", "level": "info", "message": "session opened", "client": "blender"},
        {"time": "T2", "level": "warning", "source": "config", "message": f"{home}/config.toml: x is not a setting"},
        {"time": "T3", "level": "error", "message": "job failed", "title": "Secret Film", "code": "out_of_memory",
         "error": f"Traceback\n  File {home}\nMemoryError: Secret Film"},
    ]  # fmt: skip
    log_file(home).write_text("".join(json.dumps(entry) + "\n" for entry in entries) + "cut o")
    target = tmp_path / "report.txt"
    report.write(target, home, [Check("Data folder", Verdict.WRONG, str(home), "Mend it.")])
    text = target.read_text(encoding="utf-8")
    assert "wrong  Data folder: <data folder>" in text
    assert "T2 warning config <data folder>: x is not a setting" in text
    assert "job failed out_of_memory MemoryError" in text
    assert "session opened" not in text
    for private in ("Secret Film", "mia", str(tmp_path), str(Path.home()), socket.gethostname()):
        assert private not in text


def test_doctor_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "examine", lambda home: iter([Check("Data folder", Verdict.OK, str(home))]))
    assert doctor.run(tmp_path / getpass.getuser(), False, tmp_path / "r.txt")
    assert "ok     Data folder: <data folder>" in (tmp_path / "r.txt").read_text()
    assert "read it before you send it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("installed", "obstacle", "verdict", "words"),
    [
        (None, "", Verdict.OK, "without the plugin"),
        (None, "it is too old", Verdict.OK, "it is too old"),
        (__version__, "", Verdict.OK, "has the plugin"),
        ("0.0.1", "", Verdict.NOTE, f"has the plugin of Tweenbridge 0.0.1, and this is {__version__}"),
    ],
)
def test_a_plugin_of_another_version_is_named(
    installed: str | None, obstacle: str, verdict: Verdict, words: str
) -> None:
    check = surroundings.plugin("Blender 4.5 (zip)", installed, obstacle)
    assert (check.verdict, words in check.found) == (verdict, True)
    assert bool(check.remedy) is (installed != __version__ and not obstacle)


def test_an_interrupted_installation_is_noted(tmp_path: Path) -> None:
    item = record.Item(record.Kind.FILE, tmp_path / "x")
    record.save(record.Record("0.1.0", False, (item,)), tmp_path)
    assert "it was interrupted" in {check.found for check in surroundings.plugins(tmp_path)}


def test_a_port_that_another_program_has_is_wrong(tmp_path: Path) -> None:
    assert surroundings.port(tmp_path) is None
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        (tmp_path / "config.toml").write_text(f"[server]\nport = {number}\n")
        taken = surroundings.port(tmp_path)
    assert taken is not None
    assert (taken.verdict, str(number) in taken.found) == (Verdict.WRONG, True)
    free = surroundings.port(tmp_path)
    assert free is not None
    assert free.verdict is Verdict.OK


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
def test_a_job_list_that_was_mended_is_noted(tmp_path: Path) -> None:
    assert surroundings.mended(tmp_path) is None
    (tmp_path / "jobs.sqlite3").write_bytes(b"no database" * 900)
    open_store(tmp_path / "jobs.sqlite3").close()
    check = surroundings.mended(tmp_path)
    assert check is not None and check.verdict is Verdict.NOTE
    assert "jobs.damaged-" in check.found


def test_a_data_folder_that_others_may_look_into_is_noted(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    check = surroundings.permissions(tmp_path)
    assert (check.verdict, "chmod 700" in check.remedy) == (Verdict.NOTE, True)
    tmp_path.chmod(0o700)
    assert surroundings.permissions(tmp_path).verdict is Verdict.OK
