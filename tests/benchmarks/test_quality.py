"""The quality benchmark: its measures, and what the flow engine must reach on the clips beside the checkout."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
EVALUATION = ROOT.parent / "shared" / "eval"
CLIPS = EVALUATION / "clips"

needs_clips = pytest.mark.skipif(not CLIPS.is_dir(), reason="The evaluation clips do not lie beside this checkout.")


@pytest.fixture
def quality(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("quality")


@pytest.fixture
def tiny_clips(tmp_path: Path) -> Path:
    """One rendered clip: a square crosses a noisy ground. Its meta.json names a time of which there is no frame."""
    folder = tmp_path / "clips" / "proc_trans" / "tiny"
    folder.mkdir(parents=True)
    times, missing = [0, 0.25, 0.5, 0.75, 1], 0.9
    noise = np.random.default_rng(1).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    ground = cv2.GaussianBlur(noise, (0, 0), 2)
    homographies = []
    for t in [*times, missing]:
        left = 10 + round(16 * t)
        frame, layer = ground.copy(), np.zeros((48, 64), np.uint8)
        frame[16:32, left : left + 16] = np.clip(noise[16:32, 10:26].astype(int) // 4 + 180, 0, 255)
        layer[16:32, left : left + 16] = 1
        homographies.append([np.eye(3).tolist(), [[1, 0, left], [0, 1, 16], [0, 0, 1]]])
        if t != missing:
            name = {0: "in0", 1: "in1"}.get(int(t) if t in (0, 1) else -1, f"gt_{round(t * 1000):04d}")
            cv2.imwrite(str(folder / f"{name}.png"), frame)
            cv2.imwrite(str(folder / f"id_{round(t * 1000):04d}.png"), layer)
    meta = {"kind": "procedural", "category": "proc_trans", "w": 64, "h": 48, "ease": "linear"}
    order = sorted(range(6), key=lambda i: [*times, missing][i])
    meta["times"] = [[*times, missing][i] for i in order]
    meta["H"] = [homographies[i] for i in order]
    (folder / "meta.json").write_text(json.dumps(meta))
    return tmp_path / "clips"


def test_times_without_a_frame_are_left_out(quality: ModuleType, tiny_clips: Path) -> None:
    [clip] = quality.load_clips(tiny_clips)
    assert clip.times == (0, 0.25, 0.5, 0.75, 1)


def test_the_truth_measures_as_perfect(quality: ModuleType, tiny_clips: Path) -> None:
    [clip] = quality.load_clips(tiny_clips)
    row = quality._against_truth(clip, [clip.frame(t) for t in (0.25, 0.5, 0.75)])
    assert row["PSNR"] == 99
    assert row["SSIM"] == pytest.approx(1)
    assert row["HF"] == pytest.approx(1)
    assert row["TW"] == 0
    exact = clip.flow(0, 1)
    assert quality.measures.flow_errors(exact.flow, exact)["EPE"] == 0
    assert exact.flow[20, 12].tolist() == [16, 0]


def test_the_engine_beats_a_cross_fade(quality: ModuleType, tiny_clips: Path) -> None:
    [clip] = quality.load_clips(tiny_clips)
    row = quality.measure(clip, quality.registry.create("flow"), "quality")
    first, last = (clip.frame(t).astype(np.float32) for t in (0, 1))
    faded = [((1 - t) * first + t * last + 0.5).astype(np.uint8) for t in (0.25, 0.5, 0.75)]
    assert row["PSNR"] > quality._against_truth(clip, faded)["PSNR"] + 1
    assert row["sec"] > 0


@needs_clips
def test_it_agrees_with_the_official_evaluator(
    quality: ModuleType, tiny_clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(EVALUATION))
    evaluate = importlib.import_module("evaluate")
    meta = tiny_clips / "proc_trans" / "tiny" / "meta.json"
    content = json.loads(meta.read_text())
    kept = [i for i, t in enumerate(content["times"]) if t != 0.9]
    content |= {"times": [content["times"][i] for i in kept], "H": [content["H"][i] for i in kept]}
    meta.write_text(json.dumps(content))
    monkeypatch.setattr(evaluate, "HERE", str(tiny_clips.parent))
    [official] = evaluate.run_eval(quality.flow_draft, clips=evaluate.load_clips("clips"))
    [clip] = quality.load_clips(tiny_clips)
    ours = quality.measure(clip, quality.registry.create("flow"), "draft")
    for name in ("PSNR", "SSIM", "IEm", "HF", "GMSD", "TW", "EPE", "EPEocc", "out3"):
        assert ours[name] == pytest.approx(official[name], rel=1e-5, abs=1e-5, nan_ok=True), name


@needs_clips
@pytest.mark.parametrize(
    ("clip_name", "least"),
    [
        ("cartoon_small/bbb_rabbit", {"PSNR": 36.9, "HF": 0.74}),
        ("proc_trans/00_448x256", {"PSNR": 26.4}),
        ("proc_camera/04_448x256", {"PSNR": 29.4}),
        ("proc_occl/06_448x256", {"PSNR": 29.3}),
    ],
)
def test_quality_is_kept(quality: ModuleType, clip_name: str, least: dict[str, float]) -> None:
    [clip] = [clip for clip in quality.load_clips(CLIPS) if str(clip.folder).endswith(clip_name)]
    row = quality.measure(clip, quality.registry.create("flow"), "quality")
    for name, value in least.items():
        assert row[name] >= value
    if clip.is_rendered:
        assert row["TW"] <= 2.0
        assert row["EPE"] <= 8


def test_draft_is_quick(quality: ModuleType) -> None:
    """A loose bound, because tests share their machine; losing the fast path would show all the same."""
    sys.modules.pop("flow", None)
    speed = importlib.import_module("flow")
    numbers = speed.measure("480p", "draft")
    assert numbers["estimate and one"] < 100 * numbers["plain remap"]
    assert numbers["peak bytes"] >= 0
