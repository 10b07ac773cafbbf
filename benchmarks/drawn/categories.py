"""One builder for each category of scenes: the layers, from back to front."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from . import backdrops, props
from .figures import Changes, body, cel, drawn_in_line, head, strands
from .layers import Layer, Shape
from .looks import colour, ink
from .motion import Ball, Bend, Move, Pose, Step
from .scene import Category
from .studio import Studio, ellipse, limb, points

Build = Callable[[Studio], list[Layer]]


@dataclass(frozen=True)
class Recipe:
    """How scenes of a category are made.

    Attributes:
        still: share of scenes whose camera stays.
        pan: the most units that it pans by.
        is_clean: keyframes are exact, without grain; what is still is the same to the pixel.
        extras: most cut-outs behind the subject.
    """

    build: Build
    still: float = 0.4
    pan: float = 40.0
    is_clean: bool = False
    extras: int = 2


def _person(studio: Studio, line_art: bool = False) -> list[Layer]:
    """A figure of any size, with a body."""
    size = studio.reach(22, 100)
    palette = drawn_in_line(studio, (255, 255, 255)) if line_art else cel(studio)
    way = studio.anywhere(turn=0.12, margin=50)
    steps = (studio.waves(size * 3, 0.6), way) if studio.chance(0.4) else (way,)
    motion = studio.camera.holding(*steps)
    changes = Changes(limbs=studio.some(0.1, 0.8), turn=_turn(studio, 0.3))
    neck = Move(Pose(0, -size * 0.6), Pose(0, -size * 0.6, studio.rng.normal() * 0.15))
    torso = body(studio, motion, size, palette, changes)
    return [*torso, *head(studio, motion.holding(neck), size * studio.some(0.5, 0.9), palette, changes)]


def _turn(studio: Studio, share: float) -> tuple[float, float]:
    if not studio.chance(share):
        return 0.0, 0.0
    return studio.rng.normal() * 0.6, studio.rng.normal() * 0.3


def _figure(studio: Studio) -> list[Layer]:
    layers: list[Layer] = []
    for _ in range(studio.count(1, 2)):
        layers += _person(studio) if studio.chance(0.65) else props.puppet(studio)
    return layers


def _bending(studio: Studio) -> list[Layer]:
    layers: list[Layer] = []
    for _ in range(studio.count(1, 3)):
        units = studio.some(80, 260)
        if studio.chance(0.5):
            steps: tuple[Step, ...] = (studio.waves(units, 1.6), studio.anywhere(turn=0.3))
        else:
            bend = Bend(studio.rng.normal() * 1.2 / units, studio.rng.normal() * 1.2 / units)
            steps = (Move.still(Pose(angle=studio.some(0, 7))), bend, studio.anywhere(turn=0.3))
        layers.append(studio.cutout(studio.camera.holding(*steps), units))
    return layers


def _turning_head(studio: Studio) -> list[Layer]:
    radius = studio.reach(30, 130)
    motion = studio.camera.holding(studio.anywhere(turn=0.15, margin=60))
    turn = (math.copysign(studio.some(0.25, 1.3), studio.some(-1, 1)), studio.rng.normal() * 0.3)
    if studio.chance(0.3):
        return props.ball(studio, motion, radius, Ball(radius, radius, (-turn[0] / 2, 0.0), (turn[0] / 2, turn[1])))
    return head(studio, motion, radius, cel(studio), Changes(turn=turn, eyes=0.25, mouth=0.25))


def _face(studio: Studio) -> list[Layer]:
    radius = studio.reach(32, 140)
    motion = studio.camera.holding(studio.travel(studio.place(70), studio.reach(1, 40), turn=0.1))
    line_art = studio.chance(0.15)
    palette = drawn_in_line(studio, (255, 255, 255)) if line_art else cel(studio)
    return head(studio, motion, radius, palette, Changes(turn=_turn(studio, 0.25), eyes=0.85, mouth=0.85))


def _hair(studio: Studio) -> list[Layer]:
    size = studio.reach(35, 130)
    palette, motion = cel(studio), studio.camera.holding(studio.anywhere(margin=60))
    count = studio.count(5, 14)
    angles = np.sort(studio.rng.uniform(-0.3, math.pi + 0.3, count))
    roots = np.stack([np.cos(angles), np.sin(angles) * 0.5 - 0.3], axis=1) * size * 0.7
    swing = studio.some(0.1, 0.6)
    tresses = strands(studio, motion, roots, [float(a) for a in angles], size * studio.some(0.8, 2), palette, swing)
    if studio.chance(0.3):
        return tresses
    return [*tresses, *head(studio, motion, size * 0.8, palette, Changes(hair=swing, eyes=0.3))]


def _cloth(studio: Studio) -> list[Layer]:
    layers = _person(studio) if studio.chance(0.4) else []
    for _ in range(studio.count(1, 2)):
        layers += props.cloth(studio)
    return layers


def _appearing(studio: Studio) -> list[Layer]:
    layers = _person(studio) if studio.chance(0.3) else []
    for _ in range(studio.count(1, 3)):
        units = studio.some(25, 130)
        way = studio.anywhere()
        kind = int(studio.rng.integers(4))
        opacity = (0.0, 1.0) if studio.chance(0.5) else (1.0, 0.0)
        if kind == 0:
            layers.append(studio.cutout(studio.camera.holding(way), units, opacity))
        elif kind == 1:
            small = replace(way.start, width=0.03, height=0.03)
            grows = Move(small, way.end) if studio.chance(0.5) else Move(way.end, small)
            layers.append(studio.cutout(studio.camera.holding(grows), units))
        elif kind == 2:
            # A subtitle that only one keyframe has.
            layers += [replace(one, opacity=opacity) for one in props.overlay(studio)]
        else:
            half, room = studio.stage.half, units * 0.8
            side = math.copysign(half[0] + room, studio.some(-1, 1))
            outside = replace(way.start, x=side)
            comes = Move(outside, replace(way.end, x=side - math.copysign(studio.reach(20, 110), side)))
            layers.append(
                studio.cutout(
                    studio.screen.holding(comes if studio.chance(0.5) else Move(comes.end, comes.start)), units
                )
            )
    return layers


def _crossing(studio: Studio) -> list[Layer]:
    layers: list[Layer] = []
    x, y = studio.place(90)
    for number in range(studio.count(2, 4)):
        far = studio.reach(15, 110)
        way = studio.travel((x + studio.rng.normal() * 25, y + studio.rng.normal() * 18), far)
        if number % 2:
            way = Move(way.end, way.start, way.lag)
        layers.append(studio.thing((way,), 60, 170))
    if studio.chance(0.4):
        layers += props.posts(studio, studio.camera, studio.count(1, 4))
    return layers


def _line_art(studio: Studio) -> list[Layer]:
    layers: list[Layer] = []
    for _ in range(studio.count(1, 2)):
        kind = int(studio.rng.integers(3))
        if kind == 0:
            layers += _person(studio, line_art=True)
        elif kind == 1:
            motion = studio.camera.holding(studio.anywhere(margin=60))
            palette = drawn_in_line(studio, (255, 255, 255))
            layers += head(studio, motion, studio.reach(30, 90), palette, Changes(turn=_turn(studio, 0.5)))
        else:
            layers += props.curves(studio, studio.count(4, 12))
    return layers


def _cel(studio: Studio) -> list[Layer]:
    palette = replace(cel(studio, 1.0), is_shaded=True)
    size = studio.reach(30, 130)
    motion = studio.camera.holding(studio.anywhere(turn=0.15, margin=60))
    changes = Changes(turn=_turn(studio, 0.4), limbs=studio.some(0.1, 0.6))
    layers = body(studio, motion, size, palette, changes) if studio.chance(0.7) else []
    neck = Move.still(Pose(0, -size * 0.5))
    return [*layers, *head(studio, motion.holding(neck), size, palette, changes)]


def _parallax(studio: Studio) -> list[Layer]:
    """Planes, each with its share of one pan and one zoom; the nearest moves most."""
    pan, way = studio.reach(3, 90), studio.some(-0.5, 0.5) + (math.pi if studio.chance(0.5) else 0)
    zoom = studio.some(-0.25, 0.4) if studio.chance(0.5) else 0.0
    point = studio.place(60)
    layers: list[Layer] = []
    planes = studio.count(2, 4)
    for number in range(planes):
        depth = (number + studio.some(0.3, 1.0)) / planes
        motion = studio.screen.holding(_plane(pan * depth, way, zoom * depth, point))
        if number == 0:
            layers.append(backdrops.backdrop(studio.rng, studio.drawings, studio.stage, motion, busy=True))
            continue
        for _ in range(studio.count(1, 3)):
            at = Move.still(Pose(*studio.place(0), studio.rng.normal() * 0.1))
            layers.append(studio.cutout(motion.holding(at), studio.some(50, 180)))
        if studio.chance(0.5):
            layers += props.posts(studio, motion, studio.count(1, 3))
    return layers


def _plane(pan: float, way: float, zoom: float, point: tuple[float, float]) -> Move:
    dx, dy = pan * math.cos(way) / 2, pan * math.sin(way) / 2

    def pose(half: int) -> Pose:
        size = 1 + half * zoom / 2
        return Pose(point[0] * (1 - size) + half * dx, point[1] * (1 - size) + half * dy, 0.0, size, size)

    return Move(pose(-1), pose(1))


def _growing(studio: Studio) -> list[Layer]:
    size = (round(studio.stage.width * 1.1), round(studio.stage.height * 1.1))
    frame = backdrops.pattern(studio.rng, studio.stage, size)
    layers: list[Layer] = []
    if studio.chance(0.7):
        layers.append(backdrops.endless(frame, studio.stage, studio.screen))
    for _ in range(studio.count(1, 2)):
        units, ratio = studio.some(30, 110), studio.some(1.15, 2.8) ** 0.5
        at, turn = studio.place(60), studio.rng.normal() * 0.15
        drift = studio.rng.normal(size=2) * 10 * studio.chance(0.4)
        small = Pose(*at, 0.0, 1 / ratio, 1 / ratio)
        large = Pose(at[0] + drift[0], at[1] + drift[1], turn, ratio, ratio)
        way = Move(small, large) if studio.chance(0.7) else Move(large, small)
        layers += [studio.thing((way,), units, units)] if studio.chance(0.7) else props.badge(studio, way, units / 2)
    return layers


def _bar(studio: Studio) -> list[Layer]:
    layers: list[Layer] = []
    for _ in range(studio.count(1, 3)):
        turn = math.copysign(studio.reach(0.1, 2.0), studio.some(-1, 1))
        at, angle = studio.place(40), studio.some(0, 7)
        drift = studio.rng.normal(size=2) * 15 * studio.chance(0.5)
        way = Move(Pose(*at, angle), Pose(at[0] + drift[0], at[1] + drift[1], angle + turn))
        layers += props.bar(studio, studio.camera.holding(way))
    return layers


def _overlay(studio: Studio) -> list[Layer]:
    return [*studio.things(0, 2), *(_person(studio) if studio.chance(0.3) else []), *props.overlay(studio)]


def _letterbox(studio: Studio) -> list[Layer]:
    subject = _person(studio) if studio.chance(0.4) else studio.things(1, 3)
    return [*subject, *(props.overlay(studio) if studio.chance(0.2) else []), *props.letterbox(studio)]


def _fade(studio: Studio) -> list[Layer]:
    return [*(_person(studio) if studio.chance(0.3) else []), *studio.things(0, 2)]


def _thin_lines(studio: Studio) -> list[Layer]:
    layers = studio.things(0, 1)
    for _ in range(studio.count(1, 3)):
        kind = int(studio.rng.integers(3))
        if kind == 0:
            layers += props.curves(studio, studio.count(2, 8))
        elif kind == 1:
            layers += props.fence(studio, studio.camera.holding(studio.anywhere()))
        else:
            motion = studio.camera.holding(studio.anywhere(turn=0.5))
            line, width = ink(studio.rng), studio.some(0.5, 1.6)
            for angle in studio.rng.uniform(0, 2 * math.pi, studio.count(3, 9)):
                reach = studio.some(30, 110)
                end = points((0, 0), (reach * math.cos(angle), reach * math.sin(angle)))
                layers.append(Shape(motion, end, None, line, width, is_closed=False))
    return layers


def _small_fast(studio: Studio) -> list[Layer]:
    layers = studio.things(0, 1)
    for _ in range(studio.count(2, 9)):
        way = studio.travel(studio.place(10), studio.reach(12, 110), turn=0.5)
        units = studio.some(5, 26)
        if studio.chance(0.65):
            layers.append(studio.thing((way,), units, units))
            continue
        motion, paint = studio.camera.holding(way), colour(studio.rng)
        line = ink(studio.rng) if studio.chance(0.6) else None
        shape = ellipse(units / 2, units / 3, 14) if studio.chance(0.5) else limb(units, units * 0.4, units * 0.1)
        layers.append(Shape(motion, shape, paint, line, 1.0))
    return layers


RECIPES: Final[Mapping[Category, Recipe]] = MappingProxyType(
    {
        Category.FIGURE: Recipe(_figure),
        Category.BENDING: Recipe(_bending),
        Category.TURNING_HEAD: Recipe(_turning_head, still=0.5),
        Category.FACE: Recipe(_face, still=0.6, extras=1),
        Category.HAIR: Recipe(_hair, still=0.5, extras=1),
        Category.CLOTH: Recipe(_cloth),
        Category.APPEARING: Recipe(_appearing),
        Category.CROSSING: Recipe(_crossing, extras=1),
        Category.LINE_ART: Recipe(_line_art, still=0.7, extras=0),
        Category.CEL: Recipe(_cel, still=0.4, pan=60),
        Category.PARALLAX: Recipe(_parallax, still=1.0, extras=0),
        Category.GROWING: Recipe(_growing, still=1.0, is_clean=True, extras=1),
        Category.BAR: Recipe(_bar, still=0.7, extras=0),
        Category.OVERLAY: Recipe(_overlay, still=0.0, pan=70, is_clean=True, extras=1),
        Category.LETTERBOX: Recipe(_letterbox, still=0.2, pan=70, is_clean=True, extras=1),
        Category.FADE: Recipe(_fade, still=0.0, pan=70, extras=1),
        Category.THIN_LINES: Recipe(_thin_lines),
        Category.SMALL_FAST: Recipe(_small_fast),
    }
)
