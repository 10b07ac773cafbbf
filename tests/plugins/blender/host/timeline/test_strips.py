"""Reading strips, inserting them and moving them, in every version of Blender alike."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pictures
import pytest
from bl_ext.user_default.tweenbridge import media, strips
from bl_ext.user_default.tweenbridge.errors import PluginError
from bl_ext.user_default.tweenbridge.gaps import Marker, Span, from_strips
from bl_ext.user_default.tweenbridge.placement import Move, lowest_free_channel, make_room, ripple

# Blender says so where a name that it has replaced is used.
pytestmark = pytest.mark.filterwarnings("error::DeprecationWarning")

Tweens = Callable[[int], list[str]]
GREY = np.full((24, 32, 4), 128, np.uint8)


def effect(scene: Any, name: str, kind: str, start: int, length: int, channel: int, *inputs: Any) -> Any:
    made = strips._strips(scene.sequence_editor)
    parameters = made.bl_rna.functions["new_effect"].parameters
    how = {"length": length} if "length" in parameters else {"frame_end": start + length}
    names = ("input1", "input2") if "input1" in parameters else ("seq1", "seq2")
    how |= dict(zip(names, inputs))
    return made.new_effect(name=name, type=kind, channel=channel, frame_start=start, **how)


def sound(scene: Any, path: Path, start: int, channel: int) -> Any:
    if not bpy.app.build_options.audaspace:
        # Blender 4.2 as a module has no sound; a muted strip is not seen either.
        silent = effect(scene, "sound", "COLOR", start, 24, channel)
        silent.mute = True
        return silent
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 8000, "NONE", ""))
        file.writeframes(bytes(16000))
    return strips._strips(scene.sequence_editor).new_sound("sound", str(path), channel, start)


def where(scene: Any) -> dict[str, tuple[int, int, int]]:
    return {span.name: (span.channel, span.start, span.end) for span in strips.spans(scene)}


# ---------------------------------------------------------------- reading


def test_a_scene_without_a_timeline() -> None:
    scene = bpy.data.scenes.new("Empty")
    assert scene.sequence_editor is None
    assert strips.spans(scene) == []
    assert strips.spans(scene, selected=True) == []
    with pytest.raises(PluginError, match="“a” is not in the scene “Empty”"):
        strips.find(scene, "a")


def test_the_scene_is_the_one_whose_timeline_is_seen(scene: Any) -> None:
    assert strips.sequencer_scene(bpy.context) == scene
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        other = bpy.data.scenes.new("Edit")
        bpy.context.workspace.sequencer_scene = other
        assert strips.sequencer_scene(bpy.context) == other


def test_names_are_looked_up(scene: Any, put: Any) -> None:
    put("a", GREY, 1, 10)
    assert strips.scene_named(scene.name) == scene
    assert strips.active_name(bpy.context) == "a"
    scene.sequence_editor.active_strip = None
    assert strips.active_name(bpy.context) == ""
    with pytest.raises(PluginError, match="“Gone” is not in this file"):
        strips.scene_named("Gone")


def test_spans_of_all_and_of_selected_strips(scene: Any, put: Any, tmp_path: Path) -> None:
    a, b = put("a", GREY, 1, 10, 1), put("b", GREY, 21, 10, 1)
    put("unselected", GREY, 41, 10, 1).select = False
    put("muted", GREY, 61, 10, 1).mute = True
    put("in a muted channel", GREY, 61, 10, 2)
    scene.sequence_editor.channels[2].mute = True
    sound(scene, tmp_path / "sound.wav", 1, 3)
    effect(scene, "adjust", "ADJUSTMENT", 1, 10, 4)
    effect(scene, "blur", "GAUSSIAN_BLUR", 1, 10, 5, a)
    effect(scene, "title", "COLOR", 101, 10, 1)
    a.select = b.select = True
    for strip in strips._all(scene):
        strip.select = strip.name != "unselected"
    assert {span.name for span in strips.spans(scene)} == {
        "a", "b", "unselected", "muted", "in a muted channel", "sound", "adjust", "blur", "title"
    }  # fmt: skip
    assert {span.name for span in strips.spans(scene) if not span.picture} == {"muted", "in a muted channel", "sound"}
    assert set(strips.spans(scene, selected=True)) == {
        Span("a", 1, 1, 11, origin=1), Span("b", 1, 21, 31, origin=21), Span("title", 1, 101, 111, origin=101)
    }  # fmt: skip
    a.select = False
    assert {span.name for span in strips.spans(scene, selected=True)} == {"blur", "b", "title"}


def test_trimmed_strips_are_where_they_are_seen(scene: Any, put: Any) -> None:
    strip = put("a", GREY, 1, 20)
    if hasattr(strip, "left_handle_offset"):
        strip.left_handle_offset, strip.right_handle_offset = 3, 4
    else:
        strip.frame_offset_start, strip.frame_offset_end = 3, 4
    assert strips.spans(scene) == [Span("a", 1, 4, 17, origin=1)]


def test_strips_that_may_be_brighter_than_white(scene: Any, put: Any, tmp_path: Path) -> None:
    put("a", GREY, 1, 10, 1)
    (tmp_path / "b.EXR").write_bytes(b"")
    strips.insert_images(scene, name="b", directory=str(tmp_path), files=["b.EXR"], start=21, channel=1)
    effect(scene, "blur", "GAUSSIAN_BLUR", 21, 1, 2, strips.find(scene, "b"))
    strips._strips(scene.sequence_editor).new_scene("set", bpy.data.scenes.new("Set"), 1, 41)
    assert {span.name: span.bright for span in strips.spans(scene)} == {
        "a": False, "b": True, "blur": True, "set": True
    }  # fmt: skip


def test_a_transition_is_no_keyframe(scene: Any, put: Any) -> None:
    a, b = put("a", GREY, 1, 20, 1), put("b", GREY, 11, 20, 2)
    effect(scene, "cross", "CROSS", 11, 10, 3, a, b)
    for strip in strips._all(scene):
        strip.select = True
    assert [span.name for span in strips.spans(scene, selected=True)] == ["a", "b"]


def test_inside_a_meta_strip(scene: Any) -> None:
    editor = scene.sequence_editor
    meta = strips._strips(editor).new_meta("meta", 1, 1)
    assert not strips.inside_meta(bpy.context)
    editor.display_stack(meta)
    assert strips.inside_meta(bpy.context)
    editor.display_stack(None)
    assert not strips.inside_meta(bpy.context)


def test_markers_in_time_order(scene: Any) -> None:
    for name, frame, selected in (("c", 30, False), ("a", -4, True), ("b", 7, False)):
        scene.timeline_markers.new(name, frame=frame).select = selected
    assert strips.markers(scene) == [Marker("a", -4, True), Marker("b", 7), Marker("c", 30)]


def test_missing_files_are_noticed(scene: Any, put: Any, tmp_path: Path) -> None:
    a = put("a", GREY, 1, 3)
    effect(scene, "blur", "GAUSSIAN_BLUR", 1, 3, 2, a)
    effect(scene, "title", "COLOR", 1, 3, 3)
    assert [media.missing_files(scene, name) for name in ("a", "blur", "title")] == [False, False, False]
    (tmp_path / "a.png").unlink()
    assert [media.missing_files(scene, name) for name in ("a", "blur", "title")] == [True, True, False]


# ---------------------------------------------------------------- inserting


@pytest.fixture
def tweens(tmp_path: Path) -> Tweens:
    """Writes pictures of frames; gives their file names."""

    def write(count: int) -> list[str]:
        for i in range(count):
            pictures.write_png(tmp_path / f"gap01_{i:04d}.png", np.full((24, 32, 4), i + 1, np.uint8))
        return [f"gap01_{i:04d}.png" for i in range(count)]

    return write


def test_a_strip_over_exactly_the_gap(scene: Any, put: Any, tmp_path: Path, tweens: Tweens) -> None:
    put("a", GREY, 1, 10)
    put("b", GREY, 18, 10)
    sound(scene, tmp_path / "sound.wav", 1, 2)
    for strip in strips._all(scene):
        strip.select = strip.name != "sound"
    gap = from_strips(strips.spans(scene, selected=True)).gaps[0]
    name = strips.insert_images(
        scene,
        name="a-b t1",
        directory=str(tmp_path),
        files=tweens(gap.length),
        start=gap.start,
        channel=lowest_free_channel(strips.spans(scene), gap.start, gap.end),
        colour="COLOR_04",
        recipe='{"engine":"flow"}',
    )
    assert name == "a-b t1"
    assert where(scene)[name] == (1, 11, 18)
    strip = strips.find(scene, name)
    assert [element.filename for element in strip.elements] == tweens(7)
    assert [each.name for each in strips._all(scene) if each.select] == [name]
    assert strips.active_name(bpy.context) == name
    assert strip.color_tag == "COLOR_04"
    assert strips.recipe_of(scene, name) == '{"engine":"flow"}'
    assert strips.recipe_of(scene, "a") is None
    assert not media.missing_files(scene, name)


def test_held_drawings_are_one_file_shown_longer(scene: Any, tmp_path: Path, tweens: Tweens) -> None:
    one, two = tweens(2)
    name = strips.insert_images(
        scene, name="twos", directory=str(tmp_path), files=[one, one, two, two], start=-3, channel=7
    )
    assert where(scene)[name] == (7, -3, 1)


def test_the_same_name_twice(scene: Any, put: Any) -> None:
    assert put("a", GREY, 1, 10).name == "a"
    assert put("a", GREY, 21, 10).name == "a.001"


def test_a_missing_file_inserts_nothing(scene: Any, tmp_path: Path, tweens: Tweens) -> None:
    files = [*tweens(3), "not there.png"]
    with pytest.raises(PluginError, match=r"not there\.png” is not on disk"):
        strips.insert_images(scene, name="x", directory=str(tmp_path), files=files, start=1, channel=1)
    assert strips.spans(scene) == []


def test_a_saved_file_keeps_relative_paths_and_can_move(scene: Any, tmp_path: Path, tweens: Tweens) -> None:
    project = tmp_path / "project"
    (project / "inbetweens" / "shot").mkdir(parents=True)
    files = tweens(4)
    for file in files:
        (tmp_path / file).rename(project / "inbetweens" / "shot" / file)
    bpy.ops.wm.save_as_mainfile(filepath=str(project / "film.blend"))
    name = strips.insert_images(
        scene, name="x", directory="//inbetweens/shot", files=files, start=1, channel=1, recipe="{}"
    )
    strip = strips.find(scene, name)
    assert strip.directory.startswith("//inbetweens/shot")
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    project.rename(tmp_path / "moved")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "moved" / "film.blend"))
    scene = bpy.context.scene
    assert where(scene) == {name: (1, 1, 5)}
    assert not media.missing_files(scene, name)
    assert strips.recipe_of(scene, name) == "{}"


def test_replaced_files_keep_the_place(scene: Any, put: Any, tmp_path: Path, tweens: Tweens) -> None:
    put("draft", GREY, 5, 3, 4)
    strips.replace_images(scene, "draft", str(tmp_path), tweens(3))
    assert where(scene) == {"draft": (4, 5, 8)}
    assert [element.filename for element in strips.find(scene, "draft").elements] == tweens(3)
    with pytest.raises(PluginError, match="no longer fits the 4 finished frames"):
        strips.replace_images(scene, "draft", str(tmp_path), tweens(4))
    with pytest.raises(PluginError, match="not on disk"):
        strips.replace_images(scene, "draft", str(tmp_path), ["x.png"] * 3)
    assert [element.filename for element in strips.find(scene, "draft").elements] == tweens(3)


def test_a_long_strip_is_inserted_quickly(scene: Any, tmp_path: Path, tweens: Tweens) -> None:
    import time

    files = tweens(1) * 2000
    started = time.process_time()
    name = strips.insert_images(scene, name="long", directory=str(tmp_path), files=files, start=1, channel=1)
    assert time.process_time() - started < 1.0
    assert where(scene)[name] == (1, 1, 2001)


# ---------------------------------------------------------------- moving


def test_later_strips_make_room(scene: Any, put: Any, tmp_path: Path) -> None:
    put("a", GREY, 1, 10)
    put("b", GREY, 11, 10)
    put("c", GREY, 21, 10)
    put("title", GREY, 5, 30, 3)
    sound(scene, tmp_path / "sound.wav", 21, 2)
    length = where(scene)["sound"][2] - 21
    everything = strips.spans(scene)
    found = from_strips([span for span in everything if span.name in "ab"])
    room = make_room(everything, found, [5])
    strips.move(scene, room.moves)
    assert where(scene) == {
        "a": (1, 1, 11), "b": (1, 16, 26), "c": (1, 26, 36), "title": (3, 5, 35), "sound": (2, 26, 26 + length)
    }  # fmt: skip
    assert (room.gaps[0].start, room.gaps[0].end) == (11, 16)


@pytest.mark.parametrize("seed", range(8))
def test_ripple_on_any_timeline_is_what_the_arithmetic_says(scene: Any, seed: int) -> None:
    random = np.random.default_rng(seed)
    taken: list[Span] = []
    for i in range(30):
        start, length, channel = (int(random.integers(*bounds)) for bounds in ((-50, 200), (1, 40), (1, 5)))
        if all(s.channel != channel or s.end <= start or s.start >= start + length for s in taken):
            effect(scene, f"s{i}", "COLOR", start, length, channel)
            taken.append(Span(f"s{i}", channel, start, start + length, origin=start))
    assert set(strips.spans(scene)) == set(taken)
    at, by = int(random.integers(-60, 200)), int(random.integers(1, 60))
    strips.move(scene, ripple(strips.spans(scene), at, by))
    shifted = {s.name: by if s.start >= at else 0 for s in taken}
    assert where(scene) == {s.name: (s.channel, s.start + shifted[s.name], s.end + shifted[s.name]) for s in taken}


def test_trims_effects_and_animation_go_along(scene: Any, put: Any) -> None:
    strip = put("a", GREY, 11, 20)
    if hasattr(strip, "left_handle_offset"):
        strip.left_handle_offset = 4
    else:
        strip.frame_offset_start = 4
    effect(scene, "blur", "GAUSSIAN_BLUR", 15, 16, 2, strip)
    for frame, value in ((16, 0.25), (20, 0.75)):
        strip.blend_alpha = value
        strip.keyframe_insert("blend_alpha", frame=frame)
    strips.move(scene, [Move("a", 100), Move("blur", 100)])
    assert where(scene) == {"a": (1, 115, 131), "blur": (2, 115, 131)}
    values = []
    for frame in (116, 118, 120):
        scene.frame_set(frame)
        values.append(strips.find(scene, "a").blend_alpha)
    assert values == pytest.approx([0.25, 0.5, 0.75])


@pytest.mark.parametrize("lock", ["strip", "channel"])
def test_a_locked_strip_moves_nothing(scene: Any, put: Any, lock: str) -> None:
    put("a", GREY, 1, 10, 1)
    b = put("b", GREY, 1, 10, 2)
    if lock == "strip":
        b.lock = True
    else:
        scene.sequence_editor.channels[2].lock = True
    before = where(scene)
    with pytest.raises(PluginError, match="“b” is locked") as caught:
        strips.move(scene, [Move("a", 5), Move("b", 5)])
    assert caught.value.remedy
    assert where(scene) == before
    strips.move(scene, [Move("a", 5)])
    assert where(scene)["a"] == (1, 6, 16)


def test_strips_under_a_transition_are_not_torn_apart(scene: Any, put: Any) -> None:
    a, b = put("a", GREY, 1, 20, 1), put("b", GREY, 11, 20, 2)
    cross = effect(scene, "cross", "CROSS", 11, 10, 3, a, b)
    effect(scene, "blur", "GAUSSIAN_BLUR", 11, 10, 4, cross)
    before = where(scene)
    with pytest.raises(PluginError, match="“cross” joins “a” and “b”"):
        strips.move(scene, [Move("b", 5), Move("cross", 5)])
    assert where(scene) == before
    strips.move(scene, [Move(name, 5) for name in before])
    assert where(scene) == {name: (channel, start + 5, end + 5) for name, (channel, start, end) in before.items()}


# ---------------------------------------------------------------- undo


def test_undo_and_redo_of_an_inserted_strip(scene: Any, put: Any, tweens: Tweens, tmp_path: Path) -> None:
    put("a", GREY, 1, 10)
    put("b", GREY, 11, 10)
    name = scene.name
    bpy.ops.ed.undo_push(message="before")
    strips.move(scene, [Move("b", 4)])
    strips.insert_images(
        scene, name="t", directory=str(tmp_path), files=tweens(4), start=11, channel=1, recipe='{"take":1}'
    )
    bpy.ops.ed.undo_push(message="Insert in-betweens")
    bpy.ops.ed.undo()
    scene = strips.scene_named(name)
    assert where(scene) == {"a": (1, 1, 11), "b": (1, 11, 21)}
    with pytest.raises(PluginError, match="“t” is not in the scene"):
        strips.find(scene, "t")
    bpy.ops.ed.redo()
    scene = strips.scene_named(name)
    assert where(scene) == {"a": (1, 1, 11), "t": (1, 11, 15), "b": (1, 15, 25)}
    assert strips.recipe_of(scene, "t") == '{"take":1}'
