"""Drawn figures: heads that turn, with eyes and mouths that open, hair, bodies, and arms on joints."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .layers import Colour, Layer, Points, Shape
from .looks import colour, darker, ink
from .motion import Ball, Bend, Motion, Move, Pose
from .studio import Studio, blob, ellipse, limb, points

WHITE: Colour = (250, 250, 250)


@dataclass(frozen=True)
class Palette:
    """How a figure is painted: colours, the line's width in units, and whether it has shadows."""

    skin: Colour
    cloth: Colour
    hair: Colour
    eyes: Colour
    white: Colour
    line: Colour
    width: float
    is_shaded: bool


@dataclass(frozen=True)
class Changes:
    """What of a figure changes between the keyframes, beside where it is.

    Attributes:
        turn: by how much the head turns, in radians to the side and up.
        eyes, mouth: how often they open or close.
        hair: how far hair swings, in radians.
        limbs: how far joints turn, in radians.
    """

    turn: tuple[float, float] = (0.0, 0.0)
    eyes: float = 0.4
    mouth: float = 0.5
    hair: float = 0.3
    limbs: float = 0.3


def cel(studio: Studio, shaded: float = 0.7) -> Palette:
    """Flat colours with dark lines."""
    rng = studio.rng
    return Palette(
        skin=colour(rng, 0.55),
        cloth=colour(rng),
        hair=colour(rng),
        eyes=colour(rng, 0.1, 0.7),
        white=WHITE,
        line=ink(rng),
        width=studio.some(0.8, 2.6),
        is_shaded=studio.chance(shaded),
    )


def drawn_in_line(studio: Studio, paper: Colour) -> Palette:
    """Lines on paper, which hide what is behind them."""
    line = ink(studio.rng)
    return Palette(paper, paper, paper, paper, paper, line, studio.some(0.6, 2.0), False)


def head(studio: Studio, motion: Motion, radius: float, palette: Palette, changes: Changes) -> list[Layer]:
    """A head around the origin of `motion`, from the back to the front."""
    turned = Ball(
        radius,
        radius * 1.12,
        *(
            (sign * changes.turn[0] / 2 + aside, sign * changes.turn[1] / 2 + up)
            for aside, up in ((studio.some(-0.25, 0.25), studio.some(-0.15, 0.15)),)
            for sign in (-1, 1)
        ),
    )
    face = motion.holding(turned)
    back = _hair_behind(studio, motion, radius, palette, changes)
    skin = _painted(studio, motion, ellipse(radius, radius * 1.12, 32), palette.skin, palette)
    layers: list[Layer] = [*back, skin]
    layers += _cheeks(studio, face, radius, palette)
    level, apart = studio.some(-0.12, 0.1) * radius, studio.some(0.3, 0.48) * radius
    size = (studio.some(0.14, 0.27) * radius, studio.some(0.15, 0.36) * radius)
    opening, gaze = _opening(studio, changes.eyes), studio.rng.normal(size=(2, 2)) * 0.25
    brow = (studio.some(-0.1, 0.1), studio.rng.normal() * 0.06 * radius)
    for side in (-1, 1):
        layers += _eye(studio, face, (side * apart, level), size, opening, gaze, brow, palette)
    layers += _nose(studio, face, radius, palette)
    layers += _mouth(studio, face, radius, palette, changes)
    layers += _fringe(studio, face if studio.chance(0.5) else motion, radius, palette, changes)
    return layers


