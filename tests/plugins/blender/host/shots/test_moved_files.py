"""The file renamed, moved or saved elsewhere; a server on another machine while Blender may not go online."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import bpy
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import begin, drive, files_of, new_strips, select, spans


def test_saved_elsewhere_in_mid_shot(shot: Any, ext: Any, tmp_path: Path) -> None:
    generation = begin(ext)
    drive(ext, generation, lambda: generation.stage is ext.generation.Stage.GENERATING)
    (tmp_path / "new").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "new" / "other.blend"))
    drive(ext, generation)
    [name] = new_strips(ext)
    assert spans(ext)[name] == (5, 11)
    assert not ext.media.missing_files(shot, name)
    # Relative, as everything else: the two folders may go to another computer.
    assert ext.strips.find(shot, name).directory.startswith("//../inbetweens/")
    # The next take does not begin again.
    assert bpy.ops.tweenbridge.regenerate() == {"FINISHED"}
    taken = ext.strips.active_name(bpy.context)
    assert files_of(ext, taken)[0].parent == tmp_path / "new" / "inbetweens" / "a-b" / "take_02"
    select(ext, "a", "b")
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    assert files_of(ext, ext.strips.active_name(bpy.context))[0].parent.name == "take_03"


def test_the_folder_was_moved_while_the_file_was_closed(shot: Any, ext: Any, tmp_path: Path) -> None:
    generation = begin(ext)
    project = tmp_path / "project"
    project.mkdir()
    drive(ext, generation, lambda: generation.stage is ext.generation.Stage.GENERATING)
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    for entry in (tmp_path / "shot.blend", tmp_path / "inbetweens", tmp_path / "a.png", tmp_path / "b.png"):
        shutil.move(entry, project / entry.name)
    bpy.ops.wm.open_mainfile(filepath=str(project / "shot.blend"))
    assert len(ext.session.current.waiting) == 1
    assert bpy.ops.tweenbridge.insert_finished() == {"FINISHED"}
    [name] = new_strips(ext)
    assert files_of(ext, name)[0].parent == project / "inbetweens" / "a-b" / "take_01"
    assert not ext.media.missing_files(bpy.context.scene, name)


def test_a_remote_server_is_asked_only_where_blender_may_go_online(
    shot: Any, ext: Any, server: Path, tmp_path: Path
) -> None:
    import dataclasses
    import json

    from tweenbridge import discovery

    address = discovery.read_address(server)
    plain = json.loads(discovery.address_file(server).read_text())
    key = tmp_path / "key.json"
    key.write_text(json.dumps(plain).replace("127.0.0.1", "192.0.2.7"))
    assert address is not None and dataclasses.is_dataclass(address)
    preferences = bpy.context.preferences.addons[ext.__name__].preferences
    system = bpy.context.preferences.system
    before = system.use_online_access
    try:
        system.use_online_access = False
        preferences.place, preferences.key_file = "REMOTE", str(key)
        with pytest.raises(RuntimeError, match="may not go online"):
            bpy.ops.tweenbridge.generate()
        with pytest.raises(RuntimeError, match="may not go online"):
            bpy.ops.tweenbridge.check_connection()
        # A tunnel begins on this machine.
        preferences.key_file = str(discovery.address_file(server))
        assert bpy.ops.tweenbridge.check_connection() == {"FINISHED"}
        system.use_online_access = True
        preferences.key_file = str(key)
        assert ext.session.current.server.open(ext.session.where()) is not None
    finally:
        system.use_online_access = before
        preferences.place, preferences.key_file = "LOCAL", ""
        ext.session.current.server.close()
