"""The two loops that numpy cannot express: compiled on first import of this module, kept in NUMBA_CACHE_DIR.

Signatures are explicit so that each is compiled once. Neither runs in parallel: the worker decides on threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, int64, njit, types, void
from numpy.typing import NDArray

_Plane = types.Array(float32, 2, "C")
_Stack = types.Array(float32, 3, "C")
_Volume = types.Array(float32, 4, "C")

Array = NDArray[Any]

SPLAT_CHANNELS = 8
"""dx, dy, flow x, flow y, confidence, depth, weight, coverage: 32 bytes, half a cache line."""


@njit([void(_Stack, _Stack, _Plane, _Plane, float32, _Stack)], fastmath=True, cache=True, nogil=True)
def splat_tracks(flow: Array, bend: Array, confidence: Array, depth: Array, along: float, out: Array) -> None:
    """Add every pixel's track, moved `along` its way, to the four pixels around where it lands.

    Niklaus & Liu 2020, eq. 4 and 5 (softmax splatting) with importance Z = depth; the values splatted are
    not colours but the way moved, the whole flow, the confidence and the depth.

    Args:
        flow: (H, W, 2); bend: (H, W, 2) or (1, 1, 2) where nothing bends.
        confidence, depth: (H, W).
        along: 0 to 1.
        out: (H, W, SPLAT_CHANNELS), added to.
    """
    height, width = confidence.shape
    bent = bend.shape[0] == height and bend.shape[1] == width
    arc = along * (1 - along)
    for y in range(height):
        for x in range(width):
            dx = along * flow[y, x, 0]
            dy = along * flow[y, x, 1]
            if bent:
                dx += arc * bend[y, x, 0]
                dy += arc * bend[y, x, 1]
            left = int(np.floor(x + dx))
            top = int(np.floor(y + dy))
            if left < -1 or top < -1 or left >= width or top >= height:
                continue
            right_share = x + dx - left
            lower_share = y + dy - top
            importance = np.exp(depth[y, x])
            for row in range(2):
                to_y = top + row
                if to_y < 0 or to_y >= height:
                    continue
                row_share = lower_share if row else 1 - lower_share
                for column in range(2):
                    to_x = left + column
                    if to_x < 0 or to_x >= width:
                        continue
                    share = row_share * (right_share if column else 1 - right_share)
                    weight = share * importance
                    cell = out[to_y, to_x]
                    cell[0] += weight * dx
                    cell[1] += weight * dy
                    cell[2] += weight * flow[y, x, 0]
                    cell[3] += weight * flow[y, x, 1]
                    cell[4] += weight * confidence[y, x]
                    cell[5] += weight * depth[y, x]
                    cell[6] += weight
                    cell[7] += share


@njit([void(_Stack, _Plane, _Plane, _Volume, int64)], fastmath=True, cache=True, nogil=True)
def pass_messages(costs: Array, across: Array, down: Array, messages: Array, rounds: int) -> None:
    """Min-sum belief propagation on the pixel grid with a contrast-sensitive Potts prior, swept in four directions.

    Felzenszwalb & Huttenlocher 2006, eq. 2 and 4, with the sequential schedule of Tappen & Freeman 2003.

    Args:
        costs: (H, W, K) cost of each label; on return its min-marginals (the cheapest is the answer).
        across, down: (H, W) price of a change of label between a pixel and its right and lower neighbour.
        messages: (4, H, W, K), from the left, right, above and below; all zero to begin with.
        rounds: how often to sweep.
    """
    height, width, labels = costs.shape
    belief = np.empty(labels, np.float32)
    for _ in range(rounds):
        for direction in range(4):
            horizontal = direction < 2
            for line in range(height if horizontal else width):
                steps = width if horizontal else height
                for step in range(1, steps):
                    if direction == 0:
                        y, x, to_y, to_x = line, step - 1, line, step
                        price = across[y, x]
                    elif direction == 1:
                        y, x, to_y, to_x = line, steps - step, line, steps - step - 1
                        price = across[to_y, to_x]
                    elif direction == 2:
                        y, x, to_y, to_x = step - 1, line, step, line
                        price = down[y, x]
                    else:
                        y, x, to_y, to_x = steps - step, line, steps - step - 1, line
                        price = down[to_y, to_x]
                    opposite = direction ^ 1
                    least = np.float32(np.inf)
                    for k in range(labels):
                        value = costs[y, x, k] - messages[opposite, y, x, k]
                        for source in range(4):
                            value += messages[source, y, x, k]
                        belief[k] = value
                        least = min(least, value)
                    for k in range(labels):
                        messages[direction, to_y, to_x, k] = min(belief[k] - least, price)
    for y in range(height):
        for x in range(width):
            for k in range(labels):
                for source in range(4):
                    costs[y, x, k] += messages[source, y, x, k]
