# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of the add-on outside of Blender's: what Blender installs it also takes away, with all that lies there."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import bpy

from . import media

_given: set[str] = set()
"""Names of projects made since this file was opened."""


def unsaved_root() -> Path:
    """Where the frames of files lie that were never saved, in a folder for each project."""
    return _folder() / "unsaved"


def project_folder() -> Path:
    """What stands in for the folder of this file while it is not saved; another one for every project.

    Its name is kept with the scenes, so that it is found again in a file that Blender recovers. A name that came with
    the start-up file belongs to the project that this was saved from.
    """
    used = {path.parts[0] for _, _, path in unsaved_strips() if path.parts}
    kept = [scene.tweenbridge.project for scene in bpy.data.scenes]
    name = next((name for name in kept if name in _given or name in used), "")
    name = name or f"{time.strftime('%Y-%m-%d')}-{uuid.uuid4().hex[:8]}"
    _given.add(name)
    for scene in bpy.data.scenes:
        if scene.library is None:
            scene.tweenbridge.project = name
    return unsaved_root() / name


def forget_projects() -> None:
    """Another file is about to be opened."""
    _given.clear()


def unsaved_strips() -> list[tuple[str, str, Path]]:
    """Image strips of this file that show frames of an unsaved project.

    Returns:
        Scene, strip, and the frames' folder relative to `unsaved_root`.
    """
    root = unsaved_root()
    found = []
    for scene in bpy.data.scenes:
        for name, folder in media.image_folders(scene):
            if folder.is_relative_to(root):
                found.append((scene.name, name, folder.relative_to(root)))
    return found


def records_folder() -> Path:
    """Where shots are remembered until they are inserted."""
    return _folder() / "jobs"


def _folder() -> Path:
    from tweenbridge import data_dir

    return data_dir() / "blender"
