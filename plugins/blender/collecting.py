# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames that were made before a file was saved, brought beside it. What they were copied from stays where it is."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path, PurePosixPath

import bpy

from . import media, naming
from .errors import PluginError
from .folders import unsaved_root, unsaved_strips
from .recipe import from_text, to_text


def waiting() -> int:
    """How many strips of this saved file show frames that lie elsewhere because it was not saved once."""
    return len(unsaved_strips()) if bpy.data.filepath else 0


def bring_beside_file() -> int:
    """Copy those takes beside the file and have the strips show the copies; returns how many strips.

    Raises:
        PluginError: the file is not saved, or a take cannot be copied. The strips of that take stay as they are.
    """
    if not bpy.data.filepath:
        raise PluginError("This file is not saved, so there is no folder beside it.", "Save it, then try again.")
    copies: dict[Path, str] = {}
    found = unsaved_strips()
    for scene_name, name, folder in found:
        # <project>/<folders>/take_NN, and below it perhaps the folder of a draft.
        take = next((path for path in (folder, *folder.parents) if naming.take_number(path.name)), folder)
        if take not in copies:
            copies[take] = _copied(take)
        scene = bpy.data.scenes[scene_name]
        inside = folder.relative_to(take).as_posix()
        media.show_folder(scene, name, str(PurePosixPath(copies[take].lstrip("/"), inside)))
        _correct_recipe(scene, name, copies[take])
    return len(found)


def _copied(take: Path) -> str:
    """Copy a take beside the file, under its own number where that is free; returns the copy's folder as `//…`."""
    shot = PurePosixPath(*take.parts[1:-1])
    beside = Path(bpy.path.abspath("//")) / shot
    target = beside / take.name
    source = unsaved_root() / take
    try:
        if target.exists():
            target = naming.new_take(beside)[1]
        part = target.with_name(f".{target.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(source, part)
        if target.exists():
            target.rmdir()
        os.replace(part, target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PluginError(
            f"The frames in “{source}” could not be copied beside the file: {reason}.",
            "See that there is disk space and that the folder can be written to, then try again.",
        ) from error
    return f"//{PurePosixPath(shot, target.name)}"


def _correct_recipe(scene: object, name: str, folder: str) -> None:
    text = media.text_of(scene, name)
    if text is None:
        return
    try:
        recipe = from_text(text)
    except PluginError:
        return
    take = naming.take_number(PurePosixPath(folder).name) or recipe.take
    media.put_text(scene, name, to_text(dataclasses.replace(recipe, folder=folder, take=take)))
