"""Sentences for people: errors, sizes, times; the log as text; the doctor's lines."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import typer
from rich.console import Console
from tweenbridge import JobHandle, JobInfo, JobProgress, JobState, KeyframeSource, Note, Timing, make_order
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.commands import engines, logs, terminal_bar
from tweenbridge_server.commands.console import ago, duration, plain_errors, plural, size
from tweenbridge_server.commands.progress import JobDisplay
from tweenbridge_server.diagnostics import doctor
from tweenbridge_server.diagnostics.logs import log_file
from tweenbridge_server.engines import registry


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TWEENBRIDGE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def _run(error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    @plain_errors
    def command() -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        command()
    return ended.value.exit_code, capsys.readouterr().err


def test_an_error_is_a_sentence_and_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    error = TweenbridgeError(ErrorCode.BAD_KEYFRAME, "Keyframe 2 (b.png) is empty.")
    status, text = _run(error, capsys)
    assert status == 1
    assert text.splitlines()[0] == "Error: Keyframe 2 (b.png) is empty."
    assert "Export the keyframe" in text.splitlines()[1]


def test_remedies_name_commands_as_the_user_has_to_type_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWEENBRIDGE_INVOKED_AS", "python3 bootstrap.py")
    text = _run(TweenbridgeError(ErrorCode.NOT_RUNNING, "The server is not running."), capsys)[1]
    assert "`python3 bootstrap.py serve`" in text


def test_a_full_disk_is_said_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    status, text = _run(OSError(errno.ENOSPC, "No space left on device", "out/a.png"), capsys)
    assert status == 1
    assert "out/a.png: No space left on device." in text
    assert "Free some disk space" in text


def test_ctrl_c_has_its_own_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(KeyboardInterrupt(), capsys)[0] == 130


def test_a_mistake_of_ours_keeps_its_traceback_in_a_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = _run(ZeroDivisionError("by zero"), capsys)
    assert status == 1
    assert "Traceback" not in text
    assert "ZeroDivisionError" in (home / "logs" / "command.log").read_text(encoding="utf-8")


def test_sizes_and_times_read_as_people_say_them() -> None:
    assert [size(n) for n in (0, 999, 1500, 4.2e6, 250e6, 3e9)] == [
        "0 bytes", "999 bytes", "1.5 kB", "4.2 MB", "250 MB", "3.0 GB",
    ]  # fmt: skip
    assert [duration(s) for s in (0.04, 3.21, 12, 99, 150, 7200, 400_000)] == [
        "0.0 s", "3.2 s", "12 s", "99 s", "2 min", "2 h", "5 days",
    ]  # fmt: skip
    assert ago(time.time() + 5) == "0.0 s"
    assert (plural(1, "frame"), plural(2, "frame"), plural(0, "in-between")) == ("1 frame", "2 frames", "0 in-betweens")


# ---------------------------------------------------------------- logs


def _line(message: str) -> str:
    return json.dumps({"time": "2026-01-02T03:04:05.678Z", "level": "info", "source": "gateway", "message": message})


def _write(path: Path, *messages: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(_line(message) + "\n" for message in messages)


def test_the_end_of_the_log_reaches_back_into_the_file_before(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = log_file(home)
    _write(path.with_name(path.name + ".1"), "one", "two")
    _write(path, "three")
    logs.show(home, 2, follow=False, raw=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line.rsplit(" ", 1)[1] for line in lines] == ["two", "three"]
    logs.show(home, 1, follow=False, raw=True)
    assert json.loads(capsys.readouterr().out)["message"] == "three"


def test_no_log_yet_is_said(home: Path) -> None:
    with pytest.raises(TweenbridgeError, match="There is no log yet"):
        logs.show(home, 10, follow=False, raw=False)


def test_following_the_log_goes_on_across_rotation(home: Path) -> None:
    path = log_file(home)
    _write(path, "before")
    command = [sys.executable, "-m", "tweenbridge_server", "logs", "-f", "-n", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        watchdog = threading.Timer(30, follower.kill)
        watchdog.start()
        assert follower.stdout.readline().endswith("before\n")
        time.sleep(0.5)
        _write(path, "grown")
        assert follower.stdout.readline().endswith("grown\n")
        path.rename(path.with_name(path.name + ".1"))
        _write(path, "rotated")
        assert follower.stdout.readline().endswith("rotated\n")
        follower.terminate()
        watchdog.cancel()


# ---------------------------------------------------------------- doctor


def test_a_sound_installation_is_well(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checks = list(doctor.examine(home))
    assert [check.name for check in checks if check.verdict is doctor.Verdict.WRONG] == []
    assert {"Python", "numpy", "Data folder", "Disk", "Ports", "Server", "Engines"} <= {check.name for check in checks}
    assert doctor.print_report(iter(checks), as_json=False)
    assert capsys.readouterr().out.endswith("All is well.\n")


def test_every_wrong_line_has_a_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWEENBRIDGE_SERVER_COMMAND", "/nowhere/python serve")
    (tmp_path / "config.toml").write_text("[server]\nport = 'many'\n")
    checks = list(doctor.examine(tmp_path))
    wrong = {check.name: check for check in checks if check.verdict is doctor.Verdict.WRONG}
    assert set(wrong) == {"Starting", "Settings"}
    assert all(check.remedy for check in wrong.values())
    assert not doctor.print_report(iter(checks), as_json=True)
    assert {line["name"] for line in json.loads(capsys.readouterr().out) if line["verdict"] == "wrong"} == set(wrong)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setitem(doctor.PACKAGES, "tweenbridge_no_such_package", "nothing")
    wrong = [check for check in doctor.examine(home) if check.verdict is doctor.Verdict.WRONG]
    assert [check.name for check in wrong] == ["tweenbridge_no_such_package"]
    assert "bootstrap.py" in wrong[0].remedy


def _devices_say(monkeypatch: pytest.MonkeyPatch, program: str) -> doctor.Check:
    """The doctor's line when the libraries are there and looking for devices runs this program instead."""
    run = subprocess.run
    monkeypatch.setattr(doctor.metadata, "version", lambda package: "9.9")
    monkeypatch.setattr(doctor.subprocess, "run", lambda command, **how: run([sys.executable, "-c", program], **how))
    return doctor._dreammover()


