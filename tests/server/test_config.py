"""Settings: file, environment, what is refused and how, and that the page about them is complete."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import Limits
from tweenbridge_server.config import KEYS, Config, config_file, load_config

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def load(home: Path, text: str = "", **environment: str) -> Config:
    config_file(home).write_text(text, encoding="utf-8")
    return load_config(home, environment)


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    assert load_config(tmp_path, {}) == Config(home=tmp_path)


def test_defaults_are_those_of_the_values_they_fill(tmp_path: Path) -> None:
    assert load_config(tmp_path, {}).limits == Limits()
    for key in KEYS:
        assert key.read(key.default) == key.default, key.path


def test_the_file_is_read_and_the_environment_has_the_last_word(tmp_path: Path) -> None:
    text = '[server]\nport = 4000\n[limits]\nqueued_jobs = 7\n[retention]\ndays = 2\n[log]\nlevel = "DEBUG"\n'
    config = load(tmp_path, text, TWEENBRIDGE_SERVER_PORT="5000", TWEENBRIDGE_WORKERS_IDLE_SECONDS="9.5")
    assert (config.port, config.limits.queued_jobs, config.log_level) == (5000, 7, "debug")
    assert (config.worker_idle_seconds, config.retention.max_age) == (9.5, 2 * 86400)
    assert config.host == "127.0.0.1" and config.warnings == ()


@pytest.mark.parametrize(("text", "variable", "expected"), [("true", "", True), ("true", "False", False)])
def test_a_switch_is_a_word_in_the_environment_too(tmp_path: Path, text: str, variable: str, expected: bool) -> None:
    config = load(tmp_path, f"[workers]\ncompile = {text}\n", TWEENBRIDGE_WORKERS_COMPILE=variable)
    assert config.compile_models is expected


@pytest.mark.parametrize(
    ("text", "named", "allowed"),
    [
        ("[server]\nport = 70000", "server.port", "a whole number from 0 to 65535"),
        ("[server]\nport = true", "server.port", "a whole number"),
        ("[server]\nport = 1.5", "server.port", "a whole number"),
        ('[server]\nhost = "my-machine"', "server.host", "an IP address"),
        ("[limits]\nframe_bytes = 5", "limits.frame_bytes", "1048576"),
        ('[limits]\nframe_bytes = "many"', "limits.frame_bytes", "1048576"),
        ("[workers]\nidle_seconds = 0", "workers.idle_seconds", "a number from 1"),
        ("[workers]\nidle_seconds = nan", "workers.idle_seconds", "a number from 1"),
        ('[workers]\ndevices = "gpu"', "workers.devices", "cuda:1"),
        ("[workers]\ndevices = []", "workers.devices", "cuda:1"),
        ("[workers]\ndevices = [0, 1]", "workers.devices", "cuda:1"),
        ('[workers]\ndevices = "cuda:0,,cpu"', "workers.devices", "cuda:1"),
        ('[log]\nlevel = "loud"', "log.level", "debug, info, warning, error"),
        ("server = 5", "server", "a table"),
    ],
)
def test_a_bad_value_is_an_error_that_names_file_key_and_what_is_allowed(
    tmp_path: Path, text: str, named: str, allowed: str
) -> None:
    with pytest.raises(TweenbridgeError) as error:
        load(tmp_path, text)
    assert error.value.code is ErrorCode.BAD_REQUEST
    assert str(config_file(tmp_path)) in str(error.value) and named in str(error.value)
    assert allowed in str(error.value) and error.value.remedy


def test_devices_are_a_list_or_words_with_commas(tmp_path: Path) -> None:
    assert load(tmp_path, '[workers]\ndevices = ["cuda:0", "CUDA:1"]').devices == ("cuda:0", "cuda:1")
    assert load(tmp_path, TWEENBRIDGE_WORKERS_DEVICES="cuda:0, cpu").devices == ("cuda:0", "cpu")
    assert load(tmp_path, '[workers]\ndevices = "mps"').devices == ("mps",)


def test_a_bad_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(TweenbridgeError, match=r"TWEENBRIDGE_SERVER_PORT: server.port is 'x'"):
        load(tmp_path, TWEENBRIDGE_SERVER_PORT="x")


def test_a_file_that_is_no_toml_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(TweenbridgeError, match=r"config\.toml cannot be read"):
        load(tmp_path, "[server\nport")


def test_unknown_settings_are_warned_of_and_ignored(tmp_path: Path) -> None:
    config = load(tmp_path, "colour = 1\n[server]\nprot = 5\n[printer]\ninks = 3\n")
    assert [re.search(r": (\S+) is not a setting", warning)[1] for warning in config.warnings] == [  # type: ignore[index]
        "colour",
        "printer",
        "server.prot",
    ]
    assert config.port == 0


def test_the_page_lists_every_setting_with_its_default_variable_and_range() -> None:
    rows = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0].startswith("`"):
            rows[cells[0].strip("`")] = cells
    assert list(rows) == [key.path for key in KEYS]
    for key in KEYS:
        _, default, allowed, meaning = rows[key.path]
        assert default == f"`{json.dumps(key.default)}`", key.path
        assert (allowed, meaning) == (key.allowed, key.help), key.path
    assert "TWEENBRIDGE_LIMITS_FRAME_BYTES" in PAGE.read_text(encoding="utf-8")
