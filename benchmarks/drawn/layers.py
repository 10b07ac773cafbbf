"""What scenes are built of, and how it is drawn: pictures and shapes from back to front, each with a motion.

Rest planes are in units: a picture of 320 x 256 has as many pixels as units, larger ones more (see `Stage`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .motion import Matrix, Motion, Move, Pose, between

Frame = NDArray[np.uint8]
"""(H, W, 3) RGB."""
Texture = NDArray[np.uint8]
"""(h, w, 4) premultiplied RGBA."""
Mask = NDArray[np.bool_]
Numbers = NDArray[np.uint16]
"""(H, W): which layer is seen, counted from 0, the backmost."""
Points = NDArray[np.float32]
"""(n, 2) in units."""
Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels, the last two beyond the end."""

WIDTH: Final = 320.0
HEIGHT: Final = 256.0
_BITS: Final = 4
_FAR: Final = 3000
_SEEN: Final = 127
_SHRUNK: Final = 0.6
_LOOKS: Final = 9


@dataclass(frozen=True)
class Stage:
    """The picture that a scene is drawn in: its size in pixels, and what part of the scene's plane it shows."""

    height: int
    width: int

    @property
    def scale(self) -> float:
        """Pixels per unit."""
        return min(self.width / WIDTH, self.height / HEIGHT)

    @property
    def half(self) -> tuple[float, float]:
        """Units from the middle to the right and to the lower edge."""
        return self.width / self.scale / 2, self.height / self.scale / 2

    @property
    def screen(self) -> Motion:
        """The motion of what stays: units with the origin in the middle, to pixels."""
        middle = Pose((self.width - 1) / 2, (self.height - 1) / 2, 0.0, self.scale, self.scale)
        return Motion((Move.still(middle),))


@dataclass(frozen=True, eq=False)
class Shape:
    """A flat shape with an outline, or a line.

    Attributes:
        points: of the outline, or along the line.
        fill: None for a line alone.
        line: None without an outline.
        width: of the line, in units.
        shadow: by how much the lit part lies off the shape, in units; what it leaves is darker.
        clip: nothing is drawn outside of it.
    """

    motion: Motion
    points: Points
    fill: Colour | None = None
    line: Colour | None = None
    width: float = 1.0
    is_closed: bool = True
    shadow: tuple[float, float] | None = None
    clip: Shape | None = None


@dataclass(frozen=True, eq=False)
class Picture:
    """A painted thing.

    Attributes:
        levels: the texture, and each further one half as large.
        density: pixels of the first texture per unit.
        is_endless: a ground, mirrored beyond its edges.
        opacity: at times 0 and 1.
        clip: nothing is drawn outside of it.
    """

    motion: Motion
    levels: tuple[Texture, ...]
    density: float
    is_endless: bool = False
    opacity: tuple[float, float] = (1.0, 1.0)
    clip: Shape | None = None


Layer = Shape | Picture


@dataclass(frozen=True)
class View:
    """A scene at one time.

    Attributes:
        frame: (H, W, 3).
        top: which layer is seen where.
        mixed: (H, W) where what is seen is half transparent.
    """

    frame: Frame
    top: Numbers
    mixed: Mask


def view(layers: Sequence[Layer], stage: Stage, t: float) -> View:
    """What the layers show at time t, from 0 to 1; the first covers the picture."""
    canvas = _Canvas(stage)
    for number, layer in enumerate(layers):
        if isinstance(layer, Shape):
            canvas.draw_shape(layer, number, t)
        else:
            canvas.draw_picture(layer, number, t)
    return View(canvas.frame, canvas.top, canvas.mixed)


