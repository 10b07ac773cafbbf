"""What gaps have cost on the cluster: measured with every gap, and remembered for the next start of the server."""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from ...jobs.spool import Spool
from ..base import Cost, GapTask

log = logging.getLogger(__name__)

_MOST_KINDS = 200
"""Kinds of gaps that are remembered; the oldest go first."""
_WEIGHT = 0.5
"""Of the newest gap against those before it: what was compiled or read for the first time does not count for long."""


class Costs:
    """Costs by kind of gap."""

    def __init__(self, place: Path) -> None:
        """`place`: the file that keeps them."""
        self._place = place
        self._known: dict[str, Cost] = {}
        with suppress(OSError, ValueError, TypeError, AttributeError):
            self._known = {kind: Cost(**cost) for kind, cost in json.loads(place.read_text("utf-8")).items()}

    def find(self, kind: str) -> Cost | None:
        """What such a gap costs, if one was made before."""
        return self._known.get(kind)

    def learn(self, kind: str, cost: Cost) -> None:
        """A gap of that kind has cost so much."""
        before = self._known.pop(kind, None)
        if before is not None and before.together == cost.together:
            cost = replace(
                cost,
                common=_mean(before.common, cost.common),
                each=_mean(before.each, cost.each),
                loading=_mean(before.loading, cost.loading) if before.loading and cost.loading else
                before.loading or cost.loading,
            )  # fmt: skip
        self._known[kind] = cost
        while len(self._known) > _MOST_KINDS:
            del self._known[next(iter(self._known))]

    def save(self) -> None:
        """Write them down, if the disk lets us."""
        temporary = self._place.with_name(f"{self._place.name}-{os.getpid()}")
        try:
            self._place.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps({kind: asdict(cost) for kind, cost in self._known.items()}), "utf-8")
            os.replace(temporary, self._place)
        except OSError as error:
            log.info("What gaps cost could not be written down: %s", error)


def _mean(before: float, now: float) -> float:
    return before + (now - before) * _WEIGHT


def kind_of(task: GapTask) -> str:
    """What gaps have in common that cost the same: engine, profile, settings, about the size of their pictures."""
    form, settings = task.a.format, ",".join(f"{name}={value}" for name, value in sorted(task.settings.items()))
    size = 0
    with suppress(OSError):
        size = Spool(Path(task.spool)).keyframe_path(task.a.file).stat().st_size.bit_length()
    return f"{task.engine}/{task.profile}/{form.encoding.value}{size}/{task.output}/{settings}"
