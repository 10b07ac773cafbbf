"""Whatever happens while in-betweens are made: nothing dangles, nothing lands in the wrong place, nothing is lost."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import bpy
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import (
    BlendServer,
    add,
    another_file,
    begin,
    drive,
    files_of,
    new_strips,
    received,
    remove,
    select,
    spans,
    until,
)

WAITS = {"mischief": "wait"}


def half_done(ext: Any) -> Any:
    """A shot whose first three frames have come, and whose others come when the engine is let go on."""
    generation = begin(ext, settings=WAITS)
    drive(ext, generation, lambda: received(generation) == 3)
    return generation


def test_cancel_stops_the_server_and_inserts_nothing(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    from tweenbridge import Client, JobState, load_address

    generation = half_done(ext)
    assert bpy.ops.tweenbridge.cancel() == {"FINISHED"}
    assert ext.session.current.drive(generation)
    assert ext.session.current.active == []
    assert not Path(generation.record.root).exists()
    address = load_address(Path(bpy.context.preferences.addons[ext.__name__].preferences.key_file))
    job = generation.record.job_id(False, 0)

    def is_cancelled() -> bool:
        ext.session.current.step()
        return bool(client.job(job).state is JobState.CANCELLED)

    with Client(address=address) as client:
        until(is_cancelled)
    assert new_strips(ext) == []
    ext.session.current.look_for_records()
    assert ext.session.current.waiting == []


def test_a_killed_server_is_started_again_and_goes_on(shot: Any, ext: Any, own_blend_server: BlendServer) -> None:
    from tweenbridge.discovery import read_address

    generation = half_done(ext)
    before = read_address(own_blend_server.home)
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    own_blend_server.go_on()
    drive(ext, generation)
    assert generation.stage is ext.generation.Stage.DONE
    after = read_address(own_blend_server.home)
    assert after is not None
    assert after.pid != before.pid
    [name] = new_strips(ext)
    assert spans(ext)[name] == (5, 11)
    assert len(set(files_of(ext, name))) == 6


def test_after_a_reload_the_shot_is_offered_and_inserted(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    bpy.ops.wm.save_mainfile()
    generation = half_done(ext)
    path = bpy.data.filepath
    bpy.ops.wm.open_mainfile(filepath=path)
    assert generation.stage is ext.generation.Stage.PARTED
    assert ext.session.current.active == []
    [record] = ext.session.current.waiting
    assert record.id == generation.record.id
    assert ext.session.current.drive(generation)
    assert new_strips(ext) == []
    blend_server.go_on()
    assert bpy.ops.tweenbridge.insert_finished() == {"FINISHED"}
    [name] = new_strips(ext)
    assert spans(ext)[name] == (5, 11)
    assert not ext.media.missing_files(bpy.context.scene, name)
    assert ext.session.current.waiting == []


def test_another_file_gets_nothing(shot: Any, ext: Any, blend_server: BlendServer, tmp_path: Path) -> None:
    half_done(ext)
    another_file()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "other.blend"))
    ext.session.current.look_for_records()
    assert ext.session.current.waiting == []
    with pytest.raises(RuntimeError, match="nothing to insert for this file"):
        bpy.ops.tweenbridge.insert_finished()


def test_a_file_saved_elsewhere_meanwhile_finds_its_frames(
    shot: Any, ext: Any, blend_server: BlendServer, tmp_path: Path
) -> None:
    generation = half_done(ext)
    (tmp_path / "elsewhere").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "elsewhere" / "shot.blend"))
    blend_server.go_on()
    drive(ext, generation)
    [name] = new_strips(ext)
    assert not ext.media.missing_files(shot, name)


def test_a_shot_whose_operator_is_gone_is_finished_by_the_timer(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    generation = half_done(ext)
    blend_server.go_on()

    def is_over() -> bool:
        ext.session.current.tick()
        return not ext.session.current.shots

    until(is_over)
    assert generation.stage is ext.generation.Stage.DONE
    assert len(new_strips(ext)) == 1


def test_what_is_offered_can_be_forgotten(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    half_done(ext)
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    assert bpy.ops.tweenbridge.forget() == {"FINISHED"}
    ext.session.current.look_for_records()
    assert ext.session.current.waiting == []


def test_a_deleted_scene_gets_nothing_and_neither_does_another(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    generation = half_done(ext)
    other = bpy.data.scenes.new("Other")
    name = shot.name
    bpy.context.window.scene = other
    bpy.data.scenes.remove(bpy.data.scenes[name])
    other.name = name
    other.tweenbridge.file_id = "another"
    blend_server.go_on()
    drive(ext, generation)
    assert generation.stage is ext.generation.Stage.FAILED
    assert "not in this file any more" in ext.session.current.problem.sentence
    assert other.sequence_editor is None or not list(ext.strips.spans(other))


def test_a_renamed_scene_is_found_and_its_copy_is_not_taken_for_it(
    shot: Any, ext: Any, blend_server: BlendServer
) -> None:
    generation = half_done(ext)
    copy = shot.copy()
    shot.name = "Shot 12"
    blend_server.go_on()
    drive(ext, generation, lambda: generation.stage.is_final)
    copied = [span.name for span in ext.strips.spans(copy)]
    # Both carry the id now, and neither the name: nothing says which one is meant.
    assert generation.stage is ext.generation.Stage.FAILED
    assert copied == ["a", "b"]
    bpy.data.scenes.remove(copy)
    assert bpy.ops.tweenbridge.insert_finished() == {"FINISHED"}
    assert len(new_strips(ext)) == 1


def test_undo_during_a_job(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    bpy.ops.ed.undo_push(message="before")
    shot.frame_current = 3
    bpy.ops.ed.undo_push(message="move the playhead")
    generation = half_done(ext)
    bpy.ops.ed.undo()
    blend_server.go_on()
    drive(ext, generation)
    assert generation.stage is ext.generation.Stage.DONE
    [name] = new_strips(ext)
    assert spans(ext)[name] == (5, 11)


def test_strips_moved_together_are_followed(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    generation = half_done(ext)
    ext.strips.move(shot, [ext.placement.Move("a", 100), ext.placement.Move("b", 100)])
    blend_server.go_on()
    drive(ext, generation)
    [name] = new_strips(ext)
    assert spans(ext)[name] == (105, 111)


def test_a_gap_that_changed_is_not_filled_wrongly(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    generation = half_done(ext)
    ext.strips.move(shot, [ext.placement.Move("b", 2)])
    blend_server.go_on()
    drive(ext, generation)
    assert generation.stage is ext.generation.Stage.FAILED
    assert "moved or cut" in ext.session.current.problem.sentence
    assert new_strips(ext) == []
    ext.strips.move(shot, [ext.placement.Move("b", -2)])
    assert bpy.ops.tweenbridge.insert_finished() == {"FINISHED"}
    assert spans(ext)[new_strips(ext)[0]] == (5, 11)


def test_deleted_keyframe_strips_do_no_harm(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    generation = half_done(ext)
    remove(ext, shot, "a")
    blend_server.go_on()
    drive(ext, generation)
    assert spans(ext)[new_strips(ext)[0]] == (5, 11)


def test_two_shots_at_once(shot: Any, ext: Any, blend_server: BlendServer, tmp_path: Path) -> None:
    add(ext, shot, tmp_path, "c", 0, 30, 2)
    add(ext, shot, tmp_path, "d", 40, 36, 2)
    select(ext, "a", "b")
    first = begin(ext, settings=WAITS)
    select(ext, "c", "d")
    second = begin(ext, settings=WAITS)
    assert len(ext.session.current.active) == 2
    blend_server.go_on()
    steps = []
    while ext.session.current.active:
        for generation in (first, second):
            before = time.thread_time()
            rendering = generation.stage is ext.generation.Stage.RENDERING
            ext.session.current.drive(generation)
            if not rendering:
                steps.append(time.thread_time() - before)
        time.sleep(0.01)
    assert sorted(spans(ext)[name] for name in new_strips(ext)) == [(5, 11), (32, 36)]
    # No step holds up the window, apart from rendering a keyframe.
    assert max(steps) < 0.3


def test_the_draft_is_replaced_in_place(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    generation = begin(ext, settings=WAITS, draft_first=True)
    drive(ext, generation, lambda: bool(new_strips(ext)))
    [name] = new_strips(ext)
    assert all(file.parent.name == "draft" for file in files_of(ext, name))
    assert generation.stage is ext.generation.Stage.GENERATING
    strip = ext.strips.find(shot, name)
    strip.channel = 7
    blend_server.go_on()
    drive(ext, generation)
    assert new_strips(ext) == [name]
    assert ext.strips.find(shot, name).channel == 7
    assert all(file.parent.name == "take_01" and file.is_file() for file in files_of(ext, name))


def test_a_deleted_draft_is_not_brought_back_by_itself(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    generation = begin(ext, settings=WAITS, draft_first=True)
    drive(ext, generation, lambda: bool(new_strips(ext)))
    remove(ext, shot, new_strips(ext)[0])
    blend_server.go_on()
    drive(ext, generation)
    assert generation.stage is ext.generation.Stage.FAILED
    assert new_strips(ext) == []
    assert bpy.ops.tweenbridge.insert_finished() == {"FINISHED"}
    assert spans(ext)[new_strips(ext)[0]] == (5, 11)


def test_a_failure_of_the_engine_says_what_to_do(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    generation = begin(ext, settings={"mischief": "raise"})
    drive(ext, generation)
    problem = ext.session.current.problem
    assert problem.sentence
    assert problem.remedy
    assert new_strips(ext) == []
    ext.session.current.look_for_records()
    assert ext.session.current.waiting == []


def test_no_server_anywhere_says_so(
    shot: Any, ext: Any, server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tweenbridge import Client

    home = tmp_path / "nothing"
    monkeypatch.setenv("TWEENBRIDGE_HOME", str(home))
    ext.session.current.server.close()
    try:
        with pytest.raises(RuntimeError, match="server is not installed"):
            bpy.ops.tweenbridge.generate()
        assert "tweenbridge serve" in ext.session.current.problem.remedy
        assert len(ext.session.current.waiting) == 1
        # Once there is one, the shot goes on.
        ext.session.current.server.close()
        (home / "run").mkdir(exist_ok=True)
        shutil.copy(server / "run" / "launch.json", home / "run")
        try:
            assert bpy.ops.tweenbridge.insert_finished() == {"FINISHED"}
        finally:
            with Client(start_server=False) as client:
                client.stop_server()
        assert len(new_strips(ext)) == 1
    finally:
        ext.session.current.server.close()
