# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that strips show: where they are, whether they are there, and other ones in their place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy

from . import strips
from .strips import RECIPE


def image_folders(scene: Any) -> list[tuple[str, Path]]:
    """Every image strip, those inside meta strips included, and the folder of its files."""
    editor = scene.sequence_editor
    if editor is None:
        return []
    every = editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all
    # Blender has `//../` in paths of files that lie elsewhere.
    return [
        (each.name, Path(os.path.normpath(bpy.path.abspath(each.directory)))) for each in every if each.type == "IMAGE"
    ]


def missing_files(scene: Any, name: str) -> bool:
    """A file that the strip shows is not on disk; Blender would show a placeholder."""
    return _is_missing(strips.find(scene, name))


def _is_missing(strip: Any) -> bool:
    if strip.type == "IMAGE":
        folder = Path(bpy.path.abspath(strip.directory))
        # A held drawing is many elements and one file.
        return not all((folder / file).is_file() for file in {element.filename for element in strip.elements})
    if strip.type == "MOVIE":
        return not Path(bpy.path.abspath(strip.filepath)).is_file()
    return any(_is_missing(part) for part in strips.parts(strip))


def show_folder(scene: Any, name: str, directory: str) -> None:
    """Have an image strip, at whatever level, show the files of the same names in another folder beside the .blend."""
    _anywhere(scene, name).directory = f"//{directory.strip('/')}/"


def text_of(scene: Any, name: str) -> str | None:
    """The recipe's text that a strip at whatever level carries, or None."""
    text = _anywhere(scene, name).get(RECIPE)
    return text if isinstance(text, str) else None


def put_text(scene: Any, name: str, text: str) -> None:
    """Give a strip at whatever level another recipe."""
    _anywhere(scene, name)[RECIPE] = text


def _anywhere(scene: Any, name: str) -> Any:
    editor = scene.sequence_editor
    return (editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all)[name]
