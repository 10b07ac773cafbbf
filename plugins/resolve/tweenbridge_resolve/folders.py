"""Where image sequences are kept. Every run gets a folder of its own, so that nothing is ever overwritten."""

from __future__ import annotations

import re
import sys
import unicodedata
from pathlib import Path

from .stills import unwritable

_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
"""Names that Windows keeps for itself."""


def usual_folder() -> Path:
    """The user's folder for films, which both Resolve and the user can reach."""
    return Path.home() / ("Movies" if sys.platform == "darwin" else "Videos") / "Tweenbridge"


def chosen_folder(text: str) -> Path:
    """The folder that a user means: as it is typed, "~" and a relative one from the home folder; "" the usual one.

    A script's current folder is Resolve's own, which nobody means.
    """
    return Path.home() / Path(text.strip()).expanduser() if text.strip() else usual_folder()


def pattern(timeline: str, first: str, folder: Path) -> str:
    """What a sequence's files are called, with a place for the number: by shot and take, unlike any other run's.

    Args:
        first: the first keyframe's timecode.
        folder: the run's own, whose name ends with the number of the take.
    """
    take = folder.name.rpartition("-")[2]
    return f"{safe(timeline)}_{safe(re.sub(r'[:;]', '', first))}_take{take}_%04d.tif"


def safe(text: str, longest: int = 40) -> str:
    """`text` as a folder name that every system takes; never empty. No % and no [ ], which mean something in paths."""
    plain = re.sub(r"[^\w-]+", "_", unicodedata.normalize("NFC", text)).strip("_")
    plain = plain.encode()[:longest].decode(errors="ignore").strip("_") or "untitled"
    return f"{plain}_" if plain.lower() in _RESERVED else plain


def new_folder(base: Path, project: str, timeline: str, name: str) -> Path:
    """Make `base`/project/timeline/name-01, with the next free number.

    Raises:
        PluginError: FOLDER, it cannot be made.
    """
    parent = base / safe(project) / safe(timeline)
    number = 1
    try:
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            made = parent / f"{safe(name)}-{number:02}"
            try:
                made.mkdir()
            except FileExistsError:
                number += 1
            else:
                return made
    except OSError as error:
        raise unwritable(parent, error) from error
