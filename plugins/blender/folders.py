# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of the add-on among the artist's own. They stay when the add-on is updated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy


def user_folder(name: str) -> Path:
    """A folder of that name, which exists."""
    made: Any = bpy.utils.extension_path_user(__package__, path=name, create=True)
    return Path(made)


def records_folder() -> Path:
    """Where shots are remembered until they are inserted."""
    return user_folder("jobs")
