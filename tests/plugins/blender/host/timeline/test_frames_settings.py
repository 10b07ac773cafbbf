"""Rendering keyframes leaves everything as the artist set it, whatever happens."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest
from bl_ext.user_default.tweenbridge import strips
from bl_ext.user_default.tweenbridge.errors import PluginError
from bl_ext.user_default.tweenbridge.frames import Depth, FrameForm, Renderer

FIVE = bpy.app.version >= (5, 0)


def png_bw(scene: Any) -> None:
    image = scene.render.image_settings
    image.file_format, image.color_mode, image.color_depth, image.compression = "PNG", "BW", "16", 77


def jpeg(scene: Any) -> None:
    image = scene.render.image_settings
    image.file_format, image.color_mode, image.quality = "JPEG", "BW", 41


def exr_half(scene: Any) -> None:
    image = scene.render.image_settings
    image.file_format, image.color_mode, image.color_depth, image.exr_codec = "OPEN_EXR", "RGBA", "16", "DWAA"


def exr_layers(scene: Any) -> None:
    image = scene.render.image_settings
    if FIVE:
        image.media_type = "MULTI_LAYER_IMAGE"
    image.file_format, image.color_depth, image.exr_codec = "OPEN_EXR_MULTILAYER", "16", "PIZ"


def tiff(scene: Any) -> None:
    image = scene.render.image_settings
    image.file_format, image.color_mode, image.color_depth, image.tiff_codec = "TIFF", "RGB", "16", "LZW"


def jpeg2000(scene: Any) -> None:
    image = scene.render.image_settings
    image.file_format, image.color_depth, image.jpeg2k_codec = "JPEG2000", "12", "JP2"


def film(scene: Any) -> None:
    image, ffmpeg = scene.render.image_settings, scene.render.ffmpeg
    if FIVE:
        image.media_type = "VIDEO"
    image.file_format = "FFMPEG"
    ffmpeg.format, ffmpeg.codec, ffmpeg.audio_codec, ffmpeg.gopsize = "MKV", "FFV1", "FLAC", 7


def own_look(scene: Any) -> None:
    image = scene.render.image_settings
    image.file_format = "PNG"
    image.color_management = "OVERRIDE"
    image.view_settings.view_transform, image.view_settings.look = "AgX", "AgX - Punchy"
    image.view_settings.exposure, image.view_settings.gamma = 1.5, 0.7
    image.view_settings.use_curve_mapping = True
    image.display_settings.display_device = "Display P3"
    image.file_format = "OPEN_EXR"
    image.linear_colorspace_settings.name = "ACEScg"


def render_settings(scene: Any) -> None:
    render = scene.render
    render.filepath, render.resolution_percentage, render.dither_intensity = "//mine_####", 35, 1.25
    render.use_sequencer = render.use_file_extension = render.use_overwrite = False
    render.use_border = render.use_crop_to_border = render.use_multiview = True
    render.border_min_x, render.border_max_y = 0.25, 0.5
    render.use_stamp = render.use_stamp_note = render.use_placeholder = True
    scene.frame_set(17, subframe=0.25)


ARTISTS = (png_bw, jpeg, exr_half, exr_layers, tiff, jpeg2000, film, own_look, render_settings)


def everything(owner: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """Every plain property of a Blender struct and of those inside it."""
    for each in owner.bl_rna.properties:
        if each.identifier in ("rna_type", "path_from_id") or (each.type == "COLLECTION"):
            continue
        value = getattr(owner, each.identifier)
        where = f"{path}.{each.identifier}"
        if each.type == "POINTER":
            if value is not None and depth < 3 and not isinstance(value, bpy.types.ID):
                yield from everything(value, where, depth + 1)
        else:
            yield where, tuple(value) if getattr(each, "is_array", False) else value


def state(scene: Any) -> dict[str, object]:
    found = dict(everything(scene.render, "render"))
    if scene.render.image_settings.color_management == "FOLLOW_SCENE":
        # Its own look is not in use: Blender fills it in from the scene's when it is switched on.
        parts = tuple(f"render.image_settings.{part}_settings" for part in ("view", "display", "linear_colorspace"))
        found = {name: value for name, value in found.items() if not name.startswith(parts)}
    for part in ("view_settings", "display_settings", "sequencer_colorspace_settings"):
        found |= everything(getattr(scene, part), part)
    for strip in strips._all(scene):
        found |= everything(strip, f"strip {strip.name}")
    found["frame"] = (scene.frame_current, scene.frame_subframe, scene.frame_start, scene.frame_end)
    found["active"] = scene.sequence_editor.active_strip.name
    return found


@pytest.fixture
def shot(scene: Any, put: Any, noise: Callable[..., Any], tmp_path: Path) -> Any:
    put("a", noise(1), 1, 10)
    put("b", noise(2), 6, 10, 2)
    # Blender itself corrects some properties of new strips when it renders them first.
    for name in ("a", "b"):
        Renderer(scene.name, FrameForm()).still(7, tmp_path / "first.png", hide=(name,))
    return scene


@pytest.mark.parametrize("artist", ARTISTS)
@pytest.mark.parametrize("depth", list(Depth))
def test_everything_is_as_before(shot: Any, tmp_path: Path, artist: Callable[[Any], None], depth: Depth) -> None:
    plain = tmp_path / f"plain{depth.suffix}"
    Renderer(shot.name, FrameForm(depth)).still(7, plain, hide=("b",))
    artist(shot)
    before = state(shot)
    files = set(tmp_path.iterdir())
    out = tmp_path / f"out{depth.suffix}"
    Renderer(shot.name, FrameForm(depth)).still(7, out, hide=("b",))
    assert state(shot) == before
    assert out.read_bytes() == plain.read_bytes()
    assert set(tmp_path.iterdir()) - files == {out}


@pytest.mark.parametrize("artist", ARTISTS)
def test_everything_is_as_before_when_nothing_can_be_written(
    shot: Any, tmp_path: Path, artist: Callable[[Any], None]
) -> None:
    artist(shot)
    before = state(shot)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PluginError) as caught:
        Renderer(shot.name, FrameForm()).still(4, tmp_path / "file" / "out.png", hide=("a",))
    assert caught.value.sentence.startswith("Frame 4 could not be rendered: ")
    assert "Error:" not in caught.value.sentence
    assert not caught.value.sentence.endswith("..")
    assert caught.value.remedy
    assert state(shot) == before


def test_everything_is_as_before_when_a_setting_is_refused(
    shot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bl_ext.user_default.tweenbridge import frames

    settings = frames._how

    def with_one_more(scene: Any, form: FrameForm, path: Path) -> list[Any]:
        return [*settings(scene, form, path), (scene.render.image_settings, "color_depth", "Nobody's")]

    monkeypatch.setattr(frames, "_how", with_one_more)
    before = state(shot)
    with pytest.raises(PluginError, match="does not offer Nobody's as color depth"):
        Renderer(shot.name, FrameForm()).still(4, tmp_path / "out.png")
    assert state(shot) == before


def test_everything_is_as_before_when_someones_handler_fails(shot: Any, tmp_path: Path) -> None:
    def failing(*_: Any) -> None:
        raise RuntimeError("someone else's add-on")

    before = state(shot)
    bpy.app.handlers.render_pre.append(failing)
    bpy.app.handlers.frame_change_pre.append(failing)
    try:
        Renderer(shot.name, FrameForm()).still(4, tmp_path / "out.png")
    finally:
        bpy.app.handlers.render_pre.remove(failing)
        bpy.app.handlers.frame_change_pre.remove(failing)
    assert (tmp_path / "out.png").is_file()
    assert state(shot) == before


def test_a_strip_to_hide_that_is_gone_is_said_and_changes_nothing(shot: Any, tmp_path: Path) -> None:
    before = state(shot)
    with pytest.raises(PluginError, match="“gone” is not in the scene"):
        Renderer(shot.name, FrameForm()).still(4, tmp_path / "out.png", hide=("a", "gone"))
    assert state(shot) == before


def test_a_scene_that_is_gone_is_said(shot: Any, tmp_path: Path) -> None:
    renderer = Renderer(shot.name, FrameForm())
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    bpy.context.scene.name = "Another"
    with pytest.raises(PluginError, match="not in this file any more"):
        renderer.still(4, tmp_path / "out.png")


def test_another_scene_than_the_one_in_the_window(shot: Any, tmp_path: Path) -> None:
    renderer = Renderer(shot.name, FrameForm())
    renderer.still(4, tmp_path / "here.png")
    other = bpy.data.scenes.new("Other")
    if bpy.context.window is not None:
        bpy.context.window.scene = other
    renderer.still(4, tmp_path / "there.png")
    assert (tmp_path / "here.png").read_bytes() == (tmp_path / "there.png").read_bytes()


@pytest.mark.parametrize("name", ["k{x}#_1.png", "without an ending"])
def test_names_of_files_and_folders_are_taken_as_they_are(shot: Any, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "{scene_name} #### 100% “ä”"
    folder.mkdir()
    Renderer(shot.name, FrameForm()).still(4, folder / name)
    assert [path.name for path in folder.iterdir()] == [name]


def test_an_old_file_gives_way(shot: Any, tmp_path: Path) -> None:
    path = tmp_path / "still.png"
    path.write_bytes(b"old")
    shot.render.use_overwrite = False
    Renderer(shot.name, FrameForm()).still(4, path)
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("depth", list(Depth))
@pytest.mark.parametrize("room", [0, 100, 1500])
def test_a_full_disk_is_said(shot: Any, tmp_path: Path, depth: Depth, room: int) -> None:
    resource = pytest.importorskip("resource", reason="Only on Unix can a program be kept from writing much.")
    path = tmp_path / f"still{depth.suffix}"
    path.write_bytes(b"old")
    before = state(shot)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        with pytest.raises(PluginError, match="Frame 4 could not be rendered") as caught:
            Renderer(shot.name, FrameForm(depth)).still(4, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert "disk space" in caught.value.remedy
    assert state(shot) == before


@pytest.mark.parametrize("depth", list(Depth))
def test_an_old_picture_is_never_taken_for_a_new_one(shot: Any, tmp_path: Path, depth: Depth) -> None:
    resource = pytest.importorskip("resource", reason="Only on Unix can a program be kept from opening files.")
    path = tmp_path / f"still{depth.suffix}"
    renderer = Renderer(shot.name, FrameForm(depth))
    renderer.still(4, path)
    before = state(shot)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        with pytest.raises(PluginError, match="Frame 4 could not be rendered"):
            renderer.still(4, path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert state(shot) == before
