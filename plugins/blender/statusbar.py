# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender shows while in-betweens are made: a line in the status bar, and the sidebar as it changes."""

from __future__ import annotations

import bpy

from . import session

_shown: tuple[str | None, int] = (None, 0)


def text() -> str | None:
    """What is going on; None where nothing is, which gives the status bar back to Blender."""
    shots = session.current.active
    if not shots:
        return None
    others = f" (and {len(shots) - 1} more)" if len(shots) > 1 else ""
    return f"In-betweens of {shots[0].title}: {shots[0].sentence}{others}"


def show_progress() -> None:
    """Bring the status bar and the sidebar up to date where something has changed; drawing is what takes time."""
    global _shown
    line = text()
    now = line, sum(int(100 * shot.fraction) for shot in session.current.active)
    if now == _shown:
        return
    if line != _shown[0]:
        for workspace in bpy.data.workspaces:
            workspace.status_text_set(line)
    _shown = now
    session.redraw()
