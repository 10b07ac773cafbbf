"""What all categories of scenes share: chance, drawings, a camera, and ways to move."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from .drawings import Drawings
from .layers import Layer, Picture, Points, Shape, Stage
from .looks import cutout
from .motion import Motion, Move, Pose, Step, Wave, Waves

SMALLEST: Final = 1.0
LARGEST: Final = 90.0
"""Units that things move by: any order of magnitude between is as likely."""
_STAYS: Final = 0.1
_LAGS: Final = 0.3


@dataclass(frozen=True)
class Studio:
    """Where a scene is made.

    Attributes:
        screen: the motion of what stays in the picture.
        camera: the motion of what stays in the world.
    """

    rng: np.random.Generator
    drawings: Drawings
    stage: Stage
    screen: Motion
    camera: Motion

    def chance(self, share: float) -> bool:
        """True as often as `share` says."""
        return bool(self.rng.random() < share)

    def some(self, low: float, high: float) -> float:
        """Any number between."""
        return float(self.rng.uniform(low, high))

    def count(self, low: int, high: int) -> int:
        """Any whole number from `low` to `high`."""
        return int(self.rng.integers(low, high + 1))

    def reach(self, least: float = SMALLEST, most: float = LARGEST) -> float:
        """How far something moves, in units."""
        return float(np.exp(self.rng.uniform(np.log(least), np.log(most))))

    def lag(self) -> float:
        """Of a `Move`: mostly none."""
        return float(self.rng.normal() * 0.12) if self.chance(_LAGS) else 0.0

    def place(self, margin: float = 20.0) -> tuple[float, float]:
        """Anywhere in the picture, in units from its middle."""
        x, y = self.stage.half
        return self.some(margin - x, x - margin), self.some(margin - y, y - margin)

    def travel(self, at: tuple[float, float], reach: float, turn: float = 0.2, growth: float = 0.12) -> Move:
        """A way through `at`, the middle of it, with some turning, growing and shearing.

        Args:
            turn: usual change of the angle in radians.
            growth: usual change of the size, as a share.
        """
        way, rng = self.some(0, 2 * math.pi), self.rng
        dx, dy = reach * math.cos(way) / 2, reach * math.sin(way) * 0.35
        angle = rng.normal() * 0.2
        turned = rng.normal() * turn if self.chance(0.6) else 0.0
        grown = math.exp(float(np.clip(rng.normal() * growth, -0.7, 0.7)) / 2) if self.chance(0.5) else 1.0
        sheared = rng.normal() * 0.08 if self.chance(0.3) else 0.0
        start = Pose(at[0] - dx, at[1] - dy, angle - turned / 2, 1 / grown, 1 / grown, -sheared / 2)
        end = Pose(at[0] + dx, at[1] + dy, angle + turned / 2, grown, grown, sheared / 2)
        return Move(start, end, self.lag())

    def anywhere(self, turn: float = 0.2, growth: float = 0.12, margin: float = 20.0) -> Move:
        """A way of any length anywhere; some things stay."""
        reach = 0.0 if self.chance(_STAYS) else self.reach()
        return self.travel(self.place(margin), reach, turn, growth)

    def waves(self, size: float, strength: float = 1.0) -> Waves:
        """A free deformation for a thing of that size in units, which changes on the way."""
        rng, found = self.rng, []
        for _ in range(self.count(1, 3)):
            length, way, push = size * self.some(0.5, 2.5), self.some(0, 7), self.some(0, 7)
            number, reach = 2 * math.pi / length, strength * self.reach(1, 14)
            drift = rng.normal() * 0.7 if self.chance(0.4) else 0.0
            across, down = number * math.cos(way), number * math.sin(way)
            found.append(Wave(across, down, self.some(0, 7), drift, reach * math.cos(push), reach * math.sin(push)))
        start = self.some(-1, 0)
        return Waves.gentle(tuple(found), start, start + 1)

    def cutout(
        self, motion: Motion, units: float, opacity: tuple[float, float] = (1.0, 1.0), clip: Shape | None = None
    ) -> Picture:
        """A cut-out with that motion, `units` long."""
        textures, density = cutout(self.rng, self.drawings.cutouts, units, self.stage.scale)
        return Picture(motion, textures, density, opacity=opacity, clip=clip)

    def thing(self, steps: tuple[Step, ...] | None = None, least: float = 50.0, most: float = 190.0) -> Layer:
        """A cut-out somewhere, with these steps or with one way and maybe a deformation."""
        units = self.some(least, most)
        if steps is None:
            steps = (self.anywhere(),)
            if self.chance(0.45):
                steps = (self.waves(units), *steps)
        return self.cutout(self.camera.holding(*steps), units)

    def things(self, low: int, high: int) -> list[Layer]:
        """As many cut-outs, each on its way."""
        return [self.thing() for _ in range(self.count(low, high))]


def studio(seed: int, kind: int, drawings: Drawings, stage: Stage, still: float, reach: float) -> Studio:
    """A studio for one scene.

    Args:
        still: share of scenes whose camera stays.
        reach: the most units that the camera pans by.
    """
    rng = np.random.default_rng([17, kind, seed])
    empty = Studio(rng, drawings, stage, stage.screen, stage.screen)
    if rng.random() < still:
        return empty
    far = empty.reach(SMALLEST, reach)
    way, turn, zoom = empty.some(0, 7), float(rng.normal() * 0.04), float(np.exp(rng.normal() * 0.06) ** 0.5)
    dx, dy = far * math.cos(way) / 2, far * math.sin(way) * 0.35
    start, end = Pose(-dx, -dy, -turn / 2, 1 / zoom, 1 / zoom), Pose(dx, dy, turn / 2, zoom, zoom)
    moved = Move(start, end, empty.lag())
    return Studio(rng, drawings, stage, stage.screen, stage.screen.holding(moved))


def points(*pairs: tuple[float, float]) -> Points:
    """Points from pairs."""
    return np.array(pairs, np.float32)


def ellipse(width: float, height: float, count: int = 24) -> Points:
    """Half axes `width` and `height` around the origin."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([np.cos(angle) * width, np.sin(angle) * height], axis=1).astype(np.float32)


def limb(length: float, first: float, last: float) -> Points:
    """From the origin along the x axis, `first` thick at its start and `last` at its end, rounded."""
    angle = np.linspace(np.pi / 2, 3 * np.pi / 2, 7)
    near = np.stack([np.cos(angle) * first, np.sin(angle) * first], axis=1) / 2
    far = np.stack([length - np.cos(angle) * last / 2, -np.sin(angle) * last / 2], axis=1)
    return np.concatenate([near, far]).astype(np.float32)


def smooth(corners: Points, steps: int = 5) -> Points:
    """A closed Catmull-Rom curve through the corners."""
    before, after, beyond = np.roll(corners, 1, 0), np.roll(corners, -1, 0), np.roll(corners, -2, 0)
    t = (np.arange(steps, dtype=np.float32) / steps)[None, :, None]
    a, b, c, d = (p[:, None] for p in (before, corners, after, beyond))
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.ascontiguousarray(curve.reshape(-1, 2), np.float32)


def blob(rng: np.random.Generator, width: float, height: float, rough: float = 0.15, sharp: bool = False) -> Points:
    """An uneven closed shape about the origin."""
    count = int(rng.integers(5, 10))
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False) + rng.normal(size=count) * 0.1
    radius = np.clip(1 + rng.normal(size=count) * rough, 0.5, 1.6)
    corners = np.stack([np.cos(angle) * width * radius, np.sin(angle) * height * radius], axis=1).astype(np.float32)
    return corners if sharp else smooth(corners)
