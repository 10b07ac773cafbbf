# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist can do about files: another format, and frames brought beside the file."""

# mypy: disable-error-code="valid-type"
# Blender reads the annotations of these classes as values, so they are not postponed.

from typing import Any

import bpy
from bpy.props import EnumProperty

from . import collecting, properties, session, shots
from .errors import PluginError
from .operators import report


class TWEENBRIDGE_OT_set_format(bpy.types.Operator):  # type: ignore[misc]
    """Make key drawings and in-betweens in a format that holds what is brighter than white, or more shades of it"""

    bl_idname = "tweenbridge.set_format"
    bl_label = "Set Format"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own form

    depth: EnumProperty(name="Format", items=properties.FORMATS)

    def execute(self, context: Any) -> set[str]:
        """Set it."""
        try:
            shots.check_editable(context).tweenbridge.depth = self.depth
        except PluginError as error:
            return report(self, error)
        return {"FINISHED"}


class TWEENBRIDGE_OT_copy_beside_file(bpy.types.Operator):  # type: ignore[misc]
    """Copy frames that were made before this file was saved beside it, and have their strips show the copies"""

    bl_idname = "tweenbridge.copy_beside_file"
    bl_label = "Copy Frames Beside File"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own form

    @classmethod
    def poll(cls, _context: Any) -> bool:
        """There is a folder beside the file, and frames elsewhere."""
        return bool(bpy.data.filepath) and session.current.elsewhere > 0

    def execute(self, _context: Any) -> set[str]:
        """Copy them."""
        try:
            count = collecting.bring_beside_file()
        except PluginError as error:
            return report(self, error)
        finally:
            session.current.elsewhere = collecting.waiting()
        self.report({"INFO"}, f"{count} strips show frames beside the file now. Save it to keep that.")
        return {"FINISHED"}


CLASSES = (TWEENBRIDGE_OT_set_format, TWEENBRIDGE_OT_copy_beside_file)
