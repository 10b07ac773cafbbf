"""Files that look like models from outside: right names and headers, a few zeros inside. And what is said of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_models import make_weights
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.engines.dreammover.identity import find

UNET = "model.diffusion_model."
SD1 = {
    UNET + "input_blocks.0.0.weight": (8, 4, 3, 3),
    UNET + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (8, 8),
    "first_stage_model.decoder.conv_in.weight": (8, 4, 3, 3),
    "first_stage_model.encoder.conv_in.weight": (8, 3, 3, 3),
    "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight": (77, 8),
}
VAE = {"decoder.conv_in.weight": (8, 4, 3, 3), "encoder.conv_in.weight": (8, 3, 3, 3)}
LORA = {"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": (2, 8)}


def make_folder(folder: Path, class_name: str = "StableDiffusionPipeline", ending: str = ".safetensors") -> Path:
    """What a diffusers folder looks like from outside."""
    index = {
        "_class_name": class_name,
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "PNDMScheduler"],
    }
    for part, names in (
        ("unet", ["config.json"]),
        ("vae", ["config.json"]),
        ("text_encoder", ["config.json"]),
        ("tokenizer", ["vocab.json", "merges.txt", "tokenizer_config.json"]),
        ("scheduler", ["scheduler_config.json"]),
    ):
        (folder / part).mkdir(parents=True)
        for name in names:
            (folder / part / name).write_text("{}")
    (folder / "unet/config.json").write_text(json.dumps({"in_channels": 4}))
    (folder / "vae/config.json").write_text(json.dumps({"_class_name": "AutoencoderKL"}))
    (folder / "model_index.json").write_text(json.dumps(index))
    for part, stem in (
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
    ):
        make_weights(folder / part / f"{stem}{ending}", {"weight": (2,)})
    return folder


def refusal(home: Path | None = None, code: ErrorCode = ErrorCode.MODEL_FAILED, **settings: str) -> TweenbridgeError:
    with pytest.raises(TweenbridgeError) as caught:
        find(settings, home)
    assert caught.value.code is code
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    return caught.value
