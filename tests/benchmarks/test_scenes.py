"""Procedural pairs: what they call true is true."""

from __future__ import annotations

import importlib
import subprocess
import sys
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SIZE = 128
TIMES = (0.25, 0.5, 0.75)
SEEDS = range(6)


@pytest.fixture
def scenes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("nano.scenes")


@pytest.fixture
def sprites(scenes: ModuleType) -> Any:
    return scenes.sprites


def _scene(scenes: ModuleType, seed: int, kind: str = "same") -> Any:
    return scenes.make_scene(seed, SIZE, scenes.Split.HELD_OUT, scenes.Kind(kind))


def _pulled(frame: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """`frame` sampled where `flow` leads."""
    x, y = np.meshgrid(np.arange(frame.shape[1], dtype=np.float32), np.arange(frame.shape[0], dtype=np.float32))
    pulled: np.ndarray = cv2.remap(frame.astype(np.float32), x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
    return pulled


@pytest.mark.parametrize("seed", SEEDS)
def test_the_flow_leads_to_the_same_colours(scenes: ModuleType, seed: int) -> None:
    pair = scenes.make_pair(_scene(scenes, seed), ())
    for here, there, exact in ((pair.a, pair.b, pair.forward), (pair.b, pair.a, pair.backward)):
        # At their rims sprites are mixed with what is behind them, which moves otherwise.
        inside = cv2.erode((exact.visible & (exact.top > 0)).astype(np.uint8), np.ones((5, 5))) > 0
        assert inside.sum() > 50
        wrong = np.abs(_pulled(there, exact.flow) - here).mean(axis=2)[inside]
        unmoved = np.abs(there.astype(np.float32) - here).mean(axis=2)[inside]
        assert wrong.mean() < 0.25 * unmoved.mean()
        assert np.median(wrong) < 4


@pytest.mark.parametrize("seed", SEEDS)
def test_there_and_back_is_nowhere(scenes: ModuleType, seed: int) -> None:
    pair = scenes.make_pair(_scene(scenes, seed, "hard"), ())
    back = _pulled(pair.backward.flow, pair.forward.flow)
    whole = pair.forward.visible & (_pulled((pair.backward.top == 0).astype(np.uint8), pair.forward.flow) == 0)
    whole &= pair.forward.top > 0
    # OpenCV samples to 1/32 of a pixel; between sprites that touch, samples mix motions, but those are few.
    miss = np.linalg.norm(pair.forward.flow + back, axis=2)[whole]
    assert np.median(miss) < 0.02
    assert np.mean(miss < 0.05) > 0.97


@pytest.mark.parametrize("kind", ["same", "hard"])
def test_in_betweens_begin_and_end_at_the_keyframes(scenes: ModuleType, kind: str) -> None:
    for seed in SEEDS:
        pair = scenes.make_pair(_scene(scenes, seed, kind), (0.0, 0.5, 1.0))
        assert np.array_equal(pair.truth[0], pair.a)
        assert np.array_equal(pair.truth[2], pair.b)
        assert not np.array_equal(pair.truth[1], pair.a)


def test_the_in_between_is_where_half_the_flow_leads(scenes: ModuleType) -> None:
    """One sprite: in the middle it is seen half a flow from where it was, up to the bend of a turn."""
    one = next(s for s in (_scene(scenes, seed) for seed in range(50)) if len(s.layers) == 1)
    first, middle = scenes.view(one, 0.0), scenes.view(one, 0.5)
    way = scenes.exact(one, first, scenes.view(one, 1.0), 0.0, 1.0).flow[first.top == 1].mean(axis=0)
    rows, columns = (np.argwhere(view.top == 1).mean(axis=0) for view in (first, middle))
    assert columns - rows == pytest.approx(way[::-1] / 2, abs=0.05 * SIZE)
    assert np.linalg.norm(way) > 0.2 * SIZE


def test_nothing_changes_outside_of_what_moves(scenes: ModuleType) -> None:
    still = [s for s in (_scene(scenes, seed) for seed in range(12)) if s.camera == scenes.Pose(0.5, 0.5, 0.0, 1.0)]
    assert len(still) > 3
    for scene in still:
        pair = scenes.make_pair(scene, TIMES)
        for frame, moving in zip(pair.truth, pair.moving):
            assert 0.02 < moving.mean() < 0.9
            assert np.array_equal(frame[~moving], pair.a[~moving])
            assert np.array_equal(frame[~moving], pair.b[~moving])


def test_what_ends_behind_another_sprite_is_not_visible(scenes: ModuleType, sprites: Any) -> None:
    shape = sprites.Sprite(sprites.Origin.DRAWN, 1)
    stays = scenes.Pose(0.75, 0.5, 0.0, 0.45)
    hides = scenes.Layer(shape, scenes.Pose(0.25, 0.5, 0.0, 0.3), scenes.Pose(0.75, 0.5, 0.0, 0.3))
    ground = scenes.Ground(1)
    scene = scenes.Scene(SIZE, ground, ground, (hides, scenes.Layer(shape, stays, stays)))
    forward = scenes.make_pair(scene, ()).forward
    assert (forward.top == 1).sum() > 100
    assert not forward.visible[forward.top == 1].any()
    assert forward.visible[forward.top == 2].all()
    assert np.all(forward.flow[forward.top == 1][:, 0] == pytest.approx(0.5 * SIZE, abs=1e-3))


def test_the_same_seed_gives_the_same_pair_in_any_process(scenes: ModuleType) -> None:
    program = (
        "import zlib; from nano.scenes import *\n"
        f"pair = make_pair(make_scene(3, {SIZE}, Split.HELD_OUT, Kind.HARD), {TIMES})\n"
        "print(*(zlib.crc32(f.tobytes()) for f in (pair.a, pair.b, *pair.truth, pair.forward.flow)))"
    )
    for seed in range(8):
        scenes.make_pair(_scene(scenes, seed, "hard"), ())
    pair = scenes.make_pair(_scene(scenes, 3, "hard"), TIMES)
    ours = [zlib.crc32(f.tobytes()) for f in (pair.a, pair.b, *pair.truth, pair.forward.flow)]
    theirs = subprocess.run(
        [sys.executable, "-c", program], cwd=BENCHMARKS, capture_output=True, text=True, check=True
    ).stdout
    assert [int(number) for number in theirs.split()] == ours
    other = scenes.make_pair(_scene(scenes, 4, "hard"), ())
    assert not np.array_equal(other.a, pair.a)


def test_pictures_show_something_of_their_own_split(scenes: ModuleType, sprites: Any) -> None:
    pictures = [scenes.picture(seed, 64, scenes.Split.TRAINING) for seed in range(20)]
    assert all(picture.shape == (64, 64, 3) and picture.dtype == np.uint8 for picture in pictures)
    assert len({picture.tobytes() for picture in pictures}) == 20
    assert all(picture.std() > 3 for picture in pictures)


def test_held_out_is_held_out(scenes: ModuleType, sprites: Any) -> None:
    for split in scenes.Split:
        for seed in range(40):
            scene = scenes.make_scene(seed, SIZE, split, scenes.Kind.HARD)
            numbers = [layer.sprite.number for layer in scene.layers]
            numbers += [scene.ground.number, scene.last_ground.number]
            assert {sprites.split_of(number) for number in numbers} == {split}
    training, held_out = (set(sprites.glyphs(split)) for split in (scenes.Split.TRAINING, scenes.Split.HELD_OUT))
    assert not training & held_out
    # The quality benchmark's: a fox, a football.
    assert {sprites.split_of(code) for code in (0x1F98A, 0x26BD)} == {scenes.Split.HELD_OUT}
    share = np.mean([sprites.split_of(number) is scenes.Split.HELD_OUT for number in range(4000)])
    assert 0.03 < share < 0.08


def test_glyphs_are_drawn_in_colour(scenes: ModuleType, sprites: Any) -> None:
    if not sprites.glyphs(scenes.Split.HELD_OUT):
        pytest.skip("The font Noto Color Emoji is not installed.")
    fox = sprites.textures(sprites.Sprite(sprites.Origin.GLYPH, 0x1F98A))
    assert [texture.shape for texture in fox] == [(4, 144, 144), (4, 72, 72), (4, 36, 36)]
    red, _, blue, alpha = fox[0].astype(int)
    assert (alpha > 250).mean() > 0.3
    assert (red - blue)[alpha > 250].mean() > 40
    assert all(not texture[:, [0, -1]].any() and not texture[:, :, [0, -1]].any() for texture in fox)


def test_without_the_font_there_are_drawn_shapes_and_it_says_so(
    scenes: ModuleType, sprites: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sprites, "font_file", lambda: None)
    caches = (sprites._font, sprites.glyphs)
    try:
        for cache in caches:
            cache.cache_clear()
        assert "not installed" in sprites.sources()
        scene = _scene(scenes, 1)
        assert {layer.sprite.origin for layer in scene.layers} == {sprites.Origin.DRAWN}
        assert scenes.view(scene, 0.5).top.any()
    finally:
        for cache in caches:
            cache.cache_clear()
