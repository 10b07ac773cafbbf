"""Pairs of keyframes of which the truth is known, on which a model can be tried. Drawn here, from seeds.

Textured shapes over a soft ground; from the first keyframe to the second they travel, turn, grow or shrink and may pass
behind each other, and all colours change, as light does: what only compares colours fails here, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from .latents import SHRINK

_SHAPES: Final = 3
_SOFT: Final = 0.006
"""Half the width of a shape's soft edge, in sides of the picture."""
_LIGHT: Final = 0.5
"""How far the second keyframe's colours go towards other ones."""

_Array = NDArray[np.float32]


@dataclass(frozen=True)
class Trial:
    """A pair of square keyframes, the picture half way, and where things go. Pictures have `side` pixels a side.

    Attributes:
        keyframes: (2, 3, side, side) float32 in [-1, 1].
        between: (1, 3, side, side) the true in-between at 0.5.
        forward, backward: (2, h, w) true flow in latent pixels, of shapes; 0 elsewhere.
        seen_a, seen_b: (h, w) bool: pixels of shapes that both keyframes show.
        moved: (h, w) bool: where a shape is in either keyframe or between.
    """

    keyframes: torch.Tensor
    between: torch.Tensor
    forward: torch.Tensor
    backward: torch.Tensor
    seen_a: torch.Tensor
    seen_b: torch.Tensor
    moved: torch.Tensor


@dataclass(frozen=True)
class _Shape:
    """A star-like shape. Lengths are in sides of the picture, coordinates (x, y); the first axis of poses is time."""

    places: _Array
    angles: _Array
    sizes: _Array
    lobes: int
    depth: float
    waves: _Array
    colours: _Array

    def local(self, points: _Array, t: float) -> _Array:
        """Where points (2, ...) of the picture at time t lie on the shape: (2, ...), about 1 at its rim."""
        place, angle, size = _mix(self.places, t), _mix(self.angles, t), _mix(self.sizes, t)
        x, y = points[0] - place[0], points[1] - place[1]
        turned = np.stack((np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x))
        return (turned / size).astype(np.float32)

    def placed(self, local: _Array, t: float) -> _Array:
        """Where points (2, ...) of the shape are in the picture at time t: the inverse of `local`."""
        place, angle, size = _mix(self.places, t), _mix(self.angles, t), _mix(self.sizes, t)
        x, y = local * size
        turned = (np.cos(angle) * x - np.sin(angle) * y + place[0], np.sin(angle) * x + np.cos(angle) * y + place[1])
        return np.stack(turned).astype(np.float32)

    def cover(self, local: _Array, t: float) -> _Array:
        """How much of each point the shape covers: 0 to 1."""
        rim = 1 - self.depth * (0.5 + 0.5 * np.cos(self.lobes * np.arctan2(local[1], local[0])))
        inwards = (rim - np.hypot(local[0], local[1])) * _mix(self.sizes, t)
        cover: _Array = np.clip(inwards / (2 * _SOFT) + 0.5, 0, 1).astype(np.float32)
        return cover

    def paint(self, local: _Array, t: float) -> _Array:
        """(3, ...) colours."""
        phases = np.tensordot(self.waves[:, :2], local, 1) + self.waves[:, 2].reshape(-1, *[1] * (local.ndim - 1))
        share = np.tanh(1.5 * np.sin(phases).sum(0)) / 2 + 0.5
        first, second = _mix(self.colours, t)[..., None, None]
        painted: _Array = (first + share * (second - first)).astype(np.float32)
        return painted


