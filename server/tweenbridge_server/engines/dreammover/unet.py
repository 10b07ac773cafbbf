"""One evaluation of the U-Net, in the terms of the method: latents and a time label in, the noise in them out."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .model import Model, Prediction

Evaluate = Callable[[Tensor, Tensor, Tensor], Tensor]
"""The network itself: latents (N, 4, h, w), time label, context (N, 77, C) to its output (N, 4, h, w)."""


def predict(model: Model, latents: Tensor, label: int, context: Tensor, evaluate: Evaluate | None = None) -> Tensor:
    """The noise that the network sees in `latents`.

    Args:
        latents: (N, 4, h, w) float32.
        label: time label, 0 to 999.
        context: (1, 77, C) the prompt's embedding, for all of them.
        evaluate: another way to run the network; None runs all of it.

    Returns:
        (N, 4, h, w) float32, converted where the model predicts velocity (Salimans & Ho 2022, arXiv 2202.00512).
    """
    dtype = model.device.dtype
    time = torch.tensor(label, device=latents.device)
    words = context.to(dtype).expand(len(latents), -1, -1)
    output = (evaluate or _whole(model))(latents.to(dtype), time, words).float()
    if model.prediction is Prediction.EPSILON:
        return output
    level = float(model.alphas[label])
    return math.sqrt(level) * output + math.sqrt(1 - level) * latents


def _whole(model: Model) -> Evaluate:
    return lambda latents, time, words: model.unet(latents, time, encoder_hidden_states=words, return_dict=False)[0]
