"""How the networks are trained: batches from shards of scenes, and losses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from nano.fitting import Device, Loss
from numpy.typing import NDArray
from torch import Tensor

from .networks import CELL, Arbiter, Matcher, arbiter_input, residuals

_CROP: Final = 160
_TRIES: Final = 3
"""Crops of which the liveliest is taken."""
_LEAST_ODDS: Final = 1e-3
_SMOOTHING: Final = 0.02
_ALIKE: Final = 0.06
"""Mean difference of colours up to which two places are said to show the same."""
_WINDOW: Final = 4

Arrays = dict[str, NDArray[Any]]
Generator = torch.Generator


class Shards:
    """The scenes of a folder, which may grow meanwhile; the last shards read are kept in memory."""

    def __init__(self, folder: Path, kept: int = 24) -> None:
        self._folder, self._kept = folder, kept
        self._read: dict[Path, Arrays] = {}
        self._files: list[Path] = []

    def look(self) -> int:
        """How many shards there are now.

        Raises:
            SystemExit: with a sentence, if there are none.
        """
        self._files = sorted(self._folder.glob("*.npz"))
        if not self._files:
            raise SystemExit(f"There are no examples in {self._folder}. Make them with benchmarks/network/examples.py")
        return len(self._files)

    def scene(self, chance: Generator) -> Arrays:
        """Any scene, as arrays without the first axis."""
        file = self._files[_any(len(self._files), chance)]
        shard = self._read.get(file)
        if shard is None:
            with np.load(file) as opened:
                shard = {name: opened[name] for name in opened.files}
            if len(self._read) >= self._kept:
                del self._read[next(iter(self._read))]
            self._read[file] = shard
        number = _any(len(shard["a"]), chance)
        return {name: values[number] for name, values in shard.items()}


def _any(count: int, chance: Generator) -> int:
    return int(torch.randint(count, (1,), generator=chance))


def _number(chance: Generator) -> float:
    return float(torch.rand(1, generator=chance))


def _plane(values: NDArray[Any], scale: float = 1.0) -> Tensor:
    """(1, C, H, W) from (H, W, C) or (H, W)."""
    shaped = values if values.ndim == 3 else values[..., None]
    return torch.from_numpy(np.ascontiguousarray(shaped.transpose(2, 0, 1), np.float32))[None] * scale


# --- The matcher ------------------------------------------------------------------------------------------------------


def matcher_losses(
    network: Matcher, shards: Shards, device: Device, batch: int
) -> Callable[[float, int, Generator], tuple[Tensor, float]]:
    """Cross-entropy of every cell's place in the other keyframe, both ways."""

    def loss(fraction: float, step: int, chance: Generator) -> tuple[Tensor, float]:
        if step % 100 == 0:
            shards.look()
        rows = [_matching_pair(shards.scene(chance), chance) for _ in range(batch)]
        a, b, forward, backward, seen_a, seen_b = (torch.cat(parts).to(device.name) for parts in zip(*rows))
        with device.autocast():
            features = network(torch.cat([a, b]).contiguous(memory_format=torch.channels_last))
        of_a, of_b = features.float().chunk(2)
        odds = torch.einsum("ncp,ncq->npq", of_a.flatten(2), of_b.flatten(2))
        there = _classified(odds, a, b, forward, seen_a)
        back = _classified(odds.transpose(1, 2), b, a, backward, seen_b)
        value = (there + back) / 2
        return value, float(value.detach())

    return loss


def _matching_pair(scene: Arrays, chance: Generator) -> tuple[Tensor, ...]:
    parts = [_plane(scene["a"], 1 / 255), _plane(scene["b"], 1 / 255), _plane(scene["forward"])]
    parts += [_plane(scene["backward"]), _plane(scene["visible_a"], 1 / 255), _plane(scene["visible_b"], 1 / 255)]
    parts = _turned(parts, (2, 3), chance, transposes=False)
    order = torch.randperm(3, generator=chance)
    a, b = parts[0][:, order], parts[1][:, order]
    if _number(chance) < 0.4:
        gain = float(np.exp(0.1 * float(torch.randn(1, generator=chance))))
        b = (b * gain + 0.03 * float(torch.randn(1, generator=chance))).clamp(0, 1)
    return (a, b, *parts[2:])


def _turned(parts: list[Tensor], flows: tuple[int, ...], chance: Generator, transposes: bool) -> list[Tensor]:
    """Mirrored either way and, if that may be, with the axes exchanged; `flows` are the numbers of the flow fields."""
    for axis, share in ((3, 0.5), (2, 0.3)):
        if _number(chance) < share:
            parts = [part.flip(axis) for part in parts]
            for number in flows:
                sign = torch.ones(parts[number].shape[1])
                sign[(0 if axis == 3 else 1) :: 2] = -1
                parts[number] = parts[number] * sign[None, :, None, None]
    if transposes and _number(chance) < 0.5:
        parts = [part.transpose(2, 3) for part in parts]
        for number in flows:
            count = parts[number].shape[1]
            parts[number] = parts[number][:, [i ^ 1 for i in range(count)]]
    return parts


