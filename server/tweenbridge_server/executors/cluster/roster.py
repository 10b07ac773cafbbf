"""The nodes there are, which of them can be used for what, and how many more actors there is room for. No Ray here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from ..base import Failed
from .messages import ClusterSettings, NodeInfo
from .usable import places, why_none

log = logging.getLogger(__name__)

BACKOFF_SECONDS = 30.0
"""How long a node is left alone that could not start an actor or lacks a model."""


class Roster:
    """The nodes. Only one thread may call.

    Attributes:
        seen: it is known which there are.
    """

    def __init__(self, settings: ClusterSettings, now: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._now = now
        self._nodes: dict[str, NodeInfo] = {}
        self._unfit: dict[tuple[str, str], tuple[float, Failed]] = {}
        self._left_alone: dict[str, float] = {}
        self.seen = False

    def see(self, nodes: Sequence[NodeInfo]) -> None:
        """These are alive now. What keeps one from being used goes to the log, once."""
        self.seen = True
        before = self._nodes
        self._nodes = {node.id: node for node in nodes}
        for node in nodes:
            if node.problem and (node.id not in before or before[node.id].problem != node.problem):
                log.warning("%s", node.problem)

    def usable(self, model: str | None = None) -> list[NodeInfo]:
        """The nodes that can work; with `model`, those that are not known to lack it."""
        now = self._now()
        sound = [node for node in self._nodes.values() if not node.problem]
        if model is None:
            return sound
        return [node for node in sound if (node.id, model) not in self._unfit or now >= self._unfit[node.id, model][0]]

    def capacity(self) -> int:
        """How many actors there can be."""
        total = sum(places(node, self._settings) for node in self.usable())
        return min(total, self._settings.most_actors or total)

    def trouble(self) -> str:
        """Why there can be none; "" where there can."""
        return "" if self.capacity() else why_none(tuple(self._nodes.values()))

    def room(self, taken: Sequence[str]) -> list[NodeInfo]:
        """A node for every actor that could still be started, those with the fewest first.

        Args:
            taken: for every actor there is, its node's id.
        """
        now = self._now()
        spare: list[tuple[int, NodeInfo]] = []
        for node in self.usable():
            if now >= self._left_alone.get(node.id, 0.0):
                spare += [(number, node) for number in range(taken.count(node.id), places(node, self._settings))]
        spare.sort(key=lambda place: place[0])
        return [node for _, node in spare[: max(0, self.capacity() - len(taken))]]

    def lacks(self, node: str, model: str, error: Failed) -> None:
        """A node lacks a model: it is not asked again for a while."""
        self._unfit[node, model] = (self._now() + BACKOFF_SECONDS, error)

    def leave_alone(self, node: str, seconds: float = BACKOFF_SECONDS) -> None:
        """A node could not start an actor, or lost one: it is not asked again for so long."""
        self._left_alone[node] = self._now() + seconds

    def nowhere(self, model: str) -> Failed | None:
        """The error of a task whose model all nodes lack; None where one may have it. Next time all are asked again."""
        if self.usable(model) or not self.usable():
            return None
        known = [place for place in self._unfit if place[1] == model]
        errors = [self._unfit.pop(place)[1] for place in known]
        return errors[0]
