# SPDX-License-Identifier: GPL-3.0-or-later
"""The line in Blender's status bar while in-betweens are made."""

from __future__ import annotations

from typing import Any

import bpy

from . import session

_shown = False


def text() -> str | None:
    """What is going on; None where nothing is, which gives the status bar back to Blender."""
    shots = session.current.active
    if not shots:
        return None
    others = f" (and {len(shots) - 1} more)" if len(shots) > 1 else ""
    return f"In-betweens of {shots[0].title}: {shots[0].sentence}{others}"


def show_status(context: Any) -> None:
    """Bring the status bar up to date."""
    global _shown
    line = text()
    if line is None and not _shown:
        return
    _shown = line is not None
    for workspace in bpy.data.workspaces:
        workspace.status_text_set(line)
