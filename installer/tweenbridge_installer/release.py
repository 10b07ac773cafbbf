"""Everything that is published, in one folder, with the checksums that `sha256sum -c SHA256SUMS` reads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from . import blender_build, package_build, resolve_build, wheels

SUMS = "SHA256SUMS"


def build(root: Path, out: Path, say: Callable[[str], None]) -> tuple[Path, ...]:
    """Build the wheel, the source archive and what the editors install, and write down their checksums.

    Raises:
        InstallError: something cannot be built; the sentence says why.
    """
    built = [
        *package_build.build(root, out, say),
        *blender_build.build(root, out, say),
        *resolve_build.build(root, out, say, platforms=wheels.PLATFORMS),
    ]
    return (*built, write_sums(out, built))


def write_sums(out: Path, files: list[Path]) -> Path:
    """Write the checksums of files of a folder into it."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(files)]
    target = out / SUMS
    target.write_text("".join(lines), encoding="utf-8", newline="\n")
    return target
