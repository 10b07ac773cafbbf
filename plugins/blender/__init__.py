# SPDX-License-Identifier: GPL-3.0-or-later
"""Tweenbridge for Blender's Video Sequence Editor."""


def register() -> None:
    """Called by Blender when the extension is enabled."""


def unregister() -> None:
    """Called by Blender when the extension is disabled."""
