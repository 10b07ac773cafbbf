"""What models lie in a folder, such as another program's: looked at, never touched."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from ..engines.dreammover.hub import cache_folders
from .recognition import Recognised, recognise

_DEPTH: Final = 6
_SECONDS: Final = 8.0
MOST: Final = 150
"""Models that one answer has room for."""


@dataclass(frozen=True)
class Found:
    """Something that looks like a model: what it is, or why it cannot be used."""

    path: Path
    title: str
    size: int
    recognised: Recognised | None
    problem: str = ""


def scan(folder: Path) -> tuple[tuple[Found, ...], bool]:
    """The models in a folder and below it, and whether it was looked through as a whole.

    Raises:
        TweenbridgeError: MODEL_MISSING where there is no such folder.
    """
    if not folder.is_dir():
        raise TweenbridgeError(
            ErrorCode.MODEL_MISSING, f"There is no folder {str(folder)[:300]!r}.", remedy="Check the path."
        )
    return _collect([folder])


def scan_known_places() -> tuple[tuple[Found, ...], bool]:
    """The same for the folders in which other programs keep their models."""
    return _collect([folder for folder in known_places() if folder.is_dir()])


def known_places() -> list[Path]:
    """Where ComfyUI, the web UI of AUTOMATIC1111, InvokeAI, Krita's plug-in and the hub keep models, if not moved."""
    home = Path.home()
    places = [*cache_folders(None), home / "invokeai" / "models"]
    for base in (home, home / "Documents", home / "Applications"):
        places += [base / "ComfyUI" / "models", base / "stable-diffusion-webui" / "models"]
    data = {
        "win32": Path(os.environ.get("APPDATA", home)) / "krita",
        "darwin": home / "Library" / "Application Support" / "krita",
    }.get(sys.platform, home / ".local" / "share" / "krita")
    return [*places, data / "ai_diffusion" / "server" / "ComfyUI" / "models"]


def _collect(folders: list[Path]) -> tuple[tuple[Found, ...], bool]:
    end = time.monotonic() + _SECONDS
    found: list[Found] = []
    for folder in folders:
        for candidate in _candidates(folder, _DEPTH):
            if len(found) >= MOST or time.monotonic() > end:
                return tuple(found), False
            one = _look(candidate)
            if one is not None:
                found.append(one)
    return tuple(found), True


def _candidates(folder: Path, depth: int) -> Iterator[Path]:
    """What could be a model: folders that say so, repositories of the hub's cache, and single files."""
    if (folder / "model_index.json").is_file() or _is_part(folder) or folder.name.startswith("models--"):
        yield folder
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    yield from (path for path in entries if path.suffix == ".safetensors" and path.is_file())
    if depth > 0:
        for path in entries:
            if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
                yield from _candidates(path, depth - 1)


def _is_part(folder: Path) -> bool:
    """Whether it is a folder of one part, such as a VAE, in diffusers' layout."""
    return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))


def _look(path: Path) -> Found | None:
    title = path.name.removeprefix("models--").replace("--", "/") if path.is_dir() else path.stem
    try:
        recognised = recognise(path)
    except TweenbridgeError as problem:
        return Found(path, title, _size(path), None, str(problem)) if _is_worth_a_word(path) else None
    except OSError:
        return None
    return Found(recognised.place, title, recognised.size, recognised)


def _is_worth_a_word(path: Path) -> bool:
    """Whether somebody might wonder why it cannot be used: the hub's cache holds much that is no picture's model."""
    if path.name.startswith("models--"):
        return any(path.glob("snapshots/*/model_index.json"))
    return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0
