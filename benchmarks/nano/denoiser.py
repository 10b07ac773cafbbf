"""What the denoiser is trained for: to tell the noise in noisy latents, at every level of noise."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

from .fitting import Device, Loss
from .material import Latents
from .networks import alphas

_LABELS: Final = 1000
_MOST_WEIGHT: Final = 5.0
"""Min-SNR weighting (Hang et al. 2023, arXiv 2303.09556): little noise is not learned at the cost of much noise."""
_LARGE_FIRST: Final = 0.5
_LARGE_THEN: Final = 0.8
"""Share of steps with large pictures, in the first half of the time and after."""


def losses(unet: Any, small: Latents, large: Latents, prompt: Tensor, device: Device, batch: int) -> Loss:
    """Weighted squared errors of the noise. The log gets the plain ones of large pictures' labels and small alike.

    Args:
        small, large: latents of pictures of two sizes; of large ones half as many are taken at a time.
        prompt: (1, 1, width).
    """
    kept = alphas().to(device.name)
    words = prompt.to(device.name)

    def loss(fraction: float, step: int, chance: torch.Generator) -> tuple[Tensor, float]:
        share = _LARGE_FIRST if fraction < 0.5 else _LARGE_THEN
        is_large = bool(torch.rand((), generator=chance) < share)
        count = max(1, batch // 2) if is_large else batch
        clean = (large if is_large else small).draw(count, chance)
        noise = torch.randn(clean.shape, generator=chance)
        # One label from each of as many equal parts.
        places = (torch.arange(count) + torch.rand(count, generator=chance)) / count
        labels = (places * _LABELS).long().clamp(0, _LABELS - 1).to(device.name)
        clean, noise = clean.to(device.name), noise.to(device.name)
        alpha = kept[labels].view(-1, 1, 1, 1)
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
        with device.autocast():
            told = unet(noisy, labels, encoder_hidden_states=words.expand(count, -1, -1)).sample
        errors = (told.float() - noise).square().mean((1, 2, 3))
        signal = kept[labels] / (1 - kept[labels])
        weights = signal.clamp(max=_MOST_WEIGHT) / signal
        return (errors * weights).mean(), float(errors.detach().mean())

    return loss
