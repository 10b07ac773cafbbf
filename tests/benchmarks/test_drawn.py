"""Drawn scenes: what they call true is true. The drawings are a few small ones of the tests' own."""

from __future__ import annotations

import importlib
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
CATEGORIES = (
    "figure",
    "bending",
    "turning head",
    "face",
    "hair",
    "cloth",
    "appearing",
    "crossing",
    "line art",
    "cel",
    "parallax",
    "growing",
    "bar",
    "overlay",
    "letterbox",
    "fade",
    "thin lines",
    "small and fast",
)
HELD_OUT = 1_000_000_000


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("drawn")


def _cutout(number: int) -> np.ndarray:
    """A flower, a face or a flag, soft at its edges, premultiplied."""
    rng = np.random.default_rng(number)
    picture = np.zeros((160, 128, 4), np.uint8)
    colours = [(*(int(v) for v in rng.integers(20, 250, 3)), 255) for _ in range(4)]
    cv2.ellipse(picture, (64, 80), (50, 70), 0, 0, 360, colours[0], -1, cv2.LINE_AA)
    cv2.rectangle(picture, (40, 60), (80, 120), colours[1], -1, cv2.LINE_AA)
    cv2.circle(picture, (50, 50), 16, colours[2], -1, cv2.LINE_AA)
    cv2.ellipse(picture, (64, 80), (50, 70), 0, 0, 360, colours[3], 3, cv2.LINE_AA)
    return picture


def _photograph() -> np.ndarray:
    small = np.random.default_rng(9).integers(0, 255, (24, 32, 3)).astype(np.uint8)
    large: np.ndarray = cv2.resize(small, (480, 360), interpolation=cv2.INTER_CUBIC)
    return large


@pytest.fixture
def drawings(drawn: ModuleType) -> Any:
    return drawn.Drawings(tuple(_cutout(number) for number in range(4)), (_photograph(),))


