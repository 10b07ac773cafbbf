"""Loads a Stable Diffusion 1.x or 2.x model, from files that are there, and embeds prompts.

U-Net, VAE and text encoder are diffusers' and transformers' own classes. Weights come from `.safetensors` files only.
Whatever the libraries raise reaches the user as one sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from .clip_words import clip_tokenizer
from .devices import Device, allow_tf32, computes_in
from .folders import TEXT_WEIGHTS, UNET_WEIGHTS, read_json, weights_in
from .half_vae import stays_in_range
from .identity import ModelKind, ModelSource, identity
from .libraries import failures, quiet
from .recognise import LDM_TEXT_2, read_header
from .single_file import load_checkpoint, load_vae
from .user_lora import add_lora

TOKENS: Final = 77
_TRAINING_STEPS: Final = 1000


class Prediction(Enum):
    """What the U-Net predicts: the noise, or the velocity (Salimans & Ho, arXiv 2202.00512, appendix D)."""

    EPSILON = "epsilon"
    VELOCITY = "v_prediction"


@dataclass(frozen=True)
class Model:
    """A model ready for use: eval mode, no gradients.

    Attributes:
        unet, vae, tokenizer, text_encoder: its parts, on the device.
        alphas: (1000,) float64 on the CPU: cumulative products of 1 - beta.
        prediction: what the U-Net predicts.
        device: where it is, with the number formats it really has.
        identity: of the files that it was loaded from.
        latent_scale: latents are the VAE's, times this.
        training_side: side in pixels of the squares that it was trained on.
    """

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    alphas: Tensor
    prediction: Prediction
    device: Device
    identity: str
    latent_scale: float
    training_side: int


def load(source: ModelSource, device: Device, progress: Callable[[float], None] | None = None) -> Model:
    """Load a model.

    Args:
        source: from `identity.find`.
        device: from `devices.choose`.
        progress: called with the fraction done; may raise `Cancelled`.

    Raises:
        TweenbridgeError: MODEL_FAILED where the files do not make a model; OUT_OF_MEMORY where it does not fit.
    """
    report = progress or (lambda fraction: None)
    with quiet(), failures(f"the model {source.model.name!r}"):
        name = identity(source)
        report(0.0)
        wanted = _suited(source, device)
        # What a LoRA adds is small beside the weights, and would be rounded away in half precision.
        dtype = torch.float32 if source.lora else wanted.dtype
        parts = (
            _from_folder(source, dtype, report)
            if source.kind is ModelKind.FOLDER
            else _from_file(source, dtype, report)
        )
        _check_fit(parts)
        if source.lora is not None:
            add_lora(parts.unet, parts.text_encoder, source.lora, source.lora_weight)
        for module in (parts.unet, parts.text_encoder, parts.vae):
            module.eval()
            module.requires_grad_(False)
        _place(parts.unet, wanted.device, wanted.dtype)
        _place(parts.text_encoder, wanted.device, wanted.dtype)
        report(0.9)
        _place(parts.vae, wanted.device, wanted.vae_dtype)
        if wanted.dtype is torch.float16 and stays_in_range(parts.vae, wanted.device):
            wanted = replace(wanted, vae_dtype=torch.float16)
            parts.vae.to(torch.float16)
        report(1.0)
        return Model(
            unet=parts.unet,
            vae=parts.vae,
            tokenizer=parts.tokenizer,
            text_encoder=parts.text_encoder,
            alphas=cumulative_alphas(parts.scheduler),
            prediction=_prediction(parts.scheduler),
            device=wanted,
            identity=name,
            latent_scale=float(parts.vae.config.scaling_factor),
            training_side=_side(parts.unet.config.sample_size) * 8,
        )


@torch.no_grad()
def embed(model: Model, prompt: str) -> tuple[Tensor, bool]:
    """A prompt as the U-Net takes it.

    Args:
        model: the model.
        prompt: any text; "" for none.

    Returns:
        (1, 77, C) float32 on the model's device, and whether the prompt was too long and its end left out.
    """
    with quiet():
        whole = model.tokenizer(prompt, truncation=False)["input_ids"]
        padded = model.tokenizer(prompt, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt")
    hidden = model.text_encoder(padded["input_ids"].to(model.device.device))[0]
    return hidden.float(), len(whole) > TOKENS


def cumulative_alphas(scheduler: dict[str, Any]) -> Tensor:
    """The noise schedule that a scheduler's configuration describes: (1000,) float64.

    Raises:
        TweenbridgeError: MODEL_FAILED where it is none that this engine can use.
    """
    if scheduler.get("num_train_timesteps", _TRAINING_STEPS) != _TRAINING_STEPS:
        raise _unsupported("a noise schedule of other than 1000 steps")
    kind = str(scheduler.get("beta_schedule", "scaled_linear"))
    start, end = float(scheduler.get("beta_start", 0.00085)), float(scheduler.get("beta_end", 0.012))
    trained = scheduler.get("trained_betas")
    if trained is not None:
        betas = torch.tensor(trained, dtype=torch.float64)
    elif kind == "scaled_linear":
        betas = torch.linspace(start**0.5, end**0.5, _TRAINING_STEPS, dtype=torch.float64) ** 2
    elif kind == "linear":
        betas = torch.linspace(start, end, _TRAINING_STEPS, dtype=torch.float64)
    else:
        raise _unsupported(f"the noise schedule {kind!r}")
    if betas.shape != (_TRAINING_STEPS,) or not bool(((betas > 0) & (betas < 1)).all()):
        raise _unsupported("a noise schedule that is none")
    alphas = torch.cumprod(1 - betas, 0)
    if scheduler.get("rescale_betas_zero_snr"):
        # Lin et al., arXiv 2305.08891, algorithm 1. The last level would be exactly 0, by which nothing can be divided.
        roots = alphas.sqrt()
        roots = (roots - roots[-1]) * (roots[0] / (roots[0] - roots[-1]))
        alphas = (roots**2).clamp(min=2.0**-24)
    return alphas


@dataclass(frozen=True)
class _Parts:
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    scheduler: dict[str, Any]


def _suited(source: ModelSource, device: Device) -> Device:
    """The device with number formats in which this model can be computed."""
    if source.kind is ModelKind.FOLDER:
        upcast = bool(read_json(source.model / "unet" / "config.json").get("upcast_attention"))
    else:
        upcast = read_header(source.model).starts(LDM_TEXT_2)
    if device.dtype is torch.float16 and upcast and device.device.type != "cuda":
        # Attention scores of 2.x pass half precision's limit; CUDA's fused attention sums them in float32.
        device = replace(device, dtype=torch.bfloat16 if computes_in(device, torch.bfloat16) else torch.float32)
    if device.device.type == "cuda":
        allow_tf32(device)
    return device


def _from_folder(source: ModelSource, dtype: torch.dtype, report: Callable[[float], None]) -> _Parts:
    folder = source.model
    scheduler = dict(read_json(folder / "scheduler" / "scheduler_config.json"))
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    text_encoder = _pretrained(CLIPTextModel, folder / "text_encoder", TEXT_WEIGHTS, dtype)
    report(0.1)
    unet = _pretrained(UNet2DConditionModel, folder / "unet", UNET_WEIGHTS, dtype)
    report(0.6)
    vae = _vae(source.vae or folder / "vae")
    report(0.7)
    return _Parts(unet, vae, text_encoder, tokenizer, scheduler)


def _from_file(source: ModelSource, dtype: torch.dtype, report: Callable[[float], None]) -> _Parts:
    unet, text_encoder, scheduler, pad = load_checkpoint(source.model, dtype, report)
    vae = _vae(source.vae or source.model)
    report(0.7)
    return _Parts(unet, vae, text_encoder, clip_tokenizer(pad, text_encoder.config.vocab_size), scheduler)


def _vae(path: Path) -> AutoencoderKL:
    return (
        _pretrained(AutoencoderKL, path, UNET_WEIGHTS, torch.float32)
        if path.is_dir()
        else load_vae(path, torch.float32)
    )


def _place(module: Any, device: torch.device, dtype: torch.dtype) -> None:
    """Move a network to the device; its weights must be numbers there."""
    module.to(device, dtype)
    if device.type != "cpu":
        module.to(memory_format=torch.channels_last)
    for name, weight in module.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise TweenbridgeError(
                ErrorCode.MODEL_FAILED, f"The model's weights are damaged: {name} holds values that are no numbers."
            )


def _pretrained(kind: Any, folder: Path, stem: str, dtype: torch.dtype) -> Any:
    """Load one part; every tensor must be there and of its shape."""
    variant = weights_in(folder, stem).variant
    module, found = kind.from_pretrained(
        folder,
        variant=variant or None,
        torch_dtype=dtype,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    wrong = sorted(str(name) for name in found["missing_keys"]) + sorted(str(n) for n in found["mismatched_keys"])
    if wrong:
        raise TweenbridgeError(
            ErrorCode.MODEL_FAILED,
            f"The weights in {folder.parent.name}/{folder.name} do not fit its config.json: {wrong[0]} is missing "
            "or of another shape.",
        )
    return module


def _check_fit(parts: _Parts) -> None:
    """Whether the parts belong together, and are what the engine can drive."""
    unet, vae, text_encoder = parts.unet, parts.vae, parts.text_encoder
    if unet.config.in_channels != 4 or unet.config.out_channels != 4:
        raise _unsupported(f"a U-Net with {unet.config.in_channels} input channels")
    if len(unet.config.block_out_channels) != 4 or len(unet.up_blocks) != 4:
        raise _unsupported("a U-Net that has not four levels")
    more = ("addition_embed_type", "class_embed_type", "num_class_embeds", "encoder_hid_dim_type", "time_cond_proj_dim")
    if any(getattr(unet.config, name) is not None for name in more) or unet.config.attention_type != "default":
        raise _unsupported("a U-Net that wants more than a prompt")
    if unet.mid_block is None or not all(getattr(block, "attentions", None) for block in unet.up_blocks[1:]):
        raise _unsupported("a U-Net with fewer attention layers")
    if vae.config.latent_channels != 4 or len(vae.config.block_out_channels) != 4:
        raise _unsupported("a VAE that is not Stable Diffusion 1.x's or 2.x's")
    if abs(vae.config.scaling_factor - 0.13025) < 1e-6:
        raise _unsupported("a VAE of Stable Diffusion XL")
    width, wanted = text_encoder.config.hidden_size, unet.config.cross_attention_dim
    if width != wanted:
        raise _unsupported(f"a text encoder of width {width} beside a U-Net that wants {wanted}")
    if max(parts.tokenizer.get_vocab().values()) >= text_encoder.config.vocab_size:
        raise _unsupported("a tokenizer with more words than the text encoder")


def _prediction(scheduler: dict[str, Any]) -> Prediction:
    name = str(scheduler.get("prediction_type", Prediction.EPSILON.value))
    try:
        return Prediction(name)
    except ValueError:
        raise _unsupported(f"a U-Net that predicts {name!r}") from None


def _side(size: Any) -> int:
    return int(size if isinstance(size, int) else max(size)) if size else 64


def _unsupported(what: str) -> TweenbridgeError:
    return TweenbridgeError(
        ErrorCode.MODEL_FAILED,
        f"The model has {what}, which the dreammover engine cannot use.",
        remedy="Use a Stable Diffusion 1.x or 2.x model, or one made from them.",
    )
