"""Training of the small model: what it is made of, and that a run goes on where it was killed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tweenbridge_server.engines.dreammover.folders import files_of_model

torch = pytest.importorskip("torch", reason="the diffusion engine's libraries are not installed")
pytest.importorskip("diffusers", reason="the diffusion engine's libraries are not installed")

from safetensors.torch import load_file  # noqa: E402 - torch was looked for by the lines above

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def nano(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The modules."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    names = (
        "autoencoder",
        "checkpoints",
        "curves",
        "fitting",
        "material",
        "muon",
        "networks",
        "scenes",
        "sprites",
        "train",
    )
    torch.set_num_threads(1)
    return SimpleNamespace(**{name: importlib.import_module(f"nano.{name}") for name in names})


@pytest.mark.parametrize("shape", [(3, 24, 24), (2, 16, 200), (2, 200, 16)])
def test_updates_are_about_orthogonal(nano: SimpleNamespace, shape: tuple[int, ...]) -> None:
    made = nano.muon.orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    values = torch.linalg.svdvals(made)
    # Newton-Schulz in a few rounds: near one, not at one, but for what is hardly there at all.
    assert float(values.max()) < 1.4
    assert float((values > 0.4).float().mean()) > 0.9


def small() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(20, 32), torch.nn.SiLU(), torch.nn.Linear(32, 20))


def loss_of(network: Any, most: int | None = None) -> Callable[[int], Any]:
    """To turn numbers round; as if killed at step `most`."""

    def from_step(start: int) -> Any:
        def loss(fraction: float, step: int, chance: Any) -> tuple[Any, float]:
            if step == most:
                raise KeyboardInterrupt
            given = torch.randn(64, 20, generator=chance)
            value = (network(given) - given.flip(1)).square().mean()
            return value, float(value.detach())

        return loss

    return from_step


def fitted(nano: SimpleNamespace, folder: Path, most: int, network: Any) -> dict[str, Any]:
    """The checkpoint of a run that was killed at step `most`."""
    plan = nano.fitting.Plan(1e9, 0.02, 0.5, 0.99, 3)
    file = folder / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        nano.fitting.fit(
            network, loss_of(network, most), plan, nano.fitting.choose_device("cpu"), file, folder / "log.jsonl",
            lambda average: None,
        )  # fmt: skip
    kept: dict[str, Any] = nano.checkpoints.read(file)
    return kept


def test_a_run_that_was_killed_goes_on_as_it_would_have(
    nano: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nano.fitting, "_SAVE_SECONDS", -1.0)
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole = fitted(nano, tmp_path / "whole", 60, small())
    assert fitted(nano, tmp_path / "cut", 37, small())["step"] == 37
    cut = fitted(nano, tmp_path / "cut", 60, small())
    assert cut["step"] == whole["step"] == 60
    for part in ("network", "average"):
        for name, weight in whole[part].items():
            torch.testing.assert_close(cut[part][name], weight, rtol=1e-4, atol=1e-5)
    first, *_, last = nano.curves.read(tmp_path / "whole" / "log.jsonl")["run"]
    assert last["value"] < 0.9 * first["value"]
    nano.curves.draw(tmp_path / "whole" / "log.jsonl", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_a_checkpoint_is_whole_or_the_one_before(
    nano: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nano.checkpoints.save(tmp_path / "a.pt", {"step": 1, "x": torch.ones(3)})

    def cut_off(state: Any, file: Path) -> None:
        file.write_bytes(b"half of it")
        raise OSError("no space left")

    monkeypatch.setattr(torch, "save", cut_off)
    with pytest.raises(OSError, match="no space"):
        nano.checkpoints.save(tmp_path / "a.pt", {"step": 2})
    assert nano.checkpoints.read(tmp_path / "a.pt")["step"] == 1


def test_nothing_that_is_held_out_is_trained_on(nano: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers: list[int] = []
    chosen = nano.sprites.choose
    grounds = nano.scenes.grounds.choose

    def sprite(*given: Any) -> Any:
        numbers.append(chosen(*given).number)
        return chosen(*given)

    def ground(*given: Any) -> Any:
        numbers.append(grounds(*given).number)
        return grounds(*given)

    monkeypatch.setattr(nano.sprites, "choose", sprite)
    monkeypatch.setattr(nano.scenes.grounds, "choose", ground)
    pictures = nano.material.Pictures(32, 32, 0)
    shown = [pictures[index] for index in range(60)]
    assert len(numbers) > 120
    assert {nano.sprites.split_of(number) for number in numbers} == {nano.sprites.Split.TRAINING}
    assert all(picture.shape == (3, 32, 32) and float(picture.abs().max()) <= 1 for picture in shown)


def test_pictures_are_the_same_wherever_one_begins(nano: SimpleNamespace) -> None:
    pictures = nano.material.Pictures(32, 16, 100)
    rest = nano.material.batches(pictures, 0, 2, 0)
    first, second = next(rest), next(rest)
    assert torch.equal(next(nano.material.batches(pictures, 2, 2, 0)), second)
    assert not torch.equal(first, second)


def test_latents_are_made_even_and_pictures_stay(nano: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nano.networks, "_VAE_WIDTHS", (8, 8, 16, 16))
    torch.manual_seed(1)
    vae = nano.networks.new_vae().eval()
    pictures = torch.rand(8, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before = vae.decode(vae.encode(pictures).latent_dist.mean).sample
        spread = vae.encode(pictures).latent_dist.std
        nano.autoencoder.whiten(vae, pictures)
        found = vae.encode(pictures).latent_dist
        torch.testing.assert_close(vae.decode(found.mean).sample, before, rtol=1e-3, atol=1e-4)
    means = found.mean * nano.networks.SCALE
    torch.testing.assert_close(means.mean((0, 2, 3)), torch.zeros(4), rtol=0, atol=1e-3)
    torch.testing.assert_close(means.std((0, 2, 3)), torch.ones(4), rtol=1e-3, atol=0)
    # What is drawn at random around a mean grows with it.
    assert np.ptp((found.std / spread).mean((0, 2, 3)).numpy()) > 0
    torch.testing.assert_close(
        (found.std / spread).amax((0, 2, 3)), (found.std / spread).amin((0, 2, 3)), rtol=1e-3, atol=0
    )


def test_one_command_trains_a_model_that_the_engine_takes(
    nano: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nano.material, "_SHARD", 16)
    monkeypatch.setattr(nano.train, "_TYPICAL", 8)
    monkeypatch.setattr(nano.networks, "_VAE_WIDTHS", (16, 16, 32, 32))
    monkeypatch.setattr(nano.networks, "_UNET_WIDTHS", (16, 32, 32, 32))

    def train(*arguments: object) -> None:
        fixed = ("--threads", 1, "--device", "cpu", "--batch", 2)
        monkeypatch.setattr(sys, "argv", ["train.py", *map(str, fixed), *map(str, arguments)])
        nano.train.main()

    run = tmp_path / "run"
    train("--out", run, "--minutes", 0.02, 0.005, 0.02)
    assert len(files_of_model(run / "model", with_vae=True)) > 8
    for part in ("vae", "unet"):
        (weights,) = (run / "model" / part).glob("*.safetensors")
        tensors = load_file(weights).values()
        assert {tensor.dtype for tensor in tensors} == {torch.float16}
        assert all(bool(tensor.isfinite().all()) for tensor in tensors)
    before = nano.checkpoints.read(run / "unet.pt")
    longer = before["seconds"] / 60 + 0.02
    train("--out", run, "--minutes", 0.02, 0.005, longer)
    assert nano.checkpoints.read(run / "unet.pt")["step"] > before["step"] >= 1
    train("--out", tmp_path / "on", "--from", run / "model", "--decoder-only", "--minutes", 0.02, 0, 0)
    old, new = (nano.networks.read_vae(folder / "model") for folder in (run, tmp_path / "on"))
    assert nano.material.fingerprint(old) == nano.material.fingerprint(new)
    assert not torch.equal(old.decoder.conv_out.weight, new.decoder.conv_out.weight)
    assert str(tmp_path) not in (tmp_path / "on" / "model" / "vae" / "config.json").read_text()
