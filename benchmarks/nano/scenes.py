"""Procedural pictures and pairs of keyframes of which all is known: the flow both ways, what is seen in both, and the
true in-between at any time.

A scene is a ground and one to three sprites over it. All move evenly: position and angle linearly, size by a constant
ratio. A pair is SAME, where only things move, or HARD, where the second keyframe also has other hues and another
ground, faded to linearly. Everything is a pure function of a seed (and of the installed font, see sprites.py).

Coordinates: pixel (column, row) has its centre at exactly that place. Poses are in sides of the picture, 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from . import grounds, sprites
from .grounds import Ground
from .sprites import Split, Sprite

Frame = NDArray[np.uint8]
"""(H, W, 3) RGB."""
Planes = NDArray[np.float32]
"""(C, H, W), 0 to 1."""
Flow = NDArray[np.float32]
"""(H, W, 2): for each pixel of one frame, (dx, dy) in pixels to its place in the other."""
Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]
"""(3, 3), acting on columns (x, y, 1)."""

DRAWN_SHARE: Final = 0.3
_MOVING_GROUNDS: Final = 0.35
_TINTED: Final = 0.15
_SEEN: Final = 0.5
_SHOWS: Final = 8
# By the number of sprites: how large they are.
_SIZES: Final = {1: (0.34, 0.5), 2: (0.3, 0.42), 3: (0.24, 0.34)}


class Kind(str, Enum):
    """How alike two keyframes are, apart from motion."""

    SAME = "same"
    HARD = "hard"


@dataclass(frozen=True)
class Pose:
    """Where something is: its centre, its angle in radians (clockwise on the screen) and its side."""

    x: float
    y: float
    angle: float
    side: float

    def towards(self, other: Pose, t: float) -> Pose:
        """The pose on the way to `other` at time t."""
        return Pose(
            (1 - t) * self.x + t * other.x,
            (1 - t) * self.y + t * other.y,
            (1 - t) * self.angle + t * other.angle,
            self.side ** (1 - t) * other.side**t,
        )


@dataclass(frozen=True)
class Layer:
    """A sprite on its way.

    Attributes:
        start, end: at times 0 and 1.
        hue, turn: radians by which its hue is turned at time 0, and further until time 1.
        mirrored: left and right are swapped.
    """

    sprite: Sprite
    start: Pose
    end: Pose
    hue: float = 0.0
    turn: float = 0.0
    mirrored: bool = False


_STILL: Final = Pose(0.5, 0.5, 0.0, 1.0)


@dataclass(frozen=True)
class Scene:
    """What a pair shows.

    Attributes:
        size: pixels of the pictures' side.
        ground, last_ground: at times 0 and 1.
        camera: where the ground's square, which fills the picture at time 0, is at time 1.
        layers: from the back to the front.
    """

    size: int
    ground: Ground
    last_ground: Ground
    layers: tuple[Layer, ...]
    camera: Pose = _STILL


@dataclass(frozen=True)
class View:
    """A scene at one time.

    Attributes:
        frame: (H, W, 3).
        top: (H, W) uint8, which layer is seen, counted from 1; 0 is the ground.
        covered: (H, W) where any sprite contributes.
    """

    frame: Frame
    top: Frame
    covered: Mask


@dataclass(frozen=True)
class Exact:
    """The true motion from one keyframe to the other.

    Attributes:
        flow: (H, W, 2) pixels; also where the other keyframe does not show the place.
        top: (H, W) as in `View`.
        visible: (H, W) where the place is in the other keyframe and seen there.
    """

    flow: Flow
    top: Frame
    visible: Mask


@dataclass(frozen=True)
class Pair:
    """Two keyframes and all that is true between them.

    Attributes:
        a, b: keyframes.
        times: of the in-betweens.
        truth: the frame at each of `times`.
        moving: for each of `times`, (H, W) where something is seen to move: sprites now and in both keyframes, and a
            moving ground where that shows; grown a little.
        forward, backward: motion from a to b on a's pixels, and back on b's.
    """

    scene: Scene
    a: Frame
    b: Frame
    times: tuple[float, ...]
    truth: tuple[Frame, ...]
    moving: tuple[Mask, ...]
    forward: Exact
    backward: Exact


def make_scene(seed: int, size: int, split: Split, kind: Kind) -> Scene:
    """A scene whose sprites move far: by a quarter to six tenths of the picture, and seldom overlap in keyframes."""
    rng = np.random.default_rng([3, seed])
    count = int(rng.choice([1, 2, 3], p=[0.3, 0.45, 0.25]))
    sides = rng.uniform(*_SIZES[count], count)
    starts, ends = _places(rng, sides)
    layers = []
    for side, (x, y), (last_x, last_y) in zip(sides, starts, ends):
        sprite = sprites.choose(rng, split, DRAWN_SHARE)
        angle, further, ratio = rng.normal() * 0.14, rng.uniform(-0.55, 0.55), rng.uniform(0.82, 1.22)
        turn = rng.uniform(0.7, 2.1) * (kind is Kind.HARD)
        start, end = Pose(x, y, angle, side), Pose(last_x, last_y, angle + further, side * ratio)
        layers.append(Layer(sprite, start, end, turn=turn))
    ground, other = grounds.choose(rng, split), grounds.choose(rng, split)
    camera = _STILL
    if rng.random() < _MOVING_GROUNDS:
        shift, angle, ratio = rng.uniform(-0.12, 0.12, 2), rng.uniform(-0.1, 0.1), rng.uniform(0.93, 1.12)
        camera = Pose(0.5 + shift[0], 0.5 + shift[1], angle, ratio)
    return Scene(size, ground, other if kind is Kind.HARD else ground, tuple(layers), camera)


def _places(rng: np.random.Generator, sides: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, n, 2) centres in both keyframes."""
    count = len(sides)
    room = 0.5 * sides[:, None] + 0.02
    # One in four scenes may have sprites that hide parts of each other in a keyframe.
    apart = 0.95 * sides.mean() * (0.5 if rng.random() < 0.25 else 1)
    while True:
        places: NDArray[np.float64] = rng.uniform(room, 1 - room, (2, count, 2))
        way = np.linalg.norm(places[1] - places[0], axis=-1)
        between = np.linalg.norm(places[:, :, None] - places[:, None], axis=-1) + 9 * np.eye(count)
        if way.min() > 0.25 and way.max() < 0.6 and between.min() > apart:
            return places


