"""One actor as the pool sees it: what it is at, what it holds, and the threads that wait for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tweenbridge.protocol.messages import WorkerInfo

from ...jobs.spool import Spool
from ..base import FINAL, Advanced, Failed, Made, TaskEvent
from ..failing import explain
from .fitting import Wish
from .layer import Hand, Lost, Unfit
from .messages import NodeInfo
from .storing import Damaged, store
from .whole import Part

log = logging.getLogger(__name__)


class Listener(Protocol):
    """The pool. All but `post` are called on its thread."""

    def post(self, call: Callable[[], None]) -> None:
        """Have something done on the pool's thread."""

    def ready(self, seat: Seat, pid: int) -> None:
        """The actor has started."""

    def heard(self, seat: Seat, part: Part, event: TaskEvent, worker: WorkerInfo | None) -> None:
        """Something happened to a part."""

    def broken(self, part: Part, error: Failed) -> None:
        """A part is in vain, and its actor has been told to stop it."""

    def refused(self, seat: Seat, part: Part, error: Failed) -> None:
        """The node cannot do a part."""

    def lost(self, seat: Seat, reason: str) -> None:
        """The actor is gone."""


class Seat:
    """An actor on a node. The pool's thread owns it; its own threads wait for Ray and only post what they hear.

    Attributes:
        name: what it is called.
        ready: it has started.
        part: what it computes.
        storing: parts that it has computed and whose last frames are on their way.
        warm: kinds of gaps that it has done, whose model it holds.
        warming: seconds that it took to start; None until that is known.
        idle_since: since when it has had nothing to do.
        cancel_by: when it is given up, unless it stops by then what was cancelled.
    """

    def __init__(self, node: NodeInfo, name: str, hand: Hand, pool: Listener) -> None:
        self.node = node
        self.name = name
        self.hand = hand
        self.ready = False
        self.pid = 0
        self.part: Part | None = None
        self.storing: list[Part] = []
        self.warm: set[str] = set()
        self.warming: float | None = None
        self.idle_since = self.began = time.monotonic()
        self.cancel_by: float | None = None
        self.worker: WorkerInfo | None = None
        self._pool = pool

    @property
    def is_idle(self) -> bool:
        """It has nothing to do."""
        return self.ready and self.part is None and not self.storing

    @property
    def parts(self) -> list[Part]:
        """All that it is at."""
        return [*self.storing, *([self.part] if self.part else [])]

    def info(self) -> WorkerInfo:
        """For lists of workers."""
        parts = self.parts
        state = "starting" if not self.ready else "busy" if parts else "idle"
        job = parts[-1].task.job if parts else ""
        worker = self.worker or WorkerInfo(self.name, self.pid, state)
        return WorkerInfo(self.name, worker.pid, state, worker.memory, job, worker.model, worker.model_memory)

    def start(self) -> None:
        """Wait for it to start."""

        def wait() -> None:
            try:
                pid = self.hand.wait()
            except Lost as lost:
                words = str(lost)
                self._pool.post(lambda: self._pool.lost(self, words))
            else:
                self._pool.post(lambda: self._pool.ready(self, pid))

        self.aside(wait)

    def run(self, part: Part, wish: Callable[[], Wish]) -> None:
        """Have it make a part. `wish` may take its time."""
        self.part = part
        self.aside(lambda: self._work(part, wish))

    def leave(self, part: Part) -> None:
        """It is not at that part any more."""
        if self.part is part:
            self.part = None
        if part in self.storing:
            self.storing.remove(part)
        if not any(other.whole.cancelled or other.whole.over for other in self.parts):
            self.cancel_by = None
        self.idle_since = time.monotonic()

    def computed(self, part: Part) -> None:
        """It has computed a part, and may begin another."""
        if self.part is part:
            self.part = None
            self.storing.append(part)

    def cancel(self, part: Part, seconds: float) -> None:
        """Have it stop; within that time."""
        self.hand.cancel(part.task.id)
        self.cancel_by = self.cancel_by or time.monotonic() + seconds

    def aside(self, call: Callable[[], None]) -> threading.Thread:
        """Do something that may wait, on a thread."""

        def run() -> None:
            try:
                call()
            except Lost as lost:
                log.info("%s", lost)
            except Exception:
                log.exception("The actor %s could not be spoken to.", self.name)

        thread = threading.Thread(target=run, name=f"actor {self.name}", daemon=True)
        thread.start()
        return thread

    # ------------------------------------------------------------ on a thread of its own

    def _work(self, part: Part, wish: Callable[[], Wish]) -> None:
        pool = self._pool
        try:
            if part.task.identity:
                self._say(part, Advanced(0.0, "checking the model"))
            if not self._listen(part, wish()):
                raise Lost(f"The actor on node {self.node.name} ended in the middle of a gap.")
        except Unfit as unfit:
            refused = Failed(unfit.error)
            pool.post(lambda: pool.refused(self, part, refused))
        except (Lost, Damaged) as lost:
            words = str(lost)
            pool.post(lambda: pool.lost(self, words))
        except Exception as error:  # noqa: BLE001 - whatever it is, the task must end
            self._say(part, Failed(explain(error)))

    def _listen(self, part: Part, wish: Wish) -> bool:
        """Hear out how a part is made; whether it came to an end."""
        pool, spool = self._pool, Spool(Path(part.task.spool))
        for batch, worker in self.hand.run(part.task, wish, spool.root):
            for event, data in batch:
                if isinstance(event, Made):
                    try:
                        store(spool, event, data or b"")
                    except OSError as error:
                        failed = Failed(explain(error))
                        self.hand.cancel(part.task.id)
                        pool.post(lambda failed=failed: pool.broken(part, failed))  # type: ignore[misc]
                        continue
                self._say(part, event, worker)
                if isinstance(event, FINAL):
                    return True
        return False

    def _say(self, part: Part, event: TaskEvent, worker: WorkerInfo | None = None) -> None:
        self._pool.post(lambda: self._pool.heard(self, part, event, worker))
