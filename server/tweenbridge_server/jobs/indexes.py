"""Who waits for what, and whose jobs there are: kept as jobs come and go, so that nothing looks through all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


class Waiting:
    """Jobs by what they wait for, in the order in which they came."""

    def __init__(self) -> None:
        self._jobs: dict[str, dict[str, None]] = {}

    def add(self, job: str, things: Iterable[str]) -> None:
        """A job waits for these."""
        for thing in things:
            self._jobs.setdefault(thing, {})[job] = None

    def drop(self, job: str, things: Iterable[str]) -> None:
        """A job does not wait for these, or not any more."""
        for thing in things:
            jobs = self._jobs.get(thing)
            if jobs is not None:
                jobs.pop(job, None)
                if not jobs:
                    del self._jobs[thing]

    def on(self, thing: str) -> list[str]:
        """The jobs that wait for it."""
        return list(self._jobs.get(thing, ()))


class Census:
    """How many unfinished jobs there are, and how many of each owner."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._owners)

    def of(self, owner: str) -> int:
        """How many are that owner's."""
        return self._counts[owner]

    def add(self, job: str, owner: str) -> None:
        """A job begins, or begins anew."""
        self.drop(job)
        self._owners[job] = owner
        self._counts[owner] += 1

    def drop(self, job: str) -> None:
        """A job is over; one that is not known is."""
        owner = self._owners.pop(job, None)
        if owner is not None:
            self._counts[owner] -= 1
            if not self._counts[owner]:
                del self._counts[owner]
