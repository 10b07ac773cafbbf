"""Builds what DaVinci Resolve's script consists of: the launcher, the script's package, and its libraries.

    Tweenbridge.py                       goes into Resolve's folder Fusion/Scripts/Utility
    tweenbridge-resolve/package/         tweenbridge_resolve
    tweenbridge-resolve/vendor/py3/      our client, and msgpack in pure Python, for every Python
    tweenbridge-resolve/vendor/cp38/     ZeroMQ for Python 3.8; so to cp311, and abi3 for 3.12 and all later ones

One bundle is for one platform. The same sources give the same bytes, whoever builds.
"""

from __future__ import annotations

import io
import platform as machine
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from . import wheels
from .errors import InstallError

SOURCES = Path("plugins/resolve")
LAUNCHER = "Tweenbridge.py"
PACKAGE = "tweenbridge_resolve"
BUNDLE = "tweenbridge-resolve"
"""The folder that holds `package` and `vendor`; beside the launcher it is found without being written down anywhere."""
LOCK = Path(__file__).with_name("resolve_wheels.sha256")
_NOT_CARRIED = re.compile(r"zmq/tests/|.*\.(pyi|pxd|pyx|c|h)$|.*\.dist-info/(RECORD|WHEEL|INSTALLER|REQUESTED)$")
_PURE_PARTS = re.compile(r"msgpack/\w+\.py$|.*\.dist-info/(METADATA|licen[cs]es?/.*|COPYING|LICENSE.*)$")


def this_platform() -> str:
    """The platform that this runs on, among `wheels.PLATFORMS` where a bundle can be built for it."""
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, sys.platform)
    arm = machine.machine().lower() in ("arm64", "aarch64")
    return f"{system}-{'arm64' if arm else 'x64'}"


def build(
    root: Path,
    out: Path,
    say: Callable[[str], None],
    *,
    platforms: Sequence[str],
    folder: bool = False,
    cache: Path | None = None,
) -> tuple[Path, ...]:
    """Write a bundle for each platform into the folder `out`.

    Args:
        root: a checkout of Tweenbridge.
        platforms: among `wheels.PLATFORMS`.
        folder: write folders instead of zips.
        cache: folder that downloaded wheels are kept in, by default the user's.

    Returns:
        The zips or folders, replaced where they were there before.

    Raises:
        InstallError: it cannot be built; the sentence says why.
    """
    if not (root / SOURCES / LAUNCHER).is_file():
        raise InstallError(
            "The script for Resolve is built from Tweenbridge's sources: run this in a checkout of them."
        )
    unknown = sorted(set(platforms) - set(wheels.PLATFORMS))
    if unknown:
        raise InstallError(f"There is no bundle for {unknown[0]!r}. There are: {', '.join(wheels.PLATFORMS)}.")
    every = wheels.read_lock(LOCK)
    built = []
    out.mkdir(parents=True, exist_ok=True)
    for chosen in sorted(set(platforms)):
        carried = [wheel for wheel in every if _is_pure(wheel) or chosen in wheel.blender_platforms()]
        files = wheels.fetch(carried, cache or wheels.cache_folder(), say, "the script for Resolve")
        content = contents(root, {wheel: path.read_bytes() for wheel, path in zip(carried, files)})
        name = f"{BUNDLE}-{_version(root)}-{chosen}"
        built.append(_write_folder(out / name, content) if folder else _write_zip(out / f"{name}.zip", content))
    return tuple(built)


def contents(root: Path, carried: Mapping[wheels.Wheel, bytes]) -> dict[str, bytes]:
    """Every file of a bundle, by its path in it, in a fixed order."""
    sources, vendor = root / SOURCES, f"{BUNDLE}/vendor"
    found = {LAUNCHER: (sources / LAUNCHER).read_bytes(), f"{BUNDLE}/LICENSE": (root / "LICENSE").read_bytes()}
    for path in _python_files(sources / PACKAGE):
        found[f"{BUNDLE}/package/{path.relative_to(sources).as_posix()}"] = path.read_bytes()
    for path in _python_files(root / "shared" / "tweenbridge"):
        found[f"{vendor}/py3/{path.relative_to(root / 'shared').as_posix()}"] = path.read_bytes()
    for wheel, data in carried.items():
        for name, content in _unpacked(data):
            if _PURE_PARTS.match(name) if _is_pure(wheel) else not _NOT_CARRIED.match(name):
                found[f"{vendor}/{_tag(wheel)}/{name}"] = content
    return dict(sorted(found.items()))


def _is_pure(wheel: wheels.Wheel) -> bool:
    """Only its Python files are taken: one wheel serves every platform and every Python."""
    return wheel.parts[0] == "msgpack"


def _tag(wheel: wheels.Wheel) -> str:
    """The folder that the launcher looks in for it."""
    if _is_pure(wheel):
        return "py3"
    return "abi3" if wheel.parts[3] == "abi3" else wheel.parts[2]


def _python_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts]


def _unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist():
            if not entry.is_dir():
                yield entry.filename, archive.read(entry)


def _version(root: Path) -> str:
    text = (root / "shared" / "tweenbridge" / "version.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE)
    if found is None:
        raise InstallError('shared/tweenbridge/version.py has no line `__version__ = "..."`.')
    return found[1]


def _write_zip(target: Path, content: Mapping[str, bytes]) -> Path:
    partial = target.with_suffix(".part")
    partial.write_bytes(wheels.zipped(content))
    partial.replace(target)
    return target


def _write_folder(target: Path, content: Mapping[str, bytes]) -> Path:
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for name, data in content.items():
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        partial.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        partial.replace(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return target
