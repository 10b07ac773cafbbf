"""Sprites of the procedural pictures: glyphs of Noto Color Emoji, and shapes that are drawn from a number.

Glyphs need the font (SIL Open Font License 1.1; Debian's fonts-noto-color-emoji); without it there are drawn shapes
alone. Both are split, once and for all, into those to train on and those that are held out.
"""

from __future__ import annotations

import shutil
import subprocess
import zlib
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Texture = NDArray[np.uint8]
"""(4, side, side) premultiplied RGBA; the outermost pixels are transparent."""
Plane = NDArray[np.float32]
_Line = NDArray[np.floating[Any]]

SIDE: Final = 144
"""Pixels of a sprite's side at its finest."""
LEVELS: Final = 3
"""Sizes of every sprite, each half the one before; more would leave no transparent rim around a glyph."""

_FONT: Final = "NotoColorEmoji.ttf"
_FOLDERS: Final = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "~/Library/Fonts",
    "C:/Windows/Fonts",
)
_BITMAP_SIZE: Final = 109
_GLYPH_BOX: Final = (136, 128)
_BLOCKS: Final = ((0x2600, 0x27C0), (0x1F300, 0x1F650), (0x1F680, 0x1F700), (0x1F900, 0x1FA00), (0x1FA70, 0x1FB00))
_SKIN_TONES: Final = range(0x1F3FB, 0x1F400)
_DRAWN: Final = 4096
_ANGLES: Final = 2048
_HELD_OUT_PERCENT: Final = 5

# The pools that the quality benchmark's rendered clips draw from.
_EVALUATION: Final = frozenset(
    map(
        ord,
        "\U0001f98a\U0001f697\U0001f680\U0001f33b\U0001f388\U0001f355\U0001f422\U0001f3b8\U0001f384\U0001f419\U0001f98b"
        "\u26bd\U0001f981\U0001f68c\U0001f6f8\U0001f339\U0001f9f8\U0001f354\U0001f420\U0001f3ba\U0001f332\U0001f980"
        "\U0001f99c\U0001f3c0\U0001f47e\U0001f9ed",
    )
)


class Split(str, Enum):
    """What a model may be trained on, and what it is judged on."""

    TRAINING = "training"
    HELD_OUT = "held-out"


class Origin(str, Enum):
    """Where a sprite comes from."""

    GLYPH = "glyph"
    DRAWN = "drawn"


@dataclass(frozen=True)
class Sprite:
    """A glyph by its code point, or a drawn shape by its number."""

    origin: Origin
    number: int

    @property
    def name(self) -> str:
        """Such as "U+1F98A" or "drawn 17"."""
        return f"U+{self.number:04X}" if self.origin is Origin.GLYPH else f"drawn {self.number}"


def split_of(number: int) -> Split:
    """Where a code point, a shape or a ground with this number belongs.

    Five in a hundred are held out, by the CRC-32 of the decimal digits, and with them the sprites of the quality
    benchmark. The model `nano-sd` was trained with the same rule, so that it can be judged here, too.
    """
    held_out = number in _EVALUATION or zlib.crc32(str(number).encode()) % 100 < _HELD_OUT_PERCENT
    return Split.HELD_OUT if held_out else Split.TRAINING


def number_in(rng: np.random.Generator, split: Split, limit: int) -> int:
    """A number below `limit` that belongs to the split."""
    while True:
        number = int(rng.integers(limit))
        if split_of(number) is split:
            return number


@lru_cache(maxsize=1)
def font_file() -> Path | None:
    """Noto Color Emoji with bitmaps: as fontconfig finds it, or in the usual folders; None where it is missing."""
    matcher = shutil.which("fc-match")
    if matcher is not None:
        asked = [matcher, "--format=%{file}", "Noto Color Emoji"]
        found = Path(subprocess.run(asked, capture_output=True, text=True, check=False).stdout)
        if found.name == _FONT and found.is_file():
            return found
    for folder in _FOLDERS:
        files = sorted(Path(folder).expanduser().rglob(_FONT))
        if files:
            return files[0]
    return None


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont | None:
    file = font_file()
    try:
        return None if file is None else ImageFont.truetype(str(file), _BITMAP_SIZE)
    except OSError:
        # A build with outlines in place of bitmaps cannot be drawn at any size by Pillow.
        return None


