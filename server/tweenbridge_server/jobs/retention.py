"""How long results stay: the least recently used frames and keyframes go when they are too old or take too much."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .spool import Spool
from .store import Store, StoredThing

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retention:
    """What is kept.

    Attributes:
        max_age: seconds after its last use that a frame or keyframe is kept, and a finished job in the list.
        max_bytes: most bytes of frames and keyframes together; unfinished jobs may take it beyond.
        history: most finished jobs in the list.
        interval: seconds between two looks.
    """

    max_age: float = 7 * 24 * 3600.0
    max_bytes: int = 16 * 1024**3
    history: int = 500
    interval: float = 60.0


def choose(
    things: Iterable[StoredThing], total: int, protected: AbstractSet[str], most_bytes: int, before: float
) -> list[StoredThing]:
    """Which of `things` have to go: those last used `before` that time, then others, until `most_bytes` are left.

    Args:
        things: everything there is, least recently used first; looked at no further than has to go.
        total: the bytes of all of them.
        protected: names of those that stay in any case.
    """
    going = []
    for thing in things:
        if thing.used >= before and total <= most_bytes:
            break
        if thing.name not in protected:
            going.append(thing)
            total -= thing.size
    return going


def collect(
    store: Store, spool: Spool, protected: AbstractSet[str], policy: Retention, most_bytes: int, now: float
) -> list[tuple[str, str]]:
    """Delete what has to go (see `choose`), and files that nobody finished. Returns forgotten jobs and their owners."""
    before = now - policy.max_age
    spool.sweep(_has_ended)
    going: set[str] = set()
    if store.spool_bytes() > most_bytes or store.oldest_use() < before:
        with closing(store.least_used()) as things:
            chosen = choose(things, store.spool_bytes(), protected, most_bytes, before)
        frames = store.frames(thing.name for thing in chosen)
        for thing in chosen:
            row = frames.get(thing.name)
            place = spool.frame_path(row.key, row.format, row.sha256) if row else spool.keyframe_path(thing.name)
            if _delete(place):
                going.add(thing.name)
        log.info("%d files were deleted to make room or for age.", len(going))
    with store.transaction():
        store.remove_frames(going)
        store.remove_keyframes(going)
        return store.trim_history(policy.history, before)


def _has_ended(process: int) -> bool:
    import psutil  # 15 ms that the server's start need not pay

    return not psutil.pid_exists(process)


def _delete(place: Path) -> bool:
    try:
        place.unlink(missing_ok=True)
    except OSError as error:
        # Windows keeps a file that is being read; it goes next time.
        log.info("%s could not be deleted yet: %s", place.name, error)
        return False
    return True
