"""From what arrives at time t to a picture.

Each keyframe's tracks are splatted to t (softmax splatting, Niklaus & Liu 2020), which gives for every pixel of the
in-between where it was in A and where it will be in B. Both keyframes are then sampled there and mixed. Splatting the
flow rather than the colours resamples the picture once, and keeps it sharp.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Flow, Gap, Image, Map
from .fields import length, pixel_grid, scaled


@dataclass(frozen=True)
class Arrivals:
    """What of one keyframe arrives at each pixel of the in-between.

    Attributes:
        way: (H, W, 2) how far it has come.
        flow: (H, W, 2) its whole way to the other keyframe.
        confidence, depth: (H, W) of what arrives.
        coverage: (H, W) 0 where nothing arrives, 1 where the pixel is covered.
    """

    way: Flow
    flow: Flow
    confidence: Map
    depth: Map
    coverage: Map


def compose(gap: Gap, from_a: Arrivals, from_b: Arrivals, t: float, interpolation: int) -> Image:
    """The in-between at time t, 0 < t < 1, of the gap's shape.

    Args:
        from_a, from_b: what arrives of each keyframe, at the gap's size or smaller.
        interpolation: of the keyframes, cv2.INTER_LINEAR or cv2.INTER_CUBIC.
    """
    height, width = gap.a.shape[:2]
    way_a, way_b = _ways(from_a, from_b)
    share_a = _share_of_a(from_a, from_b, t)
    if share_a.shape != (height, width):
        share_a = cv2.resize(share_a, (width, height))
        way_a, way_b = scaled(way_a, height, width), scaled(way_b, height, width)
    colour_a = _sample(gap.a, way_a, interpolation)
    colour_b = _sample(gap.b, way_b, interpolation)
    return cv2.blendLinear(colour_a, colour_b, share_a, 1 - share_a)


def _ways(a: Arrivals, b: Arrivals) -> tuple[Flow, Flow]:
    """The way from each keyframe to every pixel: where one keyframe shows nothing, what the other says of it."""
    seen_a, seen_b = _seen(a), _seen(b)
    return _patched(a.way, seen_a, b.way - b.flow, seen_b), _patched(b.way, seen_b, a.way - a.flow, seen_a)


def _seen(side: Arrivals) -> Map:
    return np.minimum(side.coverage * np.float32(20), np.float32(1))


def _patched(way: Flow, seen: Map, other: Flow, seen_other: Map) -> Flow:
    """`way` where seen, else `other` where that is seen, else spread from around."""
    patched = way * seen[..., None] + other * (1 - seen)[..., None]
    either = np.maximum(seen, seen_other)
    if either.min() < 0.5:
        patched = _spread(patched * either[..., None], either)
    return patched


def _spread(values: NDArray[np.float32], weight: Map) -> NDArray[np.float32]:
    """Fill where weight is 0 from around, coarse to fine. `values` (H, W, C) are already multiplied by weight."""
    height, width = weight.shape
    whole: NDArray[np.float32] = np.divide(values, np.maximum(weight, np.float32(1e-6))[..., None])
    if min(height, width) <= 2:
        return whole
    half = ((width + 1) // 2, (height + 1) // 2)
    coarse = _spread(
        cv2.resize(values, half, interpolation=cv2.INTER_AREA), cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
    )
    around = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    share = np.minimum(weight, 1)[..., None]
    return share * whole + (1 - share) * around


def _share_of_a(a: Arrivals, b: Arrivals, t: float) -> Map:
    """How much of A goes into every pixel: near in time, visible, and in front where the two disagree."""
    apart = length(a.flow + b.flow)
    front = np.clip((apart - 1) / 4, 0, 1) * np.clip(a.depth - b.depth, -4, 4)
    share_a = (1 - t) * _presence(a)
    share_b = t * _presence(b) * np.exp(-front)
    return np.ascontiguousarray(share_a / (share_a + share_b), np.float32)


def _presence(side: Arrivals) -> Map:
    return (side.coverage * side.confidence + 1e-4) * np.clip(side.coverage * 4, 1e-4, 1)


def _sample(image: Image, way: Flow, interpolation: int) -> Image:
    places = cv2.subtract(pixel_grid(*way.shape[:2]), way)
    return cv2.remap(image, places, None, interpolation, borderMode=cv2.BORDER_REPLICATE)
