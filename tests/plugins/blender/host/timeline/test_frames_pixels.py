"""Keyframes look exactly as the Video Sequence Editor shows them, and so does what is made from them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import exr
import numpy as np
import pictures
import pytest
from bl_ext.user_default.tweenbridge import strips
from bl_ext.user_default.tweenbridge.frames import Depth, FrameForm, Renderer

Noise = Callable[..., Any]

ALPHA = pytest.mark.parametrize("channels", [3, 4], ids=["opaque", "alpha"])


def still(scene: Any, frame: int, path: Path, depth: Depth = Depth.PNG8, alpha: bool = True, **more: Any) -> Any:
    Renderer(scene.name, FrameForm(depth, alpha)).still(frame, path, **more)
    return exr.read_exr(path) if path.suffix == ".exr" else pictures.read_png(path)


def worst(one: Any, other: Any) -> float:
    """The largest difference of any sample."""
    assert one.shape == other.shape
    assert one.dtype == other.dtype
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max())


@ALPHA
def test_8_bit_is_exact_and_so_is_the_way_back(
    scene: Any, put: Any, noise: Noise, tmp_path: Path, channels: int
) -> None:
    source = noise(1, channels)
    put("source", source, 1, 5)
    out = still(scene, 3, tmp_path / "out.png", alpha=channels == 4)
    assert worst(out, source) == 0
    put("back", out, 11, 5)
    assert worst(still(scene, 13, tmp_path / "again.png", alpha=channels == 4), source) == 0


@ALPHA
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_16_bit_is_within_one_step(
    scene: Any, put: Any, noise: Noise, tmp_path: Path, channels: int, dtype: str
) -> None:
    source = noise(2, channels, dtype)
    put("source", source, 1, 5)
    out = still(scene, 3, tmp_path / "out.png", Depth.PNG16, alpha=channels == 4)
    in_16_bits = source.astype(np.uint16) * np.uint16(257 if dtype == "uint8" else 1)
    assert worst(out, in_16_bits) <= 1
    put("back", out, 11, 5)
    assert worst(still(scene, 13, tmp_path / "again.png", Depth.PNG16, alpha=channels == 4), out) <= 1


@pytest.mark.parametrize(("space", "step"), [("sRGB", 5e-5), ("Linear Rec.709", 0.0)])
def test_exr_keeps_values_above_one(scene: Any, noise: Noise, tmp_path: Path, space: str, step: float) -> None:
    scene.sequencer_colorspace_settings.name = space
    source = noise(3, 4).astype(np.float32) / 255
    source[..., :3] *= source[..., 3:] * 8
    exr.write_exr(tmp_path / "source.exr", source)
    strips.insert_images(scene, name="s", directory=str(tmp_path), files=["source.exr"] * 3, start=1, channel=1)
    out = still(scene, 2, tmp_path / "out.exr", Depth.EXR32)
    assert out.max() > 6
    assert worst(out, source) <= step * source.max()
    strips.insert_images(scene, name="back", directory=str(tmp_path), files=["out.exr"] * 3, start=11, channel=1)
    assert worst(still(scene, 12, tmp_path / "again.exr", Depth.EXR32), out) <= step * source.max()


@pytest.mark.parametrize("depth", list(Depth))
def test_nothing_of_the_artists_look_is_baked_in(
    scene: Any, put: Any, noise: Noise, tmp_path: Path, depth: Depth
) -> None:
    put("source", noise(4), 1, 5)
    plain = still(scene, 2, tmp_path / f"plain{depth.suffix}", depth)
    scene.view_settings.look = "AgX - High Contrast"
    scene.view_settings.exposure, scene.view_settings.gamma = 2.0, 1.7
    scene.view_settings.use_curve_mapping = True
    scene.render.dither_intensity = 2.0
    image = scene.render.image_settings
    image.color_management = "OVERRIDE"
    image.view_settings.view_transform, image.view_settings.exposure = "Filmic", -1.0
    image.file_format = "OPEN_EXR"
    image.linear_colorspace_settings.name = "ACEScg"
    assert worst(still(scene, 2, tmp_path / f"looked{depth.suffix}", depth), plain) == 0


def test_without_alpha_it_is_over_black(scene: Any, put: Any, noise: Noise, tmp_path: Path) -> None:
    source = noise(17)
    put("source", source, 1, 5)
    over_black = source[..., :3] * (source[..., 3:] / 255)
    assert worst(still(scene, 3, tmp_path / "out.png", alpha=False).astype(np.float64), over_black) <= 1


@pytest.mark.parametrize("depth", list(Depth))
def test_the_same_picture_is_the_same_file_without_a_word_in_it(
    scene: Any, put: Any, noise: Noise, tmp_path: Path, depth: Depth
) -> None:
    put("source", noise(18), 1, 5)
    one, other = tmp_path / f"one{depth.suffix}", tmp_path / f"other{depth.suffix}"
    still(scene, 2, one, depth)
    time.sleep(1.1)
    still(scene, 3, other, depth)
    assert one.read_bytes() == other.read_bytes()
    for word in (b"tEXt", b"iTXt", b"Date", b"Time", b"Scene", tmp_path.name.encode()):
        assert word not in one.read_bytes()


def seen_by_the_artist(scene: Any, frame: int, path: Path) -> Any:
    """Rendered by hand, under the artist's own view transform."""
    scene.render.image_settings.file_format = "PNG"
    scene.render.dither_intensity = 0.0
    scene.render.filepath = str(path)
    scene.frame_set(frame)
    bpy.ops.render.render(write_still=True)
    return pictures.read_png(path)


