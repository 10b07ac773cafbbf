"""The ablation: what it measures, and that it takes up where it stopped."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
TIMES = (0.5,)

pytest.importorskip("torch", reason="The dreammover engine's libraries are not installed.")


@pytest.fixture
def ablation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("ablation")


def _latent(flow: np.ndarray, cell: int) -> np.ndarray:
    """A flow in latent pixels: what it is in the middle of each."""
    middle = flow[cell // 2 :: cell, cell // 2 :: cell]
    return np.ascontiguousarray(middle / cell, np.float32)


def test_exact_correspondences_have_next_to_no_error(ablation: ModuleType) -> None:
    for number in range(4):
        pair = ablation.pair_of(number, 128, TIMES)
        flows = [_latent(exact.flow, 8) for exact in (pair.forward, pair.backward)]
        epe, pck = ablation.match_errors(ablation.Matches(*flows), pair)
        assert epe < 0.1
        assert pck == 1
        moved = ablation.Matches(flows[0] + np.array([3, 0], np.float32), flows[1])
        worse, fewer = ablation.match_errors(moved, pair)
        assert worse > 1
        assert fewer < 0.8


def test_the_truth_is_perfect_and_a_keyframe_is_not(ablation: ModuleType) -> None:
    pair = ablation.pair_of(0, 128, TIMES)
    for frames, perfect in ((pair.truth, True), ((pair.a,), False)):
        made = ablation.Made(frames, frames, None, 1.0)
        delivered, bare = ablation.results_of("standard", 0, pair, made, "some model")
        assert (delivered.bare, bare.bare) == (False, True)
        assert (delivered.moving == (99,)) is perfect
        assert (delivered.moving[0] <= delivered.whole[0]) and delivered.epe is None


def test_it_takes_up_where_it_stopped(
    ablation: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, table = tmp_path / "runs.jsonl", tmp_path / "table.json"

    def run(pairs: int) -> list[str]:
        asked = ["ablation.py", "--size", "128", "--times", "0.5", "--recipes", "cross-fade", "flow"]
        monkeypatch.setattr("sys.argv", [*asked, "--pairs", str(pairs), "--out", str(file), "--json", str(table)])
        ablation.main()
        return file.read_text().splitlines()

    first = run(2)
    assert len(first) == 4
    second = run(3)
    assert second[:4] == first
    assert len(second) == 6
    means = {(row["kind"], row["recipe"]): row for row in json.loads(table.read_text()) if not row["bare"]}
    assert means["all", "flow"]["pairs"] == 3
    assert means["same", "flow"]["moving"] > means["same", "cross-fade"]["moving"]
    assert "| flow | 3 |" in capsys.readouterr().out


def test_a_name_that_means_nothing_is_refused(
    ablation: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["ablation.py", "--recipes", "standard:nois=x", "--out", str(tmp_path / "x")])
    with pytest.raises(SystemExit):
        ablation.main()
    assert "nois" in capsys.readouterr().err
