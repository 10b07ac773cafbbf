"""Hypotheses of motion: dense fields from patch search, affine motions from features, long jumps from search.

Each finder is wrong somewhere; fuse.py decides per pixel which one explains the keyframes.

Published methods: dense inverse search (Kroeger et al. 2016, OpenCV's implementation), SIFT (Lowe 2004) with the
square-root kernel of Arandjelovic & Zisserman (2012), RANSAC (Fischler & Bolles 1981).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Flow
from .fields import Matrix, Picture, is_plausible, median

Grey = NDArray[np.uint8]

SMALLEST_DENSE = 16
"""Below this many pixels a side, dense inverse search has no patch to work with."""

_FEATURES = 1500
_MOST_MOTIONS = 10
_ALIGNED_SAMPLES = 2000
_ALIGNED_AROUND = 24
"""Pixels around a feature match that are taken to move with it."""


@dataclass(frozen=True)
class AffineMotion:
    """An affine motion found from `support` feature matches."""

    matrix: Matrix
    support: int


class Speed(Enum):
    """How thorough dense inverse search is."""

    FAST = cv2.DISOPTICAL_FLOW_PRESET_FAST
    THOROUGH = cv2.DISOPTICAL_FLOW_PRESET_MEDIUM


def dense_flow(a: Grey, b: Grey, start: Flow | None = None, speed: Speed = Speed.THOROUGH) -> Flow:
    """Flow from A to B by dense inverse search with variational refinement, from `start` where one is given."""
    if min(a.shape) < SMALLEST_DENSE:
        return np.zeros((*a.shape, 2), np.float32)
    search = cv2.DISOpticalFlow.create(speed.value)
    return search.calc(a, b, None if start is None else start.copy())


def feature_motions(a: Grey, b: Grey) -> list[AffineMotion]:
    """Affine motions A to B that several feature matches agree on, best supported first."""
    found: list[AffineMotion] = []
    here, there = _feature_matches(a, b)
    while len(found) < _MOST_MOTIONS and len(here) >= 5:
        matrix, inliers = cv2.estimateAffinePartial2D(
            here, there, method=cv2.RANSAC, ransacReprojThreshold=3, maxIters=1500, confidence=0.99
        )
        if matrix is None:
            break
        agree = inliers.ravel().astype(bool)
        count = int(agree.sum())
        if count < 4:
            break
        rough: Matrix = np.vstack([matrix, [0, 0, 1]])
        if is_plausible(rough):
            found.append(AffineMotion(aligned(a, b, rough, here[agree]), count))
        here, there = here[~agree], there[~agree]
    return found


def aligned(a: Grey, b: Grey, matrix: Matrix, places: NDArray[np.float32]) -> Matrix:
    """`matrix` made exact: B is brought onto A by it, and what is left to move around `places` is fitted.

    Only turn, scale and shift are fitted, and to the largest group that agrees to within 0.7 px: two things that move
    nearly alike may have shared the matches, and an affine motion between them would be the motion of neither.
    """
    margin = _ALIGNED_AROUND
    left, top = np.maximum(places.min(axis=0) - margin, 0).astype(int)
    right, bottom = np.minimum(places.max(axis=0) + margin, (a.shape[1], a.shape[0])).astype(int)
    part = np.ascontiguousarray(a[top:bottom, left:right])
    corner = np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])
    near = np.zeros(part.shape, np.float32)
    for x, y in (places - (left, top)).astype(int):
        cv2.circle(near, (int(x), int(y)), margin // 2, 1.0, cv2.FILLED)
    for _ in range(2):
        moved = cv2.warpAffine(
            b,
            (matrix @ corner)[:2],
            (part.shape[1], part.shape[0]),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        y, x = np.nonzero(near)
        step = max(1, len(x) // _ALIGNED_SAMPLES)
        start = np.column_stack([x, y])[::step].astype(np.float32)
        end = start + dense_flow(part, moved)[y, x][::step]
        left_over, _ = cv2.estimateAffinePartial2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=0.7)
        if left_over is None:
            break
        matrix = matrix @ corner @ np.vstack([left_over, [0, 0, 1]]) @ np.linalg.inv(corner)
    return matrix


def _feature_matches(a: Grey, b: Grey) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Places in A and in B of mutual nearest SIFT features that pass Lowe's ratio test."""
    nothing = np.zeros((0, 2), np.float32)
    sift = cv2.SIFT.create(_FEATURES, contrastThreshold=0.02)
    points_a, features_a = sift.detectAndCompute(a, None)
    points_b, features_b = sift.detectAndCompute(b, None)
    if features_a is None or features_b is None or min(len(points_a), len(points_b)) < 4:
        return nothing, nothing
    likeness = _root(features_a) @ _root(features_b).T
    index = np.arange(len(points_a))
    nearest = likeness.argmax(axis=1)
    mutual = likeness.argmax(axis=0)[nearest] == index
    best = likeness[index, nearest]
    likeness[index, nearest] = -1
    second = likeness.max(axis=1)
    distinct = (1 - best) < 0.85**2 * (1 - second)
    kept = mutual & distinct
    here = np.array([points_a[i].pt for i in index[kept]], np.float32).reshape(-1, 2)
    there = np.array([points_b[i].pt for i in nearest[kept]], np.float32).reshape(-1, 2)
    return here, there


def _root(features: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.sqrt(features / np.maximum(features.sum(axis=1, keepdims=True), 1e-6))


def long_jumps(a: Picture, b: Picture, reduction: int = 8, reach: float = 0.35) -> tuple[Flow, Flow]:
    """Integer block matching of every small block with every place within `reach` of the frame, both ways at once.

    The cost of block x moving by d is also the cost of block x + d moving by -d, so one pass serves both directions.

    Returns:
        Flow A to B and B to A, at the pictures' size, in steps of `reduction` pixels.
    """
    height, width = a.shape[:2]
    rows, columns = max(8, height // reduction), max(8, width // reduction)
    small_a, small_b = (
        cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32) for picture in (a, b)
    )
    best = [np.full((rows, columns), np.inf, np.float32) for _ in range(2)]
    jump = [np.zeros((rows, columns, 2), np.float32) for _ in range(2)]
    for dy in range(-int(rows * reach), int(rows * reach) + 1):
        for dx in range(-int(columns * reach), int(columns * reach) + 1):
            ya, yb = max(0, -dy), max(0, dy)
            xa, xb = max(0, -dx), max(0, dx)
            high, wide = rows - abs(dy), columns - abs(dx)
            there = small_b[yb : yb + high, xb : xb + wide]
            difference = cv2.absdiff(small_a[ya : ya + high, xa : xa + wide], there)
            each = np.minimum(cv2.transform(difference, np.ones((1, 3), np.float32)), 180)
            cost = cv2.blur(each, (5, 5)) + 0.25 * float(np.hypot(dx, dy))
            for side, (y, x, sign) in enumerate(((ya, xa, 1), (yb, xb, -1))):
                least = best[side][y : y + high, x : x + wide]
                better = cost < least
                least[better] = cost[better]
                jump[side][y : y + high, x : x + wide][better] = (sign * dx, sign * dy)
    step = np.array([width / columns, height / rows], np.float32)
    forward, backward = (
        cv2.resize(median(field, 3), (width, height), interpolation=cv2.INTER_NEAREST) * step for field in jump
    )
    return forward, backward
