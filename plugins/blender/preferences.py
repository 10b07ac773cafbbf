# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: where the server is, and where in-betweens go."""

# mypy: disable-error-code="valid-type"
# Blender reads the annotations of these classes as values, so they are not postponed.

from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from . import panel
from .naming import DEFAULT_PATTERN


class TweenbridgePreferences(bpy.types.AddonPreferences):  # type: ignore[misc]
    """What holds for every file."""

    bl_idname = __package__

    place: EnumProperty(
        name="Server",
        description="Where in-betweens are made",
        items=[
            ("LOCAL", "This Machine", "The server of this machine is found, or started when it is needed"),
            ("REMOTE", "Another Machine", "The server that a key file tells of; the connection is encrypted"),
        ],
    )
    key_file: StringProperty(
        name="Key File",
        description="What `tweenbridge keys export` wrote on that machine. Keep it private",
        subtype="FILE_PATH",
    )
    folder: StringProperty(
        name="Output Folder",
        description="Where frames are written; // is the folder of the .blend file. Fields: {blend}, {scene}, {shot}",
        default=DEFAULT_PATTERN,
    )

    def draw(self, _context: Any) -> None:
        """The preferences."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "place", expand=True)
        if self.place == "REMOTE":
            layout.prop(self, "key_file")
        layout.prop(self, "folder")
        panel.draw_server(layout)


CLASSES = (TweenbridgePreferences,)