def make_pair(scene: Scene, times: Sequence[float]) -> Pair:
    """The keyframes of a scene and the truth at `times`, each from 0 to 1."""
    first, last = view(scene, 0.0), view(scene, 1.0)
    between = [view(scene, t) for t in times]
    shown = _ground_moves(scene)
    moving = tuple(_grown(first.covered | last.covered | now.covered | shown, scene.size // 64) for now in between)
    frames = tuple(now.frame for now in between)
    forward, backward = exact(scene, first, last, 0.0, 1.0), exact(scene, last, first, 1.0, 0.0)
    return Pair(scene, first.frame, last.frame, tuple(times), frames, moving, forward, backward)


def picture(seed: int, size: int, split: Split, photographs: float = 0.0) -> Frame:
    """One picture to train on or to judge by: as a pair's keyframe, but sprites of more sizes lie anywhere.

    Args:
        photographs: share of pictures whose ground is a soft part of one.
    """
    rng = np.random.default_rng([4, seed])
    layers = []
    for _ in range(int(rng.choice([1, 2, 3], p=[0.45, 0.35, 0.2]))):
        x, y = rng.uniform(0.12, 0.88, 2)
        pose = Pose(x, y, rng.normal() * 0.45, rng.uniform(0.26, 0.8))
        hue = rng.uniform(0, 2 * np.pi) if rng.random() < _TINTED else 0.0
        sprite = sprites.choose(rng, split, DRAWN_SHARE)
        layers.append(Layer(sprite, pose, pose, hue, mirrored=bool(rng.random() < 0.3)))
    ground = grounds.choose(rng, split, photographs)
    return view(Scene(size, ground, ground, tuple(layers)), 0.0).frame


def view(scene: Scene, t: float) -> View:
    """The scene at time t, 0 to 1."""
    size = scene.size
    canvas = _ground(scene, t).copy()
    top = np.zeros((size, size), np.uint8)
    covered = np.zeros((size, size), bool)
    for number, layer in enumerate(scene.layers, start=1):
        rows, columns, colours = _drawn(layer, t, size)
        alpha = colours[3]
        canvas[:, rows, columns] *= 1 - alpha
        canvas[:, rows, columns] += colours[:3]
        top[rows, columns][alpha > _SEEN] = number
        covered[rows, columns] |= alpha > 0
    levels = (np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8)
    return View(np.ascontiguousarray(levels.transpose(1, 2, 0)), top, covered)


def exact(scene: Scene, here: View, there: View, start: float, end: float) -> Exact:
    """The motion of what `here` shows at time `start` to where it is at time `end`, when the scene looks as `there`."""
    size = scene.size
    line = np.arange(size, dtype=np.float32)
    flow = np.empty((size, size, 2), np.float32)
    for number, (begin, finish) in enumerate(zip(_placements(scene, start), _placements(scene, end))):
        change = (finish @ np.linalg.inv(begin) - np.eye(3)).astype(np.float32)
        own = here.top == number
        for axis in (0, 1):
            moved = change[axis, 0] * line + (change[axis, 1] * line + change[axis, 2])[:, None]
            np.copyto(flow[..., axis], moved, where=own)
    column = np.rint(line + flow[..., 0]).astype(np.int32)
    row = np.rint(line[:, None] + flow[..., 1]).astype(np.int32)
    inside = (column >= 0) & (column < size) & (row >= 0) & (row < size)
    target = np.where(inside, row * size + column, 0)
    return Exact(flow, here.top, inside & (there.top.ravel()[target] == here.top))


def _placements(scene: Scene, t: float) -> Iterator[Matrix]:
    """Of the ground and of every layer: from its own coordinates to the picture's pixels."""
    yield _placement(_STILL.towards(scene.camera, t), scene.size)
    for layer in scene.layers:
        yield _placement(layer.start.towards(layer.end, t), scene.size)


def _placement(pose: Pose, size: int) -> Matrix:
    """From coordinates with the thing's centre at 0 and its edges at ±0.5 to pixels of a picture of `size`."""
    scale = pose.side * size
    cosine, sine = scale * math.cos(pose.angle), scale * math.sin(pose.angle)
    return np.array(
        [[cosine, -sine, pose.x * size - 0.5], [sine, cosine, pose.y * size - 0.5], [0.0, 0.0, 1.0]], np.float64
    )


def _ground(scene: Scene, t: float) -> Planes:
    """(3, H, W) of the ground alone."""
    size = scene.size
    margin = 0.0 if scene.camera == _STILL else grounds.MARGIN
    shown = _painted(scene.ground, size, margin)
    if scene.last_ground != scene.ground:
        shown = shown + np.float32(t) * (_painted(scene.last_ground, size, margin) - shown)
    if scene.camera == _STILL:
        return shown
    side = shown.shape[1]
    back = np.linalg.inv(_placement(_STILL.towards(scene.camera, t), size))
    to_shown = np.array([[size, 0, (side - 1) / 2], [0, size, (side - 1) / 2], [0, 0, 1.0]]) @ back
    return _sampled(shown, to_shown, range(size), range(size))


@lru_cache(maxsize=4)
def _painted(ground: Ground, size: int, margin: float) -> Planes:
    return grounds.paint(ground, size, margin)


def _ground_moves(scene: Scene) -> Mask:
    """(H, W) where one sees that the ground moves; what fades into another ground does not count."""
    if scene.camera == _STILL:
        return np.zeros((scene.size, scene.size), bool)
    alone = replace(scene, last_ground=scene.ground)
    shown: Mask = np.abs(_ground(alone, 1.0) - _ground(alone, 0.0)).max(axis=0) > _SHOWS / 255
    return shown


def _drawn(layer: Layer, t: float, size: int) -> tuple[slice, slice, Planes]:
    """Rows and columns that a layer may touch, and its premultiplied RGBA there."""
    texture = sprites.textures(layer.sprite)[_level(layer, size)]
    pose = layer.start.towards(layer.end, t)
    corners = _placement(pose, size)[:2] @ np.array([[-0.5, 0.5, 0.5, -0.5], [-0.5, -0.5, 0.5, 0.5], [1, 1, 1, 1]])
    low = np.clip(np.floor(corners.min(axis=1)), 0, size).astype(int)
    high = np.clip(np.ceil(corners.max(axis=1)) + 1, 0, size).astype(int)
    side = texture.shape[1]
    across = -side if layer.mirrored else side
    back = np.linalg.inv(_placement(pose, size))
    to_texture = np.array([[across, 0, (side - 1) / 2], [0, side, (side - 1) / 2], [0, 0, 1.0]]) @ back
    colours = texture.astype(np.float32) * np.float32(1 / 255)
    hue = layer.hue + t * layer.turn
    if hue:
        colours[:3] = np.clip(np.tensordot(_hue_turn(hue), colours[:3], 1), 0, colours[3])
    drawn = _sampled(colours, to_texture, range(low[1], high[1]), range(low[0], high[0]))
    return slice(low[1], high[1]), slice(low[0], high[0]), drawn


def _level(layer: Layer, size: int) -> int:
    """Which texture size suits a layer; the same one all the way, so that nothing jumps."""
    shrunk = sprites.SIDE / (size * math.sqrt(layer.start.side * layer.end.side))
    return min(max(round(math.log2(shrunk)), 0), sprites.LEVELS - 1)


def _hue_turn(angle: float) -> NDArray[np.float32]:
    """(3, 3): RGB turned about the grey axis."""
    cosine, sine = math.cos(angle), math.sin(angle) / math.sqrt(3)
    same, plus, minus = (1 + 2 * cosine) / 3, (1 - cosine) / 3 + sine, (1 - cosine) / 3 - sine
    return np.array([[same, minus, plus], [plus, same, minus], [minus, plus, same]], np.float32)


def _sampled(texture: Planes, matrix: Matrix, rows: range, columns: range) -> Planes:
    """Bilinear samples of (C, h, w) at `matrix` times the pixels of a block; beyond the edges, the edge."""
    channels, height, width = texture.shape
    m = matrix.astype(np.float32)
    x_line, y_line = np.array(columns, np.float32), np.array(rows, np.float32)[:, None]
    x = np.clip(m[0, 0] * x_line + (m[0, 1] * y_line + m[0, 2]), 0, width - 1.001)
    y = np.clip(m[1, 0] * x_line + (m[1, 1] * y_line + m[1, 2]), 0, height - 1.001)
    left, upper = x.astype(np.int32), y.astype(np.int32)
    right_share, lower_share = x - left, y - upper
    at = (upper * np.int32(width) + left).astype(np.intp)
    samples = np.empty((channels, *at.shape), np.float32)
    for sample, plane in zip(samples, texture.reshape(channels, -1)):
        above, below = plane.take(at), plane[width:].take(at)
        above += (plane[1:].take(at) - above) * right_share
        below += (plane[width + 1 :].take(at) - below) * right_share
        np.add(above, (below - above) * lower_share, out=sample)
    return samples


def _grown(mask: Mask, radius: int) -> Mask:
    """The mask with all that is within `radius` pixels in either direction."""
    for axis in (0, 1):
        grown = mask.copy()
        for shift in range(1, radius + 1):
            ahead, behind = (slice(shift, None), slice(None, -shift))
            for to, source in ((ahead, behind), (behind, ahead)):
                part = (to, slice(None)) if axis == 0 else (slice(None), to)
                origin = (source, slice(None)) if axis == 0 else (slice(None), source)
                grown[part] |= mask[origin]
        mask = grown
    return mask
