"""Engines: found, described and checked without their code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bench import FAKES
from hypothesis import given
from hypothesis import strategies as st
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.engines import registry
from tweenbridge_server.engines.registry import Resolved


def refused(name: str, profile: str = "", **settings: Any) -> str:
    with pytest.raises(TweenbridgeError) as error:
        registry.check(name, profile, settings)
    assert error.value.code is ErrorCode.BAD_REQUEST
    return str(error.value)


def test_built_in_engines_come_first_and_third_parties_after() -> None:
    assert [info.name for info in registry.infos()] == ["flow", "dreammover", "blend"]
    assert registry.info("blend").title == "Blend"


def test_knowing_engines_imports_none_of_their_code() -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(FAKES)!r})\n"
        "from tweenbridge_server.engines import registry\n"
        "from pathlib import Path\n"
        "for name in ('blend', 'flow', 'dreammover'):\n"
        "    profile, settings = registry.check(name, '', {})\n"
        "    found = registry.resolve(name, profile, settings, Path())\n"
        "    print(found.settings.get('model'))\n"
        "registry.infos()\n"
        "assert not {'numpy', 'cv2', 'numba', 'torch', 'blend_engine.engine'} & set(sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    *_, dreammover = result.stdout.splitlines()
    assert dreammover.endswith("nano"), "the built-in model was found, and not looked into"


def test_a_broken_package_is_left_out_and_said(tmp_path: Any) -> None:
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tweenbridge.engines]\nbroken = nowhere.at_all:X\nodd = sys:version\n")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from tweenbridge_server.engines import registry\n"
        "print([info.name for info in registry.infos()])\n"
    )
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert "'flow'" in result.stdout
    assert "The engine broken could not be loaded" in result.stderr
    assert "The engine odd is no Registration" in result.stderr


def test_defaults_are_filled_in() -> None:
    complete = {"seconds": 2.0, "mischief": "none", "at": 0.5, "says": "nothing", "model": ""}
    assert registry.check("blend", "", {"seconds": 2}) == ("plain", complete)
    assert registry.check("blend", "other", {})[0] == "other"
    assert registry.check("flow", "", {})[0] == "quality"


def test_what_is_allowed_is_said() -> None:
    assert "flow" in refused("teleport")
    assert "plain, other" in refused("blend", "best")
    assert "seconds, mischief, at" in refused("blend", speed=1)
    assert "at least 0 and at most 60" in refused("blend", seconds=61)
    assert "none, raise" in refused("blend", mischief="explode")
    refused("blend", seconds=True)
    refused("blend", seconds="1")
    refused("blend", mischief=1)


@given(st.floats() | st.integers())
def test_numbers_outside_the_range_never_pass(value: float) -> None:
    inside = 0 <= value <= 60
    try:
        _, settings = registry.check("blend", "", {"seconds": value})
    except TweenbridgeError:
        assert not inside
    else:
        assert inside
        assert settings["seconds"] == value


def test_an_engine_is_made_from_its_registration() -> None:
    assert registry.create("blend").info == registry.info("blend")


def test_an_engine_says_which_model_it_would_use(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("weights")
    profile, settings = registry.check("blend", "shot", {"model": "model"})
    resolved = registry.resolve("blend", profile, settings, tmp_path)
    assert resolved.settings == {**settings, "model": str(tmp_path / "model")}
    assert resolved.whole_shot
    assert registry.resolve("blend", profile, resolved.settings, tmp_path / "elsewhere") == resolved
    (tmp_path / "model").write_text("other weights")
    assert registry.resolve("blend", profile, settings, tmp_path).identity != resolved.identity


def test_an_engine_without_a_model_resolves_to_its_settings(tmp_path: Path) -> None:
    assert registry.resolve("flow", "draft", {}, tmp_path) == Resolved({})


def test_what_an_engine_lacks_is_said_and_its_mistakes_are_contained(tmp_path: Path) -> None:
    for name, code in (("nothing", ErrorCode.MODEL_MISSING), ("bug", ErrorCode.INTERNAL)):
        _, settings = registry.check("blend", "", {"model": name})
        with pytest.raises(TweenbridgeError) as refused:
            registry.resolve("blend", "plain", settings, tmp_path)
        assert refused.value.code is code


def test_another_model_than_the_jobs_is_refused() -> None:
    registry.check_identity("one", "one")
    with pytest.raises(TweenbridgeError) as refused:
        registry.check_identity("one", "other")
    assert refused.value.code is ErrorCode.MODEL_FAILED
