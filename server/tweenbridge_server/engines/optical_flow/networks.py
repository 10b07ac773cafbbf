"""The two networks of the `quality` profile, in ONNX Runtime on the processor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .correspondences import CELL, Correspondences, correspond
from .fields import Picture
from .network_files import ARBITER, MATCHER, Unusable, check

_STEP: Final = 2 * CELL
"""The matcher takes sides that are multiples of this."""


@dataclass(frozen=True)
class Networks:
    """Both networks, ready to be asked."""

    matcher: Matcher
    arbiter: Arbiter


class Matcher:
    """Features of both keyframes, matched with each other."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __call__(self, a: Picture, b: Picture) -> Correspondences:
        """What looks like what in two working pictures of one size."""
        height, width = a.shape[:2]
        size = (_multiple(width), _multiple(height))
        pictures = np.stack([cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in (a, b)])
        asked = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32) * np.float32(1 / 255)
        features_a, features_b = self._session.run(None, {"pictures": asked})[0]
        return correspond(features_a, features_b, height, width)


class Arbiter:
    """What to change about an in-between; see arbitrate.py."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __call__(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """(OUTPUTS, h, w) from (INPUTS, h, w)."""
        decided: NDArray[np.float32] = self._session.run(None, {"seen": seen[None]})[0][0]
        return decided


def _multiple(side: int) -> int:
    return max(2, round(side / _STEP)) * _STEP


@lru_cache(maxsize=1)
def load() -> Networks:
    """The networks that come with Tweenbridge, loaded once in a process.

    Raises:
        Unusable: ONNX Runtime is missing or too old, or a file is missing or damaged.
    """
    check()
    return Networks(Matcher(session(MATCHER)), Arbiter(session(ARBITER)))


def session(file: Path) -> Any:
    """A network in ONNX Runtime, on as many threads as OpenCV may use.

    Raises:
        Unusable: it cannot be loaded.
    """
    try:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, cv2.getNumThreads())
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Memory goes back after each run: the full-size pictures need it next.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise Unusable(f"ONNX Runtime cannot load {file.name}: {error}. Install Tweenbridge again.") from error
