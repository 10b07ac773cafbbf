"""Models in one file, in the layout of the original Stable Diffusion code: `.safetensors` checkpoints and VAEs.

Such a file holds weights alone. How the networks are built is read off the tensors' shapes, which are in the file's
header, so that nothing has to be fetched. Renaming to diffusers' layout is diffusers' own.

What shapes cannot tell is whether the U-Net predicts noise or velocity. In this order, it is told by: a `.yaml` of the
same name beside the file, as the original code has it (`parameterization: "v"`); the file's metadata
(`modelspec.prediction_type`, `modelspec.architecture`); a tensor called `v_pred`; for 2.x models the spread of one
late normalisation's biases, which is large in velocity models (known from practice, not from theory). Else it is noise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)
from safetensors import safe_open
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from .clip_words import END, LETTERS
from .recognise import LDM_TEXT_1, LDM_TEXT_2, LDM_UNET, LDM_VAE, Header, description_of, read_header

Shapes = Mapping[str, tuple[int, ...]]

_HEAD: Final = 64
_LEVELS: Final = 4
_LATE_BIASES: Final = LDM_UNET + "output_blocks.11.1.transformer_blocks.0.norm1.bias"
_MAX_YAML: Final = 100_000


def load_checkpoint(
    path: Path, dtype: torch.dtype, report: Callable[[float], None]
) -> tuple[UNet2DConditionModel, CLIPTextModel, dict[str, Any], str]:
    """Load a checkpoint's U-Net and text encoder.

    Returns:
        The U-Net, the text encoder, a scheduler's configuration, and the word that the tokenizer pads with.

    Raises:
        TweenbridgeError: MODEL_FAILED where a tensor is missing or of another shape.
    """
    header = read_header(path)
    second = header.starts(LDM_TEXT_2)
    text_encoder = _second_text(path, header.shapes, dtype) if second else _first_text(path, header.shapes, dtype)
    report(0.1)
    velocity = _predicts_velocity(path, header, second)
    side = _side(header, 768 if second and velocity else 512)
    config = unet_config(header.shapes, side // 8)
    tensors = _read(path, LDM_UNET)
    unet = _assembled(
        UNet2DConditionModel.from_config, config, convert_ldm_unet_checkpoint(tensors, config), dtype, path
    )
    report(0.6)
    scheduler = {
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "num_train_timesteps": 1000,
        "prediction_type": "v_prediction" if velocity else "epsilon",
        "rescale_betas_zero_snr": "ztsnr" in header.shapes,
    }
    return unet, text_encoder, scheduler, "!" if second else END


def load_vae(path: Path, dtype: torch.dtype) -> AutoencoderKL:
    """Load the VAE of a checkpoint, or a file that holds a VAE alone, in the original layout or in diffusers'.

    Raises:
        TweenbridgeError: MODEL_FAILED where a tensor is missing or of another shape.
    """
    shapes = read_header(path).shapes
    prefix = LDM_VAE if any(name.startswith(LDM_VAE) for name in shapes) else ""
    tensors = {name.removeprefix(prefix): tensor for name, tensor in _read(path, prefix).items()}
    config = vae_config({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    if "encoder.down_blocks.0.resnets.0.conv1.weight" not in tensors:
        tensors = convert_ldm_vae_checkpoint(tensors, config)
    return _assembled(AutoencoderKL.from_config, config, tensors, dtype, path)


def unet_config(shapes: Shapes, sample_size: int) -> dict[str, Any]:
    """How diffusers builds a U-Net whose tensors have these shapes.

    Raises:
        TweenbridgeError: MODEL_FAILED where a tensor that tells is missing.
    """
    # Two residual blocks and one step down on each level.
    firsts = [f"{LDM_UNET}input_blocks.{1 + 3 * level}" for level in range(_LEVELS)]
    widths = [_shape(shapes, f"{first}.0.out_layers.3.weight")[0] for first in firsts]
    attends = [f"{first}.1.proj_in.weight" in shapes for first in firsts]
    linear = len(_shape(shapes, f"{firsts[0]}.1.proj_in.weight")) == 2
    return {
        "sample_size": sample_size,
        "in_channels": _shape(shapes, f"{LDM_UNET}input_blocks.0.0.weight")[1],
        "out_channels": _shape(shapes, f"{LDM_UNET}out.2.weight")[0],
        "block_out_channels": widths,
        "layers_per_block": 2,
        "down_block_types": ["CrossAttnDownBlock2D" if attend else "DownBlock2D" for attend in attends],
        "up_block_types": ["CrossAttnUpBlock2D" if attend else "UpBlock2D" for attend in reversed(attends)],
        "cross_attention_dim": _shape(shapes, f"{firsts[0]}.1.transformer_blocks.0.attn2.to_k.weight")[1],
        # 1.x has 8 heads on every level, 2.x heads of 64 channels; diffusers calls both by the same wrong name.
        "attention_head_dim": [max(1, width // _HEAD) for width in widths] if linear else 8,
        "use_linear_projection": linear,
        "upcast_attention": linear,
        "norm_num_groups": _groups(widths),
    }


def vae_config(shapes: Shapes) -> dict[str, Any]:
    """How diffusers builds a VAE whose tensors have these shapes (names without a prefix, either layout).

    Raises:
        TweenbridgeError: MODEL_FAILED where a tensor that tells is missing.
    """
    original = "encoder.down.0.block.0.conv1.weight" in shapes
    level = "encoder.down.{}.block.{}.conv1.weight" if original else "encoder.down_blocks.{}.resnets.{}.conv1.weight"
    widths = [_shape(shapes, level.format(index, 0))[0] for index in range(_LEVELS)]
    layers = sum(level.format(0, index) in shapes for index in range(10))
    return {
        "block_out_channels": widths,
        "down_block_types": ["DownEncoderBlock2D"] * _LEVELS,
        "up_block_types": ["UpDecoderBlock2D"] * _LEVELS,
        "layers_per_block": layers,
        "latent_channels": _shape(shapes, "decoder.conv_in.weight")[1],
        "scaling_factor": 0.18215,
        "norm_num_groups": _groups(widths),
    }


def _groups(widths: Sequence[int]) -> int:
    """In how many groups channels are normalised: 32, or fewer where a small network's widths allow no more."""
    return math.gcd(32, *widths)