def test_the_doctor_names_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"device": "cuda:1", "name": "Big GPU", "total": 24e9, "free": 1, "dtype": "float16", "torch": "9.9"}
    check = _devices_say(monkeypatch, f"print('a warning'); print({json.dumps(json.dumps(found))})")
    assert check.verdict is doctor.Verdict.OK
    assert check.found == "torch 9.9, diffusers 9.9; computes on cuda:1 (Big GPU, 24.0 GB, float16)"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("raise ImportError('libcudart is cut off')", "libcudart is cut off"),
        ("import os; os.abort()", "no answer"),
        ("print('[]')", "do not work"),
        ("print('{}')", "do not work"),
        ("import time; time.sleep(30)", "took over"),
    ],
)
def test_libraries_that_do_not_work_are_wrong(monkeypatch: pytest.MonkeyPatch, program: str, words: str) -> None:
    monkeypatch.setattr(doctor, "_DEVICES_SECONDS", 2.0)
    check = _devices_say(monkeypatch, program)
    assert check.verdict is doctor.Verdict.WRONG
    assert words in check.found
    assert "setup" in check.remedy


def test_an_installation_without_torch_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(package: str) -> str:
        raise doctor.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(doctor.metadata, "version", version)
    check = doctor._dreammover()
    assert check.verdict is doctor.Verdict.NOTE
    assert "torch and diffusers" in check.found
    assert "bootstrap.py setup" in check.remedy


# ---------------------------------------------------------------- engines and progress


def test_engines_are_listed_with_all_that_can_be_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engines.show(tmp_path, as_json=False)
    said = capsys.readouterr().out
    for info in registry.infos():
        assert f"{info.name}: {info.title}" in said
        assert all(profile.name in said for profile in info.profiles)
        assert all(f"{setting.name}=" in said for setting in info.settings)
    assert "strength=0 " in said
    assert "a number from 0 to 0.9" in said
    assert "seed=0 " in said
    assert "to 2147483647" in said
    assert "detail=yes" in said
    assert "must be set" not in said, "a model comes with Tweenbridge"
    engines.show(tmp_path, as_json=True)
    listed = json.loads(capsys.readouterr().out)
    assert [info["name"] for info in listed] == [info.name for info in registry.infos()]
    assert listed[1]["settings"][0]["name"] == "model"


def test_notes_are_said_once_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    with JobDisplay(3) as display:
        display.tell([Note("long", "The prompt is long.", 0)])
        display.tell([Note("long", "The prompt is long."), Note("cut", "A [red] cut.", 1)])
    assert capsys.readouterr().err == "Note: The prompt is long.\nNote: A [red] cut.\n"


def test_the_display_shows_stage_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal_bar, "console", lambda stderr: Console(stderr=True, force_terminal=True, width=100))
    pair = [KeyframeSource(b"a"), KeyframeSource(b"b")]
    handle = JobHandle(make_order(pair, timing=Timing(count=3), engine="dreammover"))
    running = JobInfo(handle.id, JobState.RUNNING, 3, 1, "dreammover", "standard", stage="inverting", eta=42.0)
    with JobDisplay(3) as display:
        display.event(JobProgress(handle.id, running), handle)
        assert display._progress is not None
        display._progress.refresh()
    shown = capsys.readouterr().err
    assert "Inverting" in shown
    assert "42 s left" in shown
