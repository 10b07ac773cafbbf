"""The published files: the same bytes whoever builds them, a source archive that is a whole checkout, checksums."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from tweenbridge.version import __version__
from tweenbridge_installer import package_build, release
from tweenbridge_installer.errors import InstallError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return package_build.build(ROOT, tmp_path_factory.mktemp("dist"), lambda _: None)


def test_a_copy_elsewhere_gives_the_same_bytes(built: tuple[Path, ...], tmp_path: Path) -> None:
    _, archive = built
    with tarfile.open(archive) as content:
        content.extractall(tmp_path, filter="data")
    (copy,) = tmp_path.iterdir()
    for name in ("PKG-INFO", "setup.cfg", "tweenbridge.egg-info"):
        path = copy / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    # What building, testing and unpacking leave behind must not get in.
    (copy / "build/lib").mkdir(parents=True)
    (copy / "build/lib/junk.py").write_text("junk")
    (copy / "shared/tweenbridge/__pycache__").mkdir()
    (copy / "shared/tweenbridge/__pycache__/client.cpython-312.pyc").write_bytes(b"junk")
    for path in copy.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    again = package_build.build(copy, tmp_path / "dist", lambda _: None)
    for first, second in zip(built, again):
        assert first.name == second.name
        assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(second.read_bytes()).digest(), first.name


def test_the_wheel_holds_the_three_packages_and_their_data(built: tuple[Path, ...]) -> None:
    wheel, _ = built
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        assert content.testzip() is None
    tops = {name.partition("/")[0] for name in names}
    assert {"tweenbridge", "tweenbridge_server", "tweenbridge_installer"} <= tops
    assert "tweenbridge_installer/blender_wheels.sha256" in names
    assert "tweenbridge/protocol/PROTOCOL.md" in names
    assert names[-1] == f"tweenbridge-{__version__}.dist-info/RECORD"


def test_the_source_archive_is_a_checkout_that_installs_itself(built: tuple[Path, ...]) -> None:
    with tarfile.open(built[1]) as content:
        members = {member.name.partition("/")[2]: member for member in content.getmembers()}
    shown = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    expected = {name for name in shown.splitlines() if (ROOT / name).is_file()}
    # Who goes on training takes the checkpoints from the repository.
    assert {name for name in expected if not name.startswith("benchmarks/network/checkpoints/")} <= members.keys()
    assert members["install.sh"].mode == 0o755
    assert members["bootstrap.py"].mode == 0o644
    assert {member.uid for member in members.values()} == {0}


def test_the_checksums_are_those_of_the_files(tmp_path: Path) -> None:
    files = [tmp_path / "b.whl", tmp_path / "a.zip"]
    for path in files:
        path.write_text(path.name)
    sums = release.write_sums(tmp_path, files)
    assert [line.split()[1] for line in sums.read_text().splitlines()] == ["a.zip", "b.whl"]
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--quiet", sums.name], cwd=tmp_path, check=True)


def test_a_release_is_everything_with_its_checksums(tmp_path: Path) -> None:
    files = {path.name for path in release.build(ROOT, tmp_path, lambda _: None)}
    kinds = ("tweenbridge-blender-", ".whl", ".tar.gz", "tweenbridge-resolve-", "SHA256SUMS")
    assert [kind for kind in kinds if not any(kind in name for name in files)] == []
    for line in (tmp_path / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
        files.remove(name)
    assert files == {"SHA256SUMS"}


def test_without_sources_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="run this in a checkout"):
        package_build.build(tmp_path, tmp_path / "dist", lambda _: None)
