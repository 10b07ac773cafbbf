"""The environments that hold a Blender for the tests: found, made, made anew, left out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tweenbridge_installer import blender_hosts, environment, pip
from tweenbridge_installer.blender_hosts import RELEASES, Release, ensure, is_ready, prepare
from tweenbridge_installer.environment import Environment
from tweenbridge_installer.errors import InstallError

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
OURS = Release("9.1", HERE)
NEWER = Release("9.2", "3.99")


class FakePip:
    """Stands in for pip: a `bpy` of one small file."""

    def __init__(self) -> None:
        self.installed: list[str] = []
        self.failure: BaseException | None = None

    def __call__(
        self, python: Path, arguments: Sequence[str], log: Path, version: str, *, progress: bool, no_build: str
    ) -> None:
        packages = Environment(python.parent.parent.parent, python.parent.parent.name).packages()
        assert packages is not None
        (packages / "bpy.py").write_text("version = 1\n")
        if self.failure is not None:
            raise self.failure
        info = packages / "bpy-9.1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "RECORD").write_text("bpy.py,sha256=x,12\n")
        self.installed.append(arguments[0])


@pytest.fixture
def fake_pip(monkeypatch: pytest.MonkeyPatch) -> FakePip:
    fake = FakePip()
    monkeypatch.setattr(pip, "install", fake)
    monkeypatch.setattr(environment, "_VENV", ("-m", "venv", "--without-pip"))
    monkeypatch.setattr(blender_hosts, "RELEASES", (OURS, NEWER))
    return fake


def test_it_is_made_once(tmp_path: Path, fake_pip: FakePip) -> None:
    said: list[str] = []
    assert ensure(OURS, tmp_path, said.append)
    assert is_ready(OURS, tmp_path)
    assert ensure(OURS, tmp_path, said.append)
    assert fake_pip.installed == ["bpy==9.1.*"]
    assert len(said) == 1


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), InstallError("The disk is full.")])
def test_one_that_is_half_made_is_made_anew(tmp_path: Path, fake_pip: FakePip, interruption: BaseException) -> None:
    fake_pip.failure = interruption
    with pytest.raises(type(interruption)):
        ensure(OURS, tmp_path, print)
    assert not is_ready(OURS, tmp_path)
    fake_pip.failure = None
    assert ensure(OURS, tmp_path, print)
    assert is_ready(OURS, tmp_path)


def test_one_that_lost_a_file_is_made_anew(tmp_path: Path, fake_pip: FakePip) -> None:
    ensure(OURS, tmp_path, print)
    packages = OURS.environment(tmp_path).packages()
    assert packages is not None
    (packages / "bpy.py").unlink()
    assert not is_ready(OURS, tmp_path)
    assert ensure(OURS, tmp_path, print)
    assert (packages / "bpy.py").is_file()


def test_what_is_needed_in_addition_is_added_to_one_that_is_whole(
    tmp_path: Path, fake_pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure(OURS, tmp_path, print)
    packages = OURS.environment(tmp_path).packages()
    assert packages is not None
    (packages / "mine.py").write_text("")
    monkeypatch.setattr(Release, "requirements", ("bpy==9.1.*", "pytest-of-tomorrow"))
    assert not is_ready(OURS, tmp_path)
    said: list[str] = []
    assert ensure(OURS, tmp_path, said.append)
    assert is_ready(OURS, tmp_path)
    assert said == ["Adding what the tests in Blender 9.1 need now..."]
    assert (packages / "mine.py").is_file(), "it was not made anew"
    assert fake_pip.installed == ["bpy==9.1.*"] * 2


def test_a_version_without_its_python_is_left_out_and_named(tmp_path: Path, fake_pip: FakePip) -> None:
    said: list[str] = []
    assert prepare(tmp_path, True, said.append) == ("9.1",)
    assert "Blender 9.2 is left out: it needs Python 3.99, which is not on this computer." in said


def test_one_means_the_newest_that_there_is_a_python_for(tmp_path: Path, fake_pip: FakePip) -> None:
    assert prepare(tmp_path, False, lambda _: None) == ("9.1",)


def test_without_a_network_the_other_tests_run_but_all_blenders_means_all(tmp_path: Path, fake_pip: FakePip) -> None:
    fake_pip.failure = InstallError("The package source cannot be reached.")
    said: list[str] = []
    assert prepare(tmp_path, False, said.append) == ()
    assert said[-1] == "The package source cannot be reached.\nThe tests inside Blender are left out."
    with pytest.raises(InstallError, match="cannot be reached"):
        prepare(tmp_path, True, said.append)


def test_the_interpreter_found_is_of_the_version_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blender_hosts, "_interpreters", lambda version: [str(tmp_path / "absent"), sys.executable])
    assert blender_hosts.find_interpreter(HERE) == sys.executable
    assert blender_hosts.find_interpreter("3.99") is None


def test_the_oldest_supported_blender_is_tested() -> None:
    manifest = Path(__file__).resolve().parents[2] / "plugins/blender/blender_manifest.toml"
    assert f'blender_version_min = "{RELEASES[0].blender}.0"' in manifest.read_text()