def _first_text(path: Path, shapes: Shapes, dtype: torch.dtype) -> CLIPTextModel:
    """CLIP ViT-L's text encoder, as in 1.x: transformers' own names."""
    inner = (
        LDM_TEXT_1 + "text_model."
        if any(name.startswith(LDM_TEXT_1 + "text_model.") for name in shapes)
        else LDM_TEXT_1
    )
    layer = re.compile(re.escape(inner) + r"encoder\.layers\.(\d+)\.")
    config = _text_config(
        _shape(shapes, inner + "embeddings.token_embedding.weight"),
        _shape(shapes, inner + "encoder.layers.0.mlp.fc1.weight")[0],
        len({match.group(1) for name in shapes if (match := layer.match(name))}),
        "quick_gelu",
    )
    return _text_encoder(config, {n.removeprefix(inner): t for n, t in _read(path, inner).items()}, dtype, path)


def _second_text(path: Path, shapes: Shapes, dtype: torch.dtype) -> CLIPTextModel:
    """OpenCLIP ViT-H's text encoder, as in 2.x: without its last layer, which 2.x does not use."""
    layer = re.compile(re.escape(LDM_TEXT_2) + r"transformer\.resblocks\.(\d+)\.")
    layers = {int(match.group(1)) for name in shapes if (match := layer.match(name))}
    config = _text_config(
        _shape(shapes, LDM_TEXT_2 + "token_embedding.weight"),
        _shape(shapes, LDM_TEXT_2 + "transformer.resblocks.0.mlp.c_fc.weight")[0],
        len(layers) - 1,
        "gelu",
    )
    unused = f"{LDM_TEXT_2}transformer.resblocks.{len(layers) - 1}."
    tensors = {name: tensor for name, tensor in _read(path, LDM_TEXT_2).items() if not name.startswith(unused)}
    with init_empty_weights():
        template = CLIPTextModel(config)
    return _text_encoder(config, convert_open_clip_checkpoint(template, tensors, prefix=LDM_TEXT_2), dtype, path)


