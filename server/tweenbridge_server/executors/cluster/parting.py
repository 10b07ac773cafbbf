"""Into how many parts a gap goes, from what gaps of its kind have cost before. Pure arithmetic.

Every part repeats what all in-betweens have in common (an estimate of motion, the inversion of both keyframes), so
parting pays where that is little beside the in-betweens themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..base import Cost

WORTH = 0.9
"""A gap is parted when that takes less than this share of the time in one piece: parts cost others their place."""


def part(count: int, cost: Cost, delays: Sequence[float]) -> list[int]:
    """How many of a gap's `count` in-betweens to give to each of the actors, in order of time.

    Args:
        cost: of a gap of this kind.
        delays: for each actor that is free, in seconds: how much later than at once it could begin, for it must start
            or load a model first. Ascending.

    Returns:
        the sizes of the parts, for the first actors of `delays`; all in one where that is as fast. Each but the last is
        a multiple of `cost.together`, and none is 0, unless `count` is.
    """
    whole = [count]
    if cost.together < 1 or cost.each <= 0 or count <= cost.together:
        return whole
    groups = -(-count // cost.together)
    best, shortest = whole, _duration(whole, cost, delays) * WORTH
    for actors in range(2, min(len(delays), groups) + 1):
        sizes = _sizes(count, groups, cost, delays[:actors])
        duration = _duration(sizes, cost, delays)
        if duration < shortest:
            best, shortest = sizes, duration
    return best


def _duration(sizes: Sequence[int], cost: Cost, delays: Sequence[float]) -> float:
    """Seconds until the last part is done."""
    return max(delay + cost.common + size * cost.each for size, delay in zip(sizes, delays))


def _sizes(count: int, groups: int, cost: Cost, delays: Sequence[float]) -> list[int]:
    """Parts that are done at about the same time: group after group to the actor that would be done with it first."""
    given = [1] * len(delays)
    step = cost.together * cost.each
    for _ in range(groups - len(delays)):
        # Of equals the last: its last group may be a small one.
        soonest = min(range(len(delays)), key=lambda actor: (delays[actor] + given[actor] * step, -actor))
        given[soonest] += 1
    sizes = [number * cost.together for number in given]
    sizes[-1] -= groups * cost.together - count
    return sizes
