"""What the small model is trained on: procedural pictures, and their latents, each known by its number."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from . import checkpoints, scenes
from .fitting import Device
from .networks import SCALE
from .sprites import Split

PHOTOGRAPHS: Final = 0.2
"""Share of pictures over a soft part of a photograph."""
_SHARD: Final = 256
"""Pictures whose latents are kept in one file, so that a kill loses little."""
_AT_ONCE: Final = 16

Report = Callable[[int], None]
"""Told how many there are now."""


class Pictures(Dataset[Tensor]):
    """(3, H, W) pictures to train on, -1 to 1.

    Args:
        size: pixels of a picture's side.
        crop: side of the part that is given: the busier of two; the whole picture where it is the size.
        first: number of the first picture.
    """

    def __init__(self, size: int, crop: int, first: int) -> None:
        self._size, self._crop, self._first = size, crop, first

    def __getitem__(self, index: int) -> Tensor:
        number = self._first + index
        shown = scenes.picture(number, self._size, Split.TRAINING, PHOTOGRAPHS)
        if self._crop < self._size:
            corners = np.random.default_rng([5, number]).integers(0, self._size - self._crop + 1, (2, 2))
            parts = [shown[y : y + self._crop, x : x + self._crop] for y, x in corners]
            shown = max(parts, key=lambda part: float(part.std()))
        return torch.from_numpy(np.ascontiguousarray(shown)).permute(2, 0, 1).float() / 127.5 - 1


class _Onwards(Sampler[int]):
    def __init__(self, start: int) -> None:
        self._start = start

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self._start)


def batches(pictures: Pictures, start: int, size: int, workers: int) -> Iterator[Tensor]:
    """Batches without end, from the picture with index `start` on; the same with any number of workers."""
    loader: DataLoader[Tensor] = DataLoader(
        pictures, batch_size=size, sampler=_Onwards(start), num_workers=workers, pin_memory=torch.cuda.is_available()
    )
    return iter(loader)


@dataclass(frozen=True)
class Latents:
    """Means and deviations of what an autoencoder makes of pictures of one size, (n, 4, h, w) half precision each."""

    means: Tensor
    deviations: Tensor

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, 4, h, w) latents of pictures chosen at random, sampled as Stable Diffusion's training does."""
        which = torch.randint(len(self.means), (count,), generator=generator)
        noise = torch.randn(count, *self.means.shape[1:], generator=generator)
        return self.means[which].float() + self.deviations[which].float() * noise


def read_latents(folder: Path) -> Latents | None:
    """All latents in a folder; None where there are none."""
    shards = _shards(folder)
    if not shards:
        return None
    return Latents(torch.cat([each["means"] for each in shards]), torch.cat([each["deviations"] for each in shards]))


@torch.no_grad()
def cache_latents(
    vae: Any, folder: Path, size: int, first: int, seconds: float, device: Device, workers: int, report: Report
) -> None:
    """Encode pictures of `size` pixels, from number `first` on, for so long in all, earlier runs counted in.

    What another encoder made there is thrown away.
    """
    folder.mkdir(parents=True, exist_ok=True)
    maker = fingerprint(vae)
    if any(shard["maker"] != maker for shard in _shards(folder)):
        for file in folder.glob("*.pt"):
            file.unlink()
    known = _shards(folder)
    done, used = len(known), sum(shard["seconds"] for shard in known)
    rest = batches(Pictures(size, size, first), done * _SHARD, _AT_ONCE, workers)
    while used < seconds:
        began = time.monotonic()
        means, deviations = [], []
        for pictures in itertools.islice(rest, _SHARD // _AT_ONCE):
            with device.autocast():
                found = vae.encode(pictures.to(device.name)).latent_dist
            means.append((found.mean * SCALE).half().cpu())
            deviations.append((found.std * SCALE).half().cpu())
        took = time.monotonic() - began
        shard = {"means": torch.cat(means), "deviations": torch.cat(deviations), "seconds": took, "maker": maker}
        checkpoints.save(folder / f"{done:05}.pt", shard)
        done, used = done + 1, used + took
        report(done * _SHARD)


def _shards(folder: Path) -> list[dict[str, Any]]:
    found = [checkpoints.read(file) for file in sorted(folder.glob("*.pt"))]
    return [shard for shard in found if shard is not None]


def fingerprint(vae: Any) -> str:
    """Another word for an encoder of other weights."""
    digest = hashlib.sha256()
    for part in (vae.encoder, vae.quant_conv):
        for weight in part.state_dict().values():
            digest.update(weight.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()
