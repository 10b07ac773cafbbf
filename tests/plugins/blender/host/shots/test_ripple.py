"""*Move Later Strips* takes markers, the scene's end and other channels along as is asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import add, new_strips, select, spans
from test_panel import draw

OWN = "ripple_markers" in bpy.types.SequencerToolSettings.bl_rna.properties


def set_markers(scene: Any, value: bool) -> None:
    """Set the option, which is Blender's own from 5.3 on."""
    if OWN:
        scene.tool_settings.sequencer_tool_settings.ripple_markers = value
        scene.tool_settings.sequencer_tool_settings.ripple_all_channels = True
    else:
        scene.tweenbridge.ripple_markers = value


@pytest.fixture
def crowded(shot: Any, ext: Any, tmp_path: Path) -> Any:
    """Four frames too few between `a` and `b`; a strip and markers after them, the last marker on the scene's end."""
    add(ext, shot, tmp_path, "later", 40, 20, 4, channel=2)
    select(ext, "a", "b")
    for frame in (3, 11, 24):
        shot.timeline_markers.new(f"m{frame}", frame=frame)
    shot.frame_end = 24
    settings = shot.tweenbridge
    settings.amount, settings.count, settings.ripple = "NUMBER", 10, True
    set_markers(shot, False)
    return shot


def markers(scene: Any) -> dict[str, int]:
    return {marker.name: marker.frame for marker in scene.timeline_markers}


def test_markers_and_the_end_stay_unless_asked_for(crowded: Any, ext: Any) -> None:
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    assert spans(ext)["later"] == (24, 28)
    assert markers(crowded) == {"m3": 3, "m11": 11, "m24": 24}
    assert crowded.frame_end == 24


def test_markers_and_the_end_move_on_request(crowded: Any, ext: Any) -> None:
    set_markers(crowded, True)
    crowded.tweenbridge.ripple_end = True
    text = draw(ext)
    assert "[Markers]" in text
    assert "[Scene End]" in text
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    assert spans(ext)[new_strips(ext)[0]] == (5, 15)
    assert markers(crowded) == {"m3": 3, "m11": 15, "m24": 28}
    assert crowded.frame_end == 28


@pytest.mark.skipif(not OWN, reason="This Blender has no ripple options of its own.")
def test_blenders_own_choice_of_channels_is_honoured(crowded: Any, ext: Any) -> None:
    crowded.tool_settings.sequencer_tool_settings.ripple_all_channels = False
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    assert spans(ext)["b"] == (15, 19)
    assert spans(ext)["later"] == (20, 24)
