"""Builds the Blender extension: the add-on's sources, the wheels it carries and a manifest that names them, in one zip.

The same sources give the same bytes, whoever builds. Where a Blender is at hand, its own validation has the last word.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from . import wheels
from .errors import InstallError

SOURCES = Path("plugins/blender")
MANIFEST = "blender_manifest.toml"
_NOT_SHIPPED = ("README.md", MANIFEST)
_PERMISSIONS = "[permissions]"


def build(
    root: Path,
    out: Path,
    say: Callable[[str], None],
    *,
    platforms: Sequence[str] = wheels.PLATFORMS,
    split: bool = False,
    cache: Path | None = None,
) -> tuple[Path, ...]:
    """Write the extension for the given platforms into the folder `out`, as one zip, or as one for each platform.

    Args:
        root: a checkout of Tweenbridge.
        platforms: among `wheels.PLATFORMS`.
        cache: folder that downloaded wheels are kept in, by default the user's.

    Returns:
        The zips, replaced where they were there before.

    Raises:
        InstallError: it cannot be built; the sentence says why.
    """
    unknown = sorted(set(platforms) - set(wheels.PLATFORMS))
    if unknown:
        raise InstallError(f"Blender knows no platform {unknown[0]!r}. There are: {', '.join(wheels.PLATFORMS)}.")
    manifest = template(root).read_text(encoding="utf-8")
    version = manifest_version(manifest)
    locked = [wheel for wheel in wheels.read_lock() if wheel.blender_platforms() & set(platforms)]
    files = wheels.fetch(locked, cache or wheels.cache_folder(), say)
    client_name, client = wheels.client_wheel(root, version)
    sources = _sources(root / SOURCES)
    every = tuple(sorted(set(platforms)))
    out.mkdir(parents=True, exist_ok=True)
    built = []
    for chosen, suffix in [((one,), f"-{one}") for one in every] if split else [(every, _suffix(every))]:
        carried = {client_name: client}
        for wheel, path in zip(locked, files):
            if wheel.blender_platforms() & set(chosen):
                carried[wheel.name] = path.read_bytes()
        content = {MANIFEST: completed(manifest, chosen, carried).encode(), **sources}
        content |= {f"wheels/{name}": carried[name] for name in sorted(carried)}
        target = out / f"tweenbridge-blender-{version}{suffix}.zip"
        partial = target.with_suffix(".part")
        partial.write_bytes(wheels.zipped(content))
        partial.replace(target)
        built.append(target)
    return tuple(built)


def digest(root: Path, platforms: Sequence[str]) -> str:
    """Names all that the extension is made of, without making it: another digest, another zip.

    Raises:
        InstallError: there are no sources here.
    """
    manifest = template(root).read_text(encoding="utf-8")
    total = hashlib.sha256(manifest.encode())
    for name, data in _sources(root / SOURCES).items():
        total.update(f"{name}\0{len(data)}\0".encode() + data)
    total.update(wheels.client_wheel(root, manifest_version(manifest))[0].encode())
    total.update(wheels.LOCK.read_bytes() + " ".join(sorted(platforms)).encode())
    return total.hexdigest()


def template(root: Path) -> Path:
    """The manifest that the built one is made of.

    Raises:
        InstallError: there are no sources here.
    """
    path = root / SOURCES / MANIFEST
    if not path.is_file():
        raise InstallError("The Blender extension is built from Tweenbridge's sources: run this in a checkout of them.")
    return path


def _suffix(platforms: Sequence[str]) -> str:
    return "" if len(platforms) == len(wheels.PLATFORMS) else "-" + "-".join(platforms)


def _sources(folder: Path) -> dict[str, bytes]:
    """The add-on's own files: everything that is no trace of running, testing or building it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith((".", "__pycache__")) for part in name.parts)
        if path.is_file() and not hidden and name.as_posix() not in _NOT_SHIPPED:
            found[name.as_posix()] = path.read_bytes()
    return found


def manifest_version(manifest: str) -> str:
    """The extension's version, as its manifest says."""
    found = re.search(r'^version = "([^"]+)"$', manifest, re.MULTILINE)
    if found is None:
        raise InstallError(f'{MANIFEST} has no line `version = "..."`.')
    return found[1]


def completed(manifest: str, platforms: Iterable[str], names: Iterable[str]) -> str:
    """The manifest with the lists of platforms and wheels, which stand before its tables. Pure."""

    def listing(key: str, values: Iterable[str]) -> str:
        return f"{key} = [\n" + "".join(f'  "{value}",\n' for value in sorted(values)) + "]\n"

    before, permissions, after = manifest.partition(_PERMISSIONS)
    lines = [line for line in before.splitlines() if not line.startswith("#")]
    head = "\n".join(lines).rstrip() + "\n"
    lists = listing("platforms", platforms) + listing("wheels", (f"./wheels/{name}" for name in names))
    return f"{head}{lists}\n{permissions}{after}"


def validator(root: Path) -> list[str] | None:
    """The command, without the file's name, by which Blender checks an extension; None where there is no Blender.

    Asked are the environments that the tests made, then a Blender 4.2 or later on the PATH.
    """
    for folder in sorted((root / ".blender").glob("*/"), reverse=True):
        for python in (folder / "bin/python", folder / "Scripts/python.exe"):
            scripts = sorted(folder.rglob("bl_pkg/cli/blender_ext.py")) if python.is_file() else []
            if scripts:
                return [str(python), str(scripts[0]), "validate"]
    program = shutil.which("blender")
    if program is None:
        return None
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    release = re.search(r"Blender (\d+)\.(\d+)", shown)
    if release is None or (int(release[1]), int(release[2])) < (4, 2):
        return None
    return [program, "--command", "extension", "validate"]


def validate(extension: Path, command: Sequence[str]) -> None:
    """Have Blender check the extension.

    Args:
        command: what `validator` returned.

    Raises:
        InstallError: it finds fault; the sentence says what it said.
    """
    result = subprocess.run(
        [*command, str(extension)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if result.returncode != 0:
        raise InstallError(f"Blender does not accept {extension.name}:\n{result.stdout.strip()}")
