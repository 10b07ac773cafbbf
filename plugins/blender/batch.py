# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs of a shot that belong together, as the server is asked for them and as they go on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .plan import JobPlan

if TYPE_CHECKING:
    from tweenbridge import JobHandle, Timing


class Batch:
    """The jobs of a shot that belong together: those of the draft, or those of what was asked for."""

    def __init__(self, draft: bool, folder: Path) -> None:
        self.draft = draft
        self.folder = folder
        self.handles: dict[str, JobHandle] = {}
        self.notes: list[str] = []
        self.inserted = False

    @property
    def done(self) -> bool:
        """Every frame is on disk."""
        return all(handle.ended and handle.error is None for handle in self.handles.values())

    @property
    def total(self) -> int:
        """Drawings to make."""
        return sum(handle.total for handle in self.handles.values())

    @property
    def received(self) -> int:
        """Drawings on disk."""
        return sum(handle.received for handle in self.handles.values())

    @property
    def eta(self) -> float | None:
        """Seconds left, where the server knows."""
        known = [handle.info.eta for handle in self.handles.values() if handle.info and not handle.ended]
        left = [eta for eta in known if eta is not None]
        return sum(left) if left else None

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1."""
        done = [(h.info.fraction if h.info and not h.ended else float(h.ended), h.total) for h in self.handles.values()]
        return sum(fraction * total for fraction, total in done) / max(1, sum(total for _, total in done))


def job_drawings(job: JobPlan) -> tuple[int, ...]:
    """The numbers of a job's drawings."""
    return tuple(sorted({drawing for strip in job.strips for drawing in strip.drawings}))


def timing_of(job: JobPlan) -> Timing:
    """A job's timing as the client takes it."""
    from tweenbridge import Spacing, Timing

    return Timing(**{**job.timing, "spacing": Spacing(job.timing["spacing"])})