def _pulled(frame: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """`frame` sampled where `flow` leads."""
    x, y = np.meshgrid(np.arange(frame.shape[1], dtype=np.float32), np.arange(frame.shape[0], dtype=np.float32))
    pulled: np.ndarray = cv2.remap(frame.astype(np.float32), x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
    return pulled


def test_every_category_has_a_builder(drawn: ModuleType) -> None:
    assert tuple(category.value for category in drawn.Category) == CATEGORIES


@pytest.mark.parametrize("category", [c for c in CATEGORIES if c != "fade"])
def test_the_flow_leads_to_the_same_colours(drawn: ModuleType, drawings: Any, category: str) -> None:
    wrong, unmoved = [], []
    for seed in range(3):
        scene = drawn.draw_scene(seed, category, drawings, (160, 200), (0.3,))
        [middle] = scene.middles
        ways = [
            (middle.frame, scene.a, middle.to_a, middle.in_a),
            (middle.frame, scene.b, middle.to_b, middle.in_b),
            (scene.a, scene.b, scene.forward, scene.visible_forward),
            (scene.b, scene.a, scene.backward, scene.visible_backward),
        ]
        for here, there, flow, visible in ways:
            assert visible.mean() > 0.3
            # At their rims things are mixed with what is behind them, which moves otherwise.
            inside = visible & (cv2.erode(visible.astype(np.uint8), np.ones((3, 3))) > 0)
            wrong.append(np.abs(_pulled(there, flow) - here).max(axis=2)[inside])
            unmoved.append(np.abs(there.astype(np.float32) - here).max(axis=2)[inside])
    misses, changes = np.concatenate(wrong), np.concatenate(unmoved)
    # A line a pixel wide is nothing but rims.
    assert np.mean(misses > 40) < (0.1 if category == "thin lines" else 0.04)
    assert np.mean(misses) < 0.6 * np.mean(changes) + 1


@pytest.mark.parametrize("category", CATEGORIES)
def test_there_and_back_is_nowhere(drawn: ModuleType, drawings: Any, category: str) -> None:
    for seed in range(3):
        scene = drawn.draw_scene(seed, category, drawings, (192, 240), ())
        back = _pulled(scene.backward, scene.forward)
        miss = np.linalg.norm(scene.forward + back, axis=2)[scene.visible_forward]
        # Where things touch, samples mix two motions.
        assert np.median(miss) < 0.05
        assert np.mean(miss < 0.3) > 0.85


def test_middles_begin_and_end_at_the_keyframes(drawn: ModuleType, drawings: Any) -> None:
    for category in ("overlay", "letterbox", "growing"):
        scene = drawn.draw_scene(2, category, drawings, (192, 240), (0.0, 0.5, 1.0))
        first, middle, last = scene.middles
        assert np.array_equal(first.frame, scene.a) and np.array_equal(last.frame, scene.b)
        assert not np.array_equal(middle.frame, scene.a)
        assert np.abs(first.to_a).max() < 1e-2 and np.abs(last.to_b).max() < 1e-2
        assert np.allclose(first.to_b, scene.forward, atol=1e-2)


def test_steps_lead_from_frame_to_frame(drawn: ModuleType, drawings: Any) -> None:
    times = (0.25, 0.5, 0.75)
    scene = drawn.draw_scene(5, "figure", drawings, (192, 240), times, steps=True)
    assert len(scene.steps) == 4
    assert np.array_equal(scene.steps[-1].flow, scene.middles[-1].to_b)
    assert np.median(np.linalg.norm(scene.steps[0].flow, axis=2)) < np.median(np.linalg.norm(scene.forward, axis=2))
    assert drawn.draw_scene(5, "figure", drawings, (192, 240), times).steps == ()


def test_overlays_and_bars_stay_to_the_pixel(drawn: ModuleType, drawings: Any) -> None:
    for category in ("overlay", "letterbox"):
        shares = []
        for seed in range(6):
            scene = drawn.draw_scene(seed, category, drawings, (192, 240), (0.5,))
            moved = np.abs(scene.forward).max(axis=2)
            still = (moved == 0) & scene.visible_forward
            core = cv2.erode(still.astype(np.uint8), np.ones((3, 3))) > 0
            others = (scene.b, scene.middles[0].frame)
            same = np.concatenate([(scene.a[core] == other[core]).all(axis=1) for other in others])
            # Letters have soft rims, through which the ground is seen.
            assert same.all() if category == "letterbox" else same.mean() > 0.8
            shares.append(still.mean())
            assert moved.max() > 0.5
        assert min(shares) > 0.002


def test_things_move_by_every_order_of_magnitude(drawn: ModuleType, drawings: Any) -> None:
    reach = []
    for seed in range(40):
        scene = drawn.draw_scene(seed, "hair", drawings, (64, 80), ())
        # A quarter of the usual size.
        reach.append(4 * np.percentile(np.linalg.norm(scene.forward, axis=2), 95))
    assert min(reach) < 6 and max(reach) > 50
    assert 8 < np.median(reach) < 45


@pytest.mark.parametrize("size", [(256, 320), (180, 400), (300, 200), (720, 1280)])
def test_scenes_come_in_any_size(drawn: ModuleType, drawings: Any, size: tuple[int, int]) -> None:
    scene = drawn.draw_scene(1, "cel", drawings, size, (0.5,))
    for frame in (scene.a, scene.b, scene.middles[0].frame):
        assert frame.shape == (*size, 3) and frame.dtype == np.uint8 and frame.flags.c_contiguous
    assert scene.forward.shape == (*size, 2) and scene.forward.dtype == np.float32
    assert np.isfinite(scene.forward).all() and np.isfinite(scene.middles[0].to_a).all()


def test_the_same_seed_gives_the_same_scene_in_any_process(drawn: ModuleType) -> None:
    program = (
        "import sys, zlib, numpy as np; from drawn import *\n"
        "rng = np.random.default_rng(1)\n"
        "pool = tuple(rng.integers(0, 200, (70, 60, 4)).astype(np.uint8) for _ in 'ab')\n"
        "for picture in pool: picture[..., 3] = 255\n"
        "s = draw_scene(7, sys.argv[1], Drawings(pool), (96, 128))\n"
        "print(*(zlib.crc32(np.ascontiguousarray(f).tobytes()) for f in (s.a, s.b, s.middles[0].frame, s.forward)))"
    )
    rng = np.random.default_rng(1)
    pool = tuple(rng.integers(0, 200, (70, 60, 4)).astype(np.uint8) for _ in "ab")
    for picture in pool:
        picture[..., 3] = 255
    for category in ("hair", "small and fast"):
        scene = drawn.draw_scene(7, category, drawn.Drawings(pool), (96, 128))
        parts = (scene.a, scene.b, scene.middles[0].frame, scene.forward)
        ours = [zlib.crc32(np.ascontiguousarray(part).tobytes()) for part in parts]
        asked = [sys.executable, "-c", program, category]
        theirs = subprocess.run(asked, cwd=BENCHMARKS, capture_output=True, text=True, check=True).stdout
        assert [int(number) for number in theirs.split()] == ours
        other = drawn.draw_scene(8, category, drawn.Drawings(pool), (96, 128))
        assert not np.array_equal(other.a, scene.a)


def test_drawings_are_kept_by_split(drawn: ModuleType, tmp_path: Path) -> None:
    kept = importlib.import_module("drawn.drawings")
    named = [(f"animals/{number}.svg", _cutout(number)) for number in range(60)] + [("photograph x", _photograph())]
    file = tmp_path / "some" / "drawings.npz"
    counts = kept.save(iter(named), file)
    assert sum(counts.values()) == 61
    training, held_out = (drawn.load_drawings(split, file) for split in ("training", "held-out"))
    assert len(training.cutouts) + len(held_out.cutouts) == 60
    assert 2 < len(held_out.cutouts) < 20
    expected = [picture for name, picture in named if picture.shape[2] == 4 and kept.split_of(name).value == "held-out"]
    assert all(np.array_equal(a, b) for a, b in zip(held_out.cutouts, expected))
    assert len(training.photographs) + len(held_out.photographs) == 1
    # The fox of the rendered clips is nobody's to train on.
    assert kept.split_of("U+1F98A").value == "held-out"


def test_missing_drawings_are_named(drawn: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"drawings\.py"):
        drawn.load_drawings("training", tmp_path / "none.npz")


def test_the_truth_judges_as_perfect(drawn: ModuleType, drawings: Any) -> None:
    judging = importlib.import_module("drawn.judging")
    plain = importlib.import_module("plain")
    shown = (
        drawn.draw_scene(HELD_OUT + n, category, drawings, (96, 128), judging.TIMES, steps=True)
        for category in ("overlay", "bar")
        for n in range(2)
    )
    results = judging.judged(shown, {"cross-fade": plain.cross_fade, "dis": plain.dis_and_splat})
    true = [one for one in results if one.method == "true"]
    assert len(true) == 4 and all(one.psnr == 99 and one.flicker == 0 for one in true)
    faded = [one for one in results if one.method == "cross-fade"]
    assert all(one.psnr < 60 and one.even < 1.2 for one in faded)
    table = judging.as_markdown(results, "cross-fade")
    assert table.count("\n") == 1 + 3 * 3
    assert "| all | dis |" in table
    # Four scenes are too few to say how sure a difference is.
    assert " to " not in table.splitlines()[-2]
    many = [replace(one, seed=one.seed + n) for one in results for n in range(0, 20, 2)]
    assert "(" in judging.as_markdown(many, "cross-fade").splitlines()[-2]
