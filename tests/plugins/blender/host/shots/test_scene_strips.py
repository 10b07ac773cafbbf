"""Scene strips, which take long to render and may be brighter than white."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import add, begin, new_strips, remove, select
from test_panel import draw


@pytest.fixture
def rendered_scene(shot: Any, ext: Any) -> Any:
    """A scene strip `set` [1, 5) in place of `a`."""
    remove(ext, shot, "a")
    other = bpy.data.scenes.new("Set")
    editor = shot.sequence_editor
    every = editor.strips if hasattr(editor, "strips") else editor.sequences
    made = every.new_scene("set", other, 1, 1)
    end = "right_handle" if hasattr(made, "right_handle") else "frame_final_end"
    setattr(made, end, 5)
    select(ext, "set", "b")
    return shot


def test_a_long_render_is_announced_and_can_be_cancelled_between_two(rendered_scene: Any, ext: Any) -> None:
    assert "A scene is rendered for “set”" in draw(ext).replace("\n", " ")
    generation = begin(ext)
    keyframe = generation.keyframe_file(0)
    ext.session.current.drive(generation)
    # It is said before Blender stands still.
    assert generation.sentence == "Rendering key drawing 1 of 2"
    assert not keyframe.exists()
    ext.session.current.drive(generation)
    assert keyframe.exists()
    ext.session.current.drive(generation)
    assert generation.sentence == "Rendering key drawing 2 of 2"
    assert bpy.ops.tweenbridge.cancel() == {"FINISHED"}
    assert ext.session.current.drive(generation)
    assert not generation.keyframe_file(1).exists()
    assert new_strips(ext) == []


def test_a_format_that_does_not_jump_at_the_cut_is_one_click_away(rendered_scene: Any, ext: Any) -> None:
    rendered_scene.view_settings.view_transform = "AgX"
    text = draw(ext)
    assert "with 8 bits it jumps at the cut" in text.replace("\n", " ")
    assert "(Use 16-Bit PNG)" in text
    assert "(Use OpenEXR)" in text
    assert bpy.ops.tweenbridge.set_format(depth="exr32") == {"FINISHED"}
    assert rendered_scene.tweenbridge.depth == "exr32"
    assert "brighter than white" not in draw(ext).replace("\n", " ")
    rendered_scene.tweenbridge.depth = "png8"
    rendered_scene.view_settings.view_transform = "Standard"
    assert "(Use OpenEXR)" not in draw(ext)


def test_drawings_are_not_announced(shot: Any, ext: Any, tmp_path: Path) -> None:
    add(ext, shot, tmp_path, "c", 40, 20, 2)
    select(ext, "a", "b")
    text = draw(ext).replace("\n", " ")
    assert "A scene is rendered" not in text
    assert "brighter" not in text
