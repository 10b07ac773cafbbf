"""Which gap goes next: by priority, then clients in turn, then by order of submission, then by place in the job.

The unit is one gap, so an interactive job overtakes a long one as soon as the gap being made is finished, and nobody's
thousand jobs keep another client waiting for longer than a gap.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from tweenbridge.protocol.messages import Priority

_MOST_REMEMBERED = 4096
"""Owners whose last turn is remembered; beyond that those with nothing waiting are forgotten."""


@dataclass(frozen=True, order=True)
class QueuedGap:
    """One gap waiting for a worker. Compares, among one owner's, by what goes first."""

    priority: Priority
    order: int
    gap: int
    job: str = field(compare=False)
    owner: str = field(compare=False, default="")


class GapQueue:
    """A heap of gaps for each priority and owner. Gaps of jobs that ended meanwhile are the caller's to skip."""

    def __init__(self) -> None:
        self._heaps: dict[Priority, dict[str, list[QueuedGap]]] = {priority: {} for priority in sorted(Priority)}
        self._length = 0
        self._served: dict[str, int] = {}
        self._turn = 0

    def __len__(self) -> int:
        return self._length

    def push(self, gap: QueuedGap) -> None:
        """Let a gap wait."""
        heapq.heappush(self._heaps[gap.priority].setdefault(gap.owner, []), gap)
        self._length += 1

    def pop(self) -> QueuedGap:
        """Take the gap that goes next: of the owners with the most urgent gaps, the one whose turn is longest ago.

        Raises:
            IndexError: none waits.
        """
        heaps = next((heaps for heaps in self._heaps.values() if heaps), None)
        if heaps is None:
            raise IndexError("no gap waits")
        owner = min(heaps, key=lambda owner: (self._served.get(owner, 0), heaps[owner][0]))
        gap = heapq.heappop(heaps[owner])
        self._length -= 1
        if not heaps[owner]:
            del heaps[owner]
        return gap

    def served(self, owner: str) -> None:
        """A gap of that owner has gone to a worker: the others come first now."""
        self._turn += 1
        self._served[owner] = self._turn
        if len(self._served) > _MOST_REMEMBERED:
            waiting = {owner for heaps in self._heaps.values() for owner in heaps}
            self._served = {name: turn for name, turn in self._served.items() if name in waiting or name == owner}
