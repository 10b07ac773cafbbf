"""The small 8-bit pictures on which motion is estimated: what the eye would follow in a keyframe."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Gap, Image
from .fields import Picture


def working_size(height: int, width: int, longest: int) -> tuple[int, int]:
    """(height, width) with the same shape, no side longer than `longest`, none below 1."""
    scale = min(1.0, longest / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def working_pictures(gap: Gap, longest: int) -> tuple[Picture, Picture]:
    """Both keyframes reduced to `longest` and 8 bits.

    Values above 1 are kept apart by scaling both pictures by their common highlight. Premultiplied RGBA is laid on a
    ground of the opposite brightness, so that the silhouette of a sprite, dark or bright, is something to follow.
    """
    height, width = working_size(gap.a.shape[0], gap.a.shape[1], longest)
    small = [_reduce(image, height, width) for image in (gap.a, gap.b)]
    if small[0].shape[2] == 4:
        covered = sum(float(image[..., 3].sum()) for image in small)
        light = sum(float(image[..., :3].mean(axis=2).sum()) for image in small)
        ground = np.float32(0.0 if light > 0.5 * covered else 1.0)
        small = [image[..., :3] + ground * (1 - image[..., 3:]) for image in small]
    highlight = max(1.0, *(float(image.max(initial=1.0)) for image in small))
    first, second = (_to_bytes(image, 255.0 / highlight) for image in small)
    return first, second


def _reduce(image: Image, height: int, width: int) -> Image:
    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _to_bytes(image: Image, scale: float) -> Picture:
    return np.clip(image * np.float32(scale) + 0.5, 0, 255).astype(np.uint8)


def grey(picture: Picture) -> NDArray[np.uint8]:
    """Luma of a working picture."""
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
