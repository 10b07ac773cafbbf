"""The wheels that travel inside the Blender extension: ZeroMQ and MessagePack for every platform, and our own client.

Which files those are is written down with their hashes (`blender_wheels.sha256`, in the form that `sha256sum -c`
reads), so that everybody builds the same extension. They are downloaded once and kept in the user's cache folder. For a
newer release, write the list anew with `sha256sum *.whl` in a folder of its files for the same platforms and Pythons.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import pip
from .errors import InstallError

LOCK = Path(__file__).with_name("blender_wheels.sha256")
PLATFORMS = ("linux-x64", "macos-arm64", "macos-x64", "windows-arm64", "windows-x64")
"""What Blender calls the platforms that it is published for."""

_MACHINES = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "universal2": ""}
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip can name. All files in it are of then, so that nothing depends on when it was made."""


@dataclass(frozen=True)
class Wheel:
    """One published file.

    Attributes:
        name: its file name, `PROJECT-VERSION-PYTHON-ABI-PLATFORMS.whl`.
        sha256: of its bytes, in hexadecimal digits.
    """

    name: str
    sha256: str

    @property
    def parts(self) -> list[str]:
        """Project, version, Python tag, ABI tag, platform tags joined by dots."""
        return self.name[: -len(".whl")].split("-")

    def blender_platforms(self) -> frozenset[str]:
        """The platforms, as Blender calls them, that it runs on."""
        found = set()
        for tag in self.parts[4].split("."):
            system = next(
                ours
                for theirs, ours in (("manylinux", "linux"), ("macosx", "macos"), ("win", "windows"))
                if tag.startswith(theirs)
            )
            machine = next(ours for theirs, ours in _MACHINES.items() if tag.endswith(theirs))
            found |= {platform for platform in PLATFORMS if platform.startswith(f"{system}-{machine}")}
        return frozenset(found)


def read_lock(path: Path = LOCK) -> tuple[Wheel, ...]:
    """The wheels that the extension may carry."""
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return tuple(Wheel(name, digest) for digest, name in lines)


def cache_folder() -> Path:
    """The platform's folder for what can be fetched again."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
        return (Path(base) if base else Path.home() / "AppData" / "Local") / "tweenbridge" / "cache" / "wheels"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tweenbridge" / "wheels"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tweenbridge" / "wheels"


def clear_cache() -> None:
    """Take the cache away; it is filled again when it is needed."""
    folder = cache_folder()
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    if folder.parent.is_dir() and not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def fetch(
    wheels: Iterable[Wheel], cache: Path, say: Callable[[str], None], carrier: str = "the Blender extension"
) -> tuple[Path, ...]:
    """The wheels as files in the cache, in the given order. Downloads those that are not there, or not whole.

    Args:
        carrier: what carries them, for messages.

    Raises:
        InstallError: one cannot be had; the sentence says why.
    """
    wanted = tuple(wheels)
    missing = [wheel for wheel in wanted if not _is_whole(cache / wheel.name, wheel)]
    if missing:
        say(f"Downloading {len(missing)} {'wheel' if len(missing) == 1 else 'wheels'}, once...")
        cache.mkdir(parents=True, exist_ok=True)
    for wheel in missing:
        _download(wheel, cache, carrier)
    return tuple(cache / wheel.name for wheel in wanted)


def _is_whole(path: Path, wheel: Wheel) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == wheel.sha256
    except OSError:
        return False


def _download(wheel: Wheel, cache: Path, carrier: str) -> None:
    project, version, python, abi, platforms = wheel.parts
    # Beside its place, so that what an interruption leaves is never taken for the wheel.
    with tempfile.TemporaryDirectory(dir=cache, prefix="part-") as folder:
        command = [sys.executable, "-I", "-m", "pip", "download", "--no-input", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary", ":all:", "--progress-bar", "off", "--dest", folder]
        command += ["--implementation", "cp", "--python-version", python.removeprefix("cp"), "--abi", abi]
        for tag in platforms.split("."):
            command += ["--platform", tag]
        command.append(f"{project}=={version}")
        result = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            text=True, encoding="utf-8", errors="replace", check=False,
        )  # fmt: skip
        arrived = Path(folder) / wheel.name
        if result.returncode != 0 or not arrived.is_file():
            raise InstallError(
                pip.known_cause(result.stdout)
                or f"The package source has no {wheel.name}, which {carrier} carries. "
                "If pip is set to use a mirror, choose one that has it (PIP_INDEX_URL), then run this again."
            )
        if not _is_whole(arrived, wheel):
            raise InstallError(
                f"{wheel.name} arrived with other content than is written down for it. Run the same command "
                "again; if it says so again, the package source cannot be trusted."
            )
        os.replace(arrived, cache / wheel.name)


def client_wheel(root: Path, version: str) -> tuple[str, bytes]:
    """Our client library as a wheel of its own, made from `shared/` alone: its file name and its bytes.

    The same sources give the same bytes. Its version ends in a digest of them: where Blender holds a wheel of this
    name already, it keeps that one.
    """
    package = root / "shared" / "tweenbridge"
    content = {
        path.relative_to(root / "shared").as_posix(): path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.suffix == ".py" or path.name == "py.typed"
    }
    digest = hashlib.sha256()
    for name, data in content.items():
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    version = f"{version}+{digest.hexdigest()[:12]}"
    info = f"tweenbridge_client-{version}.dist-info"
    content[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: tweenbridge-client\nVersion: {version}\nLicense: Apache-2.0\n"
        "Summary: The client library of Tweenbridge.\nRequires-Python: >=3.8\n"
        "Requires-Dist: pyzmq>=26\nRequires-Dist: msgpack>=1.0.8\n"
    ).encode()
    content[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: tweenbridge\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    content[f"{info}/LICENSE"] = (root / "LICENSE").read_bytes()
    lines = [f"{name},sha256={_record_hash(data)},{len(data)}" for name, data in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    return f"tweenbridge_client-{version}-py3-none-any.whl", zipped(content)


def _record_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def zipped(content: Mapping[str, bytes]) -> bytes:
    """A zip of the given files, in the given order, that depends on nothing else."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return buffer.getvalue()