@lru_cache(maxsize=2)
def glyphs(split: Split) -> tuple[int, ...]:
    """Code points of a split that the font can draw, ascending; () without the font."""
    font = _font()
    if font is None:
        return ()

    def drawable(code: int) -> bool:
        _, top, _, bottom = font.getbbox(chr(code))
        return bottom > top and code not in _SKIN_TONES

    return tuple(c for block in _BLOCKS for c in range(*block) if split_of(c) is split and drawable(c))


def sources() -> str:
    """One sentence on what sprites there are here."""
    count = len(glyphs(Split.TRAINING)) + len(glyphs(Split.HELD_OUT))
    if count == 0:
        return "Sprites are drawn shapes alone: the font Noto Color Emoji (fonts-noto-color-emoji) is not installed."
    held_out = len(glyphs(Split.HELD_OUT))
    return f"Sprites are {count} glyphs of Noto Color Emoji, {held_out} of them held out, and drawn shapes."


def choose(rng: np.random.Generator, split: Split, drawn_share: float) -> Sprite:
    """A sprite of the split; a drawn one with probability `drawn_share`, or always where there is no font."""
    drawn = rng.random() < drawn_share
    known = glyphs(split)
    if drawn or not known:
        return Sprite(Origin.DRAWN, number_in(rng, split, _DRAWN))
    return Sprite(Origin.GLYPH, known[int(rng.integers(len(known)))])


@lru_cache(maxsize=2048)
def textures(sprite: Sprite) -> tuple[Texture, ...]:
    """The sprite at LEVELS sizes, the finest of SIDE pixels, each further one half as large."""
    finest = _glyph(sprite.number) if sprite.origin is Origin.GLYPH else _shape(sprite.number)
    sizes = [finest]
    for _ in range(LEVELS - 1):
        sizes.append(_halved(sizes[-1]))
    return tuple(np.rint(size * 255).astype(np.uint8) for size in sizes)


def _halved(picture: Plane) -> Plane:
    rows = picture[:, ::2] + picture[:, 1::2]
    mean: Plane = (rows[..., ::2] + rows[..., 1::2]) * np.float32(0.25)
    return mean


def _glyph(code: int) -> Plane:
    picture = Image.new("RGBA", (SIDE, SIDE))
    width, height = _GLYPH_BOX
    corner = ((SIDE - width) // 2, (SIDE - height) // 2)
    ImageDraw.Draw(picture).text(corner, chr(code), font=_font(), embedded_color=True)
    colours: Plane = np.asarray(picture, np.float32).transpose(2, 0, 1) / np.float32(255)
    colours[:3] *= colours[3]
    return colours


@lru_cache(maxsize=1)
def _grid() -> tuple[Plane, Plane, Plane, NDArray[np.int32]]:
    """x, y and the radius from the centre in units of half a side, and the angle as an index, at twice the finest."""
    line = ((np.arange(2 * SIDE) + 0.5) / SIDE - 1).astype(np.float32)
    x, y = np.broadcast_to(line, (line.size, line.size)), np.broadcast_to(line[:, None], (line.size, line.size))
    turn = (np.arctan2(y, x) / (2 * np.pi)) % 1
    return x, y, np.hypot(x, y), np.minimum(turn * _ANGLES, _ANGLES - 1).astype(np.int32)


def _shape(number: int) -> Plane:
    """A shape that has an outline, two colours in a pattern, and marks that give it a front."""
    rng = np.random.default_rng([1, number])
    x, y, radius, angle = _grid()
    edge = _outline(rng)[angle]
    first, second, line, mark = rng.uniform(0.03, 1, (4, 3, 1)).astype(np.float32)
    colours = first[..., None] + _pattern(rng, x, y) * (second - first)[..., None]
    for _ in range(int(rng.integers(1, 4))):
        place, size = rng.uniform(-0.4, 0.4, 2), rng.uniform(0.08, 0.22)
        colours[:, (x - place[0]) ** 2 + (y - place[1]) ** 2 < size**2] = mark
    if rng.random() < 0.7:
        colours[:, radius > edge - np.float32(rng.uniform(0.04, 0.1))] = line * 0.4
    alpha = (radius < edge).astype(np.float32)
    return _halved(np.concatenate([colours * alpha, alpha[None]]))


def _outline(rng: np.random.Generator) -> Plane:
    """The radius at _ANGLES angles, at most 0.97: a polygon, a star, or a soft blob; some of them lengthened."""
    theta = (np.arange(_ANGLES) + 0.5) * (2 * np.pi / _ANGLES)
    kind = rng.integers(3)
    if kind == 2:
        waves = np.arange(2, 6)[:, None]
        radius = 1 + 0.5 * (rng.normal(size=(4, 1)) / waves * np.cos(waves * theta + rng.uniform(0, 7, (4, 1)))).sum(0)
        radius = np.maximum(radius, 0.35)
    else:
        corners = int(rng.integers(3, 8)) * (1 if kind == 0 else 2)
        at = (np.arange(corners) + rng.uniform(-0.25, 0.25, corners)) * (2 * np.pi / corners)
        reach = rng.uniform(0.75, 1, corners)
        if kind == 1:
            reach[::2] *= float(rng.uniform(0.45, 0.7))
        radius = _polygon(theta, at, reach)
    stretch, axis = rng.uniform(0.6, 1), rng.uniform(0, np.pi)
    radius = radius * np.sqrt(1 / (np.cos(theta - axis) ** 2 + (np.sin(theta - axis) / stretch) ** 2))
    outline: Plane = (radius * (0.97 / radius.max())).astype(np.float32)
    return outline


def _polygon(theta: _Line, at: _Line, reach: _Line) -> _Line:
    """How far rays at `theta` go until they leave the polygon with corners at angles `at` and distances `reach`."""
    turned = (theta - at[0]) % (2 * np.pi)
    bounds = np.append((at - at[0]) % (2 * np.pi), 2 * np.pi)
    side = np.searchsorted(bounds, turned, side="right") - 1
    after = (side + 1) % len(at)
    start, end = turned - bounds[side], bounds[side + 1] - turned
    # The ray's cut through the side between two corners, by the law of sines.
    cut: _Line = (reach[side] * reach[after] * np.sin(start + end)) / (
        reach[side] * np.sin(start) + reach[after] * np.sin(end)
    )
    return cut


def _pattern(rng: np.random.Generator, x: Plane, y: Plane) -> Plane:
    """(H, W) share of the second colour, 0 to 1: plain, a gradient, stripes, dots or checks."""
    angle, count = rng.uniform(0, np.pi), np.float32(rng.uniform(1.5, 4))
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    kind = rng.integers(5)
    if kind == 0:
        return np.zeros_like(x)
    along, across = x * cosine + y * sine, y * cosine - x * sine
    if kind == 1:
        share: Plane = np.clip(along * np.float32(0.6) + np.float32(0.5), 0, 1)
        return share
    stripe, crossing = (along * count) % 1, (across * count) % 1
    if kind == 2:
        second = stripe < 0.5
    elif kind == 3:
        second = (stripe - 0.5) ** 2 + (crossing - 0.5) ** 2 < 0.1
    else:
        second = (stripe < 0.5) ^ (crossing < 0.5)
    return np.asarray(second, np.float32)
