"""Layers found at the working size, brought to full size along the edges of the full-size picture.

Between two layers a smoothly enlarged flow would be the motion of neither. Near such an edge every full-size pixel
takes the layer of the most similarly coloured working pixel around it (joint bilateral upsampling, Kopf et al. 2007,
with a winner in place of the mean), and each layer's motion is evaluated at full size.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Flow
from . import kernels
from .fields import Picture
from .layers import Labels
from .tracks import STRAIGHT, Tracks

_STRAIGHT_ENOUGH = 0.1
"""Pixels below which no way needs to curve."""
_FARTHER = np.float32(6.0)
"""What one working pixel of distance counts for, in summed colour difference of 3 x 255."""


def enlarge_layers(
    tracks: Tracks, labels: Labels, flows: Sequence[Flow], bends: Sequence[Flow], small: Picture, large: Picture
) -> Tracks:
    """Tracks at the size of `large`.

    Args:
        tracks: at the working size.
        labels: the hypothesis that each working pixel follows.
        flows, bends: of each hypothesis, at the working size.
        small, large: the picture at the working size and at full size.
    """
    height, width = large.shape[:2]
    if labels.shape == (height, width):
        return tracks
    size = (width, height)
    few = labels.astype(np.uint8)
    label = cv2.resize(few, size, interpolation=cv2.INTER_NEAREST)
    mixed = cv2.resize(_near_edges(few), size, interpolation=cv2.INTER_NEAREST)
    confidence, depth = cv2.resize(tracks.confidence, size), cv2.resize(tracks.depth, size)
    kernels.join_edges(
        few, small, tracks.confidence, tracks.depth, mixed, large, _FARTHER, label, confidence, depth
    )  # fmt: skip
    bent = any(np.abs(each).max() > _STRAIGHT_ENOUGH for each in bends)
    return Tracks(_composed(label, flows), _composed(label, bends) if bent else STRAIGHT, confidence, depth)


def _near_edges(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """1 within two pixels of a change of label, else 0."""
    ones = np.ones((3, 3), np.uint8)
    changes = cv2.morphologyEx(labels, cv2.MORPH_GRADIENT, ones) > 0
    return cv2.dilate(changes.astype(np.uint8), ones)


def _composed(label: NDArray[np.uint8], fields: Sequence[Flow]) -> Flow:
    """Each full-size pixel's vector from the field of its label, in pixels of the full size."""
    height, width = label.shape
    rows, columns = fields[0].shape[:2]
    whole = np.empty((height, width, 2), np.float32)
    kernels.compose(label, np.stack(fields) * np.array([width / columns, height / rows], np.float32), whole)
    return whole
