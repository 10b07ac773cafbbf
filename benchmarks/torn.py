"""How torn or soft an in-between of drawings looks, and how evenly it moves, told without knowing the true one.

Only the part of the picture in which the keyframes differ is looked at, at a width of at most 640 pixels; 1 means "as
in the keyframes".

short: short pieces of edges (Canny's, connected). Torn pictures have many: true in-betweens of hand-drawn film 0.94.
corners: strong Harris corners. Blur and double exposure have few: true ones 0.97, a cross-fade 0.3 to 0.8.
strange: patches that are nowhere in the keyframes, as a distance in Lab; to be compared on the same pair only.
evenness: the largest step between neighbouring frames over the mean step: 1 is even; where three in-betweens hold a
keyframe it is 4.

What they cannot say: whether things are where they belong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from measures import Frame, Mask
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Patches = NDArray[np.float32]
"""(rows, columns, values)."""

_WIDTH: Final = 640
_DIFFERS: Final = 20
_AROUND: Final = 15
_SHORT: Final = 15
_CANNY: Final = (40, 100)
_CORNER: Final = 2e5
_PATCH: Final = 8
_STRIDE: Final = 4
_AXES: Final = 20
_SAMPLE: Final = 20_000
_NEAREST: Final = 4
_SAME: Final = 4.0
_FEWEST: Final = 50
_WORST: Final = 20
"""One in so many patches makes up `strange`."""


@dataclass(frozen=True)
class Torn:
    """The figures of one frame; `strange` is not a number where it was not asked for."""

    short: float
    corners: float
    strange: float


@dataclass(frozen=True)
class Marks:
    """Short pieces of edges and strong corners, counted."""

    short: int
    corners: int


class Judge:
    """Judges frames between two keyframes, all RGB and of one size."""

    def __init__(self, a: Frame, b: Frame) -> None:
        self._a, self._b = fitted(a), fitted(b)
        self._where = differing(self._a, self._b)
        marks = [count_marks(key, self._where) for key in (self._a, self._b)]
        self._short = max(1.0, sum(m.short for m in marks) / 2)
        self._corners = max(1.0, sum(m.corners for m in marks) / 2)

    def torn(self, frame: Frame, strange: bool = True) -> Torn:
        """The figures of a frame; without `strange`, which takes seconds, if that is False."""
        small = fitted(frame)
        marks = count_marks(small, self._where)
        odd = self._known.strangeness(small) if strange else float("nan")
        return Torn(marks.short / self._short, marks.corners / self._corners, odd)

    def evenness(self, frames: Sequence[Frame]) -> float:
        """The largest over the mean root mean square step of a, all `frames` and b; 1 where nothing differs."""
        if not self._where.any():
            return 1.0
        shown = [self._a, *(fitted(frame) for frame in frames), self._b]
        parts = [picture[self._where].astype(np.float32) for picture in shown]
        steps = [float(np.sqrt(np.mean((after - before) ** 2))) for before, after in zip(parts, parts[1:])]
        return max(steps) / float(np.mean(steps))

    @cached_property
    def _known(self) -> _Known:
        return _Known(self._a, self._b)


def fitted(picture: Frame) -> Frame:
    """The picture, at most 640 pixels wide."""
    height, width = picture.shape[:2]
    if width <= _WIDTH:
        return picture
    smaller: Frame = cv2.resize(picture, (_WIDTH, round(height * _WIDTH / width)), interpolation=cv2.INTER_AREA)
    return smaller


def differing(a: Frame, b: Frame) -> Mask:
    """(H, W) where the keyframes differ, and 7 pixels around."""
    differs = cv2.absdiff(a, b).max(axis=2) > _DIFFERS
    grown: Mask = cv2.dilate(differs.astype(np.uint8), np.ones((_AROUND, _AROUND))) > 0
    return grown


def count_marks(picture: Frame, where: Mask) -> Marks:
    """What there is of short edges and corners in a part of the picture; an edge counts if any of it is inside."""
    grey = cv2.cvtColor(cv2.medianBlur(picture, 3), cv2.COLOR_RGB2GRAY)
    _, pieces, about, _ = cv2.connectedComponentsWithStats(cv2.Canny(grey, *_CANNY), connectivity=8)
    inside = np.unique(pieces[(pieces > 0) & where])
    strength = cv2.cornerHarris(grey.astype(np.float32), 3, 3, 0.04)
    corner = (strength == cv2.dilate(strength, np.ones((5, 5)))) & (strength > _CORNER)
    return Marks(int((about[inside, cv2.CC_STAT_AREA] < _SHORT).sum()), int(corner[where].sum()))


class _Known:
    """All patches of both keyframes, to find the nearest ones to others."""

    def __init__(self, a: Frame, b: Frame) -> None:
        self._keys = [_lab(key) for key in (a, b)]
        self._all = np.concatenate([_flat(_patches(key, 1)) for key in self._keys])
        chosen = np.random.default_rng(0).choice(len(self._all), min(_SAMPLE, len(self._all)), False)
        some = self._all[chosen]
        self._mean = some.mean(axis=0)
        # Neighbours are looked up along the principal axes and then measured in full.
        self._axes = np.linalg.svd(some - self._mean, full_matrices=False)[2][:_AXES].T.copy()
        self._tree = cKDTree((self._all - self._mean) @ self._axes, balanced_tree=False, compact_nodes=False)

    def strangeness(self, picture: Frame) -> float:
        """The mean distance of the worst patches, among those that are not as in a keyframe at the same place."""
        patches = _patches(_lab(picture), _STRIDE)
        unchanged = np.min([_distance(patches, _patches(key, _STRIDE)) for key in self._keys], axis=0)
        changed = unchanged > _SAME
        looked_at = changed if changed.sum() > _FEWEST else np.ones_like(changed)
        flat = patches[looked_at]
        nearest = self._tree.query((flat - self._mean) @ self._axes, k=_NEAREST, eps=0.4)[1]
        found = _distance(flat[:, None], self._all[nearest]).min(axis=1)
        values = np.sort(np.minimum(found, unchanged[looked_at]))
        return float(values[-max(1, len(values) // _WORST) :].mean())


def _lab(picture: Frame) -> NDArray[np.float32]:
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    weighted: NDArray[np.float32] = lab * np.array([1, 0.8, 0.8], np.float32)
    return weighted


def _patches(picture: NDArray[np.float32], stride: int) -> Patches:
    windows = np.lib.stride_tricks.sliding_window_view(picture, (_PATCH, _PATCH), (0, 1))
    chosen = windows[::stride, ::stride]
    return np.ascontiguousarray(chosen).reshape(*chosen.shape[:2], -1)


def _flat(patches: Patches) -> NDArray[np.float32]:
    return patches.reshape(-1, patches.shape[-1])


def _distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    distance: NDArray[np.float32] = np.sqrt(((a - b) ** 2).mean(axis=-1))
    return distance
