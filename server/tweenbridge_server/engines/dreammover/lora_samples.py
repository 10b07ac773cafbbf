"""What a LoRA is fitted to: noised latents of the keyframes, drawn from a seeded generator on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .latents import SHRINK
from .model import Model

_MUCH_LARGER = 1.5
"""Pictures of so many times the area the model was trained at are also shown in parts of that area."""
_FIXED = 8
"""Validation samples; each costs a third of a training sample."""
_LABELS = 1000


@dataclass(frozen=True)
class Posterior:
    """What the VAE says of a picture: mean and standard deviation of its latents, (4, h, w) float32 on the CPU."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, model: Model, picture: Tensor) -> Posterior:
        """Of a picture (3, H, W) in [-1, 1]."""
        with torch.no_grad():
            there = picture[None].to(model.device.device, model.device.vae_dtype)
            found = model.vae.encode(there).latent_dist
        scale = model.latent_scale
        return cls(found.mean[0].float().cpu() * scale, found.std[0].float().cpu() * scale)


@dataclass(frozen=True)
class Sample:
    """One picture's clean latents and noise, (4, h, w) float32 on the CPU, and the time label of their mixture."""

    clean: Tensor
    noise: Tensor
    label: int


class Sampler:
    """Draws samples without end: every picture equally often, time labels uniform."""

    def __init__(self, posteriors: Sequence[Posterior], seed: int, training_side: int) -> None:
        """Begin at the start.

        Args:
            training_side: pixels on a side of the pictures that the model was trained with.
        """
        self._posteriors = posteriors
        self._random = torch.Generator("cpu").manual_seed(seed)
        self._side = max(1, training_side // SHRINK)
        self._waiting: list[int] = []

    def draw(self, count: int) -> list[Sample]:
        """The next `count` samples."""
        return [self._one() for _ in range(count)]

    def _one(self) -> Sample:
        if not self._waiting:
            self._waiting = torch.randperm(len(self._posteriors), generator=self._random).tolist()
        posterior = self._posteriors[self._waiting.pop()]
        drawn = posterior.mean + posterior.deviation * self._noise(posterior.mean)
        clean = self._part(drawn)
        return Sample(clean, self._noise(clean), self._below(_LABELS))

    def _part(self, latents: Tensor) -> Tensor:
        """The whole picture; if it is much larger than the model's pictures, every other time a part of it."""
        height, width = latents.shape[-2:]
        if height * width <= _MUCH_LARGER * self._side**2 or self._below(2):
            return latents
        part_height, part_width = min(height, self._side), min(width, self._side)
        top, left = self._below(height - part_height + 1), self._below(width - part_width + 1)
        return latents[:, top : top + part_height, left : left + part_width]

    def _noise(self, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self._random)

    def _below(self, bound: int) -> int:
        return int(torch.randint(bound, (1,), generator=self._random))


def fixed_samples(posteriors: Sequence[Posterior], seed: int) -> list[Sample]:
    """Samples to measure with: the same every time, time labels spread evenly, pictures in turn."""
    random = torch.Generator("cpu").manual_seed(seed + 1)
    samples = []
    for number in range(_FIXED):
        clean = posteriors[number % len(posteriors)].mean
        noise = torch.randn(clean.shape, generator=random)
        samples.append(Sample(clean, noise, (2 * number + 1) * _LABELS // (2 * _FIXED)))
    return samples
