"""Layers found at the working size, brought to full size along the edges of the full-size picture.

Between two layers a smoothly enlarged flow would be the motion of neither. Near such an edge every full-size pixel
takes the layer of the most similarly coloured working pixel around it (joint bilateral upsampling, Kopf et al. 2007,
with a winner in place of the mean), and each layer's motion is evaluated at full size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Flow
from .fields import Picture
from .layers import Labels
from .tracks import STRAIGHT, Tracks

_STRAIGHT_ENOUGH = 0.1
"""Pixels below which no way needs to curve."""
_FARTHER = 6.0
"""What one working pixel of distance counts for, in summed colour difference of 3 x 255."""


@dataclass(frozen=True)
class _Edges:
    """The full-size pixels (y, x) near edges of the labelling, and for each the working pixel whose layer it joins."""

    at: tuple[NDArray[np.intp], NDArray[np.intp]]
    source: tuple[NDArray[np.intp], NDArray[np.intp]]


def _edges(labels: NDArray[np.uint8], small: Picture, large: Picture) -> _Edges:
    height, width = large.shape[:2]
    rows, columns = labels.shape
    ones = np.ones((3, 3), np.uint8)
    mixed = cv2.dilate((cv2.morphologyEx(labels, cv2.MORPH_GRADIENT, ones) > 0).astype(np.uint8), ones)
    y, x = np.nonzero(cv2.resize(mixed, (width, height), interpolation=cv2.INTER_NEAREST))
    own_row = np.minimum((y + 0.5) * rows / height, rows - 1).astype(np.intp)
    own_column = np.minimum((x + 0.5) * columns / width, columns - 1).astype(np.intp)
    row, column, colour = own_row.copy(), own_column.copy(), large[y, x].astype(np.int16)
    least = np.full(len(y), np.inf, np.float32)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            near_row = np.clip(own_row + dy, 0, rows - 1)
            near_column = np.clip(own_column + dx, 0, columns - 1)
            difference = np.abs(small[near_row, near_column] - colour).sum(axis=1)
            unlikeness = difference + np.float32(_FARTHER * (abs(dy) + abs(dx)))
            better = unlikeness < least
            least[better] = unlikeness[better]
            row[better], column[better] = near_row[better], near_column[better]
    return _Edges((y, x), (row, column))


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
    edges = _edges(few, small, large)
    label = cv2.resize(few, size, interpolation=cv2.INTER_NEAREST)
    label[edges.at] = few[edges.source]
    confidence, depth = cv2.resize(tracks.confidence, size), cv2.resize(tracks.depth, size)
    confidence[edges.at], depth[edges.at] = tracks.confidence[edges.source], tracks.depth[edges.source]
    by_size = np.argsort(-np.bincount(few.ravel(), minlength=len(flows)), kind="stable")
    ground = by_size[0]
    flow = _window(flows[ground], height, width, (0, height, 0, width))
    pairs = [(flows, flow)]
    bend = STRAIGHT
    if any(np.abs(each).max() > _STRAIGHT_ENOUGH for each in bends):
        bend = _window(bends[ground], height, width, (0, height, 0, width))
        pairs.append((bends, bend))
    for number in by_size[1:]:
        members = label == number
        top, bottom, left, right = _bounds(members)
        if top == bottom:
            continue
        mask = members[top:bottom, left:right].astype(np.uint8)
        for fields, whole in pairs:
            window = _window(fields[number], height, width, (top, bottom, left, right))
            cv2.copyTo(window, mask, whole[top:bottom, left:right])
    return Tracks(flow, bend, confidence, depth)


def _bounds(members: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(members.any(axis=1))[0], np.nonzero(members.any(axis=0))[0]
    if not len(rows):
        return 0, 0, 0, 0
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _window(field: Flow, height: int, width: int, bounds: tuple[int, int, int, int]) -> Flow:
    """The part of a field enlarged to height x width that lies within (top, bottom, left, right)."""
    top, bottom, left, right = bounds
    grow_x, grow_y = width / field.shape[1], height / field.shape[0]
    # Pixel centres: full-size x lies at (x + 0.5) / grow - 0.5 of the working size.
    to_working = np.array(
        [
            [1 / grow_x, 0, (left + 0.5) / grow_x - 0.5],
            [0, 1 / grow_y, (top + 0.5) / grow_y - 0.5],
        ]
    )
    return cv2.warpAffine(
        field * np.array([grow_x, grow_y], np.float32),
        to_working,
        (right - left, bottom - top),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
