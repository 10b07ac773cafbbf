"""The motions that may explain a part of the frame: free fields, and affine motions of parts that move as wholes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..base import Flow, Map
from .correspondences import Correspondences
from .fields import Matrix, Picture, affine_flow, fit_affine, is_plausible, length, round_trip
from .fuse import Features, GuidedFilter, features, match_cost, texture
from .matching import AffineMotion, aligned, dense_flow, long_jumps
from .pictures import grey
from .regions import region_motions

_SAME = 0.7
"""Mean distance, in pixels, below which two affine motions are one."""
_STARTS = 2
"""How many of the best supported affine motions the dense search also starts from."""
_ENOUGH_MATCHES = 12

_GOOD_MATCH = 12.0
_AS_GOOD = 10.0
"""A part is explained already where a known motion costs at most this much more than the free field."""
_NEAR = 5.0
"""Or where a known motion is this near, in pixels."""
_LEAST_PART = 100.0
"""Textured pixels that a part needs."""
_MOST_PARTS = 4
_MOST_AFFINE = 6
"""The best supported come first; every further one costs time."""
_FIT = 1.5
_FITTING = 0.6
"""Share of a part that its affine motion must describe to within _FIT pixels."""
_FLAT_DRAWING = 0.5
"""Share of pixels without any gradient that makes a picture a flat drawing."""


@dataclass(frozen=True)
class Hypothesis:
    """A motion of the whole frame. `matrix` is A to B where the motion is affine, None where it is a free field."""

    forward: Flow
    backward: Flow
    matrix: Matrix | None = None

    def cost_forward(self, here: Features, there: Features) -> Map:
        """What matching each pixel of A with B costs."""
        return match_cost(here, there, self.forward, None if self.matrix is None else self.matrix[:2, :2])

    def cost_backward(self, here: Features, there: Features) -> Map:
        """What matching each pixel of B with A costs."""
        linear: Matrix | None = None if self.matrix is None else cv2.invert(self.matrix[:2, :2])[1]
        return match_cost(here, there, self.backward, linear)


@dataclass(frozen=True)
class Hypotheses:
    """What may explain the keyframes.

    Attributes:
        plain: the dense flow found from nothing.
        jumped: the dense flow found from exhaustive search.
        matched: the dense flow found from the network's correspondences.
        coarse: those correspondences themselves.
        started: dense flows found from the best supported affine motions.
        affine: motions of parts that move as wholes, no two the same.
    """

    plain: Hypothesis
    jumped: Hypothesis
    matched: Hypothesis
    coarse: Hypothesis
    started: Sequence[Hypothesis]
    affine: Sequence[Hypothesis]

    @property
    def searched(self) -> list[Hypothesis]:
        """The free fields that are found without the network, the plain one first."""
        return [self.plain, *self.started, self.jumped]

    @property
    def free(self) -> list[Hypothesis]:
        """All free fields, the plain one first."""
        return [*self.searched, self.matched, self.coarse]


def dense(a: Picture, b: Picture, start: Hypothesis | None = None) -> Hypothesis:
    """Dense flow both ways, searched from `start` where one is given."""
    grey_a, grey_b = grey(a), grey(b)
    forward, backward = (None, None) if start is None else (start.forward, start.backward)
    return Hypothesis(dense_flow(grey_a, grey_b, forward), dense_flow(grey_b, grey_a, backward))


def find_hypotheses(
    a: Picture, b: Picture, motions: Sequence[AffineMotion], plain: Hypothesis, correspondences: Correspondences
) -> Hypotheses:
    """Search both working pictures in every way.

    Args:
        motions: what their features tell.
        plain: the dense flow found from nothing.
        correspondences: what the matcher network tells.
    """
    grey_a, grey_b = grey(a), grey(b)
    affine: list[Hypothesis] = []
    _add(affine, fit_affine(plain.forward, np.ones(grey_a.shape, np.float32)), plain)
    started: list[Hypothesis] = []
    for motion in motions:
        is_new = _add(affine, motion.matrix, plain)
        if is_new and len(started) < _STARTS and motion.support >= _ENOUGH_MATCHES:
            started.append(dense(a, b, affine[-1]))
    jumped = dense(a, b, Hypothesis(*long_jumps(a, b)))
    coarse = Hypothesis(correspondences.forward, correspondences.backward)
    matched = dense(a, b, coarse)
    here, there = features(a), features(b)
    if is_flat(here):
        costs_a = [known.cost_forward(here, there) for known in affine]
        costs_b = [known.cost_backward(there, here) for known in affine]
        for matrix, places in region_motions(a, b, here, there, costs_a, costs_b):
            _add(affine, aligned(grey_a, grey_b, matrix, places), plain)
    smooth = GuidedFilter(grey_a, 2, 10.0)
    costs: list[Map] = []
    for free in (plain, *started, jumped, matched):
        costs += [smooth(known.cost_forward(here, there)) for known in affine[len(costs) :]]
        cost = smooth(match_cost(here, there, free.forward))
        for matrix in _unexplained_parts(here, free, cost, affine, costs):
            _add(affine, matrix, plain)
    return Hypotheses(plain, jumped, matched, coarse, started, affine)


def is_flat(picture: Features) -> bool:
    """Whether most of a picture has no gradient: a flat drawing, in which little tells one motion from another."""
    return bool((texture(picture, reach=1, full=1.0) < 1).mean() > _FLAT_DRAWING)


def _add(known: list[Hypothesis], matrix: Matrix, like: Hypothesis) -> bool:
    """Append an affine motion of the size of `like`, if it is plausible and new."""
    if len(known) >= _MOST_AFFINE or not is_plausible(matrix):
        return False
    height, width = like.forward.shape[:2]
    inverse: Matrix = cv2.invert(matrix)[1]
    new = Hypothesis(affine_flow(matrix, height, width), affine_flow(inverse, height, width), matrix)
    if any(length(cv2.subtract(new.forward, other.forward)).mean() < _SAME for other in known):
        return False
    known.append(new)
    return True


def _unexplained_parts(
    here: Features, free: Hypothesis, cost: Map, known: Sequence[Hypothesis], costs: Sequence[Map]
) -> list[Matrix]:
    """Affine motions of connected, textured parts that a free field matches well and no known affine motion does.

    `cost` is what matching each pixel costs along the free field, `costs` along the known motions.
    """
    unexplained = (cost < _GOOD_MATCH) & (round_trip(free.forward, free.backward) < _FIT)
    for motion, other in zip(known, costs):
        unexplained &= length(cv2.subtract(free.forward, motion.forward)) >= _NEAR
        unexplained &= other >= cost + _AS_GOOD
    opened = cv2.morphologyEx(unexplained.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, parts, stats, _ = cv2.connectedComponentsWithStats(opened)
    worth = texture(here, reach=3, full=20.0)
    found = []
    for part in np.argsort(-stats[1:, cv2.CC_STAT_AREA])[:_MOST_PARTS] + 1:
        members = parts == part
        if worth[members].sum() < _LEAST_PART:
            continue
        matrix = fit_affine(free.forward, members.astype(np.float32))
        off = length(cv2.subtract(affine_flow(matrix, *members.shape), free.forward))[members]
        if (off < _FIT).mean() > _FITTING:
            found.append(matrix)
    return found
