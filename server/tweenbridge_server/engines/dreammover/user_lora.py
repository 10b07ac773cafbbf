"""A LoRA that the user brings: added to the model's weights when it is loaded, so that it costs nothing later.

LoRA: Hu et al. 2021, arXiv 2106.09685. Kohya's, peft's and diffusers' layouts are read by diffusers' loader.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.loaders import StableDiffusionLoraLoaderMixin as Loader
from diffusers.utils import recurse_remove_peft_layers
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from .devices import first_line

_NAME = "user"


def add_lora(unet: Any, text_encoder: Any, path: Path, weight: float) -> None:
    """Add a LoRA times `weight` to the weights of a U-Net and a text encoder, which should be float32.

    Raises:
        TweenbridgeError: MODEL_FAILED where it is damaged or was made for another kind of model.
    """
    tensors = load_file(path)
    if not all(bool(torch.isfinite(tensor.float()).all()) for tensor in tensors.values()):
        raise TweenbridgeError(
            ErrorCode.MODEL_FAILED,
            f"The LoRA {path.name!r} is damaged: it holds values that are no numbers.",
            remedy="Download it again, or leave it out.",
        )
    try:
        state, alphas, notes = Loader.lora_state_dict(
            str(path.parent),
            weight_name=path.name,
            unet_config=unet.config,
            use_safetensors=True,
            local_files_only=True,
            return_lora_metadata=True,
        )
        more = {"network_alphas": alphas, "metadata": notes, "adapter_name": _NAME}
        if any(name.startswith("unet.") for name in state) or not any(n.startswith("text_encoder.") for n in state):
            Loader.load_lora_into_unet(state, unet=unet, **more)
        if any(name.startswith("text_encoder.") for name in state):
            Loader.load_lora_into_text_encoder(state, text_encoder=text_encoder, **more)
    except (RuntimeError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise _misfit(path, first_line(error)) from error
    if _merge(unet, weight) + _merge(text_encoder, weight) == 0:
        raise _misfit(path, "none of its layers is in the model")


def _merge(network: Any, weight: float) -> int:
    """Add the loaded layers to the weights beside them and take them away; how many there were."""
    layers = [module for module in network.modules() if isinstance(module, BaseTunerLayer)]
    for layer in layers:
        layer.scale_layer(weight)
        layer.merge()
    recurse_remove_peft_layers(network)
    if hasattr(network, "peft_config"):
        del network.peft_config
    network._hf_peft_config_loaded = False
    return len(layers)


def _misfit(path: Path, why: str) -> TweenbridgeError:
    return TweenbridgeError(
        ErrorCode.MODEL_FAILED,
        f"The LoRA {path.name!r} does not fit this model: {why}.",
        remedy="Use a LoRA that was made for this kind of model (1.x or 2.x), or leave it out.",
    )
