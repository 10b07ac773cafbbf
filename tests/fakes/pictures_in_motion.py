"""Keyframes whose motion is known, for tests of engines."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]


def texture(height: int, width: int, seed: int = 0) -> Image:
    """(H, W, 3) smooth noise in [0.1, 0.9] with detail of a few pixels."""
    noise = np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    low, high = float(smooth.min()), float(smooth.max())
    return np.ascontiguousarray(0.1 + 0.8 * (smooth - low) / (high - low), np.float32)


def shifted(image: Image, dx: float, dy: float) -> Image:
    """`image` with its content moved by (dx, dy), the border replicated."""
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    size = (image.shape[1], image.shape[0])
    moved: Image = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(moved)


def disc_over(ground: Image, fill: Image, x: float, y: float, radius: int) -> Image:
    """A disc cut from `fill`, whose middle moves along with it, laid on `ground` at (x, y)."""
    height, width = ground.shape[:2]
    mask = np.zeros((height, width), np.float32)
    cv2.circle(mask, (width // 2, height // 2), radius, 1.0, cv2.FILLED, cv2.LINE_AA)
    cover = shifted(mask, x - width // 2, y - height // 2)[..., None]
    return np.ascontiguousarray(ground * (1 - cover) + shifted(fill, x - width // 2, y - height // 2) * cover)


def psnr(made: Image, true: Image) -> float:
    """Decibels for a peak of 1."""
    return float(-10 * np.log10(np.mean((made - true) ** 2) + 1e-12))
