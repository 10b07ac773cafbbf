"""A stream of numbered changes after a list: of all jobs, or of all models. A hole in the numbers means: list again."""

from __future__ import annotations

from typing import Callable, Optional

from .protocol.messages import ClientMessage


class Stream:
    """What a client has turned on and how far it has heard.

    Args:
        question: the message that turns it on or off.
    """

    def __init__(self, question: Callable[[bool], ClientMessage]) -> None:
        self._question = question
        self._seq: Optional[int] = None
        self.on = False

    def turn(self, on: bool) -> ClientMessage:
        """Turn it on or off; the message that says so."""
        self.on = on
        return self.again()

    def again(self) -> ClientMessage:
        """Ask for the list anew; changes that come before it are not counted."""
        self._seq = None
        return self._question(self.on)

    def listed(self, seq: int) -> bool:
        """A list came, as of change number `seq`; whether anybody wants it."""
        self._seq = seq if self.on else None
        return self.on

    def takes(self, seq: int) -> bool:
        """Whether change `seq` is the next one."""
        if self._seq is None or seq != self._seq + 1:
            return False
        self._seq = seq
        return True

    def missed_before(self, seq: int) -> bool:
        """Whether changes are missing between what was heard and change `seq`."""
        return self._seq is not None and seq > self._seq + 1
