# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of folders, files and strips. A new take always gets a folder of its own, so nothing is ever overwritten."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePath

from .errors import PluginError
from .gaps import Found, KeyframeAt, Source

DEFAULT_PATTERN = "//inbetweens/{shot}"
_FIELDS = ("blend", "scene", "shot")
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
_TAKE = re.compile(r"take_(\d{2,6})")
_STRIP_NAME_BYTES = 63
"""Blender cuts strip names after so many bytes; below that, its own .001 has to fit as well."""


def safe(text: str, longest: int = 48) -> str:
    """`text` as a file name that every system takes: letters, digits, `-` and `_`; never empty."""
    plain = unicodedata.normalize("NFC", text)
    plain = re.sub(r"[^\w-]+", "_", plain).strip("_")
    plain = plain.encode()[:longest].decode(errors="ignore").strip("_")
    if not plain:
        return "untitled"
    return f"{plain}_" if plain.lower() in _RESERVED else plain


def shot_name(scene: str, found: Found) -> str:
    """What the keyframes are called together, e.g. `walk_a-walk_b`, or `Scene-0012-0030` from a list or markers."""
    first, last = found.keyframes[0], found.keyframes[-1]
    if found.source is Source.STRIPS:
        return f"{safe(first.strip, 24)}-{safe(last.strip, 24)}"
    return f"{safe(scene, 24)}-{_number(first)}-{_number(last)}"


def _number(keyframe: KeyframeAt) -> str:
    return f"{keyframe.frame:04d}".replace("-", "m")


def shot_folder(
    blend_path: str, scene: str, found: Found, pattern: str = DEFAULT_PATTERN, unsaved_root: str = ""
) -> str:
    """The folder of a shot's takes: relative to the .blend (`//…`) when the pattern says so and the file is saved.

    Args:
        blend_path: `bpy.data.filepath`; "" while the file is unsaved.
        scene: name of the scene.
        found: the keyframes.
        pattern: folder with the fields {blend}, {scene} and {shot}.
        unsaved_root: stands in for `//` while the file is unsaved; "" where there is no such folder.

    Raises:
        PluginError: the pattern has an unknown field or names no absolute or `//` folder, or the file has to be
            saved first.
    """
    values = {"blend": safe(PurePath(blend_path).stem), "scene": safe(scene), "shot": shot_name(scene, found)}
    remedy = f"Correct the output folder in the preferences; {DEFAULT_PATTERN} is the usual one."
    unknown = [field for field in re.findall(r"\{(.*?)\}", pattern) if field not in _FIELDS]
    if unknown:
        raise PluginError(f"The output folder pattern has an unknown field {{{unknown[0]}}}.", remedy)
    folder = pattern.strip()
    for field, value in values.items():
        folder = folder.replace(f"{{{field}}}", value)
    if folder.startswith("//"):
        if blend_path:
            return "//" + folder.strip("/\\")
        if not unsaved_root:
            raise PluginError(
                "This file has not been saved, so there is no folder for the in-betweens.", "Save it, then try again."
            )
        return str(Path(unsaved_root, *filter(None, re.split(r"[/\\]", folder))))
    if not PurePath(folder).is_absolute():
        raise PluginError(f"The output folder “{pattern}” is neither absolute nor relative to the file (//).", remedy)
    return str(PurePath(folder))


def new_take(folder: Path, earlier: int = 0) -> tuple[int, Path]:
    """Make the next take's folder inside a shot's folder; returns its number (from 1) and the folder.

    Args:
        folder: the shot's folder.
        earlier: the highest take that there is elsewhere.

    Raises:
        PluginError: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        take = max(next_take(entry.name for entry in folder.iterdir()), earlier + 1)
        while True:
            made = folder / take_name(take)
            try:
                made.mkdir()
            except FileExistsError:
                take += 1
            else:
                return take, made
    except OSError as error:
        raise PluginError(
            f"The folder “{folder}” cannot be written to: {error.strerror or error}.",
            "Choose another output folder in the preferences.",
        ) from error


def next_take(names: Iterable[str]) -> int:
    """One more than the highest take among a folder's entries; 1 when there is none."""
    return 1 + max((int(match[1]) for match in map(_TAKE.fullmatch, names) if match), default=0)


def take_number(name: str) -> int | None:
    """The number of the take whose folder has this name; None where it is no take's."""
    match = _TAKE.fullmatch(name)
    return int(match[1]) if match else None


def take_name(take: int) -> str:
    """The folder of a take, e.g. `take_01`."""
    return f"take_{take:02d}"


def frame_file(gap: int, number: int, suffix: str) -> str:
    """The file of the drawing `number` (from 1) of gap `gap` (from 0), e.g. `gap01_0001.png`."""
    return f"gap{gap + 1:02d}_{number:04d}{suffix}"


def strip_name(shot: str, gap: int, take: int, gaps: int = 1) -> str:
    """The name of an inserted strip, e.g. `walk_a-walk_b t1`, or `… g2 t1` where the shot has several gaps."""
    tail = f" t{take}" if gaps == 1 else f" g{gap + 1} t{take}"
    room = _STRIP_NAME_BYTES - len(".001") - len(tail)
    return shot.encode()[:room].decode(errors="ignore") + tail
