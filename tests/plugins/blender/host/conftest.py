"""For the tests inside Blender: every test starts with a new file; a real server, with the real `flow` engine."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def new_file() -> None:
    """Blender's own start-up file, never saved, with the preferences and extensions as they are.

    From 5.0 on its sequencer shows no scene until one is chosen, as Blender's template for video editing does.
    """
    import bpy

    bpy.ops.wm.read_homefile(use_factory_startup=True)
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = bpy.context.scene


@pytest.fixture
def server() -> Path:
    """The data folder of a running server, which the extension finds by itself. A client may also find it ended."""
    from tweenbridge import discovery, launcher

    home = discovery.data_dir()
    launcher.start_server(home, timeout=60.0)
    return home
