"""Models of random weights in a diffusers folder: what computing costs does not depend on what a model has learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel
from tweenbridge_server.engines.dreammover.clip_words import END, clip_tokenizer
from tweenbridge_server.engines.dreammover.libraries import quiet

_SCHEDULER = {
    "_class_name": "DDIMScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "steps_offset": 1,
    "clip_sample": False,
    "set_alpha_to_one": False,
}
_PIPELINE = {
    "_class_name": "StableDiffusionPipeline",
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "DDIMScheduler"],
}


class Shape:
    """Widths of a model; heads, layers and blocks are always Stable Diffusion 1.5's."""

    def __init__(
        self, side: int, unet: tuple[int, ...], vae: tuple[int, ...], text: int, layers: int, norm: int
    ) -> None:
        self.unet = {
            "sample_size": side // 8,
            "block_out_channels": unet,
            "cross_attention_dim": text,
            "attention_head_dim": 8,
            "norm_num_groups": norm,
            "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
            "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        }
        self.vae = {
            "sample_size": side,
            "block_out_channels": vae,
            "latent_channels": 4,
            "layers_per_block": 2,
            "norm_num_groups": norm,
            "scaling_factor": 0.18215,
            "down_block_types": ("DownEncoderBlock2D",) * 4,
            "up_block_types": ("UpDecoderBlock2D",) * 4,
        }
        self.text = {
            "hidden_size": text,
            "intermediate_size": 4 * text,
            "num_hidden_layers": layers,
            "num_attention_heads": max(1, text // 64),
            "projection_dim": text,
        }


SHAPES = {
    "tiny": Shape(128, (32, 48, 64, 64), (16, 16, 32, 32), 64, 1, 16),
    "sd15": Shape(512, (320, 640, 1280, 1280), (128, 256, 512, 512), 768, 12, 32),
}


def write(folder: Path, shape: str, seed: int = 0) -> None:
    """Make a model and save it in half precision.

    Args:
        shape: one of `SHAPES`; "sd15" is the true shape and takes 2 GB.
    """
    torch.manual_seed(seed)
    wanted = SHAPES[shape]
    text: Any = CLIPTextConfig(vocab_size=49408, max_position_embeddings=77, hidden_act="quick_gelu", **wanted.text)
    with quiet():
        UNet2DConditionModel(**wanted.unet).half().save_pretrained(folder / "unet")
        AutoencoderKL(**wanted.vae).half().save_pretrained(folder / "vae")
        CLIPTextModel(text).half().save_pretrained(folder / "text_encoder")
        clip_tokenizer(END).save_pretrained(folder / "tokenizer")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(_SCHEDULER))
    (folder / "model_index.json").write_text(json.dumps(_PIPELINE))
