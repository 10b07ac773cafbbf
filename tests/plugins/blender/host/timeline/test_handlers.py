"""Other add-ons' handlers: what they do at a render is not done at every keyframe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.tweenbridge.errors import PluginError
from bl_ext.user_default.tweenbridge.frames import FrameForm, Renderer

NAMES = ("render_init", "render_pre", "render_post", "render_write", "render_complete", "render_cancel")


@pytest.fixture
def called() -> Iterator[list[str]]:
    """The handlers that were called."""
    names: list[str] = []
    made = {name: (lambda *_, name=name: names.append(name)) for name in NAMES}
    for name, function in made.items():
        getattr(bpy.app.handlers, name).append(function)
    yield names
    for name, function in made.items():
        getattr(bpy.app.handlers, name).remove(function)


def test_a_still_calls_none_of_them_and_leaves_them_in_place(
    scene: Any, put: Any, tmp_path: Path, called: list[str]
) -> None:
    put("a", np.full((24, 32, 4), 128, np.uint8), 1, 4)
    Renderer(scene.name, FrameForm()).still(2, tmp_path / "still.png")
    assert called == []
    scene.render.filepath = str(tmp_path / "own.png")
    bpy.ops.render.render(write_still=True)
    assert {"render_pre", "render_post", "render_write"} <= set(called)


def test_they_are_back_after_a_still_that_failed(scene: Any, put: Any, tmp_path: Path, called: list[str]) -> None:
    put("a", np.full((24, 32, 4), 128, np.uint8), 1, 4)
    with pytest.raises(PluginError):
        Renderer(scene.name, FrameForm()).still(2, tmp_path / "no folder" / "x" / ("y" * 300) / "still.png")
    assert all(len(getattr(bpy.app.handlers, name)) == 1 for name in NAMES)
