"""Duplicates, cuts and motion. A false cut loses in-betweens, so motion must never be called one."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from tweenbridge_server.engines.base import Image
from tweenbridge_server.imaging.scenes import Relation, classify

CLIPS = Path(__file__).resolve().parents[4] / "shared" / "eval" / "clips"
needs_clips = pytest.mark.skipif(not CLIPS.is_dir(), reason="the evaluation clips are not beside this checkout")


def load(path: Path) -> Image:
    return np.ascontiguousarray(cv2.imread(str(path))[..., ::-1].astype(np.float32) / 255)


def clips() -> list[Path]:
    return sorted(path.parent for path in CLIPS.glob("*/*/in0.png"))


def scene(seed: int) -> Image:
    """A made-up picture: textured ground and a few shapes."""
    dice = np.random.default_rng(seed)
    ground = cv2.resize(dice.random((12, 20, 3)).astype(np.float32), (640, 360), interpolation=cv2.INTER_CUBIC)
    detail = cv2.resize(dice.random((120, 200, 3)).astype(np.float32), (640, 360), interpolation=cv2.INTER_CUBIC)
    image = np.clip(dice.random(3).astype(np.float32) * 0.5 + 0.3 * ground + 0.15 * detail, 0, 1)
    for _ in range(12):
        centre = (int(dice.integers(640)), int(dice.integers(360)))
        cv2.circle(image, centre, int(dice.integers(10, 70)), dice.random(3).tolist(), -1, cv2.LINE_AA)
    return image


def moved(image: Image, dx: float = 0, dy: float = 0, scale: float = 1, angle: float = 0) -> Image:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    matrix[:, 2] += dx * width, dy * height
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)


@needs_clips
def test_no_evaluation_pair_is_a_cut() -> None:
    for clip in clips():
        assert classify(load(clip / "in0.png"), load(clip / "in1.png")) is Relation.MOTION, clip


@needs_clips
def test_most_pairs_of_different_clips_are_cuts() -> None:
    """Procedural clips share backgrounds with each other, so they are crossed with the film's only."""
    pairs = [(a, b) for a, b in combinations(clips(), 2) if a.parent.name[:4] != b.parent.name[:4]]
    found = 0
    for a, b in pairs:
        first, second = load(a / "in0.png"), load(b / "in0.png")
        second = cv2.resize(second, first.shape[1::-1], interpolation=cv2.INTER_AREA)
        found += classify(first, second) is Relation.CUT
    assert len(pairs) >= 30
    assert found >= 0.85 * len(pairs)


def test_made_up_scenes_are_cut_from_each_other() -> None:
    results = [classify(scene(a), scene(b)) for a, b in combinations(range(8), 2)]
    assert results.count(Relation.CUT) >= 0.85 * len(results)


@pytest.mark.parametrize("seed", range(4))
def test_motion_and_light_make_no_cut(seed: int) -> None:
    image = scene(seed)
    changes = {
        "pan": moved(image, dx=0.3),
        "tilt and turn": moved(image, dy=0.2, angle=15),
        "zoom in": moved(image, scale=1.6),
        "zoom out": moved(image, scale=0.65),
        "flash": np.clip(image + 0.5, 0, 1),
        "lights out": image * 0.15,
        "dark pan": moved(image, dx=0.25, scale=1.1) * 0.5,
        "mirrored light": np.clip(image * 1.8, 0, 1),
        "black": np.zeros_like(image),
        "white": np.ones_like(image),
    }
    for name, change in changes.items():
        assert classify(image, np.ascontiguousarray(change)) is Relation.MOTION, name
        assert classify(np.ascontiguousarray(change), image) is Relation.MOTION, name


def test_a_drawing_that_leaps_across_the_paper_is_motion() -> None:
    def drawing(x: int, smile: int) -> Image:
        paper = np.ones((360, 640, 3), np.float32)
        cv2.circle(paper, (x, 180), 90, (0.9, 0.5, 0.2), -1, cv2.LINE_AA)
        cv2.circle(paper, (x, 180), 90, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.ellipse(paper, (x, 190), (45, smile), 0, 0, 180, (0, 0, 0), 3, cv2.LINE_AA)
        return paper

    assert classify(drawing(120, 40), drawing(520, 8)) is Relation.MOTION


def test_duplicates() -> None:
    image = scene(1)
    assert classify(image, image.copy()) is Relation.IDENTICAL
    rgba = np.dstack([image, np.ones(image.shape[:2], np.float32)])
    assert classify(rgba, rgba.copy()) is Relation.IDENTICAL
    quantised = image.astype(np.float16).astype(np.float32)
    assert classify(image, quantised) is Relation.IDENTICAL


@pytest.mark.parametrize("place", [(0, 0), (359, 639), (123, 457), (64, 16)])
def test_one_8_bit_step_in_one_pixel_is_no_duplicate(place: tuple[int, int]) -> None:
    image = scene(1)
    other = image.copy()
    other[(*place, 1)] += 1 / 255
    assert classify(image, other) is Relation.MOTION


def test_a_difference_in_alpha_alone_is_no_duplicate() -> None:
    image = np.zeros((64, 64, 4), np.float32)
    other = image.copy()
    other[10:20, 10:20, 3] = 1
    assert classify(image, other) is Relation.MOTION


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (17, 5), (1, 400), (31, 31)])
def test_tiny_pictures(size: tuple[int, int]) -> None:
    dice = np.random.default_rng(0)
    a, b = (dice.random((*size, 3)).astype(np.float32) for _ in range(2))
    assert classify(a, a.copy()) is Relation.IDENTICAL
    assert classify(a, b) in (Relation.MOTION, Relation.CUT)


def test_scene_light_far_above_1_is_no_problem() -> None:
    image = scene(2)
    assert classify(image * 3, moved(image, dx=0.1) * 3) is Relation.MOTION
