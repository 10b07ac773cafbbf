"""Steps of fitting a LoRA: gradients as memory allows, AdamW, the loss that is measured, and when to end."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from .lora_samples import Sample
from .memory import frame_bytes, is_out_of_memory, out_of_memory, release_unused
from .model import Model, Prediction

if TYPE_CHECKING:
    from .lora import FitSettings

log = logging.getLogger(__name__)

T = TypeVar("T")

_KEPT_FOR_GRADIENTS = 66
"""What one sample holds until its gradients are known, in frames evaluated without (counted for SD 1.5)."""
_SAFETY = 0.7


class Trainer:
    """Trains adapters that are already part of the U-Net.

    Where memory is short, activations are computed a second time instead of kept (gradient checkpointing), and then
    samples go one by one; the gradients are the same.
    """

    def __init__(
        self, model: Model, context: Tensor, parameters: Sequence[nn.Parameter], settings: FitSettings
    ) -> None:
        """Begin.

        Args:
            context: (1, 77, C) the prompt's embedding.
            parameters: what is trained, float32.
        """
        device = model.device
        self._model = model
        self._context = context
        self._parameters = list(parameters)
        self._most_gradient = settings.most_gradient
        self._optimizer = torch.optim.AdamW(
            self._parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        # Half precision loses small gradients of activations unless the loss is scaled up. torch's own scaler does not
        # work on every device.
        self._scale = 2.0**16 if device.dtype is torch.float16 else 1.0
        self._together = settings.pictures_per_step

    def step(self, samples: Sequence[Sample]) -> None:
        """One step of the optimiser; none where gradients are beyond what half precision can tell."""
        self._retrying(lambda: self._gradients(samples), self._need(samples))
        for parameter in self._parameters:
            if parameter.grad is not None:
                parameter.grad /= self._scale
        norm = nn.utils.clip_grad_norm_(self._parameters, self._most_gradient)
        if torch.isfinite(norm):
            self._optimizer.step()
        elif self._scale > 1.0:
            self._scale /= 2
        else:
            raise diverged()

    @torch.no_grad()
    def losses(self, samples: Sequence[Sample]) -> list[float]:
        """The loss of each sample."""
        return [self._retrying(lambda each=each: float(self._loss([each])), 0.0) for each in samples]  # type: ignore[misc]

    def _need(self, samples: Sequence[Sample]) -> float:
        """Bytes that a step holds when everything is kept."""
        sizes = [(sample.clean.shape[-2], sample.clean.shape[-1]) for sample in samples]
        return _KEPT_FOR_GRADIENTS * sum(frame_bytes(self._model.device, self._model, size) for size in sizes)

    def _gradients(self, samples: Sequence[Sample]) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        for group in _groups(samples, self._together):
            loss = self._loss(group) * (len(group) / len(samples))
            torch.autograd.backward(loss * self._scale)

    def _loss(self, samples: Sequence[Sample]) -> Tensor:
        """Mean squared error of what the network predicts for noised samples of one size."""
        model, device = self._model, self._model.device
        labels = torch.tensor([sample.label for sample in samples])
        levels = model.alphas[labels].float().reshape(-1, 1, 1, 1)
        clean = torch.stack([sample.clean for sample in samples])
        noise = torch.stack([sample.noise for sample in samples])
        noisy = levels.sqrt() * clean + (1 - levels).sqrt() * noise
        wanted = noise
        if model.prediction is Prediction.VELOCITY:
            wanted = levels.sqrt() * noise - (1 - levels).sqrt() * clean
        with torch.autocast(device.device.type, device.dtype, enabled=device.dtype is not torch.float32):
            predicted = model.unet(
                noisy.to(device.device, device.dtype),
                labels.to(device.device),
                encoder_hidden_states=self._context.to(device.device, device.dtype).expand(len(samples), -1, -1),
                return_dict=False,
            )[0]
        return functional.mse_loss(predicted.float(), wanted.to(device.device))

    def _retrying(self, work: Callable[[], T], need: float) -> T:
        """What `work` returns, done with less and less memory until it fits."""
        unet = self._model.unet
        if not unet.is_gradient_checkpointing and need > self._model.device.free() * _SAFETY:
            unet.enable_gradient_checkpointing()
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Outside of the handler, where nothing holds the failed attempt's tensors any more.
            self._optimizer.zero_grad(set_to_none=True)
            release_unused()
            if not unet.is_gradient_checkpointing:
                unet.enable_gradient_checkpointing()
            elif self._together > 1:
                self._together = 1
            else:
                raise out_of_memory()
            log.info("Memory ran out while learning keyframes; going on with less.")


def _groups(samples: Sequence[Sample], most: int) -> list[list[Sample]]:
    """Neighbours of equal size together, at most `most`."""
    groups: list[list[Sample]] = []
    for sample in samples:
        if groups and len(groups[-1]) < most and groups[-1][0].clean.shape == sample.clean.shape:
            groups[-1].append(sample)
        else:
            groups.append([sample])
    return groups


def diverged() -> TweenbridgeError:
    """The error for a loss that is no number."""
    return TweenbridgeError(
        ErrorCode.MODEL_FAILED,
        "Learning the shot's keyframes failed: the model's numbers grew beyond all bounds.",
        remedy="Use the profile Standard, which does not learn them, or choose another model.",
    )


class Plateau:
    """Whether fitting still gains anything, from validation losses smoothed over time."""

    def __init__(self, first: Sequence[float], settings: FitSettings) -> None:
        """Begin with the losses before fitting."""
        self._first = list(first)
        self._settings = settings
        self._smooth = self._best = 1.0
        self._idle = 0

    def reached(self, step: int, losses: Sequence[float]) -> bool:
        """Whether to end after `step` steps with these losses."""
        ratios = [now / before for now, before in zip(losses, self._first)]
        # The geometric mean: losses differ a hundredfold between time labels, and each counts alike.
        ratio = math.exp(sum(math.log(max(each, 1e-9)) for each in ratios) / len(ratios))
        self._smooth = 0.5 * (self._smooth + ratio)
        if self._smooth < self._best * (1 - self._settings.least_gain):
            self._best, self._idle = self._smooth, 0
        else:
            self._idle += 1
        return step >= self._settings.least_steps and self._idle >= self._settings.patience
