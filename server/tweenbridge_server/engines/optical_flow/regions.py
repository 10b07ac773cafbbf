"""Motions of flat regions: what a drawing is made of, where there is no texture to follow.

A region of even colour, with its outline and what it encloses, is compared with every unexplained region of like colour
and size in the other keyframe: shifted centre to centre, scaled by size, and turned in steps. Colour regions as things
to match are those of Matas et al. 2002 (stable extremal regions), found here by their borders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base import Map
from .fields import Matrix, Picture, length
from .fuse import Features

_FLAT = 6.0
"""Gradient (see fuse.Features) below which a pixel is of a flat region."""
_SMALLEST, _LARGEST = 80, 0.25
"""Pixels, and share of the picture, that a region may fill."""
_MOST = 6
"""Regions a side, the largest first."""
_UNEXPLAINED = 14.0
"""Mean cost above which no known motion explains a region."""
_ALIKE = 24.0
"""Mean colour difference up to which two regions may be one."""
_GROWTH = 1.8
"""How much a region's area may change, either way."""
_OUTLINE = 7
"""Pixels around a region that belong to it: its drawn outline, and the contrast beyond."""
_SAMPLES = 150
_TURNS = np.deg2rad(np.arange(-60, 61, 12))
_LITTLE = np.deg2rad(30)
_TURNING = 2.0
"""Cost of a turn, per radian: what is symmetrical turns as little as it can."""
_SOFT = 4.0
"""Pixels by which pictures are blurred where a region's way is first looked for, in coarse steps."""
_MATCH = 12.0
"""Mean colour difference up to which a region has found where it goes."""
_DIFFERENT = 30.0
"""A pixel that differs more than this differs, however much more: something else may hide it."""


@dataclass(frozen=True)
class _Region:
    centre: NDArray[np.float64]
    area: float
    colour: NDArray[np.float64]
    samples: NDArray[np.float32]


@dataclass(frozen=True)
class _Way:
    """How a region moves to another: a turn (radians), a factor of size, and a shift beyond centre to centre."""

    turn: float
    grow: float
    x: float
    y: float

    def matrix(self, region: _Region, other: _Region) -> Matrix:
        cos, sin = self.grow * np.cos(self.turn), self.grow * np.sin(self.turn)
        linear = np.array([[cos, -sin], [sin, cos]])
        shift = other.centre + np.array([self.x, self.y]) - linear @ region.centre
        return np.array([[*linear[0], shift[0]], [*linear[1], shift[1]], [0, 0, 1]])


Pair = tuple[Picture, Picture]


def region_motions(
    a: Picture, b: Picture, features_a: Features, features_b: Features, costs_a: Sequence[Map], costs_b: Sequence[Map]
) -> list[tuple[Matrix, NDArray[np.float32]]]:
    """Motions A to B of regions that nothing known explains, each with places (N, 2) of A that it was found at.

    Args:
        costs_a, costs_b: of each known motion what matching each pixel costs.
    """
    found = []
    soft = cv2.GaussianBlur(a, (0, 0), _SOFT), cv2.GaussianBlur(b, (0, 0), _SOFT)
    theirs = _regions(b, features_b, costs_b)
    for region in _regions(a, features_a, costs_a) if theirs else []:
        best, least = None, _MATCH
        for other in theirs:
            if (
                np.abs(region.colour - other.colour).mean() > _ALIKE
                or not 1 / _GROWTH < other.area / region.area < _GROWTH
            ):
                continue
            matrix, cost = _fitted((a, b), soft, region, other)
            if cost < least:
                best, least = matrix, cost
        if best is not None:
            found.append((best, region.samples))
    return found


