"""Where the time of a task goes: into what all its frames have in common, into each of them, into loading the model."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..engines.base import DRAWING, LOADING
from .base import Cost


class Spent:
    """A stopwatch that hears of the stages that an engine reports."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._began = now()
        self._drawing_since: float | None = None
        self._loading_since: float | None = None
        self._loading = 0.0

    def stage(self, name: str) -> None:
        """The engine is at that stage from now on."""
        now = self._now()
        if name == LOADING:
            self._loading_since = now if self._loading_since is None else self._loading_since
        elif self._loading_since is not None:
            self._loading += now - self._loading_since
            self._loading_since = None
        if name == DRAWING and self._drawing_since is None:
            self._drawing_since = now

    def cost(self, frames: int, together: int) -> Cost:
        """What `frames` frames have taken until now, from the first to the last."""
        now = self._now()
        drawing_since = now if self._drawing_since is None else self._drawing_since
        common = drawing_since - self._began - self._loading
        return Cost(common, (now - drawing_since) / max(1, frames), self._loading, together)
