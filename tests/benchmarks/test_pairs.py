"""Judging real pairs: what is read, what the tables say, and what the sheets show."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("pairs")


def _drawing(x: int) -> np.ndarray:
    """A red disc at `x` on blue, in OpenCV's order of channels."""
    frame = np.full((64, 96, 3), (200, 120, 60), np.uint8)
    cv2.circle(frame, (x, 32), 14, (40, 40, 220), -1, cv2.LINE_AA)
    return frame


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pair, a triple, and frames that somebody made for both."""
    home, triple, made = tmp_path / "drawings", tmp_path / "drawings" / "true" / "ball", tmp_path / "made"
    triple.mkdir(parents=True)
    made.mkdir()
    for file, x in {
        home / "disc_0.png": 24,
        home / "disc_1.png": 64,
        triple / "in0.png": 24,
        triple / "in1.png": 64,
    }.items():
        cv2.imwrite(str(file), _drawing(x))
    cv2.imwrite(str(triple / "gt_0500.png"), _drawing(44))
    for name in ("disc", "ball"):
        for time, x in (("0250", 34), ("0500", 44), ("0750", 54)):
            cv2.imwrite(str(made / f"{name}_{time}.png"), _drawing(x))
    return home


def test_pairs_and_triples_are_read_as_rgb(pairs: ModuleType, folder: Path) -> None:
    disc, ball = pairs.load(folder)
    assert (disc.name, ball.name) == ("disc", "ball")
    assert disc.truth is None and ball.truth is not None
    assert disc.a[32, 24].tolist() == [220, 40, 40]
    assert [pair.name for pair in pairs.load(folder / "true")] == ["ball"]


def test_given_frames_are_judged_with_the_others_and_shown_at_full_size(
    pairs: ModuleType, folder: Path, tmp_path: Path
) -> None:
    plain = importlib.import_module("plain")
    pattern = str(tmp_path / "made" / "{name}_{time}.png")
    sheets = tmp_path / "sheets"
    results = pairs.judged(pairs.load(folder), {"cross-fade": plain.cross_fade}, sheets, pattern, strange=False)
    assert results["given"]["ball"]["PSNR"] == 99
    assert results["cross-fade"]["ball"]["PSNR"] < 30
    assert "PSNR" not in results["given"]["disc"]
    assert results["given"]["disc"]["even"] < 1.3
    assert set(results["true"]) == {"ball"}
    table = pairs.as_markdown(results)
    assert "| all |" in table and "| given |" in table
    sheet = cv2.imread(str(sheets / "disc.jpg"))
    # Two rows of five frames, each with its name above.
    assert sheet.shape[0] == 2 * (64 + 22) and sheet.shape[1] == 5 * 96 + 4 * 4
    assert np.abs(sheet[22:86, :96].astype(int) - _drawing(24)).mean() < 6


def test_frames_can_be_numbered(pairs: ModuleType, folder: Path, tmp_path: Path) -> None:
    for number, x in ((1, 34), (2, 44), (3, 54)):
        cv2.imwrite(str(tmp_path / f"inbetween_{number:04d}.png"), _drawing(x))
    frames = pairs.given(str(tmp_path / "inbetween_{number:04d}.png"), "disc", pairs.TIMES)
    assert [int(np.argmax(frame[32, :, 0])) for frame in frames] == sorted(
        int(np.argmax(frame[32, :, 0])) for frame in frames
    )
    with pytest.raises(SystemExit, match="cannot be read"):
        pairs.given(str(tmp_path / "missing_{number}.png"), "disc", pairs.TIMES)


def test_the_command_prints_a_table_and_keeps_the_figures(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "figures.json"
    asked = ["--pairs", str(folder), "--methods", "cross-fade", "dis", "--quick", "--json", str(kept)]
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "quality.py"), *asked], capture_output=True, text=True, check=True
    )
    assert done.stdout.count("| cross-fade |") == 3
    assert set(json.loads(kept.read_text())) == {"cross-fade", "dis", "true"}


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (["--pairs", ".", "--methods", "magic"], "no method"),
        (["--drawn", "--size", "big"], "no size"),
    ],
)
def test_what_means_nothing_is_said(asked: list[str], answer: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "quality.py"), *asked],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert answer in done.stderr and "Traceback" not in done.stderr


DRAWINGS = Path(__file__).resolve().parents[3] / "shared" / "eval" / "drawings"


@pytest.mark.slow
def test_in_betweens_of_real_drawings_hold_together(pairs: ModuleType) -> None:
    """Pieces and corners of edges as in whole drawings; even steps; true drawings nearer than those of draft."""
    if not DRAWINGS.is_dir():
        pytest.skip("The real drawings are not beside the checkout.")
    methods = importlib.import_module("quality").methods(["flow:draft", "flow:quality"])
    only = {"flow:quality": methods["flow:quality"]}
    results = pairs.judged(pairs.load(DRAWINGS / "pairs"), only, strange=False)["flow:quality"]
    assert np.mean([row["short"] for row in results.values()]) <= 1.05
    assert max(row["most"] for row in results.values()) <= 1.75
    assert 0.75 <= np.mean([row["corners"] for row in results.values()]) <= 1.1
    assert max(row["even"] for row in results.values()) <= 1.5
    triples = pairs.judged(pairs.load(DRAWINGS / "true"), methods, strange=False)
    made, draft = (np.mean([row["PSNR"] for row in triples[name].values()]) for name in ("flow:quality", "flow:draft"))
    assert made > draft
