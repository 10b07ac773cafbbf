"""Softmax splatting: moving values forward along a flow, the more important winning where several land.

Niklaus & Liu, "Softmax Splatting for Video Frame Interpolation", CVPR 2020 (arXiv 2003.05534): summation splatting
(eq. 4, with the bilinear kernel of eq. 3) and its softmax normalisation (eq. 7).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


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
    sums = np.zeros((channels + 2, height * width))
    for column, share_x in ((left, 1 - to_right), (left + 1, to_right)):
        for row, share_y in ((top, 1 - to_lower), (top + 1, to_lower)):
            lands = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            cell = row[lands].astype(np.int64) * width + column[lands].astype(np.int64)
            share = (share_x * share_y)[lands]
            weighted = share * weight[lands]
            for channel in range(channels):
                sums[channel] += np.bincount(cell, weighted * values[..., channel][lands], height * width)
            sums[-2] += np.bincount(cell, weighted, height * width)
            sums[-1] += np.bincount(cell, share, height * width)
    landed = sums[-2] > 0
    means = np.divide(sums[:-2], sums[-2], out=np.zeros_like(sums[:-2]), where=landed)
    return (
        np.ascontiguousarray(means.T.reshape(height, width, channels), np.float32),
        sums[-1].reshape(height, width).astype(np.float32),
    )
