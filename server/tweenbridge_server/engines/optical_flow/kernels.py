"""The loops that numpy cannot express: compiled on first import of this module, kept in NUMBA_CACHE_DIR.

Signatures are explicit so that each is compiled once. None runs in parallel: the worker decides on threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, int64, njit, types, uint8, void
from numpy.typing import NDArray

_Plane = types.Array(float32, 2, "C")
_Stack = types.Array(float32, 3, "C")
_Volume = types.Array(float32, 4, "C")
_Numbers = types.Array(uint8, 2, "C")
_Bytes = types.Array(uint8, 3, "C")

Array = NDArray[Any]

# Numbers written out would make double precision of everything they meet.
_ONE = np.float32(1)
_LITTLE = np.float32(1e-4)

SPLAT_CHANNELS = 8
"""dx, dy, flow x, flow y, confidence, depth, weight, coverage: 32 bytes, half a cache line."""


@njit(fastmath=True, nogil=True, inline="always")
def _add(share: float, track: Array, out: Array, row: int, column: int) -> None:
    """Add a share of a track to one pixel."""
    for channel in range(SPLAT_CHANNELS):
        out[row, column, channel] += share * track[channel]


@njit(
    [void(_Stack, _Stack, _Plane, _Plane, _Plane, float32, int64, int64, _Stack)], fastmath=True, cache=True, nogil=True
)
def splat_tracks(
    flow: Array,
    bend: Array,
    confidence: Array,
    depth: Array,
    importance: Array,
    along: float,
    first_source: int,
    first_row: int,
    out: Array,
) -> None:
    """Add every pixel's track, moved `along` its way, to the four pixels around where it lands.

    Niklaus & Liu 2020, eq. 4 and 5 (softmax splatting) with importance Z = depth; the values splatted are
    not colours but the way moved, the whole flow, the confidence and the depth.

    Args:
        flow, bend, confidence, depth: of some rows of the keyframe; (h, W, 2), (h, W, 2) or (1, 1, 2) where nothing
            bends, (h, W), (h, W).
        importance: exp(depth).
        along: 0 to 1.
        first_source: which row of the keyframe is the first of those rows.
        first_row: which row of the in-between is the first of `out`.
        out: (rows, W, SPLAT_CHANNELS), added to.
    """
    height, width = confidence.shape
    rows = out.shape[0]
    bent = bend.shape[0] == height and bend.shape[1] == width
    arc = along * (_ONE - along)
    track = np.empty(SPLAT_CHANNELS, np.float32)
    for y in range(height):
        for x in range(width):
            flow_x = flow[y, x, 0]
            flow_y = flow[y, x, 1]
            dx = along * flow_x
            dy = along * flow_y
            if bent:
                dx += arc * bend[y, x, 0]
                dy += arc * bend[y, x, 1]
            to_x = np.float32(x) + dx
            to_y = np.float32(y + first_source - first_row) + dy
            left_edge, top_edge = np.floor(to_x), np.floor(to_y)
            left, top = int(left_edge), int(top_edge)
            if left < -1 or top < -1 or left >= width or top >= rows:
                continue
            right_share, lower_share = to_x - left_edge, to_y - top_edge
            heavy = importance[y, x]
            track[0] = heavy * dx
            track[1] = heavy * dy
            track[2] = heavy * flow_x
            track[3] = heavy * flow_y
            track[4] = heavy * confidence[y, x]
            track[5] = heavy * depth[y, x]
            track[6] = heavy
            track[7] = _ONE
            upper, left_share = _ONE - lower_share, _ONE - right_share
            if top >= 0:
                if left >= 0:
                    _add(upper * left_share, track, out, top, left)
                if left + 1 < width:
                    _add(upper * right_share, track, out, top, left + 1)
            if top + 1 < rows:
                if left >= 0:
                    _add(lower_share * left_share, track, out, top + 1, left)
                if left + 1 < width:
                    _add(lower_share * right_share, track, out, top + 1, left + 1)


@njit([void(_Stack, _Stack, float32, _Stack, _Stack, _Plane, _Plane, _Plane)], fastmath=True, cache=True, nogil=True)
def meet(
    from_a: Array, from_b: Array, t: float, way_a: Array, way_b: Array, share: Array, trust: Array, depth: Array
) -> None:
    """Decide for every pixel of the in-between how far it is from A and from B, and how much of A it takes.

    Near in time, visible in the other keyframe, and in front where the two keyframes disagree: these count. Where only
    one keyframe's tracks arrive, they say where the pixel is in the other one, too.

    Args:
        from_a, from_b: (H, W, SPLAT_CHANNELS) as filled by `splat_tracks`.
        t: 0 to 1.
        way_a, way_b: (H, W, 2), written: how far the pixel has come from either keyframe; 0 where nothing arrives.
        share: (H, W), written: how much of A it takes, 0 to 1.
        trust: (H, W), written: how far that can be trusted, 0 to 1; -1 where nothing arrives.
        depth: (H, W), written: log importance of what arrives; 0 where nothing does.
    """
    height, width = share.shape
    for y in range(height):
        for x in range(width):
            cover_a = min(from_a[y, x, 7], _ONE)
            cover_b = min(from_b[y, x, 7], _ONE)
            each_a = _ONE / max(from_a[y, x, 6], np.float32(1e-20))
            each_b = _ONE / max(from_b[y, x, 6], np.float32(1e-20))
            seen_a = min(np.float32(20) * cover_a, _ONE)
            seen_b = min(np.float32(20) * cover_b, _ONE)
            if max(seen_a, seen_b) < np.float32(0.5):
                way_a[y, x, 0] = way_a[y, x, 1] = way_b[y, x, 0] = way_b[y, x, 1] = 0
                share[y, x] = _ONE - t
                trust[y, x] = -1
                depth[y, x] = 0
                continue
            away = np.float32(0)
            for axis in range(2):
                own_a = from_a[y, x, axis] * each_a
                own_b = from_b[y, x, axis] * each_b
                flow_a = from_a[y, x, 2 + axis] * each_a
                flow_b = from_b[y, x, 2 + axis] * each_b
                way_a[y, x, axis] = own_a * seen_a + (own_b - flow_b) * (_ONE - seen_a)
                way_b[y, x, axis] = own_b * seen_b + (own_a - flow_a) * (_ONE - seen_b)
                away += (flow_a + flow_b) * (flow_a + flow_b)
            good_a = cover_a * from_a[y, x, 4] * each_a
            good_b = cover_b * from_b[y, x, 4] * each_b
            of_a = (_ONE - t) * (good_a + _LITTLE) * min(np.float32(4) * cover_a + _LITTLE, _ONE)
            of_b = t * (good_b + _LITTLE) * min(np.float32(4) * cover_b + _LITTLE, _ONE)
            depth_a, depth_b = from_a[y, x, 5] * each_a, from_b[y, x, 5] * each_b
            if away > _ONE:
                disagreement = min((np.sqrt(away) - _ONE) * np.float32(0.25), _ONE)
                ahead = min(max(depth_a - depth_b, np.float32(-4)), np.float32(4))
                of_b *= np.exp(-disagreement * ahead)
            part = of_a / (of_a + of_b)
            share[y, x] = part
            depth[y, x] = part * depth_a + (_ONE - part) * depth_b
            trust[y, x] = min(np.float32(3) * max(good_a, good_b), _ONE)


@njit([void(_Plane, _Plane, float32, float32)], fastmath=True, cache=True, nogil=True)
def soften(share: Array, trust: Array, even: float, softness: float) -> None:
    """Draw `share` towards `even` where `trust`, 0 to 1, is low: wholly times `softness` where it is 0. In place."""
    height, width = share.shape
    for y in range(height):
        for x in range(width):
            share[y, x] += softness * (_ONE - trust[y, x]) * (even - share[y, x])


@njit([void(_Stack, float32, _Numbers)], fastmath=True, cache=True, nogil=True)
def mark_jumps(way: Array, least: float, jumps: Array) -> None:
    """Set `jumps` (H, W) to 1 where `way` (H, W, 2) differs by more than `least` to the right or downwards."""
    height, width = jumps.shape
    for y in range(height):
        below = min(y + 1, height - 1)
        for x in range(width):
            right = min(x + 1, width - 1)
            for axis in range(2):
                here = way[y, x, axis]
                if abs(way[y, right, axis] - here) > least or abs(way[below, x, axis] - here) > least:
                    jumps[y, x] = 1


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


@njit(
    [void(_Numbers, _Bytes, _Plane, _Plane, _Numbers, _Bytes, float32, _Numbers, _Plane, _Plane)],
    fastmath=True,
    cache=True,
    nogil=True,
)
def join_edges(
    few: Array, small: Array, confidence: Array, depth: Array, mixed: Array, large: Array, farther: float,
    label: Array, confident: Array, deep: Array,
) -> None:  # fmt: skip
    """Give every full-size pixel near an edge of the labelling to the most similarly coloured working pixel around it.

    Args:
        few, small, confidence, depth: (h, w) labels, (h, w, 3) colours and what else is known at the working size.
        mixed, large: (H, W) not 0 near edges; (H, W, 3) colours at full size.
        farther: what one working pixel of distance counts for, in summed colour difference.
        label, confident, deep: (H, W), written where `mixed`: the label, confidence and depth of that working pixel.
    """
    rows, columns = few.shape
    height, width = label.shape
    for y in range(height):
        own_row = (2 * y + 1) * rows // (2 * height)
        for x in range(width):
            if mixed[y, x] == 0:
                continue
            own_column = (2 * x + 1) * columns // (2 * width)
            row, column, least = own_row, own_column, np.float32(1e9)
            for dy in range(-1, 2):
                near_row = min(max(own_row + dy, 0), rows - 1)
                for dx in range(-1, 2):
                    near_column = min(max(own_column + dx, 0), columns - 1)
                    difference = farther * np.float32(abs(dy) + abs(dx))
                    for channel in range(3):
                        difference += abs(
                            np.float32(small[near_row, near_column, channel]) - np.float32(large[y, x, channel])
                        )
                    if difference < least:
                        row, column, least = near_row, near_column, difference
            label[y, x] = few[row, column]
            confident[y, x] = confidence[row, column]
            deep[y, x] = depth[row, column]


@njit([void(_Numbers, _Volume, _Stack)], fastmath=True, cache=True, nogil=True)
def compose(label: Array, fields: Array, out: Array) -> None:
    """Write into every full-size pixel its layer's vector, bilinear between the working pixels.

    Args:
        label: (H, W) which of `fields` a pixel follows.
        fields: (K, h, w, 2) at the working size, vectors in pixels of the full size.
        out: (H, W, 2).
    """
    height, width = label.shape
    rows, columns = fields.shape[1], fields.shape[2]
    for y in range(height):
        # Pixel centres: full-size y lies at (y + 0.5) * rows / height - 0.5 of the working size.
        from_y = min(max((y + 0.5) * rows / height - 0.5, 0.0), rows - 1.0)
        top = min(int(from_y), max(rows - 2, 0))
        bottom, lower = min(top + 1, rows - 1), np.float32(from_y - top)
        for x in range(width):
            from_x = min(max((x + 0.5) * columns / width - 0.5, 0.0), columns - 1.0)
            left = min(int(from_x), max(columns - 2, 0))
            right, along = min(left + 1, columns - 1), np.float32(from_x - left)
            k = label[y, x]
            for axis in range(2):
                above = fields[k, top, left, axis]
                above += along * (fields[k, top, right, axis] - above)
                below = fields[k, bottom, left, axis]
                below += along * (fields[k, bottom, right, axis] - below)
                out[y, x, axis] = above + lower * (below - above)
