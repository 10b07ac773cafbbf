"""Turning things move on arcs: how the ways of affine layers curve."""

from __future__ import annotations

import cv2
import numpy as np

from ..base import Flow
from .fields import Matrix, pixel_grid
from .hypotheses import Hypothesis
from .layers import Labels


def bends(hypothesis: Hypothesis, labels_a: Labels, number: int, is_background: bool) -> tuple[Flow, Flow]:
    """The bend (see tracks.Tracks) of a hypothesis on A's and on B's pixels; zero for a free field.

    An affine motion x -> c' + L (x - c) of a thing centred at c, with L = R S its turn and its stretch, passes half-way
    through R(angle / 2) (I + S) / 2 (x - c); a straight way passes through (I + L) / 2 (x - c). The bend is four times
    the difference. The ground turns about the middle of the frame, anything else about its own.

    Args:
        hypothesis: the motion.
        labels_a: the number of the hypothesis that each pixel of A follows.
        number: this one's.
        is_background: whether this one is the ground.
    """
    height, width = labels_a.shape
    members = labels_a == number
    if hypothesis.matrix is None or not members.any():
        straight = np.zeros((height, width, 2), np.float32)
        return straight, straight
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    if not is_background:
        centre = pixel_grid(height, width)[members].mean(axis=0, dtype=np.float64)
    linear = hypothesis.matrix[:2, :2]
    left, stretch, right = np.linalg.svd(linear)
    turn = left @ right
    angle = np.arctan2(turn[1, 0], turn[0, 0]) / 2
    half_turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    half_stretch = (np.eye(2) + right.T @ np.diag(stretch) @ right) / 2
    curve = 4 * (half_turn @ half_stretch - (np.eye(2) + linear) / 2)
    there = linear @ centre + hypothesis.matrix[:2, 2]
    return _field(curve, centre, height, width), _field(curve @ np.linalg.inv(linear), there, height, width)


def _field(linear: Matrix, centre: Matrix, height: int, width: int) -> Flow:
    """linear (x - centre) at every pixel x."""
    return cv2.transform(pixel_grid(height, width), np.column_stack([linear, -linear @ centre]).astype(np.float32))
