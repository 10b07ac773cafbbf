"""Saying so when Resolve does not answer: every call waits while it shows a dialog, and so does our window."""

from __future__ import annotations

import threading
from typing import Callable

PATIENCE = 10.0
"""Seconds without a turn of the loop until it is said; a render of one frame may take as long."""
SENTENCE = (
    "DaVinci Resolve has not answered for a while. If it shows a dialog, close it; Tweenbridge then goes on by itself."
)


class Watch:
    """A thread that listens for `beat`, and says one sentence each time that it stays away for too long.

    It calls nothing of Resolve's. Use it as a context manager.
    """

    def __init__(self, say: Callable[[str], None], patience: float = PATIENCE) -> None:
        self._say, self._patience = say, patience
        self._beat = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._listen, name="tweenbridge-watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._beat.set()
        self._thread.join()

    def beat(self) -> None:
        """The loop has come round."""
        self._beat.set()

    def _listen(self) -> None:
        silent = False
        while not self._ended:
            if self._beat.wait(self._patience):
                self._beat.clear()
                silent = False
            elif not silent:
                silent = True
                self._say(SENTENCE)
