"""Things that scenes are furnished with: puppets, balls, cloth, posts, fences, curves, bars, badges, overlays."""

from __future__ import annotations

import string
from typing import Final

import cv2
import numpy as np

from .backdrops import pattern
from .figures import cloth_shape
from .layers import Colour, Layer, Picture, Shape, Texture
from .looks import colour, cutout, darker, ink, levels
from .motion import Ball, Bend, Motion, Move, Pose
from .studio import Studio, ellipse, limb, points

_LETTERS: Final = string.ascii_letters + string.digits + "  '!?.,-"


def puppet(studio: Studio) -> list[Layer]:
    """A cut-out in two parts, of which one turns on a joint of the other."""
    units = studio.some(80, 260)
    textures, density = cutout(studio.rng, studio.drawings.cutouts, units, studio.stage.scale)
    motion = studio.camera.holding(studio.anywhere(turn=0.15, margin=50))
    seam, turn = studio.some(-0.15, 0.2) * units, studio.rng.normal() * 0.45
    part = motion.holding(Move.still(Pose(0, -seam)), Move(Pose(0, seam), Pose(0, seam, turn)))
    half, reach = units, studio.some(0.02, 0.06) * units
    upper = points((-half, -half), (half, -half), (half, seam + reach), (-half, seam + reach))
    lower = points((-half, seam - reach), (half, seam - reach), (half, half), (-half, half))
    layers: list[Layer] = [
        Picture(part, textures, density, clip=Shape(part, lower)),
        Picture(motion, textures, density, clip=Shape(motion, upper)),
    ]
    return layers if studio.chance(0.5) else layers[::-1]


def ball(studio: Studio, motion: Motion, radius: float, turned: Ball) -> list[Layer]:
    """A ball with cut-outs on it."""
    line = ink(studio.rng)
    disc = Shape(motion, ellipse(radius, radius, 40), colour(studio.rng), line, studio.some(0.8, 2.4))
    surface = motion.holding(turned)
    layers: list[Layer] = [disc]
    for _ in range(studio.count(2, 5)):
        at = Move.still(Pose(studio.some(-1.6, 1.6) * radius, studio.some(-0.8, 0.8) * radius, studio.some(0, 7)))
        layers.append(studio.cutout(surface.holding(at), radius * studio.some(0.5, 1.3), clip=disc))
    return layers


def cloth(studio: Studio) -> list[Layer]:
    """A sheet with a pattern and folds, which waves."""
    size = studio.some(45, 140)
    waves = studio.waves(size * 1.2, 1.8)
    motion = studio.camera.holding(waves, studio.anywhere(turn=0.25, margin=50))
    shape = cloth_shape(studio, size * studio.some(0.5, 0.9), size * studio.some(0.5, 0.8))
    line, width = ink(studio.rng), studio.some(0.8, 2.2)
    sheet = Shape(motion, shape, colour(studio.rng), line, width, shadow=(-size * 0.15, -size * 0.1))
    layers: list[Layer] = [sheet]
    if studio.chance(0.6):
        stage = studio.stage
        pixels = (round(2.4 * size * stage.scale), round(2.2 * size * stage.scale))
        printed = pattern(studio.rng, stage, pixels)
        texture: Texture = np.dstack([printed, np.full(printed.shape[:2], 255, np.uint8)])
        layers.append(Picture(motion, levels(texture), stage.scale, clip=sheet))
        layers.append(Shape(motion, shape, None, line, width))
    for _ in range(studio.count(1, 5)):
        x, y = studio.some(-0.5, 0.5) * size, -size * 0.5
        down = np.linspace(0, 1, 8)
        fold = np.stack([x * (1 + 0.4 * down), y + down * size * studio.some(0.4, 1.0)], axis=1).astype(np.float32)
        layers.append(Shape(motion, fold, None, line, width * 0.7, is_closed=False, clip=sheet))
    return layers


def posts(studio: Studio, motion: Motion, count: int) -> list[Layer]:
    """Lamp posts and trunks: tall, narrow, from below the picture to its upper part or beyond."""
    layers: list[Layer] = []
    height = studio.stage.half[1]
    for _ in range(count):
        x, top, wide = studio.place(0)[0], studio.some(-1.6, 0.0) * height, studio.some(2, 16)
        paint, line = colour(studio.rng), ink(studio.rng)
        shape = points(
            (x - wide / 2, top), (x + wide / 2, top), (x + wide * 0.7, 2 * height), (x - wide * 0.7, 2 * height)
        )
        layers.append(Shape(motion, shape, paint, line, studio.some(0.6, 1.8)))
        if studio.chance(0.5):
            lamp = ellipse(wide * 1.2, wide, 16) + points((x, top))
            layers.append(Shape(motion, lamp, colour(studio.rng, 0.6), line, 1.0))
    return layers


def fence(studio: Studio, motion: Motion) -> list[Layer]:
    """Evenly spaced bars and two rails."""
    gap, line, width = studio.some(6, 22), ink(studio.rng), studio.some(0.6, 2.5)
    count, tall = studio.count(4, 16), studio.some(30, 110)
    half = gap * (count - 1) / 2
    layers: list[Layer] = []
    for x in np.linspace(-half, half, count):
        layers.append(Shape(motion, points((x, -tall / 2), (x, tall / 2)), None, line, width, is_closed=False))
    for y in (-tall * 0.3, tall * 0.3):
        layers.append(Shape(motion, points((-half, y), (half, y)), None, line, width, is_closed=False))
    return layers