def body(studio: Studio, motion: Motion, size: float, palette: Palette, changes: Changes) -> list[Layer]:
    """Trunk, arms and legs below the origin of `motion`."""
    reach = changes.limbs
    layers: list[Layer] = []
    legs = studio.chance(0.6)
    for side in (-1, 1) if legs else ():
        hip = (side * size * 0.25, size * 1.6)
        layers += arm(studio, motion, hip, math.pi / 2 - side * 0.15, size * 0.75, palette, reach, False)
    behind = studio.chance(0.5)
    arms = [
        arm(
            studio,
            motion,
            (side * size * 0.5, size * 0.3),
            math.pi / 2 - side * studio.some(0.1, 1.6),
            size * 0.65,
            palette,
            reach,
            True,
        )
        for side in (-1, 1)
    ]
    if behind:
        layers += arms[0]
    trunk = blob(studio.rng, size * 0.55, size * 0.8, 0.12) + points((0, size * 0.95))
    steps = (studio.waves(size * 1.5, 0.5),) if studio.chance(0.5) else ()
    layers.append(_painted(studio, motion.holding(*steps), trunk, palette.cloth, palette))
    if not behind:
        layers += arms[0]
    return layers + arms[1]


def arm(
    studio: Studio,
    motion: Motion,
    at: tuple[float, float],
    angle: float,
    length: float,
    palette: Palette,
    reach: float,
    has_hand: bool,
) -> list[Layer]:
    """Two parts and maybe a hand with fingers, each turning on the one before."""
    rng, thick = studio.rng, length * studio.some(0.28, 0.45)
    upper = motion.holding(_joint(studio, at, angle, reach))
    lower = upper.holding(_joint(studio, (length, 0.0), rng.normal() * 0.5, reach * 1.3))
    layers: list[Layer] = [
        _painted(studio, upper, limb(length, thick, thick * 0.85), palette.cloth, palette),
        _painted(studio, lower, limb(length * 0.9, thick * 0.8, thick * 0.6), palette.skin, palette),
    ]
    if not has_hand:
        return layers
    wrist = lower.holding(_joint(studio, (length * 0.95, 0.0), rng.normal() * 0.3, reach * 1.2))
    hand = thick * 0.45
    for finger in range(studio.count(0, 4)):
        base = (hand * 0.8, hand * (finger - 1.5) * 0.45)
        curled = wrist.holding(_joint(studio, base, (finger - 1.5) * 0.2, reach * 0.7))
        layers.append(_painted(studio, curled, limb(hand * 1.5, hand * 0.5, hand * 0.35), palette.skin, palette))
    layers.append(
        _painted(studio, wrist, ellipse(hand * 1.1, hand, 14) + points((hand * 0.3, 0)), palette.skin, palette)
    )
    return layers


def strands(
    studio: Studio,
    motion: Motion,
    roots: NDArray[np.floating[Any]],
    angles: list[float],
    length: float,
    palette: Palette,
    swing: float,
) -> list[Layer]:
    """Locks of hair, bent more or less and swinging together, from their roots."""
    rng, layers = studio.rng, list[Layer]()
    common, swung = rng.normal() * 0.5, rng.normal() * swing
    for root, angle in zip(roots, angles):
        long = length * studio.some(0.6, 1.2)
        curl = (common + rng.normal() * 0.25) / long
        bend = Bend(curl, curl + 1.5 * (swung + rng.normal() * swing * 0.3) / long)
        at = Pose(float(root[0]), float(root[1]), angle)
        joint = Move(at, Pose(at.x, at.y, angle + swung * 0.6), studio.lag())
        thick = length * studio.some(0.05, 0.22)
        shape = _lock(long, thick)
        layers.append(_painted(studio, motion.holding(bend, joint), shape, palette.hair, palette))
    return layers


def _lock(length: float, thick: float) -> Points:
    """Along the x axis, pointed at its end, with points enough to be bent."""
    along = np.linspace(0, 1, 9)
    wide = thick * (1 - along**2) * (0.8 + 0.6 * along)
    upper = np.stack([along * length, wide / 2], axis=1)
    lower = np.stack([along[-2::-1] * length, -wide[-2::-1] / 2], axis=1)
    return np.concatenate([upper, lower]).astype(np.float32)


def _joint(studio: Studio, at: tuple[float, float], angle: float, reach: float) -> Move:
    turned = studio.rng.normal() * reach if studio.chance(0.8) else 0.0
    return Move(Pose(*at, angle - turned / 2), Pose(*at, angle + turned / 2), studio.lag())


