"""What one estimate of the motion between two keyframes says at any time: drawings, and how far to believe them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from ..base import Gap, Image, Map, Motion
from .fields import Mask, pixel_grid, sample
from .kept import find_kept
from .light import Light, enlarged, relight, shown_in_both
from .synthesise import Ways, draw
from .tracks import Estimate, Report, enlarge
from .unseen import paint

_DIFFERENT = np.float32(0.045)
"""RMS difference of what the keyframes show, around one pixel of an in-between, that halves its trust."""
_EXCUSED = np.float32(1 / 3)
"""What such a difference counts for where the picture is drawn from one keyframe alone: the other hides the place."""
_EXPLAINED = np.float32(0.7)
"""Trust of what only one keyframe shows, where the other is known to show something there that moved away."""
_AROUND = 5
"""Side of the square, in pixels, that counts as around a pixel."""


@dataclass(frozen=True)
class Recipe:
    """How a profile works.

    Attributes:
        estimate: the motion of a gap; told what to report progress to.
        ways: of an estimate, at a size (height, width) and a time: where the pixels have come from.
        interpolation: with which the keyframes are sampled, cv2.INTER_LINEAR or cv2.INTER_CUBIC.
        relights: changes of light are found; that needs ways whose trust tells wrong motion.
    """

    estimate: Callable[[Gap, Report], Estimate]
    ways: Callable[[Estimate, tuple[int, int], float], Ways]
    interpolation: int
    relights: bool


class FlowGuide:
    """The motion of one gap, estimated once."""

    def __init__(self, gap: Gap, estimate: Estimate, recipe: Recipe) -> None:
        self._gap, self._estimate, self._recipe = gap, estimate, recipe
        self._light = Light(gap) if recipe.relights else None

    @cached_property
    def _kept(self) -> Mask | None:
        """What stays as it is."""
        return find_kept(self._gap, self.motion) if self._recipe.relights else None

    def motion(self) -> Motion:
        """The flow both ways at the keyframes' size, and how far it can be trusted."""
        height, width = self._gap.a.shape[:2]
        a, b = enlarge(self._estimate.a, height, width), enlarge(self._estimate.b, height, width)
        return Motion(a.flow, b.flow, a.confidence, b.confidence)

    def drawing(self, t: float) -> Image:
        """The in-between at time t, 0 < t < 1, of the gap's shape."""
        ways = self._ways(t)
        return self._drawn(ways, self._change(ways, t), t)

    def in_between(self, t: float) -> tuple[Image, Map]:
        """The drawing at time t, 0 < t < 1, and its trust (H, W): how far each pixel can be believed, 0 to 1.

        Trust is low where nothing arrives or what does is not trusted itself, and where A and B, each brought to t,
        show different things, changes of light set aside; unless what one of them shows there is known to have moved
        away, which uncovers what the other shows. On pictures of known truth, see the tests, it tells the pixels that
        flow gets right from those it gets wrong; what it cannot see is motion that is wrong but looks right, as on a
        fence.
        """
        ways = self._ways(t)
        change = self._change(ways, t)
        return self._drawn(ways, change, t), self._trust(ways, change, t)

    def _ways(self, t: float) -> Ways:
        height, width = self._gap.a.shape[:2]
        return self._recipe.ways(self._estimate, (height, width), t)

    def _change(self, ways: Ways, t: float) -> Image | None:
        """(H, W, C) by how much B is lighter than A; None where there is nothing to notice."""
        change = None if self._light is None else self._light.change(ways, t)
        return None if change is None else enlarged(change, ways.share.shape)

    def _drawn(self, ways: Ways, change: Image | None, t: float) -> Image:
        drawing = draw(self._gap, ways, self._recipe.interpolation)
        if change is not None:
            relight(drawing, ways.share, change, t)
        if ways.unseen is not None:
            paint(drawing, ways.unseen)
        if self._kept is not None:
            cv2.copyTo(self._gap.a, self._kept.view(np.uint8), drawing)
        return drawing

    def _trust(self, ways: Ways, change: Image | None, t: float) -> Map:
        both = shown_in_both(ways.share, t)
        different = _difference(self._gap, ways, change) * (_EXCUSED + (1 - _EXCUSED) * both)
        uncovered = _EXPLAINED * (1 - both) * self._moved_away(ways)
        return ways.trust * np.maximum(_half_at(different, _DIFFERENT), uncovered)

    def _moved_away(self, ways: Ways) -> Map:
        """How surely the keyframe that a pixel is not drawn from shows, at its place, something seen in the other."""
        grid = pixel_grid(*ways.share.shape)
        size = (grid.shape[1], grid.shape[0])
        in_a, in_b = (
            sample(cv2.resize(tracks.confidence, size), cv2.subtract(grid, way))
            for tracks, way in ((self._estimate.a, ways.from_a), (self._estimate.b, ways.from_b))
        )
        return np.where(ways.share > 0.5, in_b, in_a)


def _difference(gap: Gap, ways: Ways, change: Image | None) -> Map:
    """RMS difference between A and B, each brought to the in-between, around each of its pixels; light set aside."""
    grid = pixel_grid(*ways.share.shape)
    of_a, of_b = (sample(image, cv2.subtract(grid, way)) for image, way in ((gap.a, ways.from_a), (gap.b, ways.from_b)))
    apart = cv2.subtract(of_b, of_a)
    if change is not None:
        apart = cv2.subtract(apart, change)
    channels = gap.a.shape[2]
    square = cv2.transform(cv2.multiply(apart, apart), np.full((1, channels), 1 / channels, np.float32))
    # A running sum may leave a trace of what it has passed: below zero, too.
    return np.sqrt(np.maximum(cv2.blur(square, (_AROUND, _AROUND)), 0))


def _half_at(values: Map, middle: np.float32) -> Map:
    """1 at 0, a half at `middle`, falling with the square beyond."""
    relative = values / middle
    return np.reciprocal(1 + relative * relative)
