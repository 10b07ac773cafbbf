"""The figures that tell torn in-betweens from whole ones without knowing the truth."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
EVALUATION = ROOT.parent / "shared" / "eval"
PAIRS = EVALUATION / "drawings" / "pairs"

needs_drawings = pytest.mark.skipif(not PAIRS.is_dir(), reason="The real drawings do not lie beside this checkout.")


@pytest.fixture
def torn(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("torn")


def _drawing(x: float) -> np.ndarray:
    """A house with windows over hills, in RGB."""
    frame = np.full((128, 192, 3), (200, 220, 240), np.uint8)
    cv2.ellipse(frame, (96, 150), (120, 70), 0, 0, 360, (90, 160, 90), -1, cv2.LINE_AA)

    def box(left: float, upper: float, right: float, lower: float, colour: tuple[int, int, int]) -> None:
        corners = np.array([[left, upper], [right, upper], [right, lower], [left, lower]]) + np.array([x, 0])
        points = np.rint(corners * 16).astype(np.int32)
        cv2.fillPoly(frame, [points], colour, cv2.LINE_AA, 4)
        cv2.polylines(frame, [points], True, (30, 20, 20), 2, cv2.LINE_AA, 4)

    box(50, 50, 110, 110, (230, 120, 90))
    for left in (58, 86):
        box(left, 62, left + 14, 80, (250, 245, 190))
    grain = np.random.default_rng(5).integers(-2, 3, frame.shape)
    return np.clip(frame + grain, 0, 255).astype(np.uint8)


def _shredded(frame: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Tiles of one frame in the other."""
    tiles = np.kron(np.random.default_rng(3).random((16, 24)) < 0.5, np.ones((8, 8))) > 0
    mixed: np.ndarray = np.where(tiles[..., None], frame, other)
    return mixed


def test_a_true_in_between_looks_whole_and_others_do_not(torn: ModuleType) -> None:
    a, b, true = _drawing(0), _drawing(40), _drawing(20)
    judge = torn.Judge(a, b)
    whole, shredded = judge.torn(true), judge.torn(_shredded(a, b))
    soft = judge.torn(cv2.GaussianBlur(true, (0, 0), 3))
    assert whole.short <= 1.3 and 0.8 < whole.corners < 1.2
    assert shredded.short > 2 * whole.short
    assert shredded.strange > 2 * whole.strange
    assert soft.corners < 0.6


def test_a_keyframe_is_its_own_measure(torn: ModuleType) -> None:
    a, b = _drawing(0), _drawing(40)
    figures = torn.Judge(a, b).torn(a)
    assert figures.strange == 0
    assert 0.7 < figures.corners < 1.4


def test_evenness_tells_held_keyframes(torn: ModuleType) -> None:
    a, b = _drawing(0), _drawing(40)
    judge = torn.Judge(a, b)
    assert judge.evenness([a, a, a]) == pytest.approx(4)
    assert judge.evenness([b, b, b]) == pytest.approx(4)
    faded = [((1 - t) * a.astype(np.float32) + t * b).astype(np.uint8) for t in (0.25, 0.5, 0.75)]
    assert judge.evenness(faded) < 1.05
    assert judge.evenness([_drawing(10), _drawing(20), _drawing(30)]) < 1.2


def test_equal_keyframes_are_no_trouble(torn: ModuleType) -> None:
    a = _drawing(0)
    judge = torn.Judge(a, a)
    assert judge.evenness([a, a]) == 1
    assert judge.torn(a).short == judge.torn(a).corners == 0


@needs_drawings
@pytest.mark.slow
def test_it_agrees_with_the_official_figures(torn: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EVALUATION))
    ours = sys.modules.pop("torn")
    monkeypatch.setattr(sys, "path", [str(EVALUATION), *(p for p in sys.path if not p.endswith("benchmarks"))])
    official = importlib.import_module("torn")
    assert Path(str(official.__file__)).parent == EVALUATION
    sys.modules["torn"] = ours
    # Small, because the nearest patches of two whole pictures take a while.
    a, b = (_small(cv2.imread(str(PAIRS / f"totem_{i}.png"))) for i in (0, 1))
    frame = cv2.addWeighted(a, 0.5, b, 0.5, 0)
    [expected] = official.judge(a, b, [frame])
    found = torn.Judge(*(np.ascontiguousarray(key[..., ::-1]) for key in (a, b))).torn(
        np.ascontiguousarray(frame[..., ::-1])
    )
    assert found.short == expected["short"]
    assert found.corners == expected["corners"]
    assert found.strange == pytest.approx(expected["strange"], rel=1e-5)


def _small(picture: np.ndarray) -> np.ndarray:
    small: np.ndarray = cv2.resize(picture, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    return small
