"""How things move: maps from a thing's rest plane to the picture, exact both ways at any time from 0 to 1.

A motion is a chain of steps, the innermost first: a joint turns in an arm, the arm on a body, the body under a camera.
Every step is a map of the plane that changes with time and whose inverse is known: a move (affine), waves (a smooth
free deformation), a bend (along an arc of a circle) and a ball (a map on a turning ellipsoid, seen from the front).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Places = tuple[Plane, Plane]
"""x and y of any number of places, in arrays of one shape."""
Matrix = NDArray[np.floating[Any]]
"""(3, 3), acting on columns (x, y, 1)."""

_STRAIGHT: Final = 1e-5
_CLOSE: Final = 0.01
"""Of a unit: how exact inverses that are found in rounds are."""


class Step(Protocol):
    """One map of the plane."""

    def forward(self, places: Places, t: float) -> Places:
        """From the inner plane to the outer."""
        ...

    def back(self, places: Places, t: float) -> Places:
        """From the outer plane to the inner."""
        ...


def between(start: float, end: float, t: float) -> float:
    """From `start` at time 0 to `end` at time 1."""
    return start + (end - start) * t


@dataclass(frozen=True)
class Pose:
    """Where a plane lies in another one: its origin, its angle in radians (clockwise on the screen), its scales."""

    x: float = 0.0
    y: float = 0.0
    angle: float = 0.0
    width: float = 1.0
    height: float = 1.0
    shear: float = 0.0

    def matrix(self) -> Matrix:
        """From the plane to the one that it lies in."""
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        w, h, k = self.width, self.height, self.shear
        return np.array(
            [[w * cosine, k * cosine - h * sine, self.x], [w * sine, k * sine + h * cosine, self.y], [0.0, 0.0, 1.0]]
        )


@dataclass(frozen=True)
class Move:
    """A pose that changes evenly, or nearly: at the middle it is `lag` / 4 of the way off."""

    start: Pose
    end: Pose
    lag: float = 0.0

    @classmethod
    def still(cls, pose: Pose) -> Move:
        """A pose that stays."""
        return cls(pose, pose)

    def matrix(self, t: float) -> Matrix:
        """At time t, from the inner plane to the outer."""
        if self.start == self.end:
            return self.start.matrix()
        s = t + self.lag * t * (1 - t)
        a, b = self.start, self.end
        return Pose(
            between(a.x, b.x, s),
            between(a.y, b.y, s),
            between(a.angle, b.angle, s),
            between(a.width, b.width, s),
            between(a.height, b.height, s),
            between(a.shear, b.shear, s),
        ).matrix()

    def forward(self, places: Places, t: float) -> Places:
        """See `Step`."""
        return applied(self.matrix(t), places)

    def back(self, places: Places, t: float) -> Places:
        """See `Step`."""
        return applied(np.linalg.inv(self.matrix(t)), places)


def applied(matrix: Matrix, places: Places) -> Places:
    """Places moved by an affine matrix."""
    x, y = places
    (a, b, c), (d, e, f) = matrix[:2].astype(np.float32)
    return a * x + b * y + c, d * x + e * y + f


@dataclass(frozen=True)
class Wave:
    """A sine across the plane: its wave vector per unit, phase, the phase's change until time 1, and its reach."""

    across: float
    down: float
    phase: float
    drift: float
    reach_x: float
    reach_y: float


@dataclass(frozen=True)
class Waves:
    """A free deformation, a sum of waves, `start` times as strong at time 0 and `end` times at time 1.

    The strain (the sum of reach times wave number times strength) has to stay below 1, or the plane would fold.
    """

    waves: tuple[Wave, ...]
    start: float
    end: float

    @property
    def strain(self) -> float:
        """The most that neighbouring places are shifted against each other, per distance."""
        most = max(abs(self.start), abs(self.end))
        return most * sum(math.hypot(w.across, w.down) * math.hypot(w.reach_x, w.reach_y) for w in self.waves)

    @classmethod
    def gentle(cls, waves: tuple[Wave, ...], start: float, end: float, strain: float = 0.4) -> Waves:
        """These waves, weakened where they are stronger than the strain allows."""
        asked = cls(waves, start, end)
        ease = min(1.0, strain / max(asked.strain, 1e-9))
        return replace(asked, start=start * ease, end=end * ease)

    def forward(self, places: Places, t: float) -> Places:
        """See `Step`."""
        shift_x, shift_y = self._shift(places, t)
        return places[0] + shift_x, places[1] + shift_y

    def back(self, places: Places, t: float) -> Places:
        """See `Step`; by fixed-point rounds, which the strain bounds."""
        reach = max(abs(self.start), abs(self.end)) * sum(math.hypot(w.reach_x, w.reach_y) for w in self.waves)
        rounds = 1 + math.ceil(math.log(max(reach, _CLOSE) / _CLOSE) / -math.log(max(self.strain, 1e-3)))
        here = places
        for _ in range(rounds):
            shift_x, shift_y = self._shift(here, t)
            here = (places[0] - shift_x, places[1] - shift_y)
        return here

    def _shift(self, places: Places, t: float) -> Places:
        x, y = places
        strength = between(self.start, self.end, t)
        shift_x, shift_y = np.zeros_like(x), np.zeros_like(y)
        for wave in self.waves:
            height = np.sin(
                np.float32(wave.across) * x + np.float32(wave.down) * y + np.float32(wave.phase + wave.drift * t)
            )
            shift_x += np.float32(wave.reach_x * strength) * height
            shift_y += np.float32(wave.reach_y * strength) * height
        return shift_x, shift_y