def make_trial(seed: int, side: int) -> Trial:
    """The pair of that seed."""
    rng = np.random.default_rng([seed, 0x7EE2])
    ground = _lit(rng.uniform(0.1, 0.9, (4, 3)), rng)
    shapes = _shapes(rng)
    pixels = _points(side)
    pictures = [torch.from_numpy(_picture(ground, shapes, pixels, t) * 2 - 1) for t in (0.0, 0.5, 1.0)]
    small = _points(side // SHRINK)
    (forward, seen_a), (backward, seen_b) = (_truth(shapes, small, t, 1 - t) for t in (0.0, 1.0))
    moved = np.any([_on_top(shapes, small, t) >= 0 for t in (0.0, 0.5, 1.0)], 0)
    return Trial(
        keyframes=torch.stack((pictures[0], pictures[2])),
        between=pictures[1][None],
        forward=torch.from_numpy(forward * (side // SHRINK)),
        backward=torch.from_numpy(backward * (side // SHRINK)),
        seen_a=torch.from_numpy(seen_a),
        seen_b=torch.from_numpy(seen_b),
        moved=torch.from_numpy(moved),
    )


def _shapes(rng: np.random.Generator) -> list[_Shape]:
    """From back to front; each travels a quarter to a half of the picture."""
    shapes = []
    for start in rng.permutation(_SHAPES):
        sector = 2 * np.pi * (start + rng.uniform(-0.2, 0.2)) / _SHAPES
        first = 0.5 + 0.24 * np.array([np.cos(sector), np.sin(sector)])
        heading = sector + np.pi + rng.uniform(-0.9, 0.9)
        second = first + rng.uniform(0.25, 0.45) * np.array([np.cos(heading), np.sin(heading)])
        size, angle = rng.uniform(0.13, 0.19), rng.uniform(0, 2 * np.pi)
        shapes.append(
            _Shape(
                places=np.stack((first, np.clip(second, 0.15, 0.85))).astype(np.float32),
                angles=np.array([angle, angle + rng.uniform(-0.5, 0.5)], np.float32),
                sizes=np.array([size, size * rng.uniform(0.85, 1.2)], np.float32),
                lobes=int(rng.integers(2, 7)),
                depth=float(rng.uniform(0.1, 0.45)),
                waves=rng.uniform((-7, -7, 0), (7, 7, 2 * np.pi), (3, 3)).astype(np.float32),
                colours=_lit(rng.uniform(0, 1, (2, 3)), rng),
            )
        )
    return shapes


def _lit(colours: NDArray[np.float64], rng: np.random.Generator) -> _Array:
    """Colours (n, 3) in both keyframes: (2, n, 3)."""
    other = np.roll(colours, int(rng.integers(1, 3)), -1)
    return np.stack((colours, (1 - _LIGHT) * colours + _LIGHT * other)).astype(np.float32)


def _picture(ground: _Array, shapes: list[_Shape], points: _Array, t: float) -> _Array:
    """(3, H, W) in [0, 1] at time t: shapes over a blend of the colours (2, 4, 3) of the ground's corners."""
    x, y = points
    corners = ((1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y)
    picture = np.tensordot(_mix(ground, t).T, np.stack(corners), 1)
    for shape in shapes:
        local = shape.local(points, t)
        cover = shape.cover(local, t)
        picture = picture * (1 - cover) + shape.paint(local, t) * cover
    return picture.astype(np.float32)


def _truth(shapes: list[_Shape], points: _Array, t: float, other: float) -> tuple[_Array, NDArray[np.bool_]]:
    """Where points of shapes at time t are at the other time, and whether they are seen there."""
    flow, seen = np.zeros_like(points), np.zeros(points.shape[1:], np.bool_)
    top = _on_top(shapes, points, t)
    for index, shape in enumerate(shapes):
        there = shape.placed(shape.local(points, t), other)
        here = top == index
        flow = np.where(here, there - points, flow)
        inside = ((there >= 0) & (there <= 1)).all(0)
        seen |= here & inside & (_on_top(shapes, there, other) == index)
    return flow.astype(np.float32), seen


def _on_top(shapes: list[_Shape], points: _Array, t: float) -> NDArray[np.int64]:
    """Which shape is to be seen at each point at time t; -1 for the ground."""
    top = np.full(points.shape[1:], -1, np.int64)
    for index, shape in enumerate(shapes):
        top[shape.cover(shape.local(points, t), t) > 0.5] = index
    return top


def _points(count: int) -> _Array:
    """(2, count, count) centres of as many cells a side, in sides of the picture."""
    line = ((np.arange(count) + 0.5) / count).astype(np.float32)
    return np.stack(np.meshgrid(line, line))


def _mix(ends: _Array, t: float) -> _Array:
    mixed: _Array = ((1 - t) * ends[0] + t * ends[1]).astype(np.float32)
    return mixed
