"""What the estimate hands to the synthesis: each pixel's way from its own keyframe to the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Flow, Map
from .fields import Picture, scaled

Report = Callable[[float, str], None]
"""Called between the steps of an estimate with the share that is done, 0 to 1, and what comes next; see
`engines.base.Progress`."""

Rows = NDArray[np.floating]
"""(H,) a number for each row."""

STRAIGHT: Flow = np.zeros((1, 1, 2), np.float32)
"""The bend of tracks none of which curves."""


@dataclass(frozen=True)
class Tracks:
    """Ways of the pixels of one keyframe.

    A pixel at x is, a share s of the way to the other keyframe, at x + s * flow + s * (1 - s) * bend.

    Attributes:
        flow: (H, W, 2) the whole way, in pixels.
        bend: (H, W, 2) how the way curves (turning things move on arcs); STRAIGHT where nothing turns.
        confidence: (H, W) 0 to 1, the pixel is visible in the other keyframe and its flow is trusted.
        depth: (H, W) log importance: of two pixels that land on the same place, the higher is in front.
    """

    flow: Flow
    bend: Flow
    confidence: Map
    depth: Map

    @property
    def is_bent(self) -> bool:
        """Whether any way curves."""
        return self.bend.shape == self.flow.shape

    @cached_property
    def reach(self) -> _Reach:
        """How far up and down the pixels of each row go."""
        return _Reach(*_extremes(self.flow), *_extremes(self.bend))


@dataclass(frozen=True)
class _Reach:
    """The least and the greatest vertical part of flow and of bend, per row (H,) or, where nothing bends, (1,)."""

    up: Rows
    down: Rows
    bend_up: Rows
    bend_down: Rows

    def rows(self, along: float) -> tuple[Rows, Rows]:
        """Between which two rows each row's pixels lie, a share `along` of their way."""
        arc = along * (1 - along)
        start = np.arange(len(self.up))
        return start + along * self.up + arc * self.bend_up, start + along * self.down + arc * self.bend_down


def _extremes(field: Flow) -> tuple[Rows, Rows]:
    vertical = field[..., 1]
    return vertical.min(axis=1), vertical.max(axis=1)


@dataclass(frozen=True)
class Estimate:
    """The tracks of a gap: of A's pixels and of B's.

    Attributes:
        pictures: the working pictures that an arbiter should look at; None where the tracks are exact without.
    """

    a: Tracks
    b: Tracks
    pictures: tuple[Picture, Picture] | None = None


def enlarge(tracks: Tracks, height: int, width: int) -> Tracks:
    """Tracks at the keyframe's full size."""
    if tracks.depth.shape == (height, width):
        return tracks
    return Tracks(
        scaled(tracks.flow, height, width),
        tracks.bend if tracks.bend is STRAIGHT else scaled(tracks.bend, height, width),
        cv2.resize(tracks.confidence, (width, height)),
        cv2.resize(tracks.depth, (width, height)),
    )