def _text_config(words: tuple[int, ...], inner: int, layers: int, activation: str) -> CLIPTextConfig:
    count, width = words
    if count < LETTERS + 2:
        raise TweenbridgeError(ErrorCode.MODEL_FAILED, "The checkpoint's text encoder does not know CLIP's letters.")
    return CLIPTextConfig(
        vocab_size=count,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // _HEAD),
        hidden_act=activation,
        projection_dim=width,
        bos_token_id=count - 2,
        eos_token_id=count - 1,
        pad_token_id=1,
    )


def _text_encoder(config: CLIPTextConfig, tensors: dict[str, Tensor], dtype: torch.dtype, path: Path) -> CLIPTextModel:
    # transformers before 5.6 keeps the network one level further down.
    tensors = {name.removeprefix("text_model."): tensor for name, tensor in tensors.items()}
    return _assembled(CLIPTextModel, config, tensors, dtype, path, inner="text_model")


def _assembled(
    build: Callable[[Any], Any],
    config: Any,
    tensors: Mapping[str, Tensor],
    dtype: torch.dtype,
    path: Path,
    inner: str = "",
) -> Any:
    """The network with its weights in; tensors that it has no place for are left out."""
    with init_empty_weights():
        network = build(config)
    target = getattr(network, inner, network)
    places = target.state_dict()
    for name, place in places.items():
        if name not in tensors:
            raise _misfit(path, f"{name} is missing")
        if tensors[name].shape != place.shape:
            raise _misfit(path, f"{name} has the shape {tuple(tensors[name].shape)}, not {tuple(place.shape)}")
    target.load_state_dict({name: tensors[name].to(dtype) for name in places}, assign=True)
    return network.to(dtype)


def _misfit(path: Path, what: str) -> TweenbridgeError:
    return TweenbridgeError(
        ErrorCode.MODEL_FAILED, f"{path.name!r} is not a complete Stable Diffusion 1.x or 2.x file: {what}."
    )


def _shape(shapes: Shapes, name: str) -> tuple[int, ...]:
    shape = shapes.get(name)
    if shape is None:
        raise TweenbridgeError(
            ErrorCode.MODEL_FAILED, f"The file is not a complete Stable Diffusion 1.x or 2.x file: {name} is missing."
        )
    return shape


def _read(path: Path, prefix: str) -> dict[str, Tensor]:
    """The tensors whose names start with `prefix`; the rest of a file may be large (averaged copies of the U-Net)."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118


def _predicts_velocity(path: Path, header: Header, second: bool) -> bool:
    try:
        with description_of(path).open(encoding="utf-8", errors="replace") as file:
            told = re.search(r"^\s*parameterization:\s*[\"']?(\w+)", file.read(_MAX_YAML), re.MULTILINE)
        if told is not None:
            return told.group(1) == "v"
    except FileNotFoundError:
        pass
    told_type = header.metadata.get("modelspec.prediction_type", "")
    if told_type:
        return told_type.startswith("v")
    architecture = header.metadata.get("modelspec.architecture", "")
    if architecture.startswith("stable-diffusion-v2-"):
        return architecture.startswith("stable-diffusion-v2-768-v")
    if "v_pred" in header.shapes:
        return True
    if not second or _LATE_BIASES not in header.shapes:
        return False
    with safe_open(path, framework="pt") as file:
        return float(file.get_tensor(_LATE_BIASES).float().std(correction=0)) > 0.09


def _side(header: Header, usual: int) -> int:
    """The side of the pictures it was trained on: noted by the file's maker ("768x768"), else the usual."""
    noted = re.match(r"(\d{2,4})x(\d{2,4})$", header.metadata.get("modelspec.resolution", ""))
    return max(int(noted.group(1)), int(noted.group(2))) // 8 * 8 if noted else usual
