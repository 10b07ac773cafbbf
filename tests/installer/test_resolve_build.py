"""The bundle for DaVinci Resolve: what it holds, always the same bytes, and what is said when it fails."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tweenbridge.version import __version__
from tweenbridge_installer import resolve_build, wheels
from tweenbridge_installer.errors import InstallError
from tweenbridge_installer.resolve_build import BUNDLE, LAUNCHER, LOCK, build, this_platform
from tweenbridge_installer.wheels import PLATFORMS, Wheel, read_lock

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = {"cp38", "cp39", "cp310", "cp311", "abi3"}
"""abi3 serves Python 3.12 and all later ones."""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A checkout of what the build reads, to be changed at will."""
    root = tmp_path / "checkout"
    for folder in ("shared", "plugins/resolve"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "LICENSE", root / "LICENSE")
    return root


@pytest.fixture
def small_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds a small wheel for every one of the real list, and a list with their hashes."""
    cache = tmp_path / "cache"
    cache.mkdir()
    lock = []
    for wheel in read_lock(LOCK):
        library = {"pyzmq": "zmq"}.get(wheel.parts[0], wheel.parts[0])
        info = f"{wheel.parts[0]}-{wheel.parts[1]}.dist-info"
        content = {f"{library}/__init__.py": wheel.name.encode(), f"{library}/_native.so": b"machine code"}
        content |= {f"{info}/licenses/LICENSE": b"free", f"{info}/RECORD": b"", "zmq/tests/test_a.py": b""}
        data = wheels.zipped(content)
        (cache / wheel.name).write_bytes(data)
        lock.append(Wheel(wheel.name, hashlib.sha256(data).hexdigest()))
    monkeypatch.setattr(wheels, "read_lock", lambda path: tuple(lock))
    return cache


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_platform_has_zeromq_for_every_python(platform: str) -> None:
    here = {
        "abi3" if wheel.parts[3] == "abi3" else wheel.parts[2]
        for wheel in read_lock(LOCK)
        if wheel.parts[0] == "pyzmq" and platform in wheel.blender_platforms()
    }
    # There is no Python 3.8 for Windows on ARM.
    assert here == (PYTHONS - {"cp38"} if platform == "windows-arm64" else PYTHONS)


def test_a_bundle_holds_launcher_script_client_and_libraries(sources: Path, small_wheels: Path, tmp_path: Path) -> None:
    [bundle] = build(sources, tmp_path / "out", print, platforms=["linux-x64"], cache=small_wheels)
    assert bundle.name == f"tweenbridge-resolve-{__version__}-linux-x64.zip"
    with zipfile.ZipFile(bundle) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
    assert LAUNCHER in names
    assert f"{BUNDLE}/package/tweenbridge_resolve/app.py" in names
    assert f"{BUNDLE}/vendor/py3/tweenbridge/client.py" in names
    assert {name for name in names if "/vendor/py3/msgpack/" in name} == {f"{BUNDLE}/vendor/py3/msgpack/__init__.py"}
    for tag in PYTHONS:
        assert {f"{BUNDLE}/vendor/{tag}/zmq/{name}" for name in ("__init__.py", "_native.so")} <= names
    assert len([name for name in names if name.endswith("licenses/LICENSE")]) == len(PYTHONS) + 1
    assert not [name for name in names if "tests" in name or name.endswith("RECORD") or "__pycache__" in name]


def test_the_same_sources_give_the_same_bytes(sources: Path, small_wheels: Path, tmp_path: Path) -> None:
    first = build(sources, tmp_path / "first", print, platforms=PLATFORMS, cache=small_wheels)
    (sources / "plugins/resolve/tweenbridge_resolve/__pycache__").mkdir()
    (sources / "plugins/resolve/tweenbridge_resolve/__pycache__/x.py").write_text("")
    os.utime(sources / "plugins/resolve" / LAUNCHER, (1, 1))
    second = build(sources, tmp_path / "second", print, platforms=PLATFORMS, cache=small_wheels)
    assert len(first) == len(PLATFORMS)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_folder_holds_the_same_and_replaces_an_older_one(sources: Path, small_wheels: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    stale = out / f"tweenbridge-resolve-{__version__}-macos-x64" / "stale.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    [folder] = build(sources, out, print, platforms=["macos-x64"], folder=True, cache=small_wheels)
    [bundle] = build(sources, out, print, platforms=["macos-x64"], cache=small_wheels)
    with zipfile.ZipFile(bundle) as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
    assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == packed
    assert sorted(path.name for path in out.iterdir()) == [folder.name, bundle.name]


def test_outside_a_checkout_it_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="run this in a checkout"):
        build(tmp_path, tmp_path / "out", print, platforms=["linux-x64"])


def test_a_wheel_that_cannot_be_had_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = subprocess.CompletedProcess([], 1, "ERROR: No matching distribution found")
    monkeypatch.setattr("tweenbridge_installer.wheels.subprocess.run", lambda *_, **__: answer)
    with pytest.raises(InstallError, match=r"has no msgpack-.*, which the script for Resolve carries"):
        build(ROOT, tmp_path / "out", print, platforms=["linux-x64"], cache=tmp_path / "cache")


def test_the_command_says_which_platforms_there_are(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tweenbridge_server", "build", "resolve", "--out", str(tmp_path)]
    result = subprocess.run([*command, "--platform", "amiga"], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: There is no bundle for 'amiga'. There are: linux-x64, macos-arm64")


def test_the_command_builds_for_this_computer(tmp_path: Path) -> None:
    if this_platform() not in PLATFORMS:
        pytest.skip(f"There is no bundle for {this_platform()}.")
    command = [sys.executable, "-m", "tweenbridge_server", "build", "resolve", "--out", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    [bundle] = tmp_path.iterdir()
    assert bundle.name == f"tweenbridge-resolve-{__version__}-{this_platform()}.zip"
    assert bundle.name in result.stdout
    assert resolve_build.PACKAGE in "".join(zipfile.ZipFile(bundle).namelist())
