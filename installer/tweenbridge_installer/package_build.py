"""Builds the Python package: a wheel, and the source archive, which is a whole checkout with `install.sh` in it.

setuptools makes both, in a release that is named here, from a copy of the sources without what lies about beside them.
What it leaves to chance (times, permissions, order) is then set right: the same sources give the same bytes.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from . import pip, wheels
from .errors import InstallError

BACKEND = "setuptools==84.2.1"
"""What builds; the project itself takes any from the release that pyproject.toml names."""
_EPOCH = 315532800
"""The time of all files: the beginning of 1980 (UTC), the first that a zip can name."""
_NOT_SOURCE = frozenset({".git", ".venv", ".blender", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"})
_NOT_SOURCE_NAMES = ("__pycache__", "build", "dist", "out", "*.pyc", "*.egg-info", "tweenbridge-demo")
_HOOKS = (
    "import sys, setuptools.build_meta as backend\n"
    "out = sys.argv.pop()\n"
    "backend.build_wheel(out)\n"
    "backend.build_sdist(out)\n"
)


def build(root: Path, out: Path, say: Callable[[str], None]) -> tuple[Path, ...]:
    """Write the wheel and the source archive into the folder `out`.

    Raises:
        InstallError: they cannot be built; the sentence says why.
    """
    if not (root / "plugins").is_dir():
        raise InstallError("The package is built from Tweenbridge's sources: run this in a checkout of them.")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tweenbridge-build-") as folder:
        copy, tools, made = (Path(folder, name) for name in ("sources", "tools", "made"))
        _copy_sources(root, copy)
        made.mkdir()
        say(f"Building with {BACKEND}...")
        pip_log = Path(folder, "pip.log")
        version = "{}.{}".format(*sys.version_info[:2])
        pip.install(Path(sys.executable), ["--target", str(tools), BACKEND], pip_log, version, progress=False)
        environment = {**os.environ, "PYTHONPATH": str(tools), "SOURCE_DATE_EPOCH": str(_EPOCH)}
        result = subprocess.run(
            [sys.executable, "-c", _HOOKS, str(made)], cwd=copy, env=environment, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if result.returncode != 0:
            raise InstallError(f"setuptools could not build the package:\n{result.stdout.strip()[-2000:]}")
        (wheel,) = made.glob("*.whl")
        (archive,) = made.glob("*.tar.gz")
        return (_placed(out / wheel.name, settled_wheel(wheel)), _placed(out / archive.name, settled_archive(archive)))


def _placed(target: Path, data: bytes) -> Path:
    partial = target.with_name(target.name + ".part")
    partial.write_bytes(data)
    partial.replace(target)
    return target


def _copy_sources(root: Path, copy: Path) -> None:
    """The project's own files: what git knows, or, where there is no git, everything that is no trace of working."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    names = [name for name in listed.stdout.split("\0") if name and (root / name).is_file()]
    if listed.returncode != 0 or not names:
        shutil.copytree(root, copy, ignore=lambda folder, found: _ignored(root, Path(folder), found))
        return
    for name in names:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, copy / name)


def _ignored(root: Path, folder: Path, found: list[str]) -> set[str]:
    traces = shutil.ignore_patterns(*_NOT_SOURCE_NAMES)(str(folder), found)
    return traces | (set(found) & _NOT_SOURCE if folder == root else set())


def settled_wheel(path: Path) -> bytes:
    """A wheel's files in order, without times and permissions; its own list of them comes last, as is usual."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(archive.namelist(), key=lambda name: (name.endswith(".dist-info/RECORD"), name))
        return wheels.zipped({name: archive.read(name) for name in names})


def settled_archive(path: Path) -> bytes:
    """A source archive's files in order, with one time, one owner, and permissions that depend on what a file is."""
    buffer = io.BytesIO()
    with (
        tarfile.open(path) as archive,
        gzip.GzipFile("", "wb", 9, buffer, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as settled,
    ):
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            if not member.isfile():
                continue
            data = archive.extractfile(member)
            assert data is not None
            content = data.read()
            entry = tarfile.TarInfo(member.name)
            entry.size, entry.mtime = len(content), _EPOCH
            entry.mode = 0o755 if content.startswith(b"#!") else 0o644
            settled.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
