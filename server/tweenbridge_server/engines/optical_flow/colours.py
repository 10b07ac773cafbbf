"""Which layer a pixel's colour belongs to, where matching cannot say: histograms of the colours of each layer."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ..base import Map
from .fields import Mask, Picture

_BINS = 12
"""Per channel."""
_RAREST = 1e-5
_MOST = 5.0

Bins = NDArray[np.intp]


def colour_bins(picture: Picture) -> Bins:
    """(H, W) number of each pixel's histogram bin."""
    parts = picture.astype(np.intp) * _BINS // 256
    return (parts[..., 0] * _BINS + parts[..., 1]) * _BINS + parts[..., 2]


def rarity(layers: Iterable[Iterable[tuple[Bins, Mask]]]) -> Map:
    """How much rarer each colour is in each layer than in the layer where it is commonest.

    Args:
        layers: for each layer the pictures' bins with the pixels known to be of that layer.

    Returns:
        (layers, bins): the logarithm of how many times rarer, 0 to 5.
    """
    rows = []
    for members in layers:
        seen = np.zeros(_BINS**3)
        for bins, mask in members:
            seen += np.bincount(bins[mask], minlength=_BINS**3)
        lent = _spread(seen)
        rows.append(-np.log(lent / max(lent.sum(), 1.0) + _RAREST))
    each = np.array(rows, np.float32)
    return np.minimum(each - each.min(axis=0), np.float32(_MOST))


def _spread(histogram: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each bin lends a quarter to either neighbour, along each channel in turn."""
    cube = histogram.reshape(_BINS, _BINS, _BINS)
    for axis in range(3):
        padded = np.pad(cube, [(1, 1) if other == axis else (0, 0) for other in range(3)], mode="edge")
        along = np.moveaxis(padded, axis, 0)
        cube = np.moveaxis(0.5 * along[1:-1] + 0.25 * (along[:-2] + along[2:]), 0, axis)
    return cube.ravel()
