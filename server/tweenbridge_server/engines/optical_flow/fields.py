"""Arithmetic on flow fields: sampling along them, composing them, and the affine motions that describe them."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Flow, Map

Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]
"""(H, W, 3) RGB, what motion is estimated on."""

_SCARCE = np.float32(0.01)
"""Mean weight below which what fills a gap comes rather from farther off."""

Matrix = NDArray[np.float64]
"""(3, 3) affine motion in homogeneous pixel coordinates, keyframe A to keyframe B unless said otherwise."""


@lru_cache(maxsize=4)
def pixel_grid(height: int, width: int) -> Flow:
    """(H, W, 2) of each pixel's own (x, y). Shared: do not write into it."""
    grid = np.empty((height, width, 2), np.float32)
    grid[..., 0] = np.arange(width, dtype=np.float32)
    grid[..., 1] = np.arange(height, dtype=np.float32)[:, None]
    return grid


def targets(flow: Flow) -> Flow:
    """Where each pixel lands in the other keyframe."""
    return cv2.add(flow, pixel_grid(*flow.shape[:2]))


def sample(image: NDArray[np.float32], places: Flow) -> NDArray[np.float32]:
    """Bilinear samples of `image` at `places`; the border is replicated."""
    return cv2.remap(image, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def outside(places: Flow) -> Mask:
    """Which of `places` lie outside the picture."""
    height, width = places.shape[:2]
    x, y = places[..., 0], places[..., 1]
    return (x < 0) | (y < 0) | (x > width - 1) | (y > height - 1)


def length(vectors: Flow) -> Map:
    """Euclidean length of each vector, in pixels.

    Not `cv2.magnitude`: its last digit depends on where in memory the field lies, and a frame must come out the same
    when a job is taken up again.
    """
    x, y = vectors[..., 0], vectors[..., 1]
    return np.sqrt(x * x + y * y)


def round_trip(flow: Flow, back: Flow) -> Map:
    """How far from itself a pixel ends, in pixels, after following `flow` and then `back`."""
    return length(cv2.add(sample(back, targets(flow)), flow))


def jump(flow: Flow, across: int) -> Map:
    """How much the flow changes within `across` x `across` pixels around each pixel: the greater component, pixels."""
    window = np.ones((across, across), np.uint8)
    return np.maximum(*(cv2.morphologyEx(part, cv2.MORPH_GRADIENT, window) for part in cv2.split(flow)))


def grown(mask: Mask, by: int) -> Mask:
    """The pixels within a square of `by` pixels around those of `mask`."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * by + 1, 2 * by + 1), np.uint8)) > 0


def median(flow: Flow, size: int) -> Flow:
    """Component-wise median over size x size (3 or 5)."""
    return np.dstack([cv2.medianBlur(np.ascontiguousarray(flow[..., k]), size) for k in (0, 1)])


def affine_flow(matrix: Matrix, height: int, width: int) -> Flow:
    """The flow of an affine motion."""
    shift = (matrix - np.eye(3))[:2].astype(np.float32)
    return cv2.transform(pixel_grid(height, width), shift)


def is_plausible(matrix: Matrix) -> bool:
    """An affine motion that neither mirrors nor shrinks or grows what it moves more than threefold."""
    return bool(np.isfinite(matrix).all()) and 1 / 9 < np.linalg.det(matrix[:2, :2]) < 9


def fit_affine(flow: Flow, weight: Map, samples: int = 6000, rounds: int = 6) -> Matrix:
    """The affine motion that most of `flow` follows, by iteratively reweighted least squares (Geman-McClure, 2 px).

    Args:
        flow: the field.
        weight: how much each pixel's vector counts, >= 0.
    """
    height, width = weight.shape
    step = max(1, int(np.sqrt(np.count_nonzero(weight) / samples)))
    places = pixel_grid(height, width)[::step, ::step].reshape(-1, 2).astype(np.float64)
    vectors = flow[::step, ::step].reshape(-1, 2).astype(np.float64)
    prior = weight[::step, ::step].ravel().astype(np.float64)
    used = prior > 0
    matrix = np.eye(3)
    if used.sum() < 8:
        return matrix
    places, vectors, prior = places[used], vectors[used], prior[used]
    centre, extent = places.mean(0), max(height, width)
    basis = np.column_stack([(places - centre) / extent, np.ones(len(places))])
    start = np.median(vectors, axis=0)
    robust = prior / (1 + ((vectors - start) ** 2).sum(1) / 9) ** 2
    normal = np.eye(3) * 1e-6
    for _ in range(rounds):
        weighted = basis * robust[:, None]
        solution = np.linalg.solve(weighted.T @ basis + normal, weighted.T @ vectors)
        robust = prior / (1 + ((vectors - basis @ solution) ** 2).sum(1) / 4) ** 2
    matrix[:2, :2] += solution[:2].T / extent
    matrix[:2, 2] = solution[2] - (solution[:2].T / extent) @ centre
    return matrix


def scaled(flow: Flow, height: int, width: int) -> Flow:
    """`flow` at another size of the same picture, its vectors grown to match."""
    longer = flow * np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
    return cv2.resize(longer, (width, height), interpolation=cv2.INTER_LINEAR)


def pull_push(values: NDArray[np.float32], weight: Map) -> NDArray[np.float32]:
    """The weighted mean around each pixel, from as near as there is weight (Gortler et al. 1996, section 3.4).

    Args:
        values: (H, W, C), multiplied by `weight` already.
    """
    mean: NDArray[np.float32] = values / np.maximum(weight, np.float32(1e-12))[..., None]
    height, width = weight.shape
    if min(height, width) <= 2:
        return mean
    half = ((width + 1) // 2, (height + 1) // 2)
    coarse = pull_push(
        cv2.resize(values, half, interpolation=cv2.INTER_AREA), cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
    )
    around = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    own = (weight / (weight + _SCARCE))[..., None]
    return own * mean + (1 - own) * around
