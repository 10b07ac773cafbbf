"""The log file: lines that programs and people can read, rotation, and nothing secret in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tweenbridge_server.diagnostics import logs

log = logging.getLogger("tweenbridge_server.transport.gateway")
TOKEN = "5ec2e7" * 10


@pytest.fixture(autouse=True)
def log_to_file(tmp_path: Path) -> Iterator[None]:
    logs.configure(tmp_path, "info", secrets=(TOKEN,))
    yield
    logs.close()


def lines(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logs.log_file(home).read_text(encoding="utf-8").splitlines()]


def test_an_event_is_one_json_object_with_its_fields(tmp_path: Path) -> None:
    logs.event(log, logging.WARNING, "refused\nsomething", peer="00af", count=3, parts=[1, 2], nothing=None)
    log.debug("too detailed")
    [line] = lines(tmp_path)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning", "source": "transport.gateway", "message": "refused\nsomething",
        "peer": "00af", "count": 3, "parts": [1, 2], "nothing": None,
    }  # fmt: skip


def test_tokens_proofs_and_pixels_are_never_written(tmp_path: Path) -> None:
    logs.event(
        log, logging.INFO, f"connecting with {TOKEN}",
        token="abc1", proof=b"abc2", curve_secret="abc3", pixels=b"abc4" * 1000,
        nested={"nonce": "abc5", "f": [b"abc6"]}, view=memoryview(b"abc7"), text=f"{TOKEN}!",
    )  # fmt: skip
    try:
        raise ValueError(TOKEN)
    except ValueError:
        log.exception("failed")
    text = logs.log_file(tmp_path).read_text(encoding="utf-8")
    assert "abc" not in text and TOKEN not in text
    assert "(4000 bytes)" in text and "ValueError" in text


def test_a_traceback_is_one_line_of_the_file_and_several_for_people(tmp_path: Path) -> None:
    try:
        raise KeyError("frame 3")
    except KeyError:
        log.exception("could not fetch")
    [entry] = lines(tmp_path)
    assert "KeyError: 'frame 3'" in entry["error"]
    text = logs.readable(json.dumps(entry))
    assert text.splitlines()[0].endswith("error    transport.gateway: could not fetch")
    assert text.splitlines()[-1].strip() == "KeyError: 'frame 3'"


def test_a_line_for_people_has_local_time_level_source_message_and_fields() -> None:
    line = '{"time": "2026-03-01T10:20:30.123Z", "level": "info", "source": "app", "message": "server ready", "pid": 7}'
    text = logs.readable(line)
    assert text.endswith("  info     app: server ready  (pid: 7)")
    moment = datetime.fromisoformat("2026-03-01T10:20:30+00:00").astimezone()
    assert text.startswith(moment.strftime("%Y-%m-%d %H:%M:%S "))


@pytest.mark.parametrize("line", ['{"time": "2026-03', "", "Traceback (most recent call last):", "[1, 2]", "null"])
def test_a_damaged_line_is_shown_as_it_is(line: str) -> None:
    assert logs.readable(line + "\n") == line


def test_the_file_is_rotated_and_old_ones_go(tmp_path: Path) -> None:
    for number in range(1500):
        logs.event(log, logging.INFO, "x" * 8000, number=number)
    files = sorted(path.name for path in logs.log_file(tmp_path).parent.iterdir())
    assert files == ["server.log", "server.log.1", "server.log.2", "server.log.3", "server.log.4"]
    assert all(path.stat().st_size <= logs.MAX_BYTES for path in logs.log_file(tmp_path).parent.iterdir())
    assert lines(tmp_path)[-1]["number"] == 1499


def test_a_log_that_cannot_be_written_disturbs_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [handler] = [one for one in logging.getLogger(logs.ROOT).handlers if isinstance(one, logging.FileHandler)]
    assert handler.stream is not None
    handler.stream.close()
    log.info("lost")
    logs.close()
    assert capsys.readouterr().err == ""


def test_configuring_again_writes_each_line_once(tmp_path: Path) -> None:
    logs.configure(tmp_path, "warning")
    log.warning("once")
    log.info("not at this level")
    assert [line["message"] for line in lines(tmp_path)] == ["once"]
