# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames on disk, looked for with one look at their folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import bpy

from .errors import PluginError


def check_files(directory: str, files: Iterable[str]) -> None:
    """See that every file is on disk.

    Raises:
        PluginError: one is not.
    """
    folder = Path(bpy.path.abspath(directory))
    there = names_in(folder)
    for file in files:
        if file not in there:
            raise PluginError(f"The frame “{folder / file}” is not on disk.", "Generate the in-betweens again.")


def names_in(folder: Path) -> set[str]:
    """The names of a folder's files, with one look; none where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries}
    except OSError:
        return set()
