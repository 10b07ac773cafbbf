"""Loads a Stable Diffusion 1.x or 2.x model, from files that are there, and embeds prompts.

U-Net, VAE and text encoder are diffusers' and transformers' own classes. Weights come from `.safetensors` files only.
Whatever the libraries raise reaches the user as one sentence.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Final

# Before huggingface_hub is imported, which reads it once: nothing is fetched while frames are made.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from ..base import Cancelled
from .devices import Device, first_line
from .folders import TEXT_WEIGHTS, UNET_WEIGHTS, read_json, weights_in
from .identity import ModelSource, identity

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
    with quiet(), failures(source.model):
        name = identity(source)
        report(0.0)
        parts = _from_folder(source, device, report)
        unet, vae, text_encoder = parts.unet, parts.vae, parts.text_encoder
        _check_fit(unet, vae, text_encoder, parts.tokenizer)
        for module in (unet, vae, text_encoder):
            module.eval()
            module.requires_grad_(False)
            _check_finite(module)
        placed = replace(device)
        unet.to(device.device, placed.dtype)
        text_encoder.to(device.device, placed.dtype)
        vae.to(device.device, placed.vae_dtype)
        if device.device.type != "cpu":
            unet.to(memory_format=torch.channels_last)
            vae.to(memory_format=torch.channels_last)
        report(1.0)
        return Model(
            unet=unet,
            vae=vae,
            tokenizer=parts.tokenizer,
            text_encoder=text_encoder,
            alphas=cumulative_alphas(parts.scheduler),
            prediction=_prediction(parts.scheduler),
            device=placed,
            identity=name,
            latent_scale=float(vae.config.scaling_factor),
            training_side=_side(unet.config.sample_size) * 8,
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
    steps = int(scheduler.get("num_train_timesteps", _TRAINING_STEPS))
    kind = str(scheduler.get("beta_schedule", "scaled_linear"))
    start, end = float(scheduler.get("beta_start", 0.00085)), float(scheduler.get("beta_end", 0.012))
    trained = scheduler.get("trained_betas")
    if trained is not None:
        betas = torch.tensor(trained, dtype=torch.float64)
    elif kind == "scaled_linear":
        betas = torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float64) ** 2
    elif kind == "linear":
        betas = torch.linspace(start, end, steps, dtype=torch.float64)
    else:
        raise _unsupported(f"the noise schedule {kind!r}")
    if betas.shape != (_TRAINING_STEPS,) or not bool(((betas > 0) & (betas < 1)).all()):
        raise _unsupported("a noise schedule of other than 1000 steps")
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


def _from_folder(source: ModelSource, device: Device, report: Callable[[float], None]) -> _Parts:
    folder = source.model
    scheduler = dict(read_json(folder / "scheduler" / "scheduler_config.json"))
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    text_encoder = _pretrained(CLIPTextModel, folder / "text_encoder", TEXT_WEIGHTS, device.dtype)
    report(0.1)
    unet = _pretrained(UNet2DConditionModel, folder / "unet", UNET_WEIGHTS, device.dtype)
    report(0.6)
    vae = _pretrained(AutoencoderKL, source.vae or folder / "vae", UNET_WEIGHTS, device.vae_dtype)
    report(0.7)
    return _Parts(unet, vae, text_encoder, tokenizer, scheduler)


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


def _check_fit(unet: Any, vae: Any, text_encoder: Any, tokenizer: Any) -> None:
    """Whether the parts belong together, and are what the engine can drive."""
    if unet.config.in_channels != 4 or unet.config.out_channels != 4:
        raise _unsupported(f"a U-Net with {unet.config.in_channels} input channels")
    if len(unet.config.block_out_channels) != 4 or len(unet.up_blocks) != 4:
        raise _unsupported("a U-Net that has not four levels")
    if unet.config.addition_embed_type or unet.config.class_embed_type or unet.config.time_cond_proj_dim:
        raise _unsupported("a U-Net that wants more than a prompt")
    if vae.config.latent_channels != 4 or len(vae.config.block_out_channels) != 4:
        raise _unsupported("a VAE that is not Stable Diffusion 1.x's or 2.x's")
    width, wanted = text_encoder.config.hidden_size, unet.config.cross_attention_dim
    if width != wanted:
        raise _unsupported(f"a text encoder of width {width} beside a U-Net that wants {wanted}")
    if max(tokenizer.get_vocab().values()) >= text_encoder.config.vocab_size:
        raise _unsupported("a tokenizer with more words than the text encoder")


def _check_finite(module: torch.nn.Module) -> None:
    for name, weight in module.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise TweenbridgeError(
                ErrorCode.MODEL_FAILED, f"The model's weights are damaged: {name} holds values that are no numbers."
            )


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


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' warnings and progress bars off the terminal."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def failures(path: Path) -> Iterator[None]:
    """Turn what the libraries raise into errors with a sentence."""
    try:
        yield
    except (TweenbridgeError, Cancelled):
        raise
    except Exception as error:
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error):
            raise TweenbridgeError(
                ErrorCode.OUT_OF_MEMORY, f"There is not enough memory to load the model {path.name!r}."
            ) from error
        raise TweenbridgeError(
            ErrorCode.MODEL_FAILED, f"The model {path.name!r} could not be loaded: {first_line(error)}."
        ) from error
