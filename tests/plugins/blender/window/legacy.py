"""Makes Debian's Blender 3.4 load the extension, for looking at it in a real window. Nobody needs it to work there.

3.4 knows no extensions, so the package is enabled as an add-on of the old kind, and the two functions it lacks are
stood in for.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import addon_utils
import bpy

NAME = "tweenbridge_addon"


def enable(package: Path, libraries: list[str], user: Path) -> Any:
    """Enable the extension; returns its module.

    Args:
        package: plugins/blender.
        libraries: folders with zmq, msgpack and tweenbridge.
        user: the folder that stands for the extension's own.
    """

    def extension_path_user(_package: str, *, path: str = "", create: bool = False) -> str:
        folder = user / path
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    bpy.utils.extension_path_user = extension_path_user
    sys.path += libraries
    addons = user / "addons"
    addons.mkdir(parents=True, exist_ok=True)
    link = addons / NAME
    if not link.exists():
        link.symlink_to(package)
    sys.path.append(str(addons))
    module = importlib.import_module(NAME)
    module.bl_info = {"name": "Tweenbridge", "blender": (3, 4, 0), "category": "Sequencer"}
    addon_utils.enable(NAME, default_set=True)
    return module


def leave_only(category: str) -> None:
    """Close the other tabs of the sequencer's sidebar: 3.4 has no way to choose one."""
    for panel in bpy.types.Panel.__subclasses__():
        place = (getattr(panel, "bl_space_type", ""), getattr(panel, "bl_region_type", ""))
        if place == ("SEQUENCE_EDITOR", "UI") and getattr(panel, "bl_category", "") != category and panel.is_registered:
            bpy.utils.unregister_class(panel)