def curves(studio: Studio, count: int) -> list[Layer]:
    """Loose lines, each bent and moved on its own or all together."""
    layers: list[Layer] = []
    shared = studio.camera.holding(studio.anywhere(turn=0.3))
    line, together = ink(studio.rng), studio.chance(0.5)
    for _ in range(count):
        length = studio.some(25, 170)
        along = np.linspace(-length / 2, length / 2, 13, dtype=np.float32)
        curve = np.stack([along, np.zeros_like(along)], axis=1)
        bend = Bend(studio.rng.normal() * 1.2 / length, studio.rng.normal() * 1.2 / length)
        base = shared if together else studio.camera
        at = Move.still(Pose(*studio.place(30), studio.some(0, 7))) if together else studio.anywhere(turn=0.3)
        layers.append(Shape(base.holding(bend, at), curve, None, line, studio.some(0.5, 2.0), is_closed=False))
    return layers


def bar(studio: Studio, motion: Motion) -> list[Layer]:
    """A straight part of one to three colours."""
    length, thick = studio.some(60, 200), studio.some(8, 44)
    ends = np.sort(np.concatenate([[0.0, 1.0], studio.rng.uniform(0.15, 0.85, studio.count(0, 2))]))
    shift, line = studio.some(0.2, 0.8), ink(studio.rng) if studio.chance(0.4) else None
    layers: list[Layer] = []
    for start, end in zip(ends, ends[1:]):
        left, right = (start - shift) * length, (end - shift) * length
        corners = points((left, -thick / 2), (right, -thick / 2), (right, thick / 2), (left, thick / 2))
        layers.append(Shape(motion, corners, colour(studio.rng), line, studio.some(0.8, 2)))
    if studio.chance(0.3):
        layers.append(Shape(motion, ellipse(thick * 0.3, thick * 0.3, 14), colour(studio.rng), line, 1.0))
    return layers


def badge(studio: Studio, way: Move, radius: float) -> list[Layer]:
    """A plain disc or shape with a rim."""
    motion, paint = studio.camera.holding(way), colour(studio.rng)
    shape = ellipse(radius, radius, 36) if studio.chance(0.6) else limb(radius * 2, radius, radius * 0.6)
    layers: list[Layer] = [Shape(motion, shape, paint, ink(studio.rng), studio.some(0.8, 3))]
    if studio.chance(0.5):
        layers.append(Shape(motion, shape * np.float32(0.55), darker(paint, 0.7)))
    return layers


def letterbox(studio: Studio) -> list[Layer]:
    """Bars above and below, or beside, on whole pixels."""
    height, width = studio.stage.height, studio.stage.width
    paint: Colour = (0, 0, 0) if studio.chance(0.85) else colour(studio.rng)
    if studio.chance(0.75):
        thick = max(2, round(height * studio.some(0.04, 0.2)))
        boxes = [(0, 0, width, thick), (0, height - thick, width, thick)]
    else:
        thick = max(2, round(width * studio.some(0.04, 0.2)))
        boxes = [(0, 0, thick, height), (width - thick, 0, thick, height)]
    return [_fixed(left, upper, _filled(wide, tall, paint)) for left, upper, wide, tall in boxes]


def overlay(studio: Studio) -> list[Picture]:
    """A subtitle, or a logo in a corner, on whole pixels."""
    height, width, scale = studio.stage.height, studio.stage.width, studio.stage.scale
    layers: list[Picture] = []
    if studio.chance(0.7):
        for number in range(studio.count(1, 2)):
            texture = _text(studio)
            left = max(0, (width - texture.shape[1]) // 2)
            upper = height - texture.shape[0] - round((4 + 24 * number) * scale)
            layers.append(_fixed(left, upper, texture))
    if not layers or studio.chance(0.35):
        (texture, *_), _ = cutout(studio.rng, studio.drawings.cutouts, studio.some(24, 60), scale / 1.3)
        room_x, room_y = width - texture.shape[1], height - texture.shape[0]
        corner = studio.count(0, 3)
        layers.append(_fixed((corner % 2) * max(0, room_x), (corner // 2) * max(0, room_y), texture))
    return layers


def _text(studio: Studio) -> Texture:
    """A line of letters with a dark rim."""
    letters = "".join(studio.rng.choice(list(_LETTERS), studio.count(5, 22)))
    size = 0.6 * studio.stage.scale * studio.some(0.8, 1.3)
    font = cv2.FONT_HERSHEY_DUPLEX if studio.chance(0.6) else cv2.FONT_HERSHEY_TRIPLEX
    thick = max(1, round(studio.stage.scale))
    (wide, tall), below = cv2.getTextSize(letters, font, size, thick)
    rim = 3 * thick
    cover, core = (np.zeros((tall + below + 2 * rim, wide + 2 * rim), np.uint8) for _ in range(2))
    at = (rim, tall + rim)
    cv2.putText(cover, letters, at, font, size, 255, thick + 2 * thick, cv2.LINE_AA)
    cv2.putText(core, letters, at, font, size, 255, thick, cv2.LINE_AA)
    paint = (255, 255, 255) if studio.chance(0.6) else colour(studio.rng, 0.7)
    inked = np.dstack([cv2.multiply(core, channel / 255) for channel in paint])
    alpha = np.maximum(cover, core)
    return np.dstack([np.minimum(inked, alpha[..., None]), alpha])


def _filled(width: int, height: int, paint: Colour) -> Texture:
    texture: Texture = np.empty((height, width, 4), np.uint8)
    texture[:] = (*paint, 255)
    return texture


def _fixed(left: int, upper: int, texture: Texture) -> Picture:
    """A texture that stays on those very pixels."""
    height, width = texture.shape[:2]
    middle = Pose(left + (width - 1) / 2, upper + (height - 1) / 2)
    return Picture(Motion((Move.still(middle),)), (np.ascontiguousarray(texture),), 1.0)
