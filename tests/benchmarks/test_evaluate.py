"""The table that small models are judged by."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

torch = pytest.importorskip("torch", reason="the diffusion engine's libraries are not installed")
pytest.importorskip("diffusers", reason="the diffusion engine's libraries are not installed")

from tweenbridge_server.engines.dreammover.builtin import NANO  # noqa: E402 - needs what is looked for above
from tweenbridge_server.engines.dreammover.devices import choose  # noqa: E402
from tweenbridge_server.engines.dreammover.identity import find  # noqa: E402
from tweenbridge_server.engines.dreammover.model import load  # noqa: E402

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    torch.set_num_threads(1)
    return importlib.import_module("nano.evaluate")


def test_networks_that_are_spoiled_are_judged_worse(evaluate: ModuleType) -> None:
    shown = list(evaluate.pictures(2, 128))
    model = load(find({"model": str(NANO)}), choose("cpu"))
    good = {row.measure: row.value.mean for row in evaluate.judge_networks(model, shown)}
    with torch.no_grad():
        model.unet.conv_out.weight.mul_(0.7)
        model.vae.decoder.conv_out.weight.mul_(0.7)
    bad = {row.measure: row.value.mean for row in evaluate.judge_networks(model, shown)}
    whole, sprites, noise, there_and_back, _ = good
    assert good[whole] > max(bad[whole], 22) and good[sprites] > bad[sprites]
    assert good[noise] < min(bad[noise], 0.3)
    # That one says whether a network is smooth, not whether it is right.
    assert good[there_and_back] > 30


def test_results_of_pairs_become_rows(evaluate: ModuleType) -> None:
    results = [
        evaluate.Result("m", pair, "hard" if pair % 2 else "same", 256, (0.5,), recipe, bare, (level + pair,), (30.0,),
                        1.0, 0.9 if pair % 2 else 1.0, 2.0)
        for pair in range(12)
        for recipe, level in (("standard", 18.0), ("reference", 15.0))
        for bare in (False, True)
    ]  # fmt: skip
    rows = {row.measure: row.value for row in evaluate.judge_results(results)}
    assert rows["found to two latent pixels (PCK@2), same"].mean == 1.0
    assert rows["found to two latent pixels (PCK@2), hard"].mean == pytest.approx(0.9)
    ahead = rows["`standard` ahead of `reference`, with detail from the keyframes, dB"]
    assert (ahead.mean, ahead.low, ahead.high) == (3.0, 3.0, 3.0)
    table = evaluate.as_markdown({"one": evaluate.judge_results(results), "two": []})
    assert "| in-betweens where something moves, standard, dB | 23.5 (" in table
    assert table.splitlines()[2].split("|")[3].strip() == "-"
