"""Fitting a LoRA to the keyframes of a shot, so that the model draws this subject and this style.

LoRA: Hu et al. 2021, arXiv 2106.09685; fitted to keyframes: DreamMover, arXiv 2409.09605. The base weights are never
altered: fitting trains layers beside them (peft), and `applied` puts sums in their place for as long as it is open.

Random numbers come from a generator on the CPU, so that they are the same on every device.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from . import lora_files
from .lora_files import Fitted
from .lora_samples import Posterior, Sampler, fixed_samples
from .lora_steps import Plateau, Trainer, diverged
from .memory import Chunk, run_chunked
from .model import Model

VERSION = 1
"""Of what fitting does: raised whenever the same pictures would give another result."""

_ADAPTER = "shot"
_PROJECTIONS = ("to_q", "to_k", "to_v", "to_out.0")


@dataclass(frozen=True)
class FitSettings:
    """How fitting is done; the rate, its decay and the rank are the published ones.

    Attributes:
        rank: of the change of every layer.
        learning_rate, weight_decay: AdamW's.
        pictures_per_step: samples whose gradients make one step.
        most_gradient: norm to which gradients are cut.
        least_steps: before which fitting does not end.
        most_steps: for as many keyframes as one step shows; more keyframes may take more, see `bound`.
        check_every: steps between two looks at the validation loss.
        patience: looks without a smoothed gain of `least_gain` (a share of the loss) after which fitting ends.
    """

    rank: int = 16
    learning_rate: float = 2e-4
    weight_decay: float = 1e-2
    pictures_per_step: int = 2
    most_gradient: float = 1.0
    least_steps: int = 60
    most_steps: int = 200
    check_every: int = 20
    patience: int = 3
    least_gain: float = 0.005

    def bound(self, pictures: int) -> int:
        """Most steps for so many keyframes: each is seen as often, but longer than four times it never takes."""
        return round(self.most_steps * min(4.0, max(1.0, pictures / self.pictures_per_step)))


def fit(
    model: Model,
    pictures: Sequence[Tensor],
    context: Tensor,
    seed: int,
    cache: Path | None,
    progress: Callable[[float], None],
    settings: FitSettings = FitSettings(),
) -> Fitted:
    """Fit a LoRA to all keyframes of a shot, or find it in the cache.

    Args:
        pictures: each (3, H, W) or (n, 3, H, W) in [-1, 1], multiples of 8; sizes may differ.
        context: (1, 77, C) the prompt's embedding.
        cache: folder for what can be made again; None keeps nothing.
        progress: called before every step with the share that is done, 0 to 1. What it raises passes through and
            leaves the model as it was.

    Raises:
        TweenbridgeError: OUT_OF_MEMORY; MODEL_FAILED when the loss is not a number.
    """
    single = [each for group in pictures for each in (group if group.ndim == 4 else group[None])]
    place = None if cache is None else cache / "lora" / f"{_key(model, single, context, seed, settings)}.safetensors"
    shapes = {name: (layer.in_features, layer.out_features) for name, layer in attention_layers(model.unet).items()}
    known = place and lora_files.load(place, shapes, settings.rank)
    if known:
        progress(1.0)
        return known
    fitted = _train(model, single, context, seed, progress, settings)
    if place:
        lora_files.save(place, fitted)
    progress(1.0)
    return fitted


@contextmanager
def applied(model: Model, fitted: Fitted, weight: float = 1.0) -> Iterator[None]:
    """The model with the LoRA. Afterwards, also after an error, its weights are the very same tensors as before.

    Args:
        weight: how much the LoRA counts; the same for inversion and denoising.
    """
    layers = attention_layers(model.unet)
    before: dict[str, nn.Parameter] = {name: layers[name].get_parameter("weight") for name in fitted.weights}
    try:
        for name, (down, up) in fitted.weights.items():
            base = before[name]
            change = up.to(base.device) @ down.to(base.device) * weight
            layers[name].weight = nn.Parameter((base.float() + change).to(base.dtype), requires_grad=False)
        yield
    finally:
        for name, base in before.items():
            layers[name].weight = base


def attention_layers(unet: nn.Module) -> dict[str, nn.Linear]:
    """The linear layers for q, k, v and out of all attention, by name."""
    return {
        name: layer
        for name, layer in unet.named_modules()
        if isinstance(layer, nn.Linear) and name.endswith(tuple(f".{each}" for each in _PROJECTIONS))
    }


def _key(model: Model, pictures: Sequence[Tensor], context: Tensor, seed: int, settings: FitSettings) -> str:
    """Hex: names what fitting depends on."""
    digest = hashlib.sha256(repr((VERSION, model.identity, seed, sorted(asdict(settings).items()))).encode())
    for tensor in (context, *pictures):
        digest.update(repr(tuple(tensor.shape)).encode())
        digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _train(
    model: Model,
    pictures: Sequence[Tensor],
    context: Tensor,
    seed: int,
    progress: Callable[[float], None],
    settings: FitSettings,
) -> Fitted:
    # Gradients cannot flow through tensors made in inference mode, in which callers may be.
    with torch.inference_mode(False), torch.enable_grad():
        pictures = [each.clone() for each in pictures]
        posteriors = list(run_chunked(pictures, Chunk(1), lambda one: Posterior.of(model, one[0]), lambda: False))
        sampler, checks = Sampler(posteriors, seed, model.training_side), fixed_samples(posteriors, seed)
        most, step = settings.bound(len(pictures)), 0
        with _adapters(model.unet, settings.rank, seed) as adapters:
            trainer = Trainer(model, context.clone(), [part for pair in adapters.values() for part in pair], settings)
            first = last = trainer.losses(checks)
            plateau = Plateau(first, settings)
            while step < most:
                progress(step / most)
                trainer.step(sampler.draw(settings.pictures_per_step))
                step += 1
                if step % settings.check_every == 0 or step == most:
                    last = trainer.losses(checks)
                    if not math.isfinite(sum(last)):
                        raise diverged()
                    if plateau.reached(step, last):
                        break
            weights = {name: (down.detach().cpu(), up.detach().cpu()) for name, (down, up) in adapters.items()}
    return Fitted(weights, step, sum(first) / len(first), sum(last) / len(last))


@contextmanager
def _adapters(unet: nn.Module, rank: int, seed: int) -> Iterator[dict[str, tuple[nn.Parameter, nn.Parameter]]]:
    """Layers beside those of all attention: down (rank, in), random, and up (out, rank), zero; both float32.

    Afterwards the U-Net consists of the very same modules as before.
    """
    layers = attention_layers(unet)
    wanting = {parameter: parameter.requires_grad for parameter in unet.parameters()}
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=list(layers), init_lora_weights="gaussian")
    try:
        # peft draws from the global generator first; whoever else uses that shall not notice.
        with torch.random.fork_rng(devices=[]):
            inject_adapter_in_model(config, unet, adapter_name=_ADAPTER)
        random = torch.Generator("cpu").manual_seed(seed)
        adapters = {}
        for name in layers:
            wrapped: Any = unet.get_submodule(name)
            wrapped.lora_A.float()
            wrapped.lora_B.float()
            down, up = wrapped.lora_A[_ADAPTER].weight, wrapped.lora_B[_ADAPTER].weight
            with torch.no_grad():
                down.copy_(torch.randn(down.shape, generator=random) / rank)
                up.zero_()
            adapters[name] = (down, up)
        yield adapters
    finally:
        for name, layer in layers.items():
            unet.set_submodule(name, layer)
        for parameter, wanted in wanting.items():
            parameter.requires_grad_(wanted)
        unet.disable_gradient_checkpointing()  # type: ignore[operator]
        if hasattr(unet, "peft_config"):
            del unet.peft_config
