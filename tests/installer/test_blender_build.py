"""The Blender extension as it is built: what the zip holds, always the same bytes, and what is said when it fails."""

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
from tweenbridge_installer import blender_build, wheels
from tweenbridge_installer.blender_build import build, completed, manifest_version
from tweenbridge_installer.errors import InstallError
from tweenbridge_installer.wheels import PLATFORMS, Wheel, client_wheel, fetch, read_lock

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = (ROOT / "plugins/blender/blender_manifest.toml").read_text(encoding="utf-8")
LINUX = "pyzmq-27.3.0-cp312-abi3-manylinux_2_26_x86_64.manylinux_2_28_x86_64.whl"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A checkout of what the build reads, to be changed at will."""
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "shared", root / "shared", ignore=shutil.ignore_patterns("__pycache__"))
    folder = root / "plugins/blender"
    (folder / "icons").mkdir(parents=True)
    (folder / "__pycache__").mkdir()
    for name in ("__init__.py", "LICENSE", "README.md", "icons/a.svg", "__pycache__/gaps.cpython-311.pyc", ".hidden"):
        (folder / name).write_text(f"this is {name}\n")
    (folder / "blender_manifest.toml").write_text(MANIFEST, encoding="utf-8")
    shutil.copy(ROOT / "LICENSE", root / "LICENSE")
    return root


@pytest.fixture
def small_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds a file of few bytes for every wheel of the real list, and a list with their hashes."""
    cache = tmp_path / "cache"
    cache.mkdir()
    lines = []
    for wheel in read_lock():
        data = wheel.name.encode()
        (cache / wheel.name).write_bytes(data)
        lines.append(f"{hashlib.sha256(data).hexdigest()}  {wheel.name}\n")
    lock = tuple(Wheel(line.split()[1], line.split()[0]) for line in lines)
    monkeypatch.setattr(wheels, "read_lock", lambda: lock)
    return cache


def _names(extension: Path) -> list[str]:
    with zipfile.ZipFile(extension) as archive:
        assert archive.testzip() is None
        return archive.namelist()


# ---------------------------------------------------------------- the list of wheels


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", ["cp311", "cp313", "cp314"])
def test_every_platform_and_python_has_both_libraries(platform: str, python: str) -> None:
    here = [wheel for wheel in read_lock() if platform in wheel.blender_platforms()]
    fitting = [
        wheel.parts[0] for wheel in here if wheel.parts[2] == python or (wheel.parts[3] == "abi3" and python > "cp312")
    ]
    assert sorted(fitting) == ["msgpack", "pyzmq"]


def test_one_release_of_each_library() -> None:
    assert len({tuple(wheel.parts[:2]) for wheel in read_lock()}) == 2


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("manylinux_2_26_x86_64.manylinux_2_28_x86_64", {"linux-x64"}),
        ("macosx_10_15_universal2", {"macos-arm64", "macos-x64"}),
        ("macosx_11_0_arm64", {"macos-arm64"}),
        ("win_amd64", {"windows-x64"}),
        ("win_arm64", {"windows-arm64"}),
    ],
)
def test_platforms_by_blenders_names(tags: str, expected: set[str]) -> None:
    assert Wheel(f"pyzmq-27.3.0-cp312-abi3-{tags}.whl", "").blender_platforms() == expected


# ---------------------------------------------------------------- the zip


def test_one_zip_holds_the_sources_and_all_wheels(sources: Path, small_wheels: Path, tmp_path: Path) -> None:
    [extension] = build(sources, tmp_path / "out", print, cache=small_wheels)
    names = _names(extension)
    assert extension.name == f"tweenbridge-blender-{__version__}.zip"
    assert names[:4] == ["blender_manifest.toml", "LICENSE", "__init__.py", "icons/a.svg"]
    carried = [name for name in names if name.startswith("wheels/")]
    assert len(carried) == len(names) - 4 == len(read_lock()) + 1
    with zipfile.ZipFile(extension) as archive:
        manifest = archive.read("blender_manifest.toml").decode()
    assert all(f'"./{name}"' in manifest for name in carried)


def test_split_gives_each_platform_its_own(sources: Path, small_wheels: Path, tmp_path: Path) -> None:
    built = build(sources, tmp_path / "out", print, split=True, cache=small_wheels)
    assert [path.name for path in built] == [f"tweenbridge-blender-{__version__}-{name}.zip" for name in PLATFORMS]
    linux = [name for name in _names(built[0]) if name.endswith(".whl") and "client" not in name]
    assert linux
    assert all("manylinux" in name for name in linux)


def test_a_chosen_platform_alone(sources: Path, small_wheels: Path, tmp_path: Path) -> None:
    [extension] = build(sources, tmp_path / "out", print, platforms=["macos-x64"], cache=small_wheels)
    assert not any("win_" in name or "linux" in name or "_arm64" in name for name in _names(extension))


def test_the_same_sources_give_the_same_bytes(sources: Path, small_wheels: Path, tmp_path: Path) -> None:
    [first] = build(sources, tmp_path / "first", print, cache=small_wheels)
    os.utime(sources / "plugins/blender/__init__.py", (1, 1))
    (sources / "shared/tweenbridge/client.py").chmod(0o600)
    (sources / "plugins/blender/__pycache__/more.pyc").write_text("")
    [second] = build(sources, tmp_path / "second", print, cache=small_wheels)
    assert first.read_bytes() == second.read_bytes()


