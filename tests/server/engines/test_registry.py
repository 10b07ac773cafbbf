"""Engines: found, described and checked without their code."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from bench import FAKES
from hypothesis import given
from hypothesis import strategies as st
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.engines import registry


def refused(name: str, profile: str = "", **settings: Any) -> str:
    with pytest.raises(TweenbridgeError) as error:
        registry.check(name, profile, settings)
    assert error.value.code is ErrorCode.BAD_REQUEST
    return str(error.value)


def test_built_in_engines_come_first_and_third_parties_after() -> None:
    assert [info.name for info in registry.infos()] == ["flow", "blend"]
    assert registry.info("blend").title == "Blend"


def test_knowing_engines_imports_none_of_their_code() -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(FAKES)!r})\n"
        "from tweenbridge_server.engines import registry\n"
        "registry.check('blend', '', {}), registry.check('flow', 'draft', {}), registry.infos()\n"
        "assert not {'numpy', 'cv2', 'numba', 'blend_engine.engine'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


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
    assert registry.check("blend", "", {"seconds": 2}) == ("plain", {"seconds": 2.0, "mischief": "none", "at": 0.5})
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
