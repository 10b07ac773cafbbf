"""Logging what was refused, without letting those who send rubbish fill the log."""

from __future__ import annotations

import logging

from ..diagnostics.logs import event

log = logging.getLogger(__name__)

LINES_PER_MINUTE = 30
_MINUTE = 60.0
_MOST_PEERS = 4096


class Refusals:
    """One line for each peer and kind of refusal, and at most LINES_PER_MINUTE in all; the rest are counted."""

    def __init__(self) -> None:
        self._told: dict[tuple[bytes, str], None] = {}
        self._minute = float("-inf")
        self._lines = 0
        self._left_out = 0

    def note(self, peer: bytes, host: str, kind: str, reason: str, now: float) -> None:
        """Log that something was refused, unless this peer's refusals of this kind were logged before.

        Args:
            peer: whom it came from.
            host: the peer's network address.
            kind: an error code or another short word.
            reason: one sentence.
            now: seconds, monotonic.
        """
        if (peer, kind) in self._told:
            return
        self._told[(peer, kind)] = None
        while len(self._told) > _MOST_PEERS:
            del self._told[next(iter(self._told))]
        if now - self._minute >= _MINUTE:
            if self._left_out:
                event(log, logging.WARNING, "more was refused than is logged", count=self._left_out)
            self._minute, self._lines, self._left_out = now, 0, 0
        if self._lines >= LINES_PER_MINUTE:
            self._left_out += 1
            return
        self._lines += 1
        known = {name: value for name, value in (("peer", peer.hex()), ("host", host)) if value}
        event(log, logging.WARNING, "refused", **known, kind=kind, reason=reason)