@pytest.mark.parametrize(
    ("depth", "brightest"), [(Depth.PNG8, 1), (Depth.PNG16, 1), (Depth.EXR32, 1), (Depth.EXR32, 6)]
)
def test_in_betweens_look_like_their_keyframes_under_agx(
    scene: Any, noise: Noise, tmp_path: Path, depth: Depth, brightest: int
) -> None:
    assert scene.view_settings.view_transform == "AgX"
    source = noise(16, 3).astype(np.float32) / 255 * brightest
    exr.write_exr(tmp_path / "source.exr", source)
    strips.insert_images(scene, name="s", directory=str(tmp_path), files=["source.exr"] * 3, start=1, channel=1)
    out = tmp_path / f"out{depth.suffix}"
    still(scene, 2, out, depth)
    strips.insert_images(scene, name="back", directory=str(tmp_path), files=[out.name] * 3, start=11, channel=1)
    source_seen = seen_by_the_artist(scene, 2, tmp_path / "one.png").astype(np.int16)
    assert worst(seen_by_the_artist(scene, 12, tmp_path / "two.png").astype(np.int16), source_seen) <= 1


def test_it_shows_what_the_editor_shows_and_not_the_file(scene: Any, put: Any, noise: Noise, tmp_path: Path) -> None:
    below = put("below", noise(5, 3), 1, 10, 1)
    above = put("above", noise(6), 1, 10, 2)
    above.transform.offset_x, above.transform.scale_x = 7, 0.5
    above.crop.min_y = 3
    above.blend_alpha = 0.6
    below.color_multiply = 0.5
    shown = still(scene, 4, tmp_path / "shown.png")
    scene.view_settings.view_transform = "Standard"
    scene.render.dither_intensity = 0.0
    scene.render.filepath = str(tmp_path / "by_hand.png")
    scene.frame_set(4)
    bpy.ops.render.render(write_still=True)
    by_hand = pictures.read_png(tmp_path / "by_hand.png")
    assert worst(shown, by_hand) == 0
    put("back", shown, 21, 1)
    assert worst(still(scene, 21, tmp_path / "again.png"), shown) == 0


def test_every_frame_of_a_gap_comes_back_as_it_was_made(scene: Any, put: Any, noise: Noise, tmp_path: Path) -> None:
    put("a", noise(7), 1, 10)
    put("b", noise(8), 16, 10)
    made = [noise(20 + i) for i in range(5)]
    for i, picture in enumerate(made):
        pictures.write_png(tmp_path / f"tween_{i}.png", picture)
    files = [f"tween_{i}.png" for i in range(5)]
    strips.insert_images(scene, name="tweens", directory=str(tmp_path), files=files, start=11, channel=1)
    expected = [noise(7), *made, noise(8)]
    shown = [still(scene, frame, tmp_path / f"shown_{frame}.png") for frame in range(10, 17)]
    assert [worst(one, other) for one, other in zip(shown, expected)] == [0.0] * 7


def test_in_betweens_with_alpha_above_a_held_drawing_hide_it(
    scene: Any, put: Any, noise: Noise, tmp_path: Path
) -> None:
    put("held", noise(9), 1, 30, 1)
    drawing = noise(10)
    put("tween", drawing, 5, 10, 2)
    assert worst(still(scene, 8, tmp_path / "out.png"), drawing) == 0


def test_overlapping_strips_are_seen_one_at_a_time(scene: Any, put: Any, noise: Noise, tmp_path: Path) -> None:
    one, two = noise(11), noise(12)
    put("one", one, 1, 20, 1)
    put("two", two, 11, 20, 2)
    assert worst(still(scene, 15, tmp_path / "shown_one.png", hide=("two",)), one) == 0
    assert worst(still(scene, 15, tmp_path / "shown_two.png", hide=("one",)), two) == 0
    assert not strips.find(scene, "one").mute
    assert not strips.find(scene, "two").mute


def test_replaced_frames_are_seen_at_once(scene: Any, put: Any, noise: Noise, tmp_path: Path) -> None:
    strip = put("draft", noise(13), 1, 2)
    strip.blend_alpha = 0.75
    strip["mine"] = 7
    still(scene, 2, tmp_path / "before.png")
    final = noise(14)
    (tmp_path / "final").mkdir()
    pictures.write_png(tmp_path / "final" / "f1.png", noise(15))
    pictures.write_png(tmp_path / "final" / "f2.png", final)
    strips.replace_images(scene, "draft", str(tmp_path / "final"), ["f1.png", "f2.png"])
    strip = strips.find(scene, "draft")
    assert (strip.blend_alpha, strip["mine"]) == (0.75, 7)
    strip.blend_alpha = 1.0
    assert worst(still(scene, 2, tmp_path / "after.png"), final) == 0
