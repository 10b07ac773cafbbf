"""Plain ways to make in-betweens, to compare with: a cross-fade, and colours splatted along DIS flow.

DIS: Kroeger et al. 2016, OpenCV's, medium. Splatting: Niklaus and Liu 2020, softmax splatting, equation 4, with weights
from how well colours and both flows agree; holes are filled from coarser levels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import cv2
import numpy as np
from measures import Flow, Frame
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Recipe = Callable[[Frame, Frame, Sequence[float]], list[Frame]]
"""Frames at the times, from two RGB keyframes."""

_COLOUR: Final = 0.05
_ROUND_TRIP: Final = 0.35
_LEAST: Final = 1e-5


def cross_fade(a: Frame, b: Frame, times: Sequence[float]) -> list[Frame]:
    """The mean of the keyframes, weighted by time."""
    first, last = a.astype(np.float32), b.astype(np.float32)
    return [((1 - t) * first + t * last + 0.5).astype(np.uint8) for t in times]


def dis_and_splat(a: Frame, b: Frame, times: Sequence[float]) -> list[Frame]:
    """Both keyframes' colours, moved along their flow to the time."""
    forward, backward = _dis(a, b), _dis(b, a)
    trust_a, trust_b = _agreement(a, b, forward, backward), _agreement(b, a, backward, forward)
    frames = []
    for t in times:
        moved = (1 - t) * _splatted(a, forward * t, trust_a) + t * _splatted(b, backward * (1 - t), trust_b)
        mass = moved[..., 3]
        full = np.minimum(mass * 50, 1).astype(np.float32)
        colours = moved[..., :3] / np.maximum(mass, 1e-12)[..., None] * full[..., None]
        frames.append(np.clip(_filled(colours.astype(np.float32), full) + 0.5, 0, 255).astype(np.uint8))
    return frames


def _dis(a: Frame, b: Frame) -> Flow:
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey_a, grey_b = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (a, b))
    return np.asarray(search.calc(grey_a, grey_b, np.zeros((*a.shape[:2], 2), np.float32)), np.float32)


def _agreement(here: Frame, there: Frame, flow: Flow, back: Flow) -> Plane:
    """(H, W), above 0, at most 1: how far colours agree along the flow, and the way there and back."""
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    x, y = x + flow[..., 0], y + flow[..., 1]
    seen = cv2.remap(there, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    colour = cv2.blur(np.abs(seen.astype(np.float32) - here).mean(axis=2), (3, 3))
    returned = cv2.remap(back, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    missed = np.linalg.norm(returned + flow, axis=2) / (1 + 0.05 * np.linalg.norm(flow, axis=2))
    outside = (x < -0.5) | (y < -0.5) | (x > width - 0.5) | (y > height - 0.5)
    colour[outside], missed[outside] = 8, 0
    trust: Plane = np.exp(-_COLOUR * colour - _ROUND_TRIP * np.minimum(missed, 20)).astype(np.float32)
    floored: Plane = np.maximum(trust, np.float32(_LEAST))
    return floored


def _splatted(frame: Frame, flow: Flow, weight: Plane) -> NDArray[np.float64]:
    """(H, W, 4): sums of weighted colours, and of weights, of what lands on each pixel."""
    height, width = weight.shape
    x, y = np.arange(width) + flow[..., 0].astype(np.float64), np.arange(height)[:, None] + flow[..., 1]
    left, upper = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right_share, lower_share = x - left, y - upper
    summed = np.zeros((4, height * width))
    for down in (0, 1):
        for across in (0, 1):
            column, row = left + across, upper + down
            share = (right_share if across else 1 - right_share) * (lower_share if down else 1 - lower_share) * weight
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            at, landed = (row * width + column)[inside], share[inside]
            for channel in range(3):
                colour = frame[..., channel][inside]
                summed[channel] += np.bincount(at, landed * colour, height * width)
            summed[3] += np.bincount(at, landed, height * width)
    whole: NDArray[np.float64] = summed.T.reshape(height, width, 4)
    return whole


def _filled(colours: Plane, full: Plane) -> Plane:
    """Premultiplied colours with what is not full taken from half the size, and so on."""
    height, width = full.shape
    plain: Plane = (colours / np.maximum(full, np.float32(1e-6))[..., None]).astype(np.float32)
    if min(height, width) <= 2:
        return plain
    size = ((width + 1) // 2, (height + 1) // 2)
    half = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in (colours, full)]
    below = cv2.resize(_filled(*half), (width, height), interpolation=cv2.INTER_LINEAR)
    share = full[..., None]
    filled: Plane = share * plain + (1 - share) * below
    return filled
