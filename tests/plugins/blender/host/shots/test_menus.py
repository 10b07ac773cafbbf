"""The add-on where Blender's users look for things: menus, a shortcut, polls, the list."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import files_of, new_strips, select
from test_panel import Layout, draw

MENUS = ("SEQUENCER_MT_strip", "SEQUENCER_MT_context_menu", "SEQUENCER_MT_add")


@pytest.mark.parametrize("name", MENUS)
def test_it_is_in_blenders_own_menus(shot: Any, ext: Any, name: str) -> None:
    drawn: list[str] = []
    functions = getattr(bpy.types, name)._dyn_ui_initialize()
    added = [function for function in functions if function.__module__.startswith(ext.__name__)]
    for function in added:
        function(SimpleNamespace(layout=Layout(drawn)), bpy.context)
    assert any("In-Betweens" in text for text in drawn)


def test_the_menu_draws_what_there_is(ext: Any) -> None:
    drawn: list[str] = []
    ext.menus.TWEENBRIDGE_MT_in_betweens.draw(SimpleNamespace(layout=Layout(drawn)), bpy.context)
    assert "(Generate In-Betweens)" in drawn
    assert "(Regenerate In-Betweens)" in drawn


def test_the_shortcut_is_free(ext: Any) -> None:
    key = ext.menus.KEY
    folder = Path(bpy.utils.system_resource("SCRIPTS")) / "presets" / "keyconfig" / "keymap_data"
    files = sorted(folder.glob("*.py"))
    assert files
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            if re.search(rf'"type": \'{key["type"]}\'', line):
                assert not ("shift" in line and "ctrl" in line), line


def test_nothing_is_offered_outside_the_sequencer(shot: Any, ext: Any) -> None:
    [window] = bpy.context.window_manager.windows
    area = window.screen.areas[0]
    for kind, offered in (("VIEW_3D", False), ("SEQUENCE_EDITOR", True)):
        area.type = kind
        with bpy.context.temp_override(window=window, area=area):
            for name in ("generate", "breakdown", "regenerate", "edit", "add_keyframe"):
                assert getattr(bpy.ops.tweenbridge, name).poll() is offered, (kind, name)


def test_the_number_can_be_adjusted_afterwards(shot: Any, ext: Any) -> None:
    assert bpy.ops.tweenbridge.generate(number=2) == {"FINISHED"}
    assert len(set(files_of(ext, new_strips(ext)[0]))) == 2


def test_names_follow_blenders_guidelines(ext: Any) -> None:
    small = {"a", "an", "and", "at", "in", "of", "for", "to", "the", "all", "with", "them", "first"}
    for name in dir(bpy.ops.tweenbridge):
        label = getattr(bpy.ops.tweenbridge, name).get_rna_type().name
        for word in re.split(r"[ -]", label):
            assert word[0].isupper() or word in small, label
        assert "eyframe" not in label


def test_the_list_jumps_to_a_key_drawing(shot: Any, ext: Any) -> None:
    select(ext)
    for frame in (3, 12):
        shot.frame_set(frame)
        bpy.ops.tweenbridge.add_keyframe()
    ext.strips.move(shot, [ext.placement.Move("b", 20)])
    assert "b, frame 32" in draw(ext)
    assert bpy.ops.tweenbridge.jump(index=1) == {"FINISHED"}
    assert shot.frame_current == 32
    assert bpy.ops.tweenbridge.jump(index=7) == {"CANCELLED"}
