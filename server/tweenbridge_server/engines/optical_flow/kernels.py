"""The loops that numpy cannot express: compiled on first import of this module, kept in NUMBA_CACHE_DIR.

Signatures are explicit so that each is compiled once. None runs in parallel: the worker decides on threads.
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


@njit([void(_Stack, _Stack, _Plane, _Plane, float32, int64, _Stack)], fastmath=True, cache=True, nogil=True)
def splat_tracks(
    flow: Array, bend: Array, confidence: Array, depth: Array, along: float, first_row: int, out: Array
) -> None:
    """Add every pixel's track, moved `along` its way, to the four pixels around where it lands.

    Niklaus & Liu 2020, eq. 4 and 5 (softmax splatting) with importance Z = depth; the values splatted are
    not colours but the way moved, the whole flow, the confidence and the depth.

    Args:
        flow: (H, W, 2); bend: (H, W, 2) or (1, 1, 2) where nothing bends.
        confidence, depth: (H, W).
        along: 0 to 1.
        first_row: which row of the in-between is the first of `out`.
        out: (rows, W, SPLAT_CHANNELS), added to.
    """
    height, width = confidence.shape
    rows = out.shape[0]
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
            top = int(np.floor(y + dy)) - first_row
            if left < -1 or top < -1 or left >= width or top >= rows:
                continue
            right_share = x + dx - left
            lower_share = y + dy - (top + first_row)
            importance = np.exp(depth[y, x])
            for row in range(2):
                to_y = top + row
                if to_y < 0 or to_y >= rows:
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


@njit([void(_Stack, _Stack, float32, _Stack, _Stack, _Plane, _Plane)], fastmath=True, cache=True, nogil=True)
def meet(from_a: Array, from_b: Array, t: float, way_a: Array, way_b: Array, share: Array, trust: Array) -> None:
    """Decide for every pixel of the in-between how far it is from A and from B, and how much of A it takes.

    Near in time, visible in the other keyframe, and in front where the two keyframes disagree: these count. Where only
    one keyframe's tracks arrive, they say where the pixel is in the other one, too.

    Args:
        from_a, from_b: (H, W, SPLAT_CHANNELS) as filled by `splat_tracks`.
        t: 0 to 1.
        way_a, way_b: (H, W, 2), written: how far the pixel has come from either keyframe.
        share: (H, W), written: how much of A it takes, 0 to 1.
        trust: (H, W), written: how far that can be trusted, 0 to 1; -1 where nothing arrives.
    """
    height, width = share.shape
    for y in range(height):
        for x in range(width):
            a = from_a[y, x]
            b = from_b[y, x]
            cover_a = min(a[7], np.float32(1))
            cover_b = min(b[7], np.float32(1))
            each_a = 1 / max(a[6], np.float32(1e-20))
            each_b = 1 / max(b[6], np.float32(1e-20))
            seen_a = min(20 * cover_a, np.float32(1))
            seen_b = min(20 * cover_b, np.float32(1))
            known = max(seen_a, seen_b)
            if known < 0.5:
                trust[y, x] = -1
                continue
            away = np.float32(0)
            for axis in range(2):
                own_a = a[axis] * each_a
                own_b = b[axis] * each_b
                flow_a = a[2 + axis] * each_a
                flow_b = b[2 + axis] * each_b
                way_a[y, x, axis] = own_a * seen_a + (own_b - flow_b) * (1 - seen_a)
                way_b[y, x, axis] = own_b * seen_b + (own_a - flow_a) * (1 - seen_b)
                away += (flow_a + flow_b) ** 2
            disagreement = min(max((np.sqrt(away) - 1) / 4, np.float32(0)), np.float32(1))
            ahead = min(max(a[5] * each_a - b[5] * each_b, np.float32(-4)), np.float32(4))
            good_a = cover_a * a[4] * each_a
            good_b = cover_b * b[4] * each_b
            of_a = (1 - t) * (good_a + 1e-4) * min(4 * cover_a + 1e-4, np.float32(1))
            of_b = t * (good_b + 1e-4) * min(4 * cover_b + 1e-4, np.float32(1)) * np.exp(-disagreement * ahead)
            share[y, x] = of_a / (of_a + of_b)
            trust[y, x] = min(3 * max(good_a, good_b), np.float32(1))


@njit([void(_Stack, _Plane, _Plane, _Volume, int64)], fastmath=True, cache=True, nogil=True)
def pass_messages(costs: Array, across: Array, down: Array, messages: Array, rounds: int) -> None:
    """Min-sum belief propagation on the pixel grid with a contrast-sensitive Potts prior, swept in four directions.

    Felzenszwalb & Huttenlocher 2006, eq. 2 and 4, with the sequential schedule of Tappen & Freeman 2003.

    Args:
        costs: (H, W, K) cost of each label; the messages that arrive are added, so that on return these are
            min-marginals, of which the least is the answer.
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
                        belief[k] = costs[y, x, k] - messages[opposite, y, x, k]
                        least = min(least, belief[k])
                    for k in range(labels):
                        message = min(belief[k] - least, price)
                        costs[to_y, to_x, k] += message - messages[direction, to_y, to_x, k]
                        messages[direction, to_y, to_x, k] = message