def _classified(odds: Tensor, here: Tensor, there: Tensor, flow: Tensor, seen: Tensor) -> Tensor:
    """Mean cross-entropy of the cells that are seen in the other keyframe and look the same there."""
    half = CELL // 2
    cells = F.avg_pool2d(flow, half) / CELL
    rows, columns = cells.shape[2:]
    x = torch.arange(columns, device=flow.device) + cells[:, 0]
    y = torch.arange(rows, device=flow.device)[:, None] + cells[:, 1]
    column, row = x.round(), y.round()
    inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    target = (row.clamp(0, rows - 1) * columns + column.clamp(0, columns - 1)).long()
    grid = torch.stack([(2 * x + 1) / columns - 1, (2 * y + 1) / rows - 1], 3)
    moved = F.grid_sample(F.avg_pool2d(there, CELL), grid, padding_mode="border", align_corners=False)
    alike = (moved - F.avg_pool2d(here, CELL)).abs().mean(1) < _ALIKE
    counted = inside & alike & (F.avg_pool2d(seen, half)[:, 0] > 0.9)
    if not bool(counted.any()):
        return odds.sum() * 0
    return F.cross_entropy(odds[counted.flatten(1)], target[counted], label_smoothing=_SMOOTHING)


# --- The arbiter ------------------------------------------------------------------------------------------------------


def arbiter_losses(network: Arbiter, shards: Shards, device: Device, batch: int) -> Loss:
    """How far the in-between that the arbiter makes is from the true one; indecision costs more and more."""

    def loss(fraction: float, step: int, chance: Generator) -> tuple[Tensor, float]:
        if step % 100 == 0:
            shards.look()
        rows = [_crop(shards.scene(chance), chance) for _ in range(batch)]
        a, b, true, flow, share, trust, exact, known, corner = (
            torch.cat(parts).to(device.name) for parts in zip(*rows)
        )
        of_a, of_b = warp(a, flow[:, :2], corner), warp(b, flow[:, 2:], corner)
        at_a, at_b = (_cut(each, corner, _CROP) for each in (a, b))
        with device.autocast():
            seen = arbiter_input(of_a, of_b, at_a, at_b, flow, share, trust)
            out = network(seen.contiguous(memory_format=torch.channels_last))
        made = decide(out, a, b, flow, share, corner)
        value = _difference(made, true, exact, known, min(1.0, 0.1 + 1.2 * fraction))
        shown = float(-10 * torch.log10(((made.picture.detach() - true) ** 2).mean((1, 2, 3)).clamp_min(1e-6)).mean())
        return value, shown

    return loss


class Made:
    """What the arbiter's word makes: the picture, both keyframes brought there, the share of A, and the flow."""

    def __init__(self, picture: Tensor, of_a: Tensor, of_b: Tensor, share: Tensor, flow: Tensor, residual: Tensor):
        self.picture, self.of_a, self.of_b, self.share, self.flow = picture, of_a, of_b, share, flow
        self.residual = residual


def decide(out: Tensor, a: Tensor, b: Tensor, flow: Tensor, share: Tensor, corner: Tensor) -> Made:
    """The in-between after the arbiter's word, as `arbitrate.py` of the engine makes it."""
    residual, odds = residuals(out)
    moved = flow + residual
    bounded = share.clamp(_LEAST_ODDS, 1 - _LEAST_ODDS)
    decided = torch.sigmoid(torch.logit(bounded) + odds)
    of_a, of_b = warp(a, moved[:, :2], corner), warp(b, moved[:, 2:], corner)
    return Made(decided * of_a + (1 - decided) * of_b, of_a, of_b, decided, moved, residual)