def _painted(studio: Studio, motion: Motion, shape: Points, fill: Colour, palette: Palette) -> Shape:
    shadow = None
    if palette.is_shaded and studio.chance(0.6):
        size = float(np.ptp(shape, axis=0).min())
        shadow = (-0.18 * size, -0.15 * size)
    return Shape(motion, shape, fill, palette.line, palette.width, shadow=shadow)


def _opening(studio: Studio, changes: float) -> tuple[float, float]:
    """How far eyes or a mouth are open at times 0 and 1; 1 is wide."""
    usual = studio.some(0.5, 1.0)
    if not studio.chance(changes):
        return usual, usual
    other = 0.04 if studio.chance(0.45) else studio.some(0.04, 0.5)
    return (usual, other) if studio.chance(0.5) else (other, usual)


def _eye(
    studio: Studio,
    face: Motion,
    at: tuple[float, float],
    size: tuple[float, float],
    opening: tuple[float, float],
    gaze: NDArray[np.floating[Any]],
    brow: tuple[float, float],
    palette: Palette,
) -> list[Layer]:
    (x, y), (width, height), (first, last) = at, size, opening
    lids = face.holding(Move(Pose(x, y, 0.0, 1.0, first), Pose(x, y, 0.0, 1.0, last)))
    white = Shape(lids, ellipse(width, height), palette.white, palette.line, palette.width * 0.7)
    look = face.holding(
        Move(
            Pose(x + gaze[0, 0] * width, y + gaze[0, 1] * height * 0.5),
            Pose(x + gaze[1, 0] * width, y + gaze[1, 1] * height * 0.5),
        )
    )
    round_ = min(width, height) * 0.75
    iris = Shape(look, ellipse(round_, round_ * 1.2, 18), palette.eyes, palette.line, palette.width * 0.5, clip=white)
    pupil = Shape(look, ellipse(round_ * 0.5, round_ * 0.65, 14), darker(palette.line, 0.5), clip=white)
    light = ellipse(round_ * 0.25, round_ * 0.25, 10) + points((-round_ * 0.3, -round_ * 0.4))
    glint = Shape(look, light, WHITE, clip=white)
    bow = np.linspace(-1.25, 1.25, 9)
    lid_line = np.stack([bow / 1.2 * width, -np.cos(bow) * height * 1.02], axis=1).astype(np.float32)
    lash = Shape(lids, lid_line, None, palette.line, palette.width * 1.5, is_closed=False)
    lift = y - height * 1.5
    arch = np.stack([bow / 1.2 * width, -np.cos(bow) * height * 0.25], axis=1).astype(np.float32)
    frown = face.holding(
        Move(Pose(x, lift, math.copysign(brow[0], x)), Pose(x, lift + brow[1], math.copysign(brow[0] * 2, x)))
    )
    eyebrow = Shape(frown, arch, None, palette.line, palette.width * 1.4, is_closed=False)
    return [white, iris, pupil, glint, lash, eyebrow]


def _mouth(studio: Studio, face: Motion, radius: float, palette: Palette, changes: Changes) -> list[Layer]:
    first, last = _opening(studio, changes.mouth)
    width, height = studio.some(0.18, 0.45) * radius, studio.some(0.12, 0.4) * radius
    wider = studio.some(0.7, 1.3) if studio.chance(changes.mouth) else 1.0
    smile, other = studio.rng.normal(size=2) * 0.5 / width
    smile = -abs(smile)
    bend = Bend(smile, -abs(other) if studio.chance(changes.mouth) else smile)
    at = Move.still(Pose(studio.rng.normal() * 0.04 * radius, radius * 0.52))
    lips = face.holding(Move(Pose(0, 0, 0, 1.0, first), Pose(0, 0, 0, wider, last)), bend, at)
    shape = ellipse(width, height)
    shape[shape[:, 1] < 0, 1] *= 0.5
    inside = darker(palette.eyes, 0.5) if palette.eyes != palette.skin else palette.skin
    mouth = Shape(lips, shape, inside, palette.line, palette.width)
    layers: list[Layer] = [mouth]
    if studio.chance(0.6):
        teeth = face.holding(bend, at)
        row = points((-width, -height), (width, -height), (width, -height * 0.15), (-width, -height * 0.15))
        layers.append(Shape(teeth, row, palette.white, clip=mouth))
    if studio.chance(0.4) and palette.eyes != palette.skin:
        tongue = ellipse(width * 0.6, height * 0.45, 14) + points((0, height * 0.8))
        layers.append(Shape(lips, tongue, (214, 110, 110), clip=mouth))
    return [*layers, Shape(lips, shape, None, palette.line, palette.width)]