class _Canvas:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        size = (stage.height, stage.width)
        self.frame: Frame = np.zeros((*size, 3), np.uint8)
        self.top: Numbers = np.zeros(size, np.uint16)
        self.mixed: Mask = np.zeros(size, bool)

    def draw_shape(self, shape: Shape, number: int, t: float) -> None:
        outline = _outline(shape, t)
        if outline is None:
            return
        thick = max(1, round(shape.width * self._stage.scale))
        if shape.shadow is None and shape.clip is None:
            _fill_and_line(self.frame, shape, outline, thick)
            _number(self.top, shape, outline, thick, number)
            return
        box = self._clipped(_box(outline, thick + 2))
        if box is None:
            return
        left, upper, right, lower = box
        inside = outline - np.array([left, upper], np.int32) * (1 << _BITS)
        block, numbers = self.frame[upper:lower, left:right], self.top[upper:lower, left:right]
        drawn, numbered = block.copy(), numbers.copy()
        _fill_and_line(drawn, shape, inside, thick)
        if shape.shadow is not None:
            _shade(drawn, shape, inside, self._shadow_shift(shape, t))
            if shape.line is not None:
                cv2.polylines(drawn, [inside], shape.is_closed, shape.line, thick, cv2.LINE_AA, _BITS)
        _number(numbered, shape, inside, thick, number)
        if shape.clip is None:
            block[:], numbers[:] = drawn, numbered
            return
        seen = self._clip(shape.clip, box, t)
        block[:] = _mixed(block, drawn, seen)
        np.copyto(numbers, numbered, where=seen > _SEEN)

    def draw_picture(self, picture: Picture, number: int, t: float) -> None:
        box = self._whole() if picture.is_endless else self._reach(picture, t)
        if box is None:
            return
        left, upper, right, lower = box
        colours = _sampled(picture, box, t)
        opacity = between(*picture.opacity, t)
        if picture.clip is not None:
            colours = cv2.multiply(colours, cv2.merge([self._clip(picture.clip, box, t)] * 4), scale=1 / 255)
        if opacity < 1:
            colours = cv2.multiply(colours, (opacity,) * 4)
        block = self.frame[upper:lower, left:right]
        if picture.is_endless:
            block[:] = colours[..., :3]
            self.top[upper:lower, left:right] = number
            return
        alpha = colours[..., 3]
        rest = cv2.merge([255 - alpha] * 3)
        block[:] = cv2.add(cv2.multiply(block, rest, scale=1 / 255), colours[..., :3])
        seen = alpha > _SEEN
        np.copyto(self.top[upper:lower, left:right], np.uint16(number), where=seen)
        mixed = self.mixed[upper:lower, left:right]
        mixed[seen] = False
        if min(picture.opacity) < 1 and 0.08 < opacity < 0.92:
            mixed |= alpha > 8

    def _whole(self) -> Box:
        return 0, 0, self._stage.width, self._stage.height

    def _clipped(self, box: Box) -> Box | None:
        left, upper = max(0, box[0]), max(0, box[1])
        right, lower = min(self._stage.width, box[2]), min(self._stage.height, box[3])
        return (left, upper, right, lower) if right - left > 1 and lower - upper > 1 else None

    def _reach(self, picture: Picture, t: float) -> Box | None:
        """Where a picture is in the frame; None where it is nowhere."""
        if picture.clip is not None:
            outline = _outline(picture.clip, t)
            return None if outline is None else self._clipped(_box(outline, 2))
        height, width = picture.levels[0].shape[:2]
        side = 2 if picture.motion.is_affine else _LOOKS
        x, y = np.meshgrid(
            np.linspace(-0.5, 0.5, side, dtype=np.float32) * np.float32(width / picture.density),
            np.linspace(-0.5, 0.5, side, dtype=np.float32) * np.float32(height / picture.density),
        )
        places = np.stack(picture.motion.forward((x, y), t), axis=-1).reshape(-1, 2)
        low, high = places.min(axis=0), places.max(axis=0)
        room = 2.0 if picture.motion.is_affine else 3 + 0.06 * float((high - low).max())
        return self._clipped((int(low[0] - room), int(low[1] - room), int(high[0] + room + 1), int(high[1] + room + 1)))

    def _clip(self, clip: Shape, box: Box, t: float) -> NDArray[np.uint8]:
        left, upper, right, lower = box
        seen = np.zeros((lower - upper, right - left), np.uint8)
        outline = _outline(clip, t)
        if outline is not None:
            shifted = outline - np.array([left, upper], np.int32) * (1 << _BITS)
            cv2.fillPoly(seen, [shifted], 255, cv2.LINE_AA, _BITS)
        return seen

    def _shadow_shift(self, shape: Shape, t: float) -> NDArray[np.int32]:
        """The shadow's shift at the shape's middle, in the picture."""
        assert shape.shadow is not None
        middle = shape.points.mean(axis=0)
        ends = np.stack([middle, middle + np.array(shape.shadow, np.float32)])
        x, y = shape.motion.forward((ends[:, 0], ends[:, 1]), t)
        shift: NDArray[np.int32] = np.rint(np.array([x[1] - x[0], y[1] - y[0]]) * (1 << _BITS)).astype(np.int32)
        return shift


def _outline(shape: Shape, t: float) -> NDArray[np.int32] | None:
    """The points in the picture, in sixteenths of a pixel; None where the shape is turned away."""
    places = (shape.points[:, 0], shape.points[:, 1])
    faces = shape.motion.faces(places, t)
    if faces is not None and faces.mean() < 0.3:
        return None
    x, y = shape.motion.forward(places, t)
    return np.rint(np.clip(np.stack([x, y], axis=1), -_FAR, _FAR) * (1 << _BITS)).astype(np.int32)


