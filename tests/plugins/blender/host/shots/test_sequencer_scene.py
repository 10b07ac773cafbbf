"""From Blender 5.0 on the sequencer shows a scene of its own, which need not be the window's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import HEIGHT, WIDTH, add, drawing, new_strips

pytestmark = pytest.mark.skipif(
    "sequencer_scene" not in bpy.types.WorkSpace.bl_rna.properties,
    reason="This Blender's sequencer shows the window's scene.",
)


@pytest.fixture
def apart(ext: Any, server: Path, tmp_path: Path) -> Any:
    """The sequencer shows the scene “Edit”, with drawings at 101 and 109; the window another, at frame 1."""
    window = bpy.context.scene
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "apart.blend"))
    window = bpy.context.scene
    edit = bpy.data.scenes.new("Edit")
    edit.render.resolution_x, edit.render.resolution_y = WIDTH, HEIGHT
    for scene, place in ((edit, 101), (window, 1)):
        scene.sequence_editor_create()
        add(ext, scene, tmp_path, f"a{place}", 8, place, 1)
        add(ext, scene, tmp_path, f"b{place}", 60, place + 8, 1)
        for span in ext.strips.spans(scene):
            ext.strips.find(scene, span.name).select = True
        scene.tweenbridge.profile_name = "draft"
    bpy.context.workspace.sequencer_scene = edit
    window.frame_set(1)
    edit.frame_set(109)
    return edit


def test_keyframes_are_those_of_the_sequencers_scene(apart: Any, ext: Any, tmp_path: Path) -> None:
    import pictures

    assert bpy.context.scene != apart
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    [made] = [span for span in ext.strips.spans(apart) if ext.insertion.recipe_of(apart, span.name)]
    assert (made.start, made.end) == (102, 109)
    assert new_strips(ext) == []  # none in the window's scene
    [folder] = (tmp_path / "inbetweens").glob("*/take_01/keyframes")
    for name, position in (("keyframe_01.png", 8), ("keyframe_02.png", 60)):
        np.testing.assert_array_equal(pictures.read_png(folder / name), drawing(position))
    assert (bpy.context.scene.frame_current, apart.frame_current) == (1, 109)


@pytest.mark.parametrize("window_frame", [1, 101, 105, 109])
def test_a_still_shows_its_own_frame_wherever_the_window_stands(
    apart: Any, ext: Any, tmp_path: Path, window_frame: int
) -> None:
    import pictures
    from bl_ext.user_default.tweenbridge.frames import FrameForm, Renderer

    bpy.context.scene.frame_set(window_frame)
    Renderer(apart.name, FrameForm()).still(101, tmp_path / "still.png")
    np.testing.assert_array_equal(pictures.read_png(tmp_path / "still.png"), drawing(8))
    assert bpy.context.scene.frame_current == window_frame


def test_the_list_takes_the_sequencers_playhead(apart: Any, ext: Any) -> None:
    assert bpy.ops.tweenbridge.add_keyframe() == {"FINISHED"}
    assert [row.frame for row in apart.tweenbridge.keyframes] == [109]
    assert len(bpy.context.scene.tweenbridge.keyframes) == 0


def test_a_sequencer_without_a_scene_edits_no_hidden_timeline(apart: Any, ext: Any) -> None:
    bpy.context.workspace.sequencer_scene = None
    for operator in ("generate", "breakdown", "regenerate", "edit", "add_keyframe", "clear_keyframes"):
        with pytest.raises(RuntimeError, match=r"shows no scene|poll"):
            getattr(bpy.ops.tweenbridge, operator)()
    assert all(len(ext.strips.spans(scene)) == 2 for scene in bpy.data.scenes)
    assert all(len(scene.tweenbridge.keyframes) == 0 for scene in bpy.data.scenes)


def test_a_preset_goes_to_the_sequencers_scene(apart: Any, ext: Any) -> None:
    apart.tweenbridge.hold = "3"
    assert bpy.ops.tweenbridge.add_preset(name="On Threes") == {"FINISHED"}
    [path] = [each for folder in bpy.utils.preset_paths("tweenbridge") for each in Path(folder).glob("*.py")]
    try:
        apart.tweenbridge.hold = "1"
        bpy.ops.script.execute_preset(filepath=str(path), menu_idname="TWEENBRIDGE_MT_presets")
        assert (apart.tweenbridge.hold, bpy.context.scene.tweenbridge.hold) == ("3", "1")
    finally:
        path.unlink()
