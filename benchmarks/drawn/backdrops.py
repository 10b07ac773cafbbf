"""Grounds: painted, photographed, patterned or plain, as textures that go on beyond the picture."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from nano import grounds
from nano.grounds import Ground
from numpy.typing import NDArray

from .drawings import Drawings
from .layers import Frame, Picture, Stage, Texture
from .looks import colour, cutout, ink
from .motion import Motion

_WIDE: Final = 1.5
_TALL: Final = 1.6
_PROCEDURAL: Final = 144
_GROUNDS: Final = 1 << 20


def backdrop(
    rng: np.random.Generator, drawings: Drawings, stage: Stage, motion: Motion, *, busy: bool = False
) -> Picture:
    """A ground of any kind; with `busy`, one on which motion shows everywhere."""
    size = (round(stage.width * _WIDE), round(stage.height * _TALL))
    kinds = {"photograph": 0.22, "painted": 0.4, "pattern": 0.16, "soft": 0.12, "plain": 0.1}
    if busy:
        kinds |= {"soft": 0.0, "plain": 0.0}
    if not drawings.photographs:
        kinds["photograph"] = 0.0
    shares = np.array(list(kinds.values()))
    kind = str(rng.choice(list(kinds), p=shares / shares.sum()))
    if kind == "photograph":
        frame = _photograph(rng, drawings, size)
    elif kind == "painted":
        frame = _painted(rng, drawings, stage, size)
    elif kind == "pattern":
        frame = pattern(rng, stage, size)
    elif kind == "soft":
        frame = _soft(rng, size)
    else:
        frame = _wash(rng, size)
    return endless(frame, stage, motion)


def endless(frame: Frame, stage: Stage, motion: Motion) -> Picture:
    """A ground from its picture, at the stage's resolution."""
    alpha = np.full(frame.shape[:2], 255, np.uint8)
    texture: Texture = np.dstack([frame, alpha])
    height, width = texture.shape[:2]
    half = cv2.resize(texture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return Picture(motion, (texture, half), stage.scale, is_endless=True)


def _photograph(rng: np.random.Generator, drawings: Drawings, size: tuple[int, int]) -> Frame:
    """A part of a photograph, oftener smoothed as if painted."""
    whole = drawings.photographs[int(rng.integers(len(drawings.photographs)))]
    height, width = whole.shape[:2]
    ratio = min(width / size[0], height / size[1], 1.0) * rng.uniform(0.6, 1.0)
    part_width, part_height = int(size[0] * ratio), int(size[1] * ratio)
    left, upper = (int(rng.integers(room + 1)) for room in (width - part_width, height - part_height))
    part = np.ascontiguousarray(whole[upper : upper + part_height, left : left + part_width])
    if rng.random() < 0.5:
        part = np.ascontiguousarray(part[..., rng.permutation(3)])
    if rng.random() < 0.6:
        part = cv2.bilateralFilter(part, 5, 60, 5)
    frame: Frame = cv2.resize(part, size, interpolation=cv2.INTER_LINEAR if ratio < 1 else cv2.INTER_AREA)
    return frame


def _wash(rng: np.random.Generator, size: tuple[int, int]) -> Frame:
    """One colour that runs into another."""
    first, second = np.array(colour(rng), np.float32), np.array(colour(rng), np.float32)
    if rng.random() < 0.35:
        second = first
    between = (first + second) / 2 if rng.random() < 0.4 else first
    corners = np.stack([first, between, first + second - between, second]).reshape(2, 2, 3)
    frame: Frame = cv2.resize(np.rint(corners).astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)
    return frame


def _soft(rng: np.random.Generator, size: tuple[int, int]) -> Frame:
    """One of the small model's grounds: noise, blobs, waves."""
    painted = grounds.paint(Ground(int(rng.integers(_GROUNDS))), _PROCEDURAL, 0.1)
    levels = (painted.transpose(1, 2, 0) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    frame: Frame = cv2.resize(levels, size, interpolation=cv2.INTER_CUBIC)
    return frame


def _painted(rng: np.random.Generator, drawings: Drawings, stage: Stage, size: tuple[int, int]) -> Frame:
    """Cut-outs and lines over a wash, maybe out of focus or on rough paper."""
    frame = _wash(rng, size)
    width, height = size
    for _ in range(int(rng.integers(3, 10))):
        units = float(np.exp(rng.uniform(np.log(40), np.log(220))))
        (texture, *_), _ = cutout(rng, drawings.cutouts, units, stage.scale / 1.3)
        put(frame, texture, int(rng.uniform(-0.1, 0.95) * width), int(rng.uniform(-0.1, 0.95) * height))
    for _ in range(int(rng.integers(0, 9)) if rng.random() < 0.5 else 0):
        start, way = rng.random(2) * size, rng.normal(size=(int(rng.integers(1, 5)), 2)) * 60 * stage.scale
        points = (np.cumsum([start, *way], axis=0) * 16).astype(np.int32)
        thick = max(1, round(rng.uniform(0.7, 2.4) * stage.scale))
        cv2.polylines(frame, [points], False, ink(rng), thick, cv2.LINE_AA, 4)
    if rng.random() < 0.3:
        frame = cv2.GaussianBlur(frame, (0, 0), rng.uniform(0.5, 2.5) * stage.scale)
    return paper(rng, frame, stage) if rng.random() < 0.35 else frame


def paper(rng: np.random.Generator, frame: Frame, stage: Stage) -> Frame:
    """The strokes and grain of paint on paper."""
    height, width = frame.shape[:2]
    rough = rng.normal(size=(height // 2, width // 2)).astype(np.float32)
    across, down = (0.7 * stage.scale * np.exp(rng.uniform(0, 1.6, 2))).tolist()
    rough = cv2.GaussianBlur(rough, (0, 0), across, sigmaY=down)
    rough = cv2.resize(rough / max(float(rough.std()), 1e-6), (width, height), interpolation=cv2.INTER_LINEAR)
    strength = np.float32(rng.uniform(3, 14))
    grain = np.rint(strength * rough).astype(np.int16)
    rougher: Frame = cv2.add(frame, cv2.merge([grain] * 3), dtype=cv2.CV_8U)
    return rougher


def pattern(rng: np.random.Generator, stage: Stage, size: tuple[int, int]) -> Frame:
    """Tiles of one kind: checks, stripes, dots, bricks, a hatching."""
    width, height = size
    cell = max(4, round(np.exp(rng.uniform(np.log(8), np.log(48))) * stage.scale))
    first, second = np.array(colour(rng, 0.3), np.uint8), np.array(colour(rng), np.uint8)
    x, y = np.meshgrid(np.arange(cell * 2), np.arange(cell * 2))
    kind = int(rng.integers(5))
    share: NDArray[np.bool_]
    if kind == 0:
        share = (x < cell) ^ (y < cell)
    elif kind == 1:
        share = (x + y * int(rng.integers(0, 2))) % cell < cell // 2
    elif kind == 2:
        share = (x % cell - cell / 2) ** 2 + (y % cell - cell / 2) ** 2 < (cell * rng.uniform(0.15, 0.42)) ** 2
    elif kind == 3:
        share = (y % cell < max(1, cell // 9)) | ((x + cell * (y // cell)) % (2 * cell) < max(1, cell // 9))
    else:
        share = ((x + y) % cell < max(1, cell // 8)) | ((x - y) % cell < max(1, cell // 8))
    tile = np.where(share[..., None], first, second).astype(np.uint8)
    frame = np.tile(tile, (height // (2 * cell) + 1, width // (2 * cell) + 1, 1))[:height, :width]
    frame = np.ascontiguousarray(frame)
    return cv2.GaussianBlur(frame, (0, 0), 0.6 * stage.scale) if rng.random() < 0.7 else frame


def put(frame: Frame, texture: Texture, left: int, upper: int) -> None:
    """Lays a texture over a frame, as far as it is inside."""
    height, width = texture.shape[:2]
    x, y = max(0, left), max(0, upper)
    right, lower = min(frame.shape[1], left + width), min(frame.shape[0], upper + height)
    if right <= x or lower <= y:
        return
    part = texture[y - upper : lower - upper, x - left : right - left]
    block = frame[y:lower, x:right]
    rest = cv2.merge([255 - np.ascontiguousarray(part[..., 3])] * 3)
    block[:] = cv2.add(cv2.multiply(np.ascontiguousarray(block), rest, scale=1 / 255), part[..., :3])