def _regions(picture: Picture, features: Features, costs: Sequence[Map]) -> list[_Region]:
    gradient = length(features[1])
    flat = (gradient < _FLAT).astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(flat, connectivity=4)
    areas = stats[1:, cv2.CC_STAT_AREA]
    found: list[_Region] = []
    for part in np.argsort(-areas) + 1:
        area = stats[part, cv2.CC_STAT_AREA]
        if area < _SMALLEST or len(found) == _MOST:
            break
        if area > _LARGEST * flat.size:
            continue
        left, top, width, height = stats[part, :4]
        members = np.pad((parts[top : top + height, left : left + width] == part).astype(np.uint8), _OUTLINE)
        outline, _ = cv2.findContours(members, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        whole = cv2.drawContours(np.zeros_like(members), outline, -1, 1, cv2.FILLED)
        y, x = np.nonzero(cv2.dilate(whole, np.ones((_OUTLINE, _OUTLINE), np.uint8)))
        x, y = x + left - _OUTLINE, y + top - _OUTLINE
        inside = (x >= 0) & (y >= 0) & (x < flat.shape[1]) & (y < flat.shape[0])
        x, y = x[inside], y[inside]
        worth = np.minimum(gradient[y, x] / 20, 1) + np.float32(0.1)
        if min(np.average(cost[y, x], weights=worth) for cost in costs) < _UNEXPLAINED:
            continue
        chosen = np.searchsorted(np.cumsum(worth), np.linspace(0, worth.sum(), _SAMPLES, endpoint=False))
        x, y = x[chosen], y[chosen]
        colour = picture[parts == part].mean(axis=0)
        wy, wx = np.nonzero(whole)
        centre = np.array([wx.mean() + left - _OUTLINE, wy.mean() + top - _OUTLINE])
        found.append(_Region(centre, float(whole.sum()), colour, np.column_stack([x, y]).astype(np.float32)))
    return found


def _fitted(sharp: Pair, soft: Pair, region: _Region, other: _Region) -> tuple[Matrix, float]:
    """The turn, scale and shift that bring `region` onto `other`, and what it costs: coarse to fine."""
    scale = np.sqrt(other.area / region.area)
    reach = 0.15 * np.sqrt(region.area)
    trials = [
        _Way(turn, scale * grow, dx * reach, dy * reach)
        for turn in _TURNS
        for grow in (1, 1.12, 1 / 1.12)
        for dx in (-1, 0, 1)
        for dy in (-1, 0, 1)
    ]
    costs = _costs(*soft, region, other, trials)
    worth = [cost + _TURNING * abs(way.turn) for cost, way in zip(costs, trials)]
    trials = [trials[at] for at in np.argsort(worth, kind="stable")]
    little = [way for way in trials if abs(way.turn) <= _LITTLE]
    fitted = [_refined(sharp, region, other, way) for way in (*trials[:2], *little[:2])]
    way, cost = min(fitted, key=lambda each: each[1] + _TURNING * abs(each[0].turn))
    return way.matrix(region, other), cost


def _refined(pair: Pair, region: _Region, other: _Region, way: _Way) -> tuple[_Way, float]:
    """`way` made cheaper by ever smaller steps of one parameter at a time."""
    least = _costs(*pair, region, other, [way])[0]
    for step in (8.0, 4.0, 2.0, 1.0):
        turn, grow = step / 50, 1 + step / 80
        for _ in range(3):
            near = [
                replace(way, x=way.x + step),
                replace(way, x=way.x - step),
                replace(way, y=way.y + step),
                replace(way, y=way.y - step),
                replace(way, turn=way.turn + turn),
                replace(way, turn=way.turn - turn),
                replace(way, grow=way.grow * grow),
                replace(way, grow=way.grow / grow),
            ]
            costs = _costs(*pair, region, other, near)
            if min(costs) >= least:
                break
            least = min(costs)
            way = near[costs.index(least)]
    return way, least


def _costs(a: Picture, b: Picture, region: _Region, other: _Region, ways: Sequence[_Way]) -> list[float]:
    """Of each way the mean colour difference between the region's samples and where they go, up to _DIFFERENT each."""
    here = region.samples[None]
    matrices = [way.matrix(region, other)[:2].astype(np.float32) for way in ways]
    there = np.concatenate([cv2.transform(here, matrix) for matrix in matrices])
    # Together: a call of OpenCV for a hundred samples takes longer than the samples do.
    difference = np.abs(_colours(b, there) - _colours(a, here))
    return [float(cost) for cost in np.minimum(difference.mean(axis=2), _DIFFERENT).mean(axis=1)]


def _colours(picture: Picture, places: NDArray[np.float32]) -> NDArray[np.float32]:
    return cv2.remap(picture, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
