"""Which drawings are meant: the list that follows its strips, *Automatic*, and what would be covered."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import add, begin, drive, new_strips, remove, select, spans
from test_panel import draw


def listed(ext: Any, *frames: int) -> None:
    """Put these frames on the list."""
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        assert bpy.ops.tweenbridge.add_keyframe() == {"FINISHED"}


def rows(ext: Any) -> list[tuple[int, bool]]:
    """The frame of each row, and whether it is broken."""
    from bl_ext.user_default.tweenbridge import listed

    return [(row.frame, bool(row.problem)) for row in listed.rows(bpy.context.scene)]


# ---------------------------------------------------------------- the list


def test_listed_frames_follow_their_strip(shot: Any, ext: Any) -> None:
    select(ext)
    listed(ext, 3, 12)
    ext.strips.move(shot, [ext.placement.Move("b", 20)])
    assert rows(ext) == [(3, False), (32, False)]
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    assert spans(ext)[new_strips(ext)[0]] == (4, 32)


def test_listed_frames_follow_what_move_later_strips_moves(shot: Any, ext: Any, tmp_path: Path) -> None:
    add(ext, shot, tmp_path, "c", 40, 20, 4)
    select(ext)
    listed(ext, 12, 21)
    ext.strips.move(shot, [ext.placement.Move("b", -6), ext.placement.Move("c", 5)])
    select(ext, "a", "b")
    settings = shot.tweenbridge
    settings.amount, settings.count, settings.ripple, settings.source = "NUMBER", 6, True, "STRIPS"
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    assert spans(ext)["b"] == (11, 15)
    assert rows(ext) == [(12, False), (32, False)]


def test_a_row_whose_strip_is_gone_is_shown_as_broken_before_anything_fails(shot: Any, ext: Any) -> None:
    select(ext)
    listed(ext, 3, 12)
    shot.tweenbridge.source = "LIST"
    remove(ext, shot, "b")
    assert rows(ext) == [(3, False), (12, True)]
    assert "“b”, which a key drawing was taken from, is not on the timeline" in draw(ext).replace("\n", " ")
    with pytest.raises(RuntimeError, match=r"“b”.* Take it off the list"):
        bpy.ops.tweenbridge.generate()


def test_the_list_takes_no_frame_of_nothing(shot: Any, ext: Any) -> None:
    shot.frame_set(7)
    with pytest.raises(RuntimeError, match="nothing to see at frame 7"):
        bpy.ops.tweenbridge.add_keyframe()
    assert rows(ext) == []


def test_a_moved_row_is_removed_at_the_playhead(shot: Any, ext: Any) -> None:
    listed(ext, 3, 12)
    ext.strips.move(shot, [ext.placement.Move("b", 20)])
    shot.frame_set(32)
    assert bpy.ops.tweenbridge.remove_keyframe() == {"FINISHED"}
    assert rows(ext) == [(3, False)]


# ---------------------------------------------------------------- automatic


def test_automatic_takes_no_markers_while_something_is_selected(shot: Any, ext: Any) -> None:
    for frame in (2, 12):
        shot.timeline_markers.new(f"old {frame}", frame=frame).select = False
    select(ext, "a")
    assert "In-betweens need two strips, and fewer are selected." in draw(ext).replace("\n", " ")
    with pytest.raises(RuntimeError, match="need two strips"):
        bpy.ops.tweenbridge.generate()
    assert new_strips(ext) == []
    select(ext)
    assert "2 key drawings from all markers" in draw(ext)
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    # The new strip is selected: pressing again does not take the markers once more.
    with pytest.raises(RuntimeError, match="need two strips"):
        bpy.ops.tweenbridge.generate()


def test_automatic_says_what_it_uses(shot: Any, ext: Any) -> None:
    assert "2 key drawings from the selected strips" in draw(ext)
    listed(ext, 3, 12)
    select(ext, "a")
    assert "2 key drawings from the list" in draw(ext)
    bpy.ops.tweenbridge.clear_keyframes()
    select(ext)
    for frame in (2, 12, 14):
        shot.timeline_markers.new(f"m{frame}", frame=frame).select = frame > 2
    assert "2 key drawings from the selected markers" in draw(ext)


# ---------------------------------------------------------------- covering


def test_another_clip_in_the_gap_is_covered_only_when_allowed(shot: Any, ext: Any, tmp_path: Path) -> None:
    add(ext, shot, tmp_path, "c", 40, 7, 2)
    select(ext, "a", "b")
    assert "“c” at frames 7 to 8" in draw(ext).replace("\n", " ")
    with pytest.raises(RuntimeError, match="would cover “c” at frames 7 to 8"):
        bpy.ops.tweenbridge.generate()
    assert new_strips(ext) == []
    assert not (tmp_path / "inbetweens").exists()
    assert bpy.ops.tweenbridge.generate(cover=True) == {"FINISHED"}
    assert spans(ext)[new_strips(ext)[0]] == (5, 11)


def test_a_loop_covers_nothing_without_asking(shot: Any, ext: Any, tmp_path: Path) -> None:
    add(ext, shot, tmp_path, "next", 40, 18, 10)
    select(ext, "a", "b")
    shot.tweenbridge.loop = True
    with pytest.raises(RuntimeError, match="would cover “next” at frames 18 to 20"):
        bpy.ops.tweenbridge.generate()


def test_what_is_seen_at_the_keyframes_is_not_covered(shot: Any, ext: Any, tmp_path: Path) -> None:
    add(ext, shot, tmp_path, "over all", 40, 1, 14, channel=3)
    select(ext, "a", "b")
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    select(ext, "a", "b")
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}  # the first take is no clip to ask about
    assert len(new_strips(ext)) == 2


def test_a_new_take_covers_nothing_without_asking(shot: Any, ext: Any, tmp_path: Path) -> None:
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    [made] = new_strips(ext)
    ext.strips.move(shot, [ext.placement.Move("b", 10)])
    add(ext, shot, tmp_path, "c", 40, 14, 2)
    shot.sequence_editor.active_strip = ext.strips.find(shot, made)
    with pytest.raises(RuntimeError, match="would cover “c”"):
        bpy.ops.tweenbridge.regenerate()
    assert bpy.ops.tweenbridge.regenerate(cover=True) == {"FINISHED"}


def test_a_clip_that_came_meanwhile_is_told_of(shot: Any, ext: Any, tmp_path: Path) -> None:
    generation = begin(ext)
    add(ext, shot, tmp_path, "c", 40, 7, 2)
    drive(ext, generation)
    assert "The in-betweens cover “c” at frames 7 to 8." in ext.session.current.notes