@dataclass(frozen=True)
class Bend:
    """The x axis is bent to a circle's arc through the origin: its curvature (1 / radius) at times 0 and 1."""

    start: float
    end: float

    def forward(self, places: Places, t: float) -> Places:
        """See `Step`."""
        along, beside = places
        curvature = self._curvature(t)
        angle, radius = np.float32(curvature) * along, np.float32(1 / curvature)
        return (radius - beside) * np.sin(angle), radius - (radius - beside) * np.cos(angle)

    def back(self, places: Places, t: float) -> Places:
        """See `Step`; right within half a turn."""
        x, y = places
        curvature = self._curvature(t)
        sign, radius = np.float32(math.copysign(1, curvature)), np.float32(1 / curvature)
        across, down = x, radius - y
        along = np.arctan2(sign * across, sign * down) / np.float32(curvature)
        return along, radius - sign * np.hypot(across, down)

    def _curvature(self, t: float) -> float:
        curvature = between(self.start, self.end, t)
        return curvature if abs(curvature) > _STRAIGHT else _STRAIGHT


@dataclass(frozen=True)
class Ball:
    """The plane is wrapped around an ellipsoid (x and y are the longitude and latitude times the radii), which turns.

    What is turned away lies on its outline for `forward`, so that shapes end there.
    """

    width: float
    height: float
    start: tuple[float, float]
    end: tuple[float, float]
    """Longitude and latitude that look at the camera, at times 0 and 1, in radians."""

    def forward(self, places: Places, t: float) -> Places:
        """See `Step`."""
        x, y, z = self._turned(places, t)
        far = np.hypot(x, y)
        stretch = np.where(z < 0, 1 / np.maximum(far, np.float32(1e-3)), np.float32(1))
        return x * stretch * np.float32(self.width), y * stretch * np.float32(self.height)

    def back(self, places: Places, t: float) -> Places:
        """See `Step`; places outside of the outline are taken for the nearest inside."""
        x, y = places[0] / np.float32(self.width), places[1] / np.float32(self.height)
        far = np.hypot(x, y)
        inside = np.minimum(np.float32(1), np.float32(0.999) / np.maximum(far, np.float32(1e-6)))
        x, y = x * inside, y * inside
        z = np.sqrt(1 - x * x - y * y)
        across, up = self._looks(t)
        y, z = y * math.cos(up) + z * math.sin(up), z * math.cos(up) - y * math.sin(up)
        longitude, latitude = np.arctan2(x, z) + np.float32(across), np.arcsin(np.clip(y, -1, 1))
        return longitude * np.float32(self.width), latitude * np.float32(self.height)

    def faces(self, places: Places, t: float) -> NDArray[np.bool_]:
        """Which places are turned to the camera."""
        faces: NDArray[np.bool_] = self._turned(places, t)[2] > 0
        return faces

    def _turned(self, places: Places, t: float) -> tuple[Plane, Plane, Plane]:
        across, up = self._looks(t)
        longitude, latitude = (
            places[0] / np.float32(self.width) - np.float32(across),
            places[1] / np.float32(self.height),
        )
        x, y, z = np.cos(latitude) * np.sin(longitude), np.sin(latitude), np.cos(latitude) * np.cos(longitude)
        return x, y * math.cos(up) - z * math.sin(up), z * math.cos(up) + y * math.sin(up)

    def _looks(self, t: float) -> tuple[float, float]:
        return between(self.start[0], self.end[0], t), between(self.start[1], self.end[1], t)


@dataclass(frozen=True, eq=False)
class Motion:
    """A chain of at least one step, the innermost first."""

    steps: tuple[Step, ...]

    def holding(self, *inner: Step) -> Motion:
        """The motion of something that moves by `inner`, the innermost first, on what moves by this."""
        return Motion((*inner, *self.steps))

    @cached_property
    def is_affine(self) -> bool:
        """It is a matrix at every time."""
        return all(isinstance(step, Move) for step in self.steps)

    def matrix(self, t: float) -> Matrix:
        """Of an affine motion at time t."""
        matrix: Matrix = self._joined(t)[0]
        return matrix

    def forward(self, places: Places, t: float) -> Places:
        """Where rest places are in the picture at time t."""
        for step in self._joined(t):
            places = applied(step, places) if isinstance(step, np.ndarray) else step.forward(places, t)
        return places

    def back(self, places: Places, t: float) -> Places:
        """The rest places of what is in the picture at time t."""
        for step in reversed(self._joined(t)):
            places = applied(np.linalg.inv(step), places) if isinstance(step, np.ndarray) else step.back(places, t)
        return places

    def faces(self, places: Places, t: float) -> NDArray[np.bool_] | None:
        """Which rest places are turned to the camera at time t; None where all are."""
        for step in self.steps:
            if isinstance(step, Ball):
                return step.faces(places, t)
            places = step.forward(places, t)
        return None

    def _joined(self, t: float) -> tuple[Any, ...]:
        """The steps, neighbouring moves as one matrix."""
        known = self._at.get(t)
        if known is None:
            joined: list[Any] = []
            for step in self.steps:
                if not isinstance(step, Move):
                    joined.append(step)
                elif joined and isinstance(joined[-1], np.ndarray):
                    joined[-1] = step.matrix(t) @ joined[-1]
                else:
                    joined.append(step.matrix(t))
            known = self._at[t] = tuple(joined)
        return known

    @cached_property
    def _at(self) -> dict[float, tuple[Any, ...]]:
        return {}
