"""The demo's keyframes: a small round fellow hops through hills while the camera follows him. Drawn here, from nothing.

An animator's three keyframes of a hop: gathered on the left, squashed on landing, stretched on the way up. The layers
behind him move by less the farther they are, and the ground by more, so that there is parallax to bridge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .commands.output import write_own

WIDTH, HEIGHT = 1280, 720
_FINE = 3
"""The fellow is drawn so much larger and averaged down, which smooths every edge of his."""
_MARGIN = 160
"""Pixels of every layer beyond each side of the picture, for the camera to move over."""
_SHIFT = 4
"""Bits of a pixel's fraction in the coordinates that OpenCV draws with."""

Colour = tuple[int, int, int]
Canvas = NDArray[np.float32]
"""(H, W, 3) RGB, 0 to 255."""
Mask = NDArray[np.float32]
"""(H, W) 0 to 1."""


@dataclass(frozen=True)
class Pose:
    """One keyframe.

    Attributes:
        x, y: the fellow's centre, in pixels.
        stretch: his height over his width, at constant area; 1 is round.
        lean: degrees, clockwise.
        camera: how far the camera has moved to the right, in pixels of the layer he is in.
    """

    x: float
    y: float
    stretch: float
    lean: float
    camera: float


POSES = (
    Pose(x=462, y=350, stretch=1.08, lean=-6, camera=6),
    Pose(x=612, y=480, stretch=0.86, lean=0, camera=36),
    Pose(x=762, y=344, stretch=1.10, lean=8, camera=66),
)
_RADIUS = 92
_GROUND = 560
_CLEARING = (620, 990)
"""From where to where the row of firs is open, in pixels of its layer: he hops in front of it."""
_SKY_TOP, _SKY_LOW = (96, 160, 214), (250, 226, 190)


