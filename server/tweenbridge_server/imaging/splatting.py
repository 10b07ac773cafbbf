"""Softmax splatting: moving values forward along a flow, the more important winning where several land.

Niklaus & Liu, "Softmax Splatting for Video Frame Interpolation", CVPR 2020 (arXiv 2003.05534): summation splatting
(eq. 4, with the bilinear kernel of eq. 3) and its softmax normalisation (eq. 7).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_MARGIN = 2


def softmax_splat(values: Floats, flow: Floats, importance: Floats) -> tuple[Floats, Floats]:
    """Splat `values` along `flow`.

    Args:
        values: (H, W, C).
        flow: (H, W, 2) in pixels.
        importance: (H, W), Z of eq. 7; only differences matter, and they count exponentially.

    Returns:
        The weighted means (H, W, C), 0 where nothing lands, and the coverage (H, W): the sum of bilinear weights
        alone, 1 where a pixel is covered once.
    """
    height, width, channels = values.shape
    # exp() of the differences to the greatest neither overflows nor changes the means; the floor keeps the weight of
    # the least important above zero, so that it still counts where nothing else lands.
    weight = np.exp(np.maximum(importance - importance.max(initial=-np.inf), -60.0)).astype(np.float64)
    x = np.arange(width, dtype=np.float32) + flow[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + flow[..., 1]
    left, top = np.floor(x), np.floor(y)
    to_right, to_lower = x - left, y - top
    # Two cells of margin on every side take what lands outside: that is faster than to leave it out.
    stride = width + 2 * _MARGIN
    row = np.clip(top, -_MARGIN, height).astype(np.int64) + _MARGIN
    column = np.clip(left, -_MARGIN, width).astype(np.int64) + _MARGIN
    first = row * stride + column
    cells = np.stack([first, first + 1, first + stride, first + stride + 1]).ravel()
    shares = np.empty((4, height, width))
    for corner, (share_x, share_y) in enumerate(
        ((1 - to_right, 1 - to_lower), (to_right, 1 - to_lower), (1 - to_right, to_lower), (to_right, to_lower))
    ):
        np.multiply(share_x, share_y, out=shares[corner])
    size = (height + 2 * _MARGIN) * stride

    def summed(parts: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.asarray(np.bincount(cells, parts.ravel(), size), np.float64).reshape(-1, stride)
        return sums[_MARGIN : _MARGIN + height, _MARGIN : _MARGIN + width]

    coverage = summed(shares).astype(np.float32)
    shares *= weight
    total = summed(shares)
    each = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    means = np.empty((height, width, channels), np.float32)
    for channel in range(channels):
        means[..., channel] = summed(shares * values[..., channel]) * each
    return means, coverage
