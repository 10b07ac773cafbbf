"""Stages 1 and 8: between pictures and latents."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .model import Model

SHRINK = 8
"""Pixels on a side of one latent pixel."""


def encode(model: Model, pictures: Tensor) -> Tensor:
    """Pictures to latents: the posterior's mean, nothing is drawn at random.

    Args:
        pictures: (N, 3, H, W) in [-1, 1], H and W multiples of 64.

    Returns:
        (N, 4, H / 8, W / 8) float32.
    """
    means: Tensor = model.vae.encode(_for_vae(model, pictures)).latent_dist.mean
    return means.float().to(pictures.device) * model.latent_scale


def decode(model: Model, latents: Tensor) -> Tensor:
    """Latents (N, 4, h, w) to pictures (N, 3, 8h, 8w) in [0, 1], float32.

    A VAE whose numbers outgrow half precision in this picture computes in float32 from then on.
    """
    pictures = _decoded(model, latents)
    if not bool(torch.isfinite(pictures).all()):
        model.vae.float()
        pictures = _decoded(model, latents)
    return (pictures / 2 + 0.5).clamp(0, 1)


def _decoded(model: Model, latents: Tensor) -> Tensor:
    pictures: Tensor = model.vae.decode(_for_vae(model, latents / model.latent_scale), return_dict=False)[0]
    return pictures.float().to(latents.device)


def _for_vae(model: Model, values: Tensor) -> Tensor:
    """Where the VAE is now, which may have been moved aside, and in its number format."""
    weight = next(model.vae.parameters())
    return values.to(weight.device, weight.dtype)


class Preview:
    """Cheap pictures of latents: a linear map that fits the gap's own keyframes, whatever the model."""

    def __init__(self, latents: Tensor, pictures: Tensor) -> None:
        """Fit the map.

        Args:
            latents: (2, 4, h, w) of the keyframes.
            pictures: (2, 3, H, W) the keyframes, any range.
        """
        small = functional.interpolate(pictures, size=latents.shape[-2:], mode="area")
        known = _rows(_with_one(latents)).double().cpu()
        wanted = _rows(small).double().cpu()
        # A little ridge keeps flat pictures solvable.
        square = known.T @ known + 1e-3 * len(known) * torch.eye(known.shape[1], dtype=torch.float64)
        self._map = torch.linalg.solve(square, known.T @ wanted).float()

    def __call__(self, latents: Tensor) -> Tensor:
        """(4, h, w) latents to (3, h, w) in the pictures' range, on the CPU."""
        height, width = latents.shape[-2:]
        colours: Tensor = _rows(_with_one(latents[None])).cpu() @ self._map
        return colours.T.reshape(3, height, width)


def _with_one(latents: Tensor) -> Tensor:
    return torch.cat([latents, torch.ones_like(latents[:, :1])], 1)


def _rows(values: Tensor) -> Tensor:
    """(N, C, h, w) to (N * h * w, C)."""
    return values.movedim(1, -1).reshape(-1, values.shape[1])