def _noise(height: int, width: int, cell: int, octaves: int, seed: int) -> Mask:
    """Smooth random values: octaves of cubic-interpolated lattices, from `cell` pixels downward."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    weight, norm = 1.0, 0.0
    for _ in range(octaves):
        lattice = random.random((height // cell + 3, width // cell + 3), dtype=np.float32)
        total += weight * cv2.resize(lattice, (width, height), interpolation=cv2.INTER_CUBIC)
        norm += weight
        weight, cell = weight * 0.55, max(2, cell // 2)
    return np.asarray(np.clip(total / norm, 0, 1), np.float32)


def _lay(below: Canvas, colour: Canvas, mask: Mask) -> Canvas:
    """Put one layer over another."""
    return np.asarray(below + (colour - below) * mask[..., None], np.float32)


def _tinted(dark: Colour, light: Colour, amount: Mask) -> Canvas:
    low, high = np.array(dark, np.float32), np.array(light, np.float32)
    return np.asarray(low + (high - low) * amount[..., None], np.float32)


def _size() -> tuple[int, int]:
    return HEIGHT, WIDTH + 2 * _MARGIN


def _sky() -> Canvas:
    height, width = _size()
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None] ** 1.3 * np.ones((1, width), np.float32)
    sky = _tinted(_SKY_TOP, _SKY_LOW, down)
    clouds = np.clip(_noise(height, width, 360, 5, seed=3) * 3.0 - 1.55, 0, 1) * (1 - down) ** 0.5
    sky = _lay(sky, _tinted((236, 238, 244), (255, 255, 252), clouds), clouds * 0.85)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = np.hypot(columns - 1040, rows - 170)
    sun = np.clip((58 - distance) / 2, 0, 1)
    glow = np.exp(-np.maximum(distance - 58, 0) / 70).astype(np.float32) * 0.45
    return _lay(sky, _tinted((255, 238, 176), (255, 238, 176), sun), np.maximum(sun, glow))


def _ridge(base: float, swing: float, cell: int, seed: int) -> Mask:
    """Everything below a rolling line around `base` (pixels from the top)."""
    height, width = _size()
    line = _noise(1, width, cell, 3, seed)[0]
    top = base - swing * (line * 2 - 1)
    rows = np.arange(height, dtype=np.float32)[:, None]
    return np.asarray(np.clip(rows - top[None, :] + 0.5, 0, 1), np.float32)


def _hills(base: float, swing: float, cell: int, seed: int, dark: Colour, light: Colour) -> tuple[Canvas, Mask]:
    height, width = _size()
    return _tinted(dark, light, _noise(height, width, 90, 5, seed + 50)), _ridge(base, swing, cell, seed)


def _trees() -> tuple[Canvas, Mask]:
    """A row of firs on the near hill."""
    height, width = _size()
    mask = np.zeros((height, width), np.uint8)
    random = np.random.default_rng(11)
    for left in range(40, WIDTH + 2 * _MARGIN, 118):
        x = left + float(random.uniform(-34, 34))
        tall = float(random.uniform(78, 132))
        foot = 506 + float(random.uniform(-6, 10))
        if _CLEARING[0] < x < _CLEARING[1]:
            continue
        for tier in range(3):
            half = tall * (0.20 + 0.07 * tier)
            top, low = foot - tall * (1 - 0.24 * tier), foot - tall * (0.52 - 0.22 * tier)
            corners = np.array([[x, top], [x - half, low], [x + half, low]]) * 2**_SHIFT
            cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT)
    shade = _noise(height, width, 24, 3, seed=77)
    return _tinted((28, 74, 62), (74, 128, 84), shade), np.asarray(mask / np.float32(255), np.float32)


def _meadow() -> tuple[Canvas, Mask]:
    height, width = _size()
    # OpenCV smooths edges in 8-bit pictures only.
    grass = _tinted((92, 132, 52), (168, 192, 86), _noise(height, width, 40, 5, seed=21)).astype(np.uint8)
    random = np.random.default_rng(5)
    for _ in range(150):
        x, y = random.uniform(0, WIDTH + 2 * _MARGIN), random.uniform(_GROUND + 22, HEIGHT)
        size = 2.0 + 5.0 * (y - _GROUND) / (HEIGHT - _GROUND)
        petal = ((250, 244, 230), (247, 202, 92), (232, 118, 108))[int(random.integers(3))]
        place, radius = (round(x * 2**_SHIFT), round(y * 2**_SHIFT)), round(size * 2**_SHIFT)
        cv2.circle(grass, place, radius, petal, -1, cv2.LINE_AA, _SHIFT)
    return grass.astype(np.float32), _ridge(_GROUND - 12, 8, 260, seed=31)


def _view(layer: NDArray[np.float32], shift: float) -> NDArray[np.float32]:
    """The part of a layer that the camera sees when the layer has moved left by `shift` pixels."""
    left = round(_MARGIN + shift)
    return np.asarray(layer[:, left : left + WIDTH], np.float32)


def _fellow() -> tuple[Canvas, Mask]:
    """The fellow, round and upright, 4 radii wide; drawn once so that his spots stay his own."""
    side = 4 * _RADIUS * _FINE
    middle, radius = side / 2, float(_RADIUS * _FINE)
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    across, down = (columns - middle) / radius, (rows - middle) / radius
    light = np.clip(0.62 - 0.42 * (across * 0.5 + down * 0.8), 0, 1)
    body = _tinted((196, 62, 44), (255, 158, 84), np.asarray(light, np.float32))
    freckles = _noise(side, side, 9 * _FINE, 3, seed=8)
    body = np.asarray(body * (0.90 + 0.20 * freckles[..., None]), np.float32)

    def dot(x: float, y: float, size: float, colour: Colour) -> None:
        centre = (round(middle + x * radius), round(middle + y * radius))
        cv2.circle(body, centre, round(size * radius), colour, -1, cv2.LINE_AA)

    for x, y, size in ((-0.62, -0.36, 0.13), (-0.36, -0.70, 0.10), (-0.72, 0.14, 0.09), (-0.46, 0.52, 0.14),
                       (0.02, 0.74, 0.10), (0.52, 0.62, 0.08), (0.10, -0.80, 0.08), (-0.16, 0.30, 0.07)):  # fmt: skip
        dot(x, y, size, (255, 214, 128))
    for x in (0.06, 0.56):
        dot(x, -0.22, 0.22, (255, 252, 244))
        dot(x + 0.07, -0.20, 0.115, (44, 32, 40))
        dot(x + 0.11, -0.25, 0.035, (255, 255, 255))
    mouth = (round(middle + 0.34 * radius), round(middle + 0.16 * radius))
    axes = (round(0.24 * radius), round(0.20 * radius))
    cv2.ellipse(body, mouth, axes, 0, 15, 165, (96, 26, 30), 7 * _FINE, cv2.LINE_AA)
    inside = (1 - np.hypot(across, down)) * radius
    ink = np.asarray(np.clip(5 * _FINE - inside, 0, 1), np.float32)
    body = _lay(body, _tinted((92, 28, 30), (92, 28, 30), ink), ink)
    return body, np.asarray(np.clip(inside + 0.5, 0, 1), np.float32)


def _placed(layer: NDArray[np.float32], pose: Pose) -> NDArray[np.float32]:
    """A drawing of the fellow where the pose puts him, stretched and leaning, on an otherwise empty picture."""
    tall = math.sqrt(pose.stretch)
    angle = math.radians(pose.lean)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = turn @ np.diag([1 / tall, tall])
    middle = np.full(2, layer.shape[0] / 2)
    offset = np.array([pose.x, pose.y]) * _FINE - linear @ middle
    matrix = np.hstack([linear, offset[:, None]])
    fine = cv2.warpAffine(layer, matrix, (WIDTH * _FINE, HEIGHT * _FINE))
    return np.asarray(cv2.resize(fine, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.float32)


def _shadow(pose: Pose) -> Mask:
    """His shadow on the meadow: smaller and fainter the higher he is."""
    height = max(0.0, _GROUND - 10 - pose.y - _RADIUS)
    near = 1 / (1 + height / 140)
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.ellipse(mask, (round(pose.x), _GROUND + 6), (round(104 * near), round(17 * near)), 0, 0, 360, 1.0, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 7) * 0.5 * near, np.float32)


def keyframes() -> list[NDArray[np.uint8]]:
    """The keyframes, (720, 1280, 3) uint8 RGB each; the same pixels at every call."""
    sky = _sky()
    layers = (
        (0.25, _hills(400, 90, 420, 41, (112, 134, 168), (148, 166, 190))),
        (0.50, _hills(470, 60, 300, 42, (84, 132, 120), (140, 176, 138))),
        (0.75, _trees()),
        (1.00, _meadow()),
    )
    body, outline = _fellow()
    pictures = []
    for pose in POSES:
        picture = _view(sky, pose.camera * 0.1)
        for depth, (colour, mask) in layers:
            picture = _lay(picture, _view(colour, pose.camera * depth), _view(mask, pose.camera * depth))
        picture = _lay(picture, _tinted((38, 58, 34), (38, 58, 34), _shadow(pose)), _shadow(pose))
        picture = picture * (1 - _placed(outline, pose)[..., None]) + _placed(body * outline[..., None], pose)
        pictures.append(np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8))
    return pictures


def write_keyframes(folder: Path, overwrite: bool = False) -> list[Path]:
    """Draw the keyframes into a folder as PNG files and return their paths, in order.

    Raises:
        TweenbridgeError: BAD_REQUEST where another file is in the way and may not be written over.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, picture in enumerate(keyframes(), start=1):
        path = folder / f"keyframe_{number}.png"
        encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
        write_own(path, encoded.tobytes(), overwrite)
        paths.append(path)
    return paths
