"""What the autoencoder is trained for: pictures that come back as they were, from latents of unit variance."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

from .fitting import Device, Loss
from .material import Pictures, batches
from .networks import SCALE

_SIZE: Final = 128
_CROP: Final = 64
_CROPS_UNTIL: Final = 0.8
"""Of the time. Small parts buy more steps; whole pictures, at the end, what is the same all over a picture."""
_SQUARES: Final = 4.0
"""Large errors, which are at the rims of things, count for more than their size."""
_DIVERGENCE: Final = 3e-4
_LEAST_SPREAD: Final = 1e-3
"""A channel that says less is not blown up to unit variance: half precision could not hold its weights."""


def losses(vae: Any, device: Device, batch: int, workers: int, first: int, start: int) -> Loss:
    """Losses from step `start` on: how far pictures are off, how far their edges are, and how large latents are.

    The log gets the mean squared error, of pictures from -1 to 1. Where the encoder's weights ask for no gradients,
    the decoder is trained alone.

    Args:
        first: number of the first picture.
    """
    crops = batches(Pictures(_SIZE, _CROP, first), start * batch, batch, workers)
    whole = batches(Pictures(_SIZE, _SIZE, first + (1 << 22)), start * (batch // 2), batch // 2, workers)
    with_encoder = any(weight.requires_grad for weight in vae.encoder.parameters())

    def loss(fraction: float, step: int, chance: torch.Generator) -> tuple[Tensor, float]:
        pictures = next(crops if fraction < _CROPS_UNTIL else whole).to(device.name)
        with device.autocast():
            with torch.set_grad_enabled(with_encoder):
                found = vae.encode(pictures).latent_dist
            noise = torch.randn(found.mean.shape, generator=chance).to(device.name)
            made = vae.decode(found.mean + found.std * noise).sample
        off = made.float() - pictures
        across, down = off[..., 1:] - off[..., :-1], off[..., 1:, :] - off[..., :-1, :]
        edges = (across.abs().mean() + down.abs().mean()) / 2
        variance = found.var.float()
        divergence = 0.5 * (found.mean.float().square() + variance - 1 - found.logvar.float()).mean()
        squared = off.square().mean()
        return off.abs().mean() + _SQUARES * squared + edges + _DIVERGENCE * divergence, float(squared.detach())

    return loss


def freeze_encoder(vae: Any) -> None:
    """Latents stay what they are, and so does what a denoiser has learned of them."""
    vae.encoder.requires_grad_(False)
    vae.quant_conv.requires_grad_(False)


@torch.no_grad()
def whiten(vae: Any, pictures: Tensor) -> None:
    """Make the scaled means of latents zero on average and of unit variance, by the convolutions at both ends.

    Pictures come back as before.

    Args:
        pictures: (n, 3, H, W) typical ones.
    """
    means = vae.encode(pictures).latent_dist.mean
    middle, spread = means.mean((0, 2, 3)), means.std((0, 2, 3))
    gain = 1 / (SCALE * spread.clamp(min=_LEAST_SPREAD))
    after, before = vae.quant_conv, vae.post_quant_conv
    channels = len(gain)
    before.bias += before.weight[:, :, 0, 0] @ middle
    before.weight /= gain[None, :, None, None]
    after.weight[:channels] *= gain[:, None, None, None]
    after.bias[:channels] = (after.bias[:channels] - middle) * gain
    # The other half are logarithms of variances, which grow with the square of the gain.
    after.bias[channels:] += 2 * gain.log()