def _crop(scene: Arrays, chance: Generator) -> tuple[Tensor, ...]:
    """One crop of one middle of a scene; the keyframes stay whole."""
    number = _any(len(scene["t"]), chance)
    height, width = scene["a"].shape[:2]
    apart = np.abs(scene["a"][::8, ::8].astype(np.int16) - scene["b"][::8, ::8]).mean(2)
    best, left, top = -1.0, 0, 0
    for _ in range(_TRIES):
        x, y = 8 * _any((width - _CROP) // 8 + 1, chance), 8 * _any((height - _CROP) // 8 + 1, chance)
        lively = float(apart[y // 8 : (y + _CROP) // 8, x // 8 : (x + _CROP) // 8].mean())
        if lively > best:
            best, left, top = lively, x, y
    whole = np.s_[top : top + _CROP, left : left + _CROP]
    half = np.s_[top // 2 : (top + _CROP) // 2, left // 2 : (left + _CROP) // 2]
    a, b = _plane(scene["a"], 1 / 255), _plane(scene["b"], 1 / 255)
    true = _plane(scene["true"][number][whole], 1 / 255)
    flow, exact = _plane(scene["flow"][number][whole]), _plane(scene["exact"][number][half])
    share, trust = (_plane(scene[name][number][whole], 1 / 255) for name in ("share", "trust"))
    known = _plane(scene["known"][number][half], 1 / 255)
    corner = torch.tensor([[left, top]], dtype=torch.float32)
    if _number(chance) < 0.5:
        a, b, share = b, a, 1 - share
        flow, exact = flow[:, [2, 3, 0, 1]], exact[:, [2, 3, 0, 1]]
    # Mirroring moves the corner to the other side.
    mirrored = [_number(chance) < 0.5, _number(chance) < 0.3]
    parts = [a, b, true, flow, share, trust, exact, known]
    for axis, length, flip in ((3, width, mirrored[0]), (2, height, mirrored[1])):
        if flip:
            parts = [part.flip(axis) for part in parts]
            place = 0 if axis == 3 else 1
            corner[:, place] = length - _CROP - corner[:, place]
            for i in (3, 6):
                sign = torch.ones(4)
                sign[place::2] = -1
                parts[i] = parts[i] * sign[None, :, None, None]
    order = torch.randperm(3, generator=chance)
    gain = float(np.exp(0.2 * float(torch.randn(1, generator=chance))))
    lift = 0.06 * float(torch.randn(1, generator=chance))
    parts[:3] = [(part[:, order] * gain + lift).clamp(0, 1) for part in parts[:3]]
    return (*parts, corner)


def warp(picture: Tensor, flow: Tensor, corner: Tensor) -> Tensor:
    """Samples of whole pictures (n, C, H, W) at the places that `flow` (n, 2, h, w) of a crop at `corner` (n, 2) leads
    to; the border is replicated."""
    height, width = picture.shape[2:]
    rows, columns = flow.shape[2:]
    x = torch.arange(columns, device=flow.device) + corner[:, 0, None, None] + flow[:, 0]
    y = torch.arange(rows, device=flow.device)[:, None] + corner[:, 1, None, None] + flow[:, 1]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], 3)
    return F.grid_sample(picture, grid, padding_mode="border", align_corners=False)


def _cut(whole: Tensor, corner: Tensor, side: int) -> Tensor:
    pieces = [each[:, int(y) : int(y) + side, int(x) : int(x) + side] for each, (x, y) in zip(whole, corner)]
    return torch.stack(pieces)


def _difference(made: Made, true: Tensor, exact: Tensor, known: Tensor, decided: float) -> Tensor:
    picture = made.picture
    direct = (picture - true).abs().mean()
    levels = sum(
        weight * (one - other).abs().mean()
        for one, other, weight in zip(_laplacian(picture), _laplacian(true), (1, 1, 1.5, 2, 2))
    )
    census = (_census(picture) - _census(true)) ** 2
    structure = (census / (census + 0.1)).mean()
    ghosts = (4 * made.share * (1 - made.share) * (made.of_a - made.of_b).abs().mean(1, True)).mean()
    off = F.avg_pool2d(made.flow, 2) - exact
    motion = (((off**2 + 0.01).sqrt().sum(1, True) + 0.01) ** 0.7 * known).mean()
    value: Tensor = (
        1.5 * direct
        + 0.5 * levels
        + 0.15 * structure
        + 0.3 * decided * ghosts
        + 0.02 * motion
        + 0.02 * _roughness(made.residual, true)
    )
    return value


def _roughness(residual: Tensor, true: Tensor) -> Tensor:
    """How much what was added to the flow changes between neighbours, where the true picture has no edge."""
    total = residual.sum() * 0
    for axis in (2, 3):
        change = residual.diff(dim=axis).abs().mean(1, True)
        edge = true.diff(dim=axis).abs().mean(1, True)
        total = total + (change * torch.exp(-10 * edge)).mean()
    return total


def _laplacian(picture: Tensor, levels: int = 4) -> list[Tensor]:
    found = []
    for _ in range(levels):
        smaller = F.avg_pool2d(picture, 2)
        found.append(picture - F.interpolate(smaller, scale_factor=2.0, mode="bilinear", align_corners=False))
        picture = smaller
    return [*found, picture]


_AROUND: Final = ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0), (2, 1), (-1, 2))


def _census(picture: Tensor) -> Tensor:
    """Soft signs of the differences of luma to pixels around (Zabih & Woodfill 1994)."""
    luma = (picture * picture.new_tensor([0.299, 0.587, 0.114])[None, :, None, None]).sum(1, True)
    inner = luma[:, :, 2:-2, 2:-2]
    height, width = luma.shape[2:]
    shifted = [luma[:, :, 2 + y : height - 2 + y, 2 + x : width - 2 + x] - inner for y, x in _AROUND]
    differs = torch.cat(shifted, 1)
    return differs / (differs * differs + 0.0016).sqrt()
