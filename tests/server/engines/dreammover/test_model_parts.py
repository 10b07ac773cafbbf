"""Other VAEs and users' LoRAs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from loaded_models import assert_same, loaded, outputs, refusal
from safetensors.torch import load_file, save_file
from tiny_models import make_kohya_lora, make_peft_lora, original_vae, tensors_of
from torch import Tensor


@pytest.mark.parametrize("form", ["original", "original with prefix", "diffusers", "folder", "whole model"])
def test_another_vae(form: str, model_folders: dict[str, Path], tmp_path: Path) -> None:
    other = model_folders["2.x"]
    vae = tmp_path / "other.safetensors"
    if form == "original":
        save_file({name: tensor.contiguous() for name, tensor in original_vae(other).items()}, vae)
    elif form == "original with prefix":
        save_file({f"first_stage_model.{n}": t.contiguous() for n, t in original_vae(other).items()}, vae)
    elif form == "diffusers":
        shutil.copy(other / "vae/diffusion_pytorch_model.safetensors", vae)
    else:
        vae = other / "vae" if form == "folder" else other
    mixed, expected = outputs(loaded(model=str(model_folders["1.x"]), vae=str(vae))), outputs(loaded(model=str(other)))
    for name in ("encoded", "decoded"):
        torch.testing.assert_close(mixed[name], expected[name], rtol=0, atol=1e-6)


def test_a_checkpoint_without_vae_takes_another(model_folders: dict[str, Path], tmp_path: Path) -> None:
    tensors = {n: t for n, t in tensors_of(model_folders["1.x"]).items() if not n.startswith("first_stage_model.")}
    save_file(tensors, tmp_path / "bare.safetensors")
    model = loaded(model=str(tmp_path / "bare.safetensors"), vae=str(model_folders["1.x"] / "vae"))
    assert_same(model, loaded(model=str(model_folders["1.x"])))


def test_the_vae_of_sdxl_is_refused(model_folder: Path, model_folders: dict[str, Path]) -> None:
    config = json.loads((model_folder / "vae/config.json").read_text()) | {"scaling_factor": 0.13025}
    (model_folder / "vae/config.json").write_text(json.dumps(config))
    assert "XL" in str(refusal(model=str(model_folders["1.x"]), vae=str(model_folder / "vae")))


@pytest.mark.parametrize("make", [make_kohya_lora, make_peft_lora, partial(make_peft_lora, alpha=3.0)])
@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_a_lora_is_added_to_the_weights(
    make: Callable[[Path], dict[str, Tensor]], weight: float, model_folders: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "lora.safetensors"
    added = make(path)
    plain = loaded(model=str(model_folders["1.x"]))
    with_lora = loaded(model=str(model_folders["1.x"]), lora=str(path), lora_weight=weight)
    changed = set()
    for part in ("unet", "text_encoder"):
        before, after = getattr(plain, part).state_dict(), getattr(with_lora, part).state_dict()
        assert before.keys() == after.keys()
        for name, tensor in after.items():
            key = f"{part}.{name.removeprefix('text_model.').removesuffix('.weight')}"
            if not torch.equal(tensor, before[name]):
                changed.add(key)
                torch.testing.assert_close(tensor, before[name] + weight * added[key], rtol=0, atol=1e-5)
    assert changed == added.keys()
    assert plain.identity != with_lora.identity


def test_a_lora_for_another_architecture_is_refused(model_folders: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    make_kohya_lora(path, unet_width=48, text=False)
    error = refusal(model=str(model_folders["1.x"]), lora=str(path))
    assert "'other.safetensors' does not fit" in str(error)
    assert "1.x or 2.x" in error.remedy
    save_file(
        {"unet.nowhere.to_q.lora_A.weight": torch.ones(2, 8), "unet.nowhere.to_q.lora_B.weight": torch.ones(8, 2)}, path
    )
    assert "does not fit" in str(refusal(model=str(model_folders["1.x"]), lora=str(path)))


def test_damaged_loras_are_refused(model_folders: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "lora.safetensors"
    make_peft_lora(path)
    tensors = load_file(path)
    next(iter(tensors.values()))[0, 0] = torch.nan
    save_file(tensors, path)
    assert "no numbers" in str(refusal(model=str(model_folders["1.x"]), lora=str(path)))
