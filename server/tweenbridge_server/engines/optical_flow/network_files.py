"""The files of the two networks that the `quality` profile works with, and whether they can be used.

They are ONNX files that come with Tweenbridge, trained by benchmarks/network/train.py on public-domain drawings, Noto
emoji and free photographs. The server asks here what frames depend on; nothing that computes is imported.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Final

from tweenbridge.protocol.messages import Scalar

from ..registry import Resolved

FOLDER: Final = Path(__file__).with_name("weights")
MATCHER: Final = FOLDER / "matcher.onnx"
ARBITER: Final = FOLDER / "arbiter.onnx"
HASHES: Final = FOLDER / "networks.sha256"
"""Lines of a SHA-256 and a file's name, as sha256sum writes and checks them."""

_OLDEST: Final = (1, 18)
"""The first release of ONNX Runtime that reads these files."""
_PACKAGES: Final = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml")


class Unusable(Exception):
    """The networks cannot be used. The message says why, and what to do."""


def resolve(profile: str, settings: Mapping[str, Scalar], home: Path) -> Resolved:
    """See `engines.registry.Registration`: frames of `quality` depend on the networks, or on their absence."""
    if profile == "draft":
        return Resolved(dict(settings))
    try:
        return Resolved(dict(settings), identity=check())
    except Unusable:
        return Resolved(dict(settings), identity="without networks")


def contents(settings: Mapping[str, Scalar], home: Path) -> str:
    """See `engines.registry.Registration`."""
    return resolve("quality", settings, home).identity


def check() -> str:
    """Look whether the networks can be used, without importing what runs them.

    Returns:
        What frames made with them depend on: a hash of both files.

    Raises:
        Unusable: they cannot.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise Unusable("ONNX Runtime is not installed. Install it with: pip install onnxruntime")
    version = _installed_version()
    if version is not None and version < _OLDEST:
        raise Unusable(
            f"ONNX Runtime {version[0]}.{version[1]} is too old. Update it with: pip install --upgrade onnxruntime"
        )
    return hashlib.sha256("".join(_verified(file) for file in (MATCHER, ARBITER)).encode()).hexdigest()


def _installed_version() -> tuple[int, int] | None:
    """The release of ONNX Runtime by whichever of its packages is installed; None where none says."""
    for package in _PACKAGES:
        try:
            major, minor = metadata.version(package).split(".")[:2]
            return int(major), int(minor)
        except (metadata.PackageNotFoundError, ValueError):
            continue
    return None


def _verified(file: Path) -> str:
    """The file's hash.

    Raises:
        Unusable: it is missing, or not the file that was published.
    """
    try:
        status = file.stat()
        found = _hash(file, status.st_mtime_ns, status.st_size)
        known = {name: value for value, name in (line.split() for line in HASHES.read_text().splitlines())}
    except OSError as error:
        raise Unusable(
            f"The network {file.name} cannot be read ({error.strerror}). Install Tweenbridge again."
        ) from error
    if known.get(file.name) != found:
        raise Unusable(f"The network {file.name} is damaged. Install Tweenbridge again.")
    return found


@lru_cache(maxsize=8)
def _hash(file: Path, changed: int, size: int) -> str:
    """SHA-256 of a file that was `changed` at that time and has that `size`."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
