# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it will still take, said only once that is settled. Pure."""

from __future__ import annotations

_WATCHED = 2.0
"""Seconds for which estimates have to agree."""
_APART = 0.25
"""How far apart they may be, as a part of the time left; a second is always allowed."""


class Countdown:
    """Estimates of when something ends, as they come."""

    def __init__(self) -> None:
        self._ends: list[tuple[float, float]] = []

    def add(self, now: float, left: float | None) -> None:
        """Take an estimate.

        Args:
            now: seconds of a steady clock.
            left: seconds left, or None where nobody knows.
        """
        if left is None:
            self._ends.clear()
            return
        self._ends.append((now, now + left))
        # One from before the time that is watched stays, to tell that it is covered.
        while len(self._ends) > 1 and self._ends[1][0] <= now - _WATCHED:
            del self._ends[0]

    def left(self, now: float) -> float | None:
        """Seconds left; None while there are no estimates of two seconds that agree."""
        if not self._ends or self._ends[0][0] > now - _WATCHED:
            return None
        ends = [end for _, end in self._ends]
        left = max(0.0, ends[-1] - now)
        return left if max(ends) - min(ends) <= max(1.0, _APART * left) else None
