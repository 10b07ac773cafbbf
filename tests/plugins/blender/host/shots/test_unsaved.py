"""Frames of a file that was never saved: kept apart by project, out of Blender's reach, and brought beside the file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import HEIGHT, WIDTH, add, another_file, files_of, new_strips, rendered, select, spans

MODULE = "bl_ext.user_default.tweenbridge"


def start(ext: Any, folder: Path, to: int = 24) -> Any:
    """Two drawings on the timeline of a file that is not saved."""
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.sequence_editor_create()
    folder.mkdir(exist_ok=True)
    add(ext, scene, folder, "a", 8, 1, 2)
    add(ext, scene, folder, "b", to, 6, 2)
    select(ext, "a", "b")
    scene.tweenbridge.profile_name = "draft"
    return scene


@pytest.fixture
def installed_again(ext: Any) -> Any:
    """Whatever the test has done to the extension, it is there for the next one."""
    yield ext
    bpy.ops.extensions.package_install_files(
        filepath=sys.argv[1], repo="user_default", enable_on_install=True, overwrite=True
    )


def test_two_unsaved_projects_have_folders_of_their_own(ext: Any, server: Path, tmp_path: Path) -> None:
    start(ext, tmp_path / "one")
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    first = files_of(ext, new_strips(ext)[0])
    before = [file.read_bytes() for file in first]
    select(ext, "a", "b")
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    same = [files_of(ext, name)[0].parent.parent.parent for name in new_strips(ext)]
    assert len(set(same)) == 1  # one project, one folder
    another_file()
    start(ext, tmp_path / "two", to=60)
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    [name] = new_strips(ext)
    second = files_of(ext, name)
    assert second[0].parent.name == "take_01"
    assert second[0].parents[2] != first[0].parents[2]
    assert [file.read_bytes() for file in first] == before


def test_a_start_up_file_does_not_bring_its_project_along(ext: Any, server: Path, tmp_path: Path) -> None:
    start(ext, tmp_path / "one")
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    [name] = new_strips(ext)
    first = files_of(ext, name)[0]
    kept = bpy.context.scene.tweenbridge.project
    another_file()
    bpy.context.scene.tweenbridge.project = kept
    start(ext, tmp_path / "two")
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    assert files_of(ext, new_strips(ext)[0])[0].parents[2] != first.parents[2]


def test_uninstalling_the_extension_leaves_every_frame(
    ext: Any, server: Path, tmp_path: Path, installed_again: Any
) -> None:
    start(ext, tmp_path)
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    [name] = new_strips(ext)
    files = files_of(ext, name)
    own = Path(bpy.utils.extension_path_user(ext.__name__, create=True))
    (own / "kept by Blender.txt").write_text("until it is uninstalled")
    shown = rendered(4, tmp_path / "before.png")
    assert bpy.ops.preferences.addon_disable(module=MODULE) == {"FINISHED"}
    assert all(file.is_file() for file in files)
    repositories = bpy.context.preferences.extensions.repos
    index = next(i for i, each in enumerate(repositories) if each.module == "user_default")
    assert bpy.ops.extensions.package_uninstall(repo_index=index, pkg_id="tweenbridge") == {"FINISHED"}
    assert not own.exists()  # that is why nothing of an artist's may lie there
    assert all(file.is_file() for file in files)
    bpy.context.scene.frame_set(4)
    bpy.context.scene.render.filepath = str(tmp_path / "after.png")
    bpy.context.scene.view_settings.view_transform = "Standard"
    bpy.ops.render.render(write_still=True)
    import pictures

    np.testing.assert_array_equal(pictures.read_png(tmp_path / "after.png")[..., :3], shown[..., :3])


def test_once_the_file_is_saved_its_frames_can_be_brought_beside_it(ext: Any, server: Path, tmp_path: Path) -> None:
    scene = start(ext, tmp_path)
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    assert not bpy.ops.tweenbridge.copy_beside_file.poll()
    [name] = new_strips(ext)
    old = files_of(ext, name)
    pixels = rendered(4, tmp_path / "before.png")
    project = tmp_path / "project"
    project.mkdir()
    (project / "inbetweens" / "a-b" / "take_01").mkdir(parents=True)  # somebody else's
    bpy.ops.wm.save_as_mainfile(filepath=str(project / "film.blend"))
    scene = bpy.context.scene
    assert ext.session.current.elsewhere == 1
    assert bpy.ops.tweenbridge.copy_beside_file() == {"FINISHED"}
    assert ext.session.current.elsewhere == 0
    strip = ext.strips.find(scene, name)
    assert strip.directory == "//inbetweens/a-b/take_02/"
    new = files_of(ext, name)
    assert [file.read_bytes() for file in new] == [file.read_bytes() for file in old]
    assert (new[0].parent / "keyframes").is_dir()
    np.testing.assert_array_equal(rendered(4, tmp_path / "after.png"), pixels)
    # What is made now goes on from there.
    assert bpy.ops.tweenbridge.regenerate() == {"FINISHED"}
    taken = ext.strips.active_name(bpy.context)
    assert files_of(ext, taken)[0].parent == project / "inbetweens" / "a-b" / "take_03"
    assert all(file.is_file() for file in old)
    assert spans(ext)[taken] == spans(ext)[name]


def test_frames_inside_a_meta_strip_are_brought_along(ext: Any, server: Path, tmp_path: Path) -> None:
    scene = start(ext, tmp_path)
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    [name] = new_strips(ext)
    editor = scene.sequence_editor
    every = editor.strips if hasattr(editor, "strips") else editor.sequences
    ext.strips.find(scene, name).move_to_meta(every.new_meta("meta", 5, 3))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "film.blend"))
    assert bpy.ops.tweenbridge.copy_beside_file() == {"FINISHED"}
    [(found, folder)] = [each for each in ext.media.image_folders(bpy.context.scene) if each[0] == name]
    assert (found, folder) == (name, tmp_path / "inbetweens" / "a-b" / "take_01")


def test_a_copy_that_fails_changes_no_strip(ext: Any, server: Path, tmp_path: Path) -> None:
    start(ext, tmp_path)
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    [name] = new_strips(ext)
    (tmp_path / "inbetweens").write_text("a file where the folder would be")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "film.blend"))
    before = ext.strips.find(bpy.context.scene, name).directory
    with pytest.raises(RuntimeError, match="could not be copied"):
        bpy.ops.tweenbridge.copy_beside_file()
    assert ext.strips.find(bpy.context.scene, name).directory == before
    assert ext.session.current.elsewhere == 1
