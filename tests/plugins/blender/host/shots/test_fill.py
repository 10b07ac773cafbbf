"""*Fill All Gaps*: every gap on the channel or between the selected strips, with a rule for occupied ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import add, new_strips, select, spans


@pytest.fixture
def channel(shot: Any, ext: Any, tmp_path: Path) -> Any:
    """Strips on channel 1 with gaps [5, 11), [15, 20), [21, 21) and a long one [22, 100)."""
    for name, position, start, length in (("c", 30, 20, 1), ("d", 32, 21, 1), ("e", 34, 100, 2)):
        add(ext, shot, tmp_path, name, position, start, length)
    select(ext, "a")
    shot.sequence_editor.active_strip = ext.strips.find(shot, "a")
    return shot


def made(ext: Any) -> list[tuple[int, int]]:
    return [spans(ext)[name] for name in new_strips(ext)]


def test_every_gap_on_the_channel(channel: Any, ext: Any, tmp_path: Path) -> None:
    assert bpy.ops.tweenbridge.fill_all_gaps() == {"FINISHED"}
    assert made(ext) == [(5, 11), (15, 20)]
    # No key drawing was rendered that no gap needs.
    [folder] = (tmp_path / "inbetweens").glob("*/take_01/keyframes")
    assert len(list(folder.iterdir())) == 4
    channel.sequence_editor.active_strip = ext.strips.find(channel, "a")
    with pytest.raises(RuntimeError, match="no gap to fill"):
        bpy.ops.tweenbridge.fill_all_gaps()
    assert bpy.ops.tweenbridge.fill_all_gaps(longest=0) == {"FINISHED"}
    assert made(ext) == [(5, 11), (15, 20), (22, 100)]


def test_between_the_selected_strips(channel: Any, ext: Any) -> None:
    select(ext, "b", "c")
    assert bpy.ops.tweenbridge.fill_all_gaps(between="SELECTED") == {"FINISHED"}
    assert made(ext) == [(15, 20)]


def test_an_occupied_gap_is_left_or_covered_as_is_asked(channel: Any, ext: Any, tmp_path: Path) -> None:
    add(ext, channel, tmp_path, "title", 50, 6, 2, channel=4)
    channel.sequence_editor.active_strip = ext.strips.find(channel, "a")
    assert bpy.ops.tweenbridge.fill_all_gaps() == {"FINISHED"}
    assert made(ext) == [(15, 20)]
    channel.sequence_editor.active_strip = ext.strips.find(channel, "a")
    assert bpy.ops.tweenbridge.fill_all_gaps(occupied="COVER") == {"FINISHED"}
    assert (5, 11) in made(ext)
    assert spans(ext)["title"] == (6, 8)