def _nose(studio: Studio, face: Motion, radius: float, palette: Palette) -> list[Layer]:
    size = studio.some(0.06, 0.2) * radius
    if studio.chance(0.4):
        return [
            _painted(studio, face, ellipse(size, size * 0.8, 14) + points((0, radius * 0.2)), palette.skin, palette)
        ]
    line = points((size * 0.4, -size), (size, size * 0.6), (0, size)) + points((0, radius * 0.2))
    return [Shape(face, line, None, palette.line, palette.width, is_closed=False)]


def _cheeks(studio: Studio, face: Motion, radius: float, palette: Palette) -> list[Layer]:
    if palette.eyes == palette.skin or not studio.chance(0.3):
        return []
    red = (235, 140, 130)
    return [
        Shape(face, ellipse(radius * 0.16, radius * 0.1, 14) + points((side * radius * 0.55, radius * 0.3)), red)
        for side in (-1, 1)
    ]


def _hair_behind(studio: Studio, motion: Motion, radius: float, palette: Palette, changes: Changes) -> list[Layer]:
    if not studio.chance(0.6):
        return []
    count = studio.count(3, 8)
    angles = np.linspace(-0.4, math.pi + 0.4, count) + studio.rng.normal(size=count) * 0.1
    roots = np.stack([np.cos(angles), np.sin(angles) * 0.6 - 0.2], axis=1) * radius * 0.8
    length = radius * studio.some(0.7, 1.6)
    return strands(studio, motion, roots, [float(a) for a in angles], length, palette, changes.hair)


def _fringe(studio: Studio, motion: Motion, radius: float, palette: Palette, changes: Changes) -> list[Layer]:
    """Hair over the forehead: in points, or in locks."""
    if studio.chance(0.35):
        count = studio.count(3, 7)
        x = np.linspace(-0.7, 0.7, count)
        roots = np.stack([x, -0.95 + 0.25 * x**2], axis=1) * radius
        angles = [math.pi / 2 - float(v) * 0.5 for v in x]
        return strands(studio, motion, roots, angles, radius * studio.some(0.4, 0.8), palette, changes.hair * 0.5)
    count = studio.count(3, 8)
    edge: list[list[float]] = []
    for number in range(count):
        left, wide = -1.05 + 2.1 * number / count, 2.1 / count
        edge += [[left, -0.7], [left + wide * 0.6, -0.7 + studio.some(0.15, 0.6)]]
    crown = [[1.05, -0.6], [0.9, -0.98], [0.4, -1.22], [-0.4, -1.22], [-0.9, -0.98]]
    shape = np.array(edge + crown, np.float32) * np.float32(radius)
    steps = (studio.waves(radius, 0.4),) if studio.chance(changes.hair) else ()
    return [_painted(studio, motion.holding(*steps), shape, palette.hair, palette)]


def cloth_shape(studio: Studio, width: float, height: float) -> Points:
    """A hanging sheet with an uneven lower edge, about the origin."""
    count = 12
    x = np.linspace(-1, 1, count)
    upper = np.stack([x * width * 0.8, np.full(count, -height)], axis=1)
    lower = np.stack([x[::-1] * width, height * (1 + 0.12 * studio.rng.normal(size=count))], axis=1)
    sides = np.linspace(upper[-1], lower[0], 6)[1:-1], np.linspace(lower[-1], upper[0], 6)[1:-1]
    return np.concatenate([upper, sides[0], lower, sides[1]]).astype(np.float32)
