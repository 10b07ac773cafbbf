"""The motions that may explain a part of the frame: free fields, and affine motions of parts that move as wholes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..base import Flow
from .fields import Matrix, Picture, affine_flow, fit_affine, is_plausible, length, round_trip
from .fuse import GuidedFilter, features, match_cost, texture
from .matching import dense_flow, feature_motions, long_jumps
from .pictures import grey

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
_MOST_AFFINE = 8
"""The best supported come first; every further one costs time."""
_FIT = 1.5
_FITTING = 0.6
"""Share of a part that its affine motion must describe to within _FIT pixels."""


@dataclass(frozen=True)
class Hypothesis:
    """A motion of the whole frame. `matrix` is A to B where the motion is affine, None where it is a free field."""

    forward: Flow
    backward: Flow
    matrix: Matrix | None = None


@dataclass(frozen=True)
class Hypotheses:
    """What may explain the keyframes.

    Attributes:
        plain: the dense flow found from nothing.
        jumped: the dense flow found from exhaustive search.
        started: dense flows found from the best supported affine motions.
        affine: motions of parts that move as wholes, no two the same.
    """

    plain: Hypothesis
    jumped: Hypothesis
    started: Sequence[Hypothesis]
    affine: Sequence[Hypothesis]

    @property
    def free(self) -> list[Hypothesis]:
        """All free fields, the plain one first."""
        return [self.plain, *self.started, self.jumped]


def find_hypotheses(a: Picture, b: Picture) -> Hypotheses:
    """Search both working pictures in every way."""
    grey_a, grey_b = grey(a), grey(b)

    def dense(forward: Flow | None = None, backward: Flow | None = None) -> Hypothesis:
        return Hypothesis(dense_flow(grey_a, grey_b, forward), dense_flow(grey_b, grey_a, backward))

    plain = dense()
    affine: list[Hypothesis] = []
    _add(affine, fit_affine(plain.forward, np.ones(grey_a.shape, np.float32)), plain)
    started: list[Hypothesis] = []
    for motion in feature_motions(grey_a, grey_b):
        is_new = _add(affine, motion.matrix, plain)
        if is_new and len(started) < _STARTS and motion.support >= _ENOUGH_MATCHES:
            started.append(dense(affine[-1].forward, affine[-1].backward))
    jumped = dense(*long_jumps(a, b))
    for free in (plain, *started, jumped):
        for matrix in _unexplained_parts(a, b, free, affine):
            _add(affine, matrix, plain)
    return Hypotheses(plain, jumped, started, affine)


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


def _unexplained_parts(a: Picture, b: Picture, free: Hypothesis, known: Sequence[Hypothesis]) -> list[Matrix]:
    """Affine motions of connected, textured parts that a free field matches well and no known affine motion does."""
    here, there = features(a), features(b)
    smooth = GuidedFilter(grey(a), 2, 10.0)
    cost = smooth(match_cost(here, there, free.forward))
    unexplained = (cost < _GOOD_MATCH) & (round_trip(free.forward, free.backward) < _FIT)
    for motion in known:
        unexplained &= length(cv2.subtract(free.forward, motion.forward)) >= _NEAR
        unexplained &= smooth(match_cost(here, there, motion.forward)) >= cost + _AS_GOOD
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
