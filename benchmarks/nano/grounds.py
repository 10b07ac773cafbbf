"""Grounds that procedural pictures are painted on: smooth colours, noise, blobs and textures, each from a number.

A ground is a function of the place alone, so it can be painted at any size and a little beyond the picture's edges, and
moved there. All are band-limited: moving them by parts of a pixel blurs nothing that can be seen. Soft parts of
photographs (photographs.py) are for single pictures: those stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from . import photographs
from .sprites import Split, number_in

Picture = NDArray[np.float32]
"""(3, H, W), 0 to 1."""
Line = NDArray[np.float32]
Colours = NDArray[np.float32]
"""(n, 3)."""

MARGIN: Final = 0.3
"""How far a ground goes on beyond each of the picture's edges, in sides of the picture."""

_GROUNDS: Final = 1 << 20
# What the colour under soft spots weighs against a spot's middle.
_UNDER: Final = 0.3


@dataclass(frozen=True)
class Ground:
    """A ground by its number: a drawn one, or a part of a photograph."""

    number: int
    photograph: bool = False


def choose(rng: np.random.Generator, split: Split, photographed: float = 0.0) -> Ground:
    """A ground of the split; with probability `photographed`, a photograph's, where photographs are installed."""
    number = number_in(rng, split, _GROUNDS)
    if photographed == 0 or not photographs.photographs():
        return Ground(number)
    return Ground(number, bool(rng.random() < photographed))


def paint(ground: Ground, size: int, margin: float) -> Picture:
    """The ground under a picture of `size` pixels square, `margin` (at most MARGIN) sides larger on every side."""
    rng = np.random.default_rng([2, ground.number])
    pad = round(margin * size)
    if ground.photograph:
        return photographs.soft_ground(rng, size + 2 * pad)
    line = ((np.arange(-pad, size + pad) + 0.5) / size).astype(np.float32)
    kind: Callable[[np.random.Generator, Line], Picture] = _KINDS[int(rng.choice(len(_KINDS), p=_SHARES))]
    return kind(rng, line)


def _colours(rng: np.random.Generator, count: int) -> Colours:
    return rng.uniform(0.05, 0.95, (count, 3)).astype(np.float32)


def _plain(rng: np.random.Generator, line: Line) -> Picture:
    return np.tile(_colours(rng, 1).T[..., None], (1, line.size, line.size))


def _blend(share: NDArray[np.float32], colours: Colours) -> Picture:
    first, second = colours[:, :, None, None]
    mixed: Picture = first + share * (second - first)
    return mixed


def _gradient(rng: np.random.Generator, line: Line) -> Picture:
    angle, steepness = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 0.9)
    along = (line[None] - 0.5) * np.cos(angle) + (line[:, None] - 0.5) * np.sin(angle)
    share = np.clip(along * steepness + 0.5, 0, 1).astype(np.float32)
    # Smooth at both ends, where the clipping would leave a crease.
    return _blend(share * share * (3 - 2 * share), _colours(rng, 2))


def _spline(line: Line, cells: int) -> Line:
    """(n, lattice) weights of uniform cubic B-splines, `cells` to a side, for places from -MARGIN to 1 + MARGIN."""
    first = np.floor(-MARGIN * cells) - 1
    knots = np.arange(first, np.ceil((1 + MARGIN) * cells) + 2, dtype=np.float32)
    far = np.abs(line[:, None] * np.float32(cells) - knots)
    near = (4 - 6 * far**2 + 3 * far**3) / 6
    weights: Line = np.where(far < 1, near, np.clip(2 - far, 0, None) ** 3 / 6).astype(np.float32)
    return weights


def _noise(rng: np.random.Generator, line: Line) -> Picture:
    """Value noise of one to three octaves."""
    total = np.zeros((3, line.size, line.size), np.float32)
    whole = 0.0
    cells = int(rng.integers(2, 5))
    for octave in range(int(rng.integers(1, 4))):
        weights = _spline(line, cells << octave)
        knots = weights.shape[1]
        # A B-spline flattens its lattice: values beyond 0 and 1 give the contrast back.
        lattice = rng.uniform(-0.35, 1.35, (3, knots, knots)).astype(np.float32)
        total += weights @ (lattice * np.float32(0.5**octave)) @ weights.T
        whole += 0.5**octave
    noise: Picture = np.clip(total / np.float32(whole), 0, 1)
    return noise


def _blobs(rng: np.random.Generator, line: Line) -> Picture:
    """Soft spots that run into each other over one colour."""
    count = int(rng.integers(4, 11))
    places = rng.uniform(-MARGIN, 1 + MARGIN, (2, count)).astype(np.float32)
    width = rng.uniform(0.08, 0.25, count).astype(np.float32)
    across, down = np.exp(-(((line - places[..., None]) / width[:, None]) ** 2) / 2)
    # Weights of the spots are products of a row and a column, and so are the sums over them.
    ground, spots = np.split(_colours(rng, count + 1), [1])
    weighted = (down.T * spots.T[:, None]) @ across + np.float32(_UNDER) * ground.T[..., None]
    mixed: Picture = weighted / (down.T @ across + np.float32(_UNDER))
    return mixed


def _texture(rng: np.random.Generator, line: Line) -> Picture:
    """Stripes, waves, checks or rings of two colours with soft edges."""
    angle, count = rng.uniform(0, 2 * np.pi), 2 * np.pi * rng.uniform(3, 9)
    x, y = line[None] - np.float32(0.5), line[:, None] - np.float32(0.5)
    along = ((x * np.cos(angle) + y * np.sin(angle)) * count).astype(np.float32)
    across = ((y * np.cos(angle) - x * np.sin(angle)) * count).astype(np.float32)
    kind = rng.integers(4)
    if kind == 0:
        wave = np.sin(along)
    elif kind == 1:
        wave = np.sin(along + np.float32(rng.uniform(0.5, 1.5)) * np.sin(across / 2))
    elif kind == 2:
        wave = np.sin(along) * np.sin(across)
    else:
        place = rng.uniform(-0.3, 0.3, 2).astype(np.float32)
        # The root of a square plus a little has no tip at the centre.
        wave = np.sin(np.sqrt((x - place[0]) ** 2 + (y - place[1]) ** 2 + np.float32(0.001)) * np.float32(count))
    hardness = np.float32(rng.uniform(0.5, 2.5))
    share = np.tanh(wave * hardness) / (2 * np.tanh(hardness)) + np.float32(0.5)
    return _blend(share, _colours(rng, 2))


_KINDS: Final = (_plain, _gradient, _noise, _blobs, _texture)
_SHARES: Final = (0.1, 0.25, 0.3, 0.2, 0.15)
