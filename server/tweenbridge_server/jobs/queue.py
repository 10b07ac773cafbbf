"""Which gap goes next: by priority, then by order of submission, then by place in the job.

The unit is one gap, so an interactive job overtakes a long one as soon as the gap being made is finished.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from tweenbridge.protocol.messages import Priority


@dataclass(frozen=True, order=True)
class QueuedGap:
    """One gap waiting for a worker. Compares by what goes first."""

    priority: Priority
    order: int
    gap: int
    job: str = field(compare=False)


class GapQueue:
    """A heap of gaps. Gaps of jobs that ended meanwhile are the caller's to skip."""

    def __init__(self) -> None:
        self._heap: list[QueuedGap] = []

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, gap: QueuedGap) -> None:
        """Let a gap wait."""
        heapq.heappush(self._heap, gap)

    def pop(self) -> QueuedGap:
        """Take the gap that goes next. IndexError when none waits."""
        return heapq.heappop(self._heap)
