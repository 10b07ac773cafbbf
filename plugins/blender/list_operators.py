# SPDX-License-Identifier: GPL-3.0-or-later
"""The artist's list of keyframes."""

# mypy: disable-error-code="valid-type"
# Blender reads the annotations of these classes as values, so they are not postponed.

from typing import Any

import bpy
from bpy.props import IntProperty

from . import listed, shots
from .errors import PluginError
from .operators import in_sequencer, report


class TWEENBRIDGE_OT_add_keyframe(bpy.types.Operator):  # type: ignore[misc]
    """Add the frame under the playhead to the list of key drawings. It follows the strip that shows it"""

    bl_idname = "tweenbridge.add_keyframe"
    bl_label = "Add Key Drawing at Playhead"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own form

    @classmethod
    def poll(cls, context: Any) -> bool:
        """The artist is in the sequencer."""
        return in_sequencer(context)

    def execute(self, context: Any) -> set[str]:
        """Add it, in time order; once."""
        try:
            scene = shots.check_editable(context)
            added = listed.add(scene, scene.frame_current)
        except PluginError as error:
            return report(self, error)
        if not added:
            self.report({"INFO"}, f"Frame {scene.frame_current} is in the list already.")
            return {"CANCELLED"}
        return {"FINISHED"}


class TWEENBRIDGE_OT_remove_keyframe(bpy.types.Operator):  # type: ignore[misc]
    """Take a key drawing off the list"""

    bl_idname = "tweenbridge.remove_keyframe"
    bl_label = "Remove Key Drawing"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own form

    index: IntProperty(name="Number", description="Which one; -1 is the one under the playhead", default=-1)

    def execute(self, context: Any) -> set[str]:
        """Remove it."""
        try:
            scene = shots.check_editable(context)
        except PluginError as error:
            return report(self, error)
        rows = scene.tweenbridge.keyframes
        index = self.index
        if index < 0:
            index = next((i for i, row in enumerate(listed.rows(scene)) if row.frame == scene.frame_current), -1)
        if not 0 <= index < len(rows):
            return report(
                self,
                PluginError(
                    f"There is no key drawing at frame {scene.frame_current}.", "Move the playhead to a key drawing."
                ),
            )
        rows.remove(index)
        scene.tweenbridge.keyframe_index = max(0, min(scene.tweenbridge.keyframe_index, len(rows) - 1))
        return {"FINISHED"}


class TWEENBRIDGE_OT_clear_keyframes(bpy.types.Operator):  # type: ignore[misc]
    """Take all key drawings off the list"""

    bl_idname = "tweenbridge.clear_keyframes"
    bl_label = "Clear Key Drawings"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own form

    def execute(self, context: Any) -> set[str]:
        """Empty the list."""
        try:
            shots.check_editable(context).tweenbridge.keyframes.clear()
        except PluginError as error:
            return report(self, error)
        return {"FINISHED"}


class TWEENBRIDGE_OT_jump(bpy.types.Operator):  # type: ignore[misc]
    """Move the playhead to this key drawing"""

    bl_idname = "tweenbridge.jump"
    bl_label = "Jump to Key Drawing"

    index: IntProperty(name="Number", options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: Any) -> set[str]:
        """Go there."""
        try:
            scene = shots.check_editable(context)
        except PluginError as error:
            return report(self, error)
        rows = listed.rows(scene)
        if not 0 <= self.index < len(rows) or rows[self.index].problem:
            return {"CANCELLED"}
        scene.frame_set(rows[self.index].frame)
        scene.tweenbridge.keyframe_index = self.index
        return {"FINISHED"}


class TWEENBRIDGE_UL_key_drawings(bpy.types.UIList):  # type: ignore[misc]
    """The list: what each key drawing is, and where."""

    def draw_item(
        self, _context: Any, layout: Any, settings: Any, _item: Any, _icon: int, _active: Any, _name: str, index: int
    ) -> None:
        """One row, as it is now."""
        row = listed.rows(settings.id_data)[index]
        line = layout.row(align=True)
        line.alert = bool(row.problem)
        line.label(text=row.label, icon="ERROR" if row.problem else "KEYFRAME_HLT")
        if not row.problem:
            line.operator("tweenbridge.jump", text="", icon="FRAME_NEXT", emboss=False).index = index
        line.operator("tweenbridge.remove_keyframe", text="", icon="X", emboss=False).index = index


CLASSES = (
    TWEENBRIDGE_UL_key_drawings,
    TWEENBRIDGE_OT_jump,
    TWEENBRIDGE_OT_add_keyframe,
    TWEENBRIDGE_OT_remove_keyframe,
    TWEENBRIDGE_OT_clear_keyframes,
)
