"""The arbiter's word on an in-between: which keyframe to show where, and by how much what is brought there is off.

Flow that is wrong tears pictures to pieces, and no rule about costs and labels tells every wrong flow. The arbiter is a
small network that looks at both keyframes as they would be brought to the in-between, and was trained on drawings to
make one whole picture of them: where they agree it leaves them alone, where they do not it decides for one and moves
its edges into place. It works at half the working size and says what to change; the keyframes themselves are sampled
once, at full size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Flow, Map
from . import quality
from .fields import Picture, pixel_grid, sample
from .light import shown_in_both
from .synthesise import Ways
from .tracks import Estimate

Ask = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""The network: (INPUTS, h, w) in, (OUTPUTS, h, w) out, in the order of `benchmarks/network/networks.py`."""

INPUTS: Final = 37
OUTPUTS: Final = 20

_STEP: Final = 16
"""Sides of the working picture are filled up to multiples of this."""
_FLOW_SCALE: Final = np.float32(1 / 16)
_RESIDUAL_SCALE: Final = np.float32(8)
_NEAR: Final = 9
"""Pixels to a side of what is around a pixel."""
_ALIKE, _UNLIKE = np.float32(0.04), np.float32(0.12)
"""Greatest difference of colours around a pixel up to which the keyframes agree, and from which they do not."""
_JITTER: Final = 2.5
"""Standard deviation, in working pixels, of what smooths ways."""
_LEAST_ODDS: Final = np.float32(1e-3)


def decided_ways(ask: Ask, estimate: Estimate, size: tuple[int, int], t: float) -> Ways:
    """Where the pixels of the picture at time t, 0 < t < 1, have come from, at `size` (height, width).

    Layers are exact, and need no arbiter; free-form motion is found, and decided upon, at the working size.
    """
    if estimate.pictures is None:
        return quality.ways(estimate, size, t)
    found = quality.ways(estimate, estimate.a.depth.shape, t)
    return enlarged(arbitrate(ask, *estimate.pictures, found, t), *size)


def arbitrate(ask: Ask, a: Picture, b: Picture, ways: Ways, t: float) -> Ways:
    """The ways of an in-between after the arbiter's word.

    Args:
        ask: the network.
        a, b: the working pictures.
        ways: at their size, of the picture at time t.
    """
    height, width = ways.share.shape
    grid = pixel_grid(height, width)
    pictures = [picture.astype(np.float32) * np.float32(1 / 255) for picture in (a, b)]
    of_a, of_b = (
        sample(picture, cv2.subtract(grid, way)) for picture, way in zip(pictures, (ways.from_a, ways.from_b))
    )
    apart = cv2.transform(cv2.absdiff(of_a, of_b), np.full((1, 3), 1 / 3, np.float32))[..., None]
    flow = np.concatenate([ways.from_a, ways.from_b], axis=2) * -_FLOW_SCALE
    parts = [_unshuffled(_filled(each)) for each in (of_a, of_b)]
    parts += [_halved(_filled(each)) for each in (*pictures, flow, ways.share[..., None], ways.trust[..., None], apart)]
    out = ask(np.concatenate(parts))
    asked = _asked(apart[..., 0])
    residual = _shuffled(out[:16])[:height, :width] * (_RESIDUAL_SCALE * asked[..., None])
    odds = _shuffled(out[16:])[:height, :width, 0] * asked
    share = np.clip(ways.share, _LEAST_ODDS, 1 - _LEAST_ODDS)
    # The logistic function of the log odds and what is added to them.
    decided = share / (share + (1 - share) * np.exp(-odds))
    # What both keyframes should show, and do not show alike, is the arbiter's guess.
    trust = ways.trust * (1 - asked * shown_in_both(ways.share, t))
    from_a, from_b = (
        _smoothed(way, asked * (1 - ways.trust)) - moved
        for way, moved in ((ways.from_a, residual[..., :2]), (ways.from_b, residual[..., 2:]))
    )
    return Ways(from_a, from_b, decided, trust)


def _smoothed(way: Flow, doubt: Map) -> Flow:
    """A way without the jitter of single pixels where it is in `doubt`, 0 to 1: jitter frays outlines."""
    smooth: Flow = way + doubt[..., None] * (cv2.GaussianBlur(way, (0, 0), _JITTER) - way)
    return smooth


def _asked(apart: Map) -> Map:
    """(H, W) how far the arbiter is asked, 0 to 1: where what both keyframes show around a pixel agrees, it is not.

    Args:
        apart: (H, W) by how much they differ, 0 to 1.
    """
    most = cv2.dilate(apart, np.ones((_NEAR, _NEAR), np.uint8))
    return np.clip((cv2.blur(most, (_NEAR, _NEAR)) - _ALIKE) / (_UNLIKE - _ALIKE), 0, 1)


def _filled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W, C) up to multiples of the step, the border repeated."""
    height, width = values.shape[:2]
    return np.pad(values, ((0, -height % _STEP), (0, -width % _STEP), (0, 0)), mode="edge")


def _halved(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(C, H / 2, W / 2) means of 2 x 2 pixels."""
    height, width = values.shape[:2]
    half = cv2.resize(values, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return half.reshape(height // 2, width // 2, -1).transpose(2, 0, 1)


def _unshuffled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(4 C, H / 2, W / 2): the pixels of each 2 x 2 as channels."""
    height, width, channels = values.shape
    split = values.reshape(height // 2, 2, width // 2, 2, channels)
    return split.transpose(4, 1, 3, 0, 2).reshape(4 * channels, height // 2, width // 2)


def _shuffled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(2 h, 2 w, C / 4), the other way round."""
    channels, height, width = values.shape
    split = values.reshape(channels // 4, 2, 2, height, width)
    return split.transpose(3, 1, 4, 2, 0).reshape(2 * height, 2 * width, channels // 4)


def enlarged(ways: Ways, height: int, width: int) -> Ways:
    """Ways at another size of the same picture, all of them smooth."""
    rows, columns = ways.share.shape
    if (rows, columns) == (height, width):
        return ways
    size = (width, height)
    longer = np.array([width / columns, height / rows], np.float32)
    from_a, from_b = (
        cv2.resize(way * longer, size, interpolation=cv2.INTER_LINEAR) for way in (ways.from_a, ways.from_b)
    )
    return Ways(from_a, from_b, cv2.resize(ways.share, size), cv2.resize(ways.trust, size))
