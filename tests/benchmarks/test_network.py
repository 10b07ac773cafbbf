"""Training of the flow engine's networks: examples, losses, runs that go on, and what the engine reads of them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the diffusion engine's libraries are not installed")
pytest.importorskip("onnxscript", reason="what exports networks is not installed")

from tweenbridge_server.engines.optical_flow import arbitrate, networks  # noqa: E402 - torch was looked for above

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The modules."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    torch.set_num_threads(1)
    names = ("examples", "export", "networks", "train", "training")
    return SimpleNamespace(**{name: importlib.import_module(f"network.{name}") for name in names})


@pytest.fixture
def drawings() -> Any:
    """Four ovals, and a ground."""
    cutouts = []
    for number in range(4):
        colours = np.random.default_rng(number).integers(20, 250, (2, 3)).tolist()
        picture = np.zeros((160, 128, 4), np.uint8)
        cv2.ellipse(picture, (64, 80), (50, 70), 0, 0, 360, (*colours[0], 255), cv2.FILLED)
        cv2.rectangle(picture, (40, 60), (80, 120), (*colours[1], 255), cv2.FILLED)
        cutouts.append(picture)
    ground = np.random.default_rng(9).integers(0, 255, (24, 32, 3)).astype(np.uint8)
    drawn = importlib.import_module("drawn")
    return drawn.Drawings(tuple(cutouts), (cv2.resize(ground, (480, 360), interpolation=cv2.INTER_CUBIC),))


@pytest.fixture
def folder(network: SimpleNamespace, drawings: Any, tmp_path: Path) -> Path:
    """A shard of three scenes."""
    match = networks.load().matcher
    rows = [network.examples.example(scene, match) for scene in network.examples.scenes(drawings, 0, 3)]
    np.savez(tmp_path / "00000000.npz", **{name: np.stack([row[name] for row in rows]) for name in rows[0]})
    return tmp_path


def test_a_flow_that_is_exact_makes_the_true_picture_of_an_example(network: SimpleNamespace, drawings: Any) -> None:
    """Signs and sizes of an example's arrays are those that the losses take them for."""
    [scene] = network.examples.scenes(drawings, 1, 1)
    found = network.examples.example(scene, networks.load().matcher)
    for number in range(network.examples.MIDDLES):
        exact = cv2.resize(found["exact"][number].astype(np.float32), found["a"].shape[1::-1])
        flow = torch.from_numpy(exact).permute(2, 0, 1)[None]
        a, true = (torch.from_numpy(each).permute(2, 0, 1)[None] / 255 for each in (found["a"], found["true"][number]))
        moved = network.training.warp(a, flow[:, :2], torch.zeros(1, 2))
        assert float((moved - true).abs().mean()) < 0.6 * float((a - true).abs().mean())


def test_the_network_and_the_engine_see_and_decide_alike(network: SimpleNamespace) -> None:
    """What the arbiter was trained to see is what the engine shows it, channel by channel, and back."""
    rng = np.random.default_rng(1)
    height, width = 48, 64
    a, b = (cv2.GaussianBlur(rng.integers(0, 255, (height, width, 3), dtype=np.uint8), (0, 0), 2) for _ in range(2))
    way_a, way_b = (
        cv2.GaussianBlur(rng.normal(size=(height, width, 2)), (0, 0), 3).astype(np.float32) * 9 for _ in "ab"
    )
    share, trust = (cv2.GaussianBlur(rng.random((height, width)), (0, 0), 3).astype(np.float32) for _ in range(2))
    plane = network.training._plane
    flow = plane(np.dstack([-way_a, -way_b]))
    corner = torch.zeros(1, 2)
    tensors = [plane(a, 1 / 255), plane(b, 1 / 255)]
    brought = [network.training.warp(each, flow[:, 2 * k : 2 * k + 2], corner) for k, each in enumerate(tensors)]
    wanted = network.networks.arbiter_input(*brought, *tensors, flow, plane(share), plane(trust))[0].numpy()
    answer = rng.normal(size=(20, height // 2, width // 2)).astype(np.float32) * 0.1
    seen: list[np.ndarray] = []

    def ask(shown: np.ndarray) -> np.ndarray:
        seen.append(shown)
        return answer

    decided = arbitrate.arbitrate(ask, a, b, arbitrate.Ways(way_a, way_b, share, trust), 0.5)
    assert np.abs(seen[0] - wanted).max() < 0.02
    made = network.training.decide(torch.from_numpy(answer)[None], *tensors, flow, plane(share), corner)
    # Where the keyframes differ around a pixel the engine takes all that it is told.
    far = arbitrate._asked(cv2.absdiff(*(each[0].permute(1, 2, 0).numpy() for each in brought)).mean(axis=2))
    asked = far == 1
    assert asked.any()
    from_a, from_b = (arbitrate._smoothed(way, far * (1 - trust)) for way in (way_a, way_b))
    moved = made.flow[0].permute(1, 2, 0).numpy()
    assert np.abs(moved[..., :2] + way_a - from_a + decided.from_a)[asked].max() < 0.01
    assert np.abs(moved[..., 2:] + way_b - from_b + decided.from_b)[asked].max() < 0.01
    assert np.abs(made.share[0, 0].numpy() - decided.share)[asked].max() < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["matcher", "arbiter"])
def test_a_run_learns_goes_on_and_is_read_by_onnx_runtime(
    kind: str, network: SimpleNamespace, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    words = ["train.py", kind, "--examples", str(folder), "--out", str(run), "--batch", "1", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", [*words, "--minutes", "0.05"])
    network.train.main()
    first = torch.load(run / f"{kind}.pt", weights_only=True)
    assert first["step"] > 0
    monkeypatch.setattr(sys, "argv", [*words, "--minutes", str(first["seconds"] / 60 + 0.03)])
    network.train.main()
    assert torch.load(run / f"{kind}.pt", weights_only=True)["step"] > first["step"]
    file = run / f"{kind}.onnx"
    assert str(BENCHMARKS).encode() not in file.read_bytes()
    session = networks.session(file)
    if kind == "matcher":
        picture = np.random.default_rng(0).integers(0, 255, (70, 90, 3), dtype=np.uint8)
        assert networks.Matcher(session)(picture, picture).forward.shape == (70, 90, 2)
    else:
        seen = np.zeros((arbitrate.INPUTS, 24, 40), np.float32)
        assert networks.Arbiter(session)(seen).shape == (arbitrate.OUTPUTS, 24, 40)


def test_without_examples_it_says_how_to_make_them(network: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"examples\.py"):
        network.training.Shards(tmp_path).look()
