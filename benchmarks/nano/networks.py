"""The small model's parts, and the folder they are kept in: Stable Diffusion 1.5's layout, a hundredth of its size.

The text encoder's weights are random and stay so: the model is trained on the empty prompt alone, of which all 77
states are the same vector (its position embeddings are zero). One token therefore stands for all of them exactly, and
training is cheaper for it.
"""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer
from tweenbridge_server.engines.dreammover.builtin import NANO
from tweenbridge_server.engines.dreammover.libraries import quiet

BUILT_IN: Final = NANO
"""The model that comes with Tweenbridge: its text encoder and tokenizer serve all that are trained here."""
SCALE: Final = 0.18215
"""Latents are the VAE's means times this, as in Stable Diffusion."""
_NOISED_AT: Final = (0.00085, 0.012)
_LABELS: Final = 1000
_VAE_WIDTHS: Final = (32, 64, 96, 96)
_UNET_WIDTHS: Final = (64, 80, 112, 112)
"""Channels of the four blocks of each network: about as much as fits into 24 MB of half precision."""


def new_vae() -> Any:
    """An autoencoder of random weights."""
    return AutoencoderKL(
        block_out_channels=_VAE_WIDTHS,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=256,
        scaling_factor=SCALE,
    )


def new_unet() -> Any:
    """A denoiser of random weights."""
    return UNet2DConditionModel(
        block_out_channels=_UNET_WIDTHS,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=64,
        attention_head_dim=4,
        norm_num_groups=16,
        sample_size=32,
    )


def read_vae(folder: Path) -> Any:
    """The autoencoder of a model's folder, in full precision."""
    return AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32, local_files_only=True)


def read_unet(folder: Path) -> Any:
    """The denoiser of a model's folder, in full precision."""
    return UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32, local_files_only=True)


@torch.no_grad()
def empty_prompt(folder: Path) -> Tensor:
    """(1, 1, width): what the text encoder of a model's folder makes of no words, one token for all.

    Raises:
        ValueError: the tokens differ, so that one cannot stand for all.
    """
    with quiet():
        tokenizer: Any = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        encoder: Any = CLIPTextModel.from_pretrained(folder / "text_encoder", local_files_only=True)
    words = tokenizer([""], padding="max_length", max_length=77, return_tensors="pt").input_ids
    states: Tensor = encoder.float()(words)[0]
    if (states - states[:, :1]).abs().max() > 1e-5:
        raise ValueError(f"The text encoder of {folder} tells the places of the empty prompt apart.")
    return states[:, :1].clone()


def alphas() -> Tensor:
    """(1000,): what remains of a picture's variance at each label, as Stable Diffusion's scheduler has it."""
    low, high = _NOISED_AT
    return torch.cumprod(1 - torch.linspace(low**0.5, high**0.5, _LABELS) ** 2, 0)


def write(folder: Path, vae: Any, unet: Any, base: Path) -> None:
    """A model's folder in half precision; tokenizer, text encoder and scheduler are those of `base`.

    An older folder there is replaced only when the new one is whole.
    """
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for part in ("tokenizer", "text_encoder", "scheduler"):
        shutil.copytree(base / part, fresh / part)
    shutil.copyfile(base / "model_index.json", fresh / "model_index.json")
    with quiet():
        for name, network in (("unet", unet), ("vae", vae)):
            copy.deepcopy(network).half().save_pretrained(fresh / name)
            file = fresh / name / "config.json"
            config = json.loads(file.read_text())
            # Where it was read from, which is nobody's business.
            config.pop("_name_or_path", None)
            file.write_text(json.dumps(config, indent=2) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
