"""Soft grounds from photographs that anyone may use, as scikit-image brings them: for training, never for judging.

Coffee and Chelsea the cat are CC0, the astronaut and the rocket are NASA's and in the public domain. Without
scikit-image there are none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
"""(3, H, W), 0 to 1."""

NAMES: Final = ("astronaut", "chelsea", "coffee", "rocket")
_LEAST_CROP: Final = 90


@lru_cache(maxsize=1)
def photographs() -> tuple[NDArray[np.uint8], ...]:
    """(H, W, 3) each; () without scikit-image."""
    try:
        from skimage import data
    except ImportError:
        return ()
    loaders: list[Callable[[], NDArray[np.uint8]]] = [getattr(data, name) for name in NAMES]
    return tuple(load() for load in loaders)


def soft_ground(rng: np.random.Generator, size: int) -> Picture:
    """A part of a photograph, maybe mirrored, without its finest detail; needs `photographs()`.

    The detail is left out because it would tell apart two places that look alike in drawn artwork, and because the
    network is too small to draw it.
    """
    known = photographs()
    whole = known[int(rng.integers(len(known)))]
    side = int(rng.integers(_LEAST_CROP, min(whole.shape[:2])))
    top, left = (int(rng.integers(length - side + 1)) for length in whole.shape[:2])
    part = whole[top : top + side, left : left + side]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    coarse = max(8, round(size / rng.uniform(2, 8)))
    small = cv2.resize(np.ascontiguousarray(part), (coarse, coarse), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small.astype(np.float32) / 255, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(np.clip(large, 0, 1).transpose(2, 0, 1), np.float32)
