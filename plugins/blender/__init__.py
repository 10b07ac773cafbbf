# SPDX-License-Identifier: GPL-3.0-or-later
"""Tweenbridge for Blender's Video Sequence Editor."""

import bpy

from . import (
    file_operators,
    list_operators,
    menus,
    operators,
    panel,
    preferences,
    properties,
    server_operators,
    session,
)

_CLASSES = (
    *preferences.CLASSES,
    *operators.CLASSES,
    *list_operators.CLASSES,
    *file_operators.CLASSES,
    *server_operators.CLASSES,
    *panel.CLASSES,
    *menus.CLASSES,
)


def register() -> None:
    """Called by Blender when the extension is enabled."""
    properties.register()
    for each in _CLASSES:
        bpy.utils.register_class(each)
    menus.register()
    session.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled."""
    session.unregister()
    menus.unregister()
    for each in reversed(_CLASSES):
        bpy.utils.unregister_class(each)
    properties.unregister()
