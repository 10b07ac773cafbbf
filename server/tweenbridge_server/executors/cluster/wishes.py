"""Which model a task means, in words that another machine understands. May read whole models, once each."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from tweenbridge.protocol.messages import Scalar

from ...engines import registry
from ...engines.registry import Resolved
from .fitting import Wish, names_elsewhere


class Wishes:
    """Wishes by model; any thread may ask, and several that ask for the same wait for one answer."""

    def __init__(self, home: Path) -> None:
        """`home`: the server's data folder."""
        self._home = home
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], Wish] = {}

    def find(self, engine: str, profile: str, settings: Mapping[str, Scalar], identity: str | None = None) -> Wish:
        """The wish for a task with these resolved settings, whose keys stand for `identity` (None: as it is now).

        Raises:
            TweenbridgeError: MODEL_FAILED when the model has changed; what is missing.
        """
        if identity == "":
            return Wish()
        resolved = registry.resolve(engine, profile, settings, self._home)
        if identity is not None:
            registry.check_identity(identity, resolved.identity)
        if not resolved.identity:
            return Wish()
        with self._lock:
            key = (engine, resolved.identity)
            if key not in self._known:
                contents = registry.contents(engine, Resolved(dict(settings), resolved.identity), self._home)
                self._known[key] = Wish(contents, names_elsewhere(engine, settings, self._home))
            return self._known[key]
