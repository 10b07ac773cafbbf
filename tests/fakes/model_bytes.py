"""Bytes of files that look like a Stable Diffusion model's from outside: right names and headers, noise inside."""

from __future__ import annotations

import json
import random
from pathlib import Path

UNET = "model.diffusion_model."
CHECKPOINT = (
    UNET + "input_blocks.0.0.weight",
    UNET + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
    "first_stage_model.decoder.conv_in.weight",
    "first_stage_model.encoder.conv_in.weight",
    "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight",
)
VAE = ("decoder.conv_in.weight", "encoder.conv_in.weight")
LORA = ("lora_unet_mid_block_attentions_0_proj_in.lora_down.weight",)
XL = ("conditioner.embedders.0.weight", UNET + "input_blocks.0.0.weight")


def weights(names: tuple[str, ...] = ("weight",), size: int = 4096, seed: int = 1) -> bytes:
    """A .safetensors file with tensors of these names, `size` bytes of noise in all."""
    numbers = size // (2 * len(names))
    table = {
        name: {
            "dtype": "F16",
            "shape": [1, 4, numbers // 4, 1],
            "data_offsets": [2 * numbers * i, 2 * numbers * (i + 1)],
        }
        for i, name in enumerate(names)
    }
    head = json.dumps(table).encode()
    return len(head).to_bytes(8, "little") + head + random.Random(seed).randbytes(2 * numbers * len(names))


def model(unet_size: int = 200_000) -> dict[str, bytes]:
    """The files of a diffusers folder, fp16 weights only, by their paths."""
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "PNDMScheduler"],
    }
    return {
        "model_index.json": json.dumps(index).encode(),
        "scheduler/scheduler_config.json": b"{}",
        "text_encoder/config.json": b"{}",
        "text_encoder/model.fp16.safetensors": weights(size=60_000, seed=2),
        "tokenizer/merges.txt": b"#version: 0.2\n",
        "tokenizer/vocab.json": b"{}",
        "unet/config.json": b'{"in_channels": 4}',
        "unet/diffusion_pytorch_model.fp16.safetensors": weights(size=unet_size, seed=3),
        "vae/config.json": b'{"_class_name": "AutoencoderKL"}',
        "vae/diffusion_pytorch_model.fp16.safetensors": weights(VAE, 40_000, seed=4),
    }


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder
