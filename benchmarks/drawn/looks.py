"""Colours, and cut-outs made ready: at the size they are needed, in other colours, flat as cels, with an outline."""

from __future__ import annotations

import colorsys
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .drawings import Picture
from .layers import Colour, Texture

_LEAST: Final = 6
_FINEST: Final = 1.3
"""Pixels of a texture for each of the picture's: a little finer, so that sampling blurs little."""
_RIM: Final = 4


def colour(rng: np.random.Generator, darkest: float = 0.15, brightest: float = 1.0) -> Colour:
    """Any colour, oftener a pale one."""
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), rng.random() ** 1.3 * 0.85, rng.uniform(darkest, brightest))
    return round(red * 255), round(green * 255), round(blue * 255)


def darker(base: Colour, share: float) -> Colour:
    """The colour with `share` of its light."""
    red, green, blue = (round(channel * share) for channel in base)
    return red, green, blue


def ink(rng: np.random.Generator) -> Colour:
    """A colour to draw lines with: nearly always dark."""
    return (255, 255, 255) if rng.random() < 0.03 else darker(colour(rng), rng.uniform(0, 0.35))


def cutout(
    rng: np.random.Generator, pool: tuple[Picture, ...], units: float, scale: float, cel: float = 0.45
) -> tuple[tuple[Texture, ...], float]:
    """A cut-out as `units` long as its longer side, and the density of its texture.

    Args:
        scale: pixels per unit.
        cel: share of cut-outs that get flat colours.
    """
    drawn = pool[int(rng.integers(len(pool)))]
    density = scale * _FINEST
    ratio = min(1.0, max(_LEAST, units * density) / max(drawn.shape[:2]))
    if ratio < 1:
        size = tuple(max(2, round(length * ratio)) for length in drawn.shape[1::-1])
        drawn = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
    density = max(drawn.shape[:2]) / units
    if rng.random() < 0.5:
        drawn = drawn[:, ::-1]
    if rng.random() < 0.5:
        drawn = drawn[..., [*rng.permutation(3), 3]]
    drawn = np.pad(drawn, ((_RIM, _RIM), (_RIM, _RIM), (0, 0)))
    if rng.random() < cel:
        drawn = _flat(rng, drawn)
    if rng.random() < 0.5:
        drawn = _outlined(drawn, int(rng.integers(1, 3)), ink(rng))
    return levels(drawn), density


def levels(texture: Texture, least: int = 24) -> tuple[Texture, ...]:
    """The texture, and halves of it as long as they have `least` pixels."""
    sizes = [np.ascontiguousarray(texture)]
    while min(sizes[-1].shape[:2]) >= 2 * least and len(sizes) < 3:
        height, width = sizes[-1].shape[:2]
        sizes.append(cv2.resize(sizes[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA))
    return tuple(sizes)


def _flat(rng: np.random.Generator, drawn: Texture) -> Texture:
    """In few colours, as cels are painted."""
    step = int(rng.integers(32, 90))
    table = np.arange(256, dtype=np.uint8) // step * step + step // 2
    table = np.clip(table, 0, 255).astype(np.uint8)
    smooth = cv2.medianBlur(np.ascontiguousarray(drawn), 3)
    colours = cv2.LUT(smooth[..., :3], table)
    alpha = drawn[..., 3]
    colours = np.minimum(colours, alpha[..., None])
    return np.dstack([colours, alpha])


def _outlined(drawn: Texture, width: int, line: Colour) -> Texture:
    """With a line around it, at most as wide as the rim that is there."""
    alpha = np.ascontiguousarray(drawn[..., 3])
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    grown = cv2.dilate(alpha, kernel)
    around: NDArray[np.uint8] = cv2.subtract(grown, alpha)
    inked = np.dstack([cv2.multiply(around, channel / 255) for channel in line])
    return np.dstack([cv2.add(np.ascontiguousarray(drawn[..., :3]), inked), grown])
