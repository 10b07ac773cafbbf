"""Downloads and checks that go on: one at a time, each in a helper process, the others wait in line."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.models import ModelState

from .orders import Checked, Counted, Failed, Fetched, FetchOrder, News, Order, from_line, to_line

_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
_RATE_SECONDS: Final = 5.0
"""The time over which the rate is taken."""
_END_SECONDS: Final = 10.0

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Transfer:
    """One download or check.

    Attributes:
        id: of the model.
        order: what the helper is told.
        counted: bytes done and in all, so far.
        running: it has a helper; else it waits.
    """

    id: str
    order: Order
    counted: Counted = field(default_factory=lambda: Counted(0, 0))
    running: bool = False
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def state(self) -> ModelState:
        """As the model's list shows it."""
        if not self.running:
            return ModelState.WAITING
        return ModelState.DOWNLOADING if isinstance(self.order, FetchOrder) else ModelState.VERIFYING

    @property
    def rate(self) -> float:
        """Bytes a second, lately."""
        if len(self._seen) < 2:
            return 0.0
        (start, before), (end, after) = self._seen[0], self._seen[-1]
        return max(0.0, (after - before) / (end - start)) if end > start else 0.0

    @property
    def eta(self) -> float | None:
        """Seconds left, where they can be told."""
        rate = self.rate
        return (self.counted.total - self.counted.done) / rate if rate > 0 and self.counted.total else None

    def count(self, counted: Counted, now: float) -> None:
        """So many bytes are done."""
        if counted.done < self.counted.done:
            self._seen.clear()
        self.counted = counted
        self._seen.append((now, counted.done))
        while now - self._seen[0][0] > _RATE_SECONDS:
            self._seen.popleft()


class Transfers:
    """Does transfers in turn.

    Args:
        environment: variables for the helper on top of the server's own.
        on_news: called with a transfer and what is new, from a thread of its own. The transfer stays in the line until
            whoever is told of its end has called `finish`.
    """

    def __init__(self, environment: Mapping[str, str], on_news: Callable[[Transfer, News], None]) -> None:
        self._environment = {**os.environ, **environment}
        self._on_news = on_news
        self._changed = threading.Condition()
        self._line: list[Transfer] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = False
        self._thread: threading.Thread | None = None

    def add(self, transfer: Transfer) -> None:
        """Put it at the end of the line; nothing happens where the model has one already."""
        with self._changed:
            if self._closing or any(other.id == transfer.id for other in self._line):
                return
            self._line.append(transfer)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="models", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def find(self, id: str) -> Transfer | None:
        """The model's transfer, if it has one."""
        with self._changed:
            return next((transfer for transfer in self._line if transfer.id == id), None)

    def drop(self, id: str) -> bool:
        """End a model's transfer and wait until its helper has ended; whether it had one."""
        with self._changed:
            found = next((transfer for transfer in self._line if transfer.id == id), None)
            if found is None:
                return False
            self._line.remove(found)
            process = self._process if found.running else None
        if process is not None:
            process.kill()
            process.wait(_END_SECONDS)
        return True

    def finish(self, transfer: Transfer) -> bool:
        """Take a transfer whose end is being told of out of the line; false where it was dropped in the meantime."""
        with self._changed:
            if transfer not in self._line:
                return False
            self._line.remove(transfer)
            return True

    def close(self) -> None:
        """End what is going on; what is here stays."""
        with self._changed:
            self._closing = True
            self._line.clear()
            process, thread = self._process, self._thread
            self._changed.notify_all()
        if process is not None:
            process.kill()
        if thread is not None:
            thread.join(_END_SECONDS)

    # ------------------------------------------------------------ on the thread

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._line and not self._closing:
                    self._changed.wait()
                if self._closing:
                    return
                transfer = self._line[0]
            try:
                news = self._run(transfer)
                with self._changed:
                    self._process = None
                if news is not None:
                    self._on_news(transfer, news)
            except Exception:
                log.exception("The download or check of a model met a mistake in the program.")
            self.finish(transfer)

    def _run(self, transfer: Transfer) -> News | None:
        """Do a transfer; how it ended, None where it was dropped before it began."""
        try:
            process = self._start(transfer)
        except OSError as error:
            return _mistake(str(error))
        if process is None:
            return None
        assert process.stdin and process.stdout and process.stderr
        words = threading.Thread(target=_log_words, args=(process,), name="models stderr", daemon=True)
        words.start()
        last: News | None = None
        try:
            process.stdin.write((to_line(transfer.order) + "\n").encode())
            process.stdin.flush()
            for line in process.stdout:
                last = from_line(line)
                if isinstance(last, Counted):
                    self._tell(transfer, last)
        except OSError:
            log.debug("The helper %d is gone.", process.pid)
        finally:
            process.kill()
            status = process.wait()
            words.join(2.0)
            for pipe in (process.stdin, process.stdout, process.stderr):
                _close(pipe)
        return last if isinstance(last, (Fetched, Checked, Failed)) else _mistake(f"it ended with status {status}")

    def _start(self, transfer: Transfer) -> subprocess.Popen[bytes] | None:
        """The helper for a transfer; None where it was dropped in the meantime."""
        with self._changed:
            if transfer not in self._line:
                return None
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tweenbridge_server.models.helper"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=self._environment, creationflags=_NO_WINDOW,
            )  # fmt: skip
            transfer.running = True
            log.info("Helper %d works on model %s.", self._process.pid, transfer.id)
            return self._process

    def _tell(self, transfer: Transfer, counted: Counted) -> None:
        with self._changed:
            if transfer not in self._line:
                return
            transfer.count(counted, time.monotonic())
        self._on_news(transfer, counted)


def _mistake(how: str) -> Failed:
    message = f"The process that works on models could not do its work ({how.rstrip('.')})."
    return Failed(TweenbridgeError(ErrorCode.INTERNAL, message).info)


def _log_words(process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None
    for raw in process.stderr:
        line = raw.decode("utf-8", "replace").rstrip()
        if line:
            log.info("models %d: %s", process.pid, line)


def _close(pipe: object) -> None:
    try:
        pipe.close()  # type: ignore[attr-defined]
    except OSError:
        log.debug("A pipe of the helper was broken already.")