def _box(outline: NDArray[np.int32], room: int) -> Box:
    low, high = outline.min(axis=0) >> _BITS, outline.max(axis=0) >> _BITS
    return int(low[0]) - room, int(low[1]) - room, int(high[0]) + room + 1, int(high[1]) + room + 1


def _fill_and_line(canvas: Frame, shape: Shape, outline: NDArray[np.int32], thick: int) -> None:
    if shape.fill is not None:
        cv2.fillPoly(canvas, [outline], shape.fill, cv2.LINE_AA, _BITS)
    if shape.line is not None:
        cv2.polylines(canvas, [outline], shape.is_closed, shape.line, thick, cv2.LINE_AA, _BITS)


def _number(top: Numbers, shape: Shape, outline: NDArray[np.int32], thick: int, number: int) -> None:
    if shape.fill is not None:
        cv2.fillPoly(top, [outline], number, cv2.LINE_8, _BITS)
    if shape.line is not None:
        cv2.polylines(top, [outline], shape.is_closed, number, thick, cv2.LINE_8, _BITS)


def _shade(canvas: Frame, shape: Shape, outline: NDArray[np.int32], shift: NDArray[np.int32]) -> None:
    """Darkens what of the shape does not lie under its shifted copy."""
    whole, lit = np.zeros(canvas.shape[:2], np.uint8), np.zeros(canvas.shape[:2], np.uint8)
    cv2.fillPoly(whole, [outline], 255, cv2.LINE_AA, _BITS)
    cv2.fillPoly(lit, [outline + shift], 255, cv2.LINE_AA, _BITS)
    dark = cv2.multiply(canvas, (0.68, 0.66, 0.75, 1.0))
    canvas[:] = _mixed(canvas, dark, cv2.subtract(whole, lit))


def _mixed(under: Frame, over: Frame, share: NDArray[np.uint8]) -> Frame:
    """`over` where `share` is 255."""
    weights = cv2.merge([share] * 3)
    mixed: Frame = cv2.add(
        cv2.multiply(over, weights, scale=1 / 255), cv2.multiply(under, cv2.bitwise_not(weights), scale=1 / 255)
    )
    return mixed


def _sampled(picture: Picture, box: Box, t: float) -> Texture:
    """(h, w, 4) premultiplied, of the pixels of a box."""
    left, upper, right, lower = box
    size = (right - left, lower - upper)
    border = cv2.BORDER_REFLECT if picture.is_endless else cv2.BORDER_CONSTANT
    if picture.motion.is_affine:
        back = np.linalg.inv(picture.motion.matrix(t))
        shrunk = np.sqrt(abs(np.linalg.det(back[:2, :2]))) * picture.density
        texture, to_texture = _level(picture, float(shrunk))
        moved = to_texture @ back @ np.array([[1.0, 0, left], [0, 1, upper], [0, 0, 1]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        sampled: Texture = cv2.warpAffine(texture, moved[:2], size, flags=flags, borderMode=border)
        return sampled
    x, y = np.meshgrid(np.arange(left, right, dtype=np.float32), np.arange(upper, lower, dtype=np.float32))
    x, y = picture.motion.back((x, y), t)
    row, column = size[1] // 2, size[0] // 2
    step = np.hypot(x[row, column] - x[row, column - 1], y[row, column] - y[row, column - 1])
    shrunk = float(step) * picture.density
    texture, to_texture = _level(picture, shrunk)
    scale_x, scale_y = np.float32(to_texture[0, 0]), np.float32(to_texture[1, 1])
    x, y = x * scale_x + np.float32(to_texture[0, 2]), y * scale_y + np.float32(to_texture[1, 2])
    remapped: Texture = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=border)
    return remapped


def _level(picture: Picture, shrunk: float) -> tuple[Texture, Matrix]:
    """The texture to draw from where `shrunk` of its pixels come to one, and the map from units to its pixels."""
    number = 0
    while shrunk * _SHRUNK > 1 and number + 1 < len(picture.levels):
        shrunk, number = shrunk / 2, number + 1
    texture = picture.levels[number]
    height, width = texture.shape[:2]
    whole_height, whole_width = picture.levels[0].shape[:2]
    density_x, density_y = picture.density * width / whole_width, picture.density * height / whole_height
    return texture, np.array([[density_x, 0, (width - 1) / 2], [0, density_y, (height - 1) / 2], [0, 0, 1.0]])
