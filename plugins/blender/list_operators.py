# SPDX-License-Identifier: GPL-3.0-or-later
"""The artist's list of keyframes."""

# mypy: disable-error-code="valid-type"
# Blender reads the annotations of these classes as values, so they are not postponed.

from typing import Any

import bpy
from bpy.props import IntProperty

from . import listed, shots
from .errors import PluginError
from .operators import report


class TWEENBRIDGE_OT_add_keyframe(bpy.types.Operator):  # type: ignore[misc]
    """Add the frame under the playhead to the list of keyframes"""

    bl_idname = "tweenbridge.add_keyframe"
    bl_label = "Add keyframe at playhead"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own form

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
    """Take a keyframe off the list"""

    bl_idname = "tweenbridge.remove_keyframe"
    bl_label = "Remove keyframe"
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
                    f"There is no keyframe at frame {scene.frame_current}.", "Move the playhead to a keyframe."
                ),
            )
        rows.remove(index)
        scene.tweenbridge.keyframe_index = max(0, min(scene.tweenbridge.keyframe_index, len(rows) - 1))
        return {"FINISHED"}


class TWEENBRIDGE_OT_clear_keyframes(bpy.types.Operator):  # type: ignore[misc]
    """Take all keyframes off the list"""

    bl_idname = "tweenbridge.clear_keyframes"
    bl_label = "Clear keyframes"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own form

    def execute(self, context: Any) -> set[str]:
        """Empty the list."""
        try:
            shots.check_editable(context).tweenbridge.keyframes.clear()
        except PluginError as error:
            return report(self, error)
        return {"FINISHED"}


CLASSES = (TWEENBRIDGE_OT_add_keyframe, TWEENBRIDGE_OT_remove_keyframe, TWEENBRIDGE_OT_clear_keyframes)