def test_a_manifest_line_is_all_that_a_build_adds() -> None:
    written = completed(MANIFEST, ["linux-x64"], [LINUX])
    added = f'platforms = [\n  "linux-x64",\n]\nwheels = [\n  "./wheels/{LINUX}",\n]\n'
    assert added in written
    without_comment = "".join(line for line in MANIFEST.splitlines(keepends=True) if not line.startswith("#"))
    assert written.replace(added, "") == without_comment


def test_it_has_the_version_of_everything_else() -> None:
    assert manifest_version(MANIFEST) == __version__


# ---------------------------------------------------------------- our own wheel


def test_pip_installs_the_client_wheel_as_python_3_8_does(tmp_path: Path) -> None:
    name, data = client_wheel(ROOT, __version__)
    (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-I", "-m", "pip", "install", "--no-deps", "--no-index", "--disable-pip-version-check"]
    command += ["--python-version", "3.8", "--only-binary", ":all:", "--target", str(tmp_path / "there")]
    result = subprocess.run([*command, str(tmp_path / name)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'there')!r}); import tweenbridge; print(tweenbridge.__file__)"
    )
    shown = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)
    assert shown.stdout.strip() == str(tmp_path / "there/tweenbridge/__init__.py"), shown.stderr
    assert {path.name for path in (tmp_path / "there").iterdir()} == {
        "tweenbridge",
        name.removesuffix("-py3-none-any.whl") + ".dist-info",
    }


def test_a_changed_client_has_another_version(sources: Path) -> None:
    before, _ = client_wheel(sources, __version__)
    assert client_wheel(sources, __version__)[0] == before
    (sources / "shared/tweenbridge/client.py").write_text("changed = True\n")
    assert client_wheel(sources, __version__)[0] != before


# ---------------------------------------------------------------- when it cannot


class FakePip:
    """Stands in for `pip download`: prints something, perhaps leaves a file, and ends."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, output: str, status: int = 1, data: bytes | None = None
    ) -> None:
        self.runs = 0
        monkeypatch.setattr("tweenbridge_installer.wheels.subprocess.run", self)
        self._output, self._status, self._data = output, status, data

    def __call__(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.runs += 1
        if self._data is not None:
            (Path(command[command.index("--dest") + 1]) / LINUX).write_bytes(self._data)
        return subprocess.CompletedProcess(command, self._status, self._output)


def test_without_a_network_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FakePip(monkeypatch, "NewConnectionError: [Errno 111] Connection refused\nERROR: No matching distribution found")
    with pytest.raises(InstallError, match=r"The package source cannot be reached\. Check the network connection"):
        fetch([Wheel(LINUX, "0" * 64)], tmp_path, print)


def test_a_wheel_that_the_source_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FakePip(monkeypatch, "ERROR: No matching distribution found for pyzmq==27.3.0")
    with pytest.raises(InstallError, match=f"has no {LINUX}, which the Blender extension carries"):
        fetch([Wheel(LINUX, "0" * 64)], tmp_path, print)


def test_a_wheel_with_other_content_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FakePip(monkeypatch, "", status=0, data=b"tampered with")
    with pytest.raises(InstallError, match="other content than is written down"):
        fetch([Wheel(LINUX, "0" * 64)], tmp_path, print)
    assert list(tmp_path.iterdir()) == []


def test_a_wheel_that_was_cut_off_in_the_cache_is_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = Wheel(LINUX, hashlib.sha256(b"whole").hexdigest())
    (tmp_path / LINUX).write_bytes(b"who")
    fake = FakePip(monkeypatch, "", status=0, data=b"whole")
    assert [path.read_bytes() for path in fetch([wheel], tmp_path, print)] == [b"whole"]
    fetch([wheel], tmp_path, print)
    assert fake.runs == 1


def test_outside_a_checkout_it_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="run this in a checkout"):
        build(tmp_path, tmp_path / "out", print)


def test_a_platform_that_blender_does_not_know_is_named(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"no platform 'amiga'\. There are: linux-x64"):
        build(ROOT, tmp_path / "out", print, platforms=["amiga"])


# ---------------------------------------------------------------- the real thing


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tweenbridge_server", "build", "blender", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_builds_what_blender_accepts(tmp_path: Path) -> None:
    result = _command("--out", str(tmp_path), "--platform", "linux-x64")
    assert result.returncode == 0, result.stderr
    [extension] = tmp_path.glob("*.zip")
    assert extension.name in result.stdout
    if blender_build.validator(ROOT) is None:
        pytest.skip("There is no Blender here to check the extension with.")
    assert "Blender's own check passed." in result.stderr


def test_what_blender_does_not_accept_is_an_error(sources: Path, small_wheels: Path, tmp_path: Path) -> None:
    validator = blender_build.validator(ROOT)
    if validator is None:
        pytest.skip("There is no Blender here to check the extension with.")
    manifest = sources / "plugins/blender/blender_manifest.toml"
    manifest.write_text(MANIFEST.replace('tagline = "', 'tagline = "' + "long " * 20), encoding="utf-8")
    [extension] = build(sources, tmp_path / "out", print, cache=small_wheels)
    with pytest.raises(InstallError, match=r"does not accept tweenbridge-blender.*\n(.*\n)*.*tagline"):
        blender_build.validate(extension, validator)


def test_an_unknown_platform_ends_the_command_with_a_sentence(tmp_path: Path) -> None:
    result = _command("--out", str(tmp_path), "--platform", "amiga")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: Blender knows no platform 'amiga'.")
