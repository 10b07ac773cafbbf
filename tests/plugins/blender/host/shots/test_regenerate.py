"""A new take after an edit: follows the strips it was made from, fills the gap there is now, or says what changed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import add, drawing, files_of, new_strips, remove, select, spans


@pytest.fixture
def made(shot: Any, ext: Any) -> str:
    """A strip of in-betweens over [5, 11), between `a` [1, 5) and `b` [11, 15)."""
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    return str(new_strips(ext)[0])


def again(ext: Any, name: str) -> str:
    """A new take of a strip, whose keyframes must be the drawings `a` and `b`; returns its name."""
    import pictures

    scene = bpy.context.scene
    scene.sequence_editor.active_strip = ext.strips.find(scene, name)
    assert bpy.ops.tweenbridge.regenerate() == {"FINISHED"}
    taken = str(ext.strips.active_name(bpy.context))
    keyframes = sorted((files_of(ext, taken)[0].parent / "keyframes").iterdir())
    for file, position in zip(keyframes, (8, 24), strict=True):
        np.testing.assert_array_equal(pictures.read_png(file), drawing(position))
    return taken


def filled(ext: Any, name: str) -> tuple[int, int]:
    """Where a new take is."""
    taken = again(ext, name)
    return spans(ext)[taken]


def refused(ext: Any, name: str, words: str) -> None:
    before, scene = spans(ext), bpy.context.scene
    scene.sequence_editor.active_strip = ext.strips.find(scene, name)
    with pytest.raises(RuntimeError, match=words):
        bpy.ops.tweenbridge.regenerate()
    assert spans(ext) == before
    assert not ext.strips.find(scene, name).mute


def trim(strip: Any, first: int | None = None, end: int | None = None) -> None:
    """Drag a handle."""
    names = (
        ("left_handle", "right_handle") if hasattr(strip, "left_handle") else ("frame_final_start", "frame_final_end")
    )
    for name, value in zip(names, (first, end)):
        if value is not None:
            setattr(strip, name, value)


def test_both_keys_were_moved_and_the_strip_was_not(shot: Any, ext: Any, made: str) -> None:
    ext.strips.move(shot, [ext.placement.Move("a", 30), ext.placement.Move("b", 30)])
    assert filled(ext, made) == (35, 41)


def test_one_key_was_moved(shot: Any, ext: Any, made: str) -> None:
    ext.strips.move(shot, [ext.placement.Move("b", 4)])
    taken = again(ext, made)
    assert spans(ext)[taken] == (5, 15)
    assert len(set(files_of(ext, taken))) == 10
    ext.strips.move(shot, [ext.placement.Move("b", -8)])
    assert filled(ext, taken) == (5, 7)


def test_the_keys_were_trimmed(shot: Any, ext: Any, made: str) -> None:
    trim(ext.strips.find(shot, "a"), end=3)
    trim(ext.strips.find(shot, "b"), first=13)
    assert filled(ext, made) == (3, 13)


def test_the_strip_itself_was_moved_or_trimmed(shot: Any, ext: Any, made: str) -> None:
    trim(ext.strips.find(shot, made), first=7, end=9)
    taken = again(ext, made)
    assert spans(ext)[taken] == (5, 11)
    ext.strips.find(shot, taken).channel = 3
    ext.strips.move(shot, [ext.placement.Move(taken, -3)])
    # It lies over the last frame of `a` now, which is rendered all the same.
    assert filled(ext, taken) == (5, 11)


def test_a_key_was_renamed(shot: Any, ext: Any, made: str, tmp_path: Path) -> None:
    ext.strips.find(shot, "a").name = "walk"
    add(ext, shot, tmp_path, "other", 60, 40, 2)
    ext.strips.find(shot, "other").name = "a"
    assert filled(ext, made) == (5, 11)


def test_a_key_was_split(shot: Any, ext: Any, made: str) -> None:
    strip = ext.strips.find(shot, "a")
    assert strip.split(frame=3, split_method="SOFT") is not None
    assert filled(ext, made) == (5, 11)


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_key_was_deleted(shot: Any, ext: Any, made: str, name: str) -> None:
    remove(ext, shot, name)
    refused(ext, made, f"“{name}”, which a key drawing was taken from, is not on the timeline")


def test_a_key_was_muted(shot: Any, ext: Any, made: str) -> None:
    ext.strips.find(shot, "b").mute = True
    refused(ext, made, "“b”.* not seen any more")


def test_the_gap_was_closed_or_the_order_changed(shot: Any, ext: Any, made: str) -> None:
    ext.strips.find(shot, made).channel = 4
    ext.strips.move(shot, [ext.placement.Move("b", -6)])
    refused(ext, made, "“b” does not come after “a”")
    ext.strips.move(shot, [ext.placement.Move("a", 40)])
    refused(ext, made, "“b” does not come after “a”")


def test_frames_of_a_list_follow_their_strips(shot: Any, ext: Any) -> None:
    select(ext)
    for frame in (3, 12):
        shot.frame_set(frame)
        bpy.ops.tweenbridge.add_keyframe()
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    [made] = new_strips(ext)
    assert spans(ext)[made] == (4, 12)
    ext.strips.move(shot, [ext.placement.Move("b", 20)])
    trim(ext.strips.find(shot, "a"), first=2)
    taken = again(ext, made)
    assert spans(ext)[taken] == (4, 32)
    trim(ext.strips.find(shot, "a"), first=4)
    refused(ext, taken, "“a” that is a key drawing was trimmed away")


def test_markers_over_strips_follow_these(shot: Any, ext: Any) -> None:
    select(ext)
    for frame in (2, 12):
        shot.timeline_markers.new(f"pose {frame}", frame=frame)
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    [made] = new_strips(ext)
    ext.strips.move(shot, [ext.placement.Move("a", 3), ext.placement.Move("b", 3)])
    assert filled(ext, made) == (6, 15)


def test_keyframes_of_nothing_are_refused_from_the_start(shot: Any, ext: Any) -> None:
    select(ext)
    for frame in (2, 40):
        shot.timeline_markers.new(f"pose {frame}", frame=frame)
    with pytest.raises(RuntimeError, match="nothing to see at frame 40"):
        bpy.ops.tweenbridge.generate()


def test_strips_moved_before_their_keyframes_are_rendered(shot: Any, ext: Any) -> None:
    import pictures
    from conftest import begin, drive

    generation = begin(ext)
    ext.strips.move(shot, [ext.placement.Move("a", 50), ext.placement.Move("b", 50)])
    drive(ext, generation)
    [name] = new_strips(ext)
    assert spans(ext)[name] == (55, 61)
    for index, position in enumerate((8, 24)):
        np.testing.assert_array_equal(pictures.read_png(generation.keyframe_file(index)), drawing(position))


def test_a_loop_follows_its_ends(shot: Any, ext: Any) -> None:
    shot.tweenbridge.loop = True
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    loop = new_strips(ext)[-1]
    assert spans(ext)[loop] == (15, 21)
    shot.tweenbridge.loop = False
    ext.strips.move(shot, [ext.placement.Move("b", 5)])
    shot.sequence_editor.active_strip = ext.strips.find(shot, loop)
    assert bpy.ops.tweenbridge.regenerate() == {"FINISHED"}
    assert spans(ext)[ext.strips.active_name(bpy.context)] == (20, 26)
