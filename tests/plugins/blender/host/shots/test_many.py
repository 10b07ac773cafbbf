"""Thousands of frames on the timeline while Blender goes on: no tick takes long, and nothing is left half-way."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import bpy
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import begin, drive, files_of, new_strips, spans

SMALL = (32, 20)


def far_apart(shot: Any, ext: Any, frames: int) -> None:
    shot.render.resolution_x, shot.render.resolution_y = SMALL
    ext.strips.move(shot, [ext.placement.Move("b", frames - 6)])


def inserted(ext: Any, frames: int, shot: Any, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Have finished frames inserted; the processor's seconds of each step, as a timer takes them."""
    far_apart(shot, ext, frames)
    generation = begin(ext)
    # Frames that are on disk already, as after an interruption: what is measured is the inserting.
    root = Path(generation.record.root)
    for number in range(1, frames + 1):
        (root / f"gap01_{number:04d}.png").write_bytes((root.parents[2] / "a.png").read_bytes())
    drive(ext, generation, lambda: generation.stage is ext.generation.Stage.GENERATING)
    steps = []
    finished = False
    while not finished:
        before = time.thread_time()
        finished = ext.session.current.drive(generation)
        steps.append(time.thread_time() - before)
    assert generation.stage is ext.generation.Stage.DONE
    [name] = new_strips(ext)
    assert len(files_of(ext, name)) == frames
    assert spans(ext)[name] == (5, 5 + frames)
    print(f"{frames} frames: {len(steps)} ticks, {sum(steps):.2f} s in all, the longest {max(steps) * 1000:.0f} ms")
    return steps


def test_a_thousand_frames(shot: Any, ext: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = inserted(ext, 1000, shot, monkeypatch)
    assert sum(steps) < 10.0
    assert max(steps) < 0.05


def test_five_thousand_frames(shot: Any, ext: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(inserted(ext, 5000, shot, monkeypatch)) < 0.2


def test_many_frames_are_fetched_in_one_tick(shot: Any, ext: Any) -> None:
    far_apart(shot, ext, 300)
    generation = begin(ext)
    drive(ext, generation, lambda: generation.stage is ext.generation.Stage.GENERATING)
    fetched = []
    finished = False
    while not finished:
        before = sum(batch.received for batch in generation._batches)
        finished = ext.session.current.drive(generation)
        fetched.append(sum(batch.received for batch in generation._batches) - before)
        time.sleep(ext.session.TICK)
    assert generation.stage is ext.generation.Stage.DONE
    assert max(fetched) > 1


@pytest.fixture
def in_pieces(ext: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One frame is inserted at a time."""
    monkeypatch.setattr(ext.insertion, "PIECE", -1.0)


def half_way(ext: Any) -> Any:
    """A shot of which some frames are on the timeline."""
    generation = begin(ext)
    before = set(spans(ext))
    drive(ext, generation, lambda: bool(set(spans(ext)) - before))
    [name] = set(spans(ext)) - before
    assert ext.strips.find(bpy.context.scene, name).mute
    return generation, name


def test_cancelling_half_way_leaves_nothing(shot: Any, ext: Any, in_pieces: None) -> None:
    generation, _ = half_way(ext)
    generation.cancel()
    assert set(spans(ext)) == {"a", "b"}


def test_a_strip_deleted_half_way_can_be_inserted_again(shot: Any, ext: Any, in_pieces: None) -> None:
    generation, name = half_way(ext)
    ext.strips.remove(shot, name)
    drive(ext, generation)
    assert generation.stage is ext.generation.Stage.FAILED
    assert set(spans(ext)) == {"a", "b"}
    assert bpy.ops.tweenbridge.insert_finished() == {"FINISHED"}
    assert spans(ext)[new_strips(ext)[0]] == (5, 11)


def test_a_strip_that_came_into_its_place_is_not_overlapped(
    shot: Any, ext: Any, in_pieces: None, tmp_path: Any
) -> None:
    from conftest import add

    generation, name = half_way(ext)
    channel = ext.strips.find(shot, name).channel
    add(ext, shot, tmp_path, "c", 40, 8, 2, channel=channel)
    drive(ext, generation)
    [made] = new_strips(ext)
    assert ext.strips.find(shot, made).channel > ext.strips.find(shot, "c").channel
    assert spans(ext)["c"] == (8, 10)
    assert not ext.strips.find(shot, made).mute
