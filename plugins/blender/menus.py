# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on in Blender's own menus of the sequencer, and its one shortcut."""

from __future__ import annotations

from typing import Any

import bpy

KEY = {"type": "I", "value": "PRESS", "ctrl": True, "shift": True}
"""Free in Blender's keymap of the sequencer, in every version, and in its Industry Compatible one."""

_keymaps: list[tuple[Any, Any]] = []


class TWEENBRIDGE_MT_in_betweens(bpy.types.Menu):  # type: ignore[misc]
    """In-betweens of the selected strips, and what can be done with them afterwards"""

    bl_label = "In-Betweens"

    def draw(self, _context: Any) -> None:
        """The operators."""
        layout = self.layout
        layout.operator_context = "INVOKE_DEFAULT"
        layout.operator("tweenbridge.generate", icon="ONIONSKIN_ON")
        layout.operator("tweenbridge.fill_all_gaps")
        layout.operator("tweenbridge.breakdown")
        layout.separator()
        layout.operator("tweenbridge.edit")
        layout.operator("tweenbridge.regenerate")
        layout.separator()
        layout.operator("tweenbridge.add_keyframe")


def _in_strip_menu(self: Any, _context: Any) -> None:
    self.layout.separator()
    self.layout.menu("TWEENBRIDGE_MT_in_betweens")


def _in_add_menu(self: Any, _context: Any) -> None:
    self.layout.separator()
    self.layout.operator_context = "INVOKE_DEFAULT"
    self.layout.operator("tweenbridge.generate", text="In-Betweens", icon="ONIONSKIN_ON")


_PLACES = (
    ("SEQUENCER_MT_strip", _in_strip_menu),
    ("SEQUENCER_MT_context_menu", _in_strip_menu),
    ("SEQUENCER_MT_add", _in_add_menu),
)

CLASSES = (TWEENBRIDGE_MT_in_betweens,)


def register() -> None:
    """Put the entries into the menus, and the shortcut into the keymap that add-ons have."""
    for name, draw in _PLACES:
        getattr(bpy.types, name).append(draw)
    keys = bpy.context.window_manager.keyconfigs.addon
    # Without a window there is none.
    if keys is not None:
        keymap = keys.keymaps.new(name="Sequencer", space_type="SEQUENCE_EDITOR")
        _keymaps.append((keymap, keymap.keymap_items.new("tweenbridge.generate", **KEY)))


def unregister() -> None:
    """Take them out again."""
    for keymap, item in _keymaps:
        keymap.keymap_items.remove(item)
    _keymaps.clear()
    for name, draw in _PLACES:
        getattr(bpy.types, name).remove(draw)
