"""The executor for this machine: one worker process per device, started when work comes, ended when idle.

One thread owns all state; everybody else puts work into its inbox. That keeps every call short and needs no locks.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tweenbridge.protocol.messages import Scalar, WorkerInfo

from ..jobs.spool import Spool
from .base import FINAL, Computed, Died, GapTask, KeyframeFile, Loaded, OnEvent, Stopped, WorkerSettings
from .cluster.messages import Standing
from .errands import Errands
from .pipe import CancelTask, Expect, Happened, Prepare, Run
from .process import WorkerProcess

log = logging.getLogger(__name__)

_ENDING_SECONDS = 2.0
"""How long `close` waits for workers before it kills them."""
_STUBBORN = "It was killed because it did not stop a cancelled task."


@dataclass
class _Slot:
    """One device and the worker on it, if any.

    Attributes:
        storing: tasks that the worker has computed and is storing.
        loaded: the model that the worker holds.
        unheard: the task was given to a worker that was there and idle, which has not said a word of it yet.
    """

    device: str
    worker: WorkerProcess | None = None
    task: GapTask | None = None
    storing: tuple[GapTask, ...] = ()
    loaded: Loaded | None = None
    unheard: bool = False
    cancelled: bool = False
    cancel_by: float | None = None
    idle_since: float = 0.0
    releasing: bool = False

    @property
    def is_idle(self) -> bool:
        """There is a worker, and it has nothing to do."""
        return self.worker is not None and self.task is None and not self.storing and not self.releasing


class LocalExecutor:
    """Worker processes on this machine's devices."""

    def __init__(self, home: Path, settings: WorkerSettings) -> None:
        self._home = home
        self._settings = settings
        self._environment = worker_environment(home, settings)
        self._slots = [_Slot(device) for device in settings.devices]
        self._errands = Errands(self._until_deadline, self._deadlines)
        self._on_event: OnEvent = _nobody
        self._thread = threading.Thread(target=self._errands.run, name="executor", daemon=True)

    @property
    def slots(self) -> int:
        """One task per device."""
        return len(self._slots)

    def start(self, on_event: OnEvent) -> None:
        """Begin; no worker is started before there is work."""
        self._on_event = on_event
        self._thread.start()

    def prepare(self, engine: str, profile: str, settings: Mapping[str, Scalar]) -> None:
        """Start a worker on a free device and have it import and warm the engine."""
        self._errands.put(lambda: self._prepare(Prepare(engine, profile, dict(settings))))

    def expect(self, keyframe: KeyframeFile, spool: str) -> None:
        """Have the worker on a free device, if one runs, read a keyframe."""
        self._errands.put(lambda: self._expect(keyframe, spool))

    def run(self, task: GapTask) -> None:
        """Do a task on a free device."""
        self._errands.put(lambda: self._run(task))

    def cancel(self, task: str) -> None:
        """Stop a task; a worker that does not react in time is killed."""
        self._errands.put(lambda: self._cancel(task))

    def workers(self) -> tuple[WorkerInfo, ...]:
        """The worker processes there are, with the memory they hold."""
        found = []
        for slot in self._slots:
            worker, storing = slot.worker, slot.storing
            task = slot.task or (storing[-1] if storing else None)
            if worker is not None:
                state, job = ("busy", task.job) if task else ("idle", "")
                held = slot.loaded or Loaded("", 0)
                found.append(WorkerInfo(slot.device, worker.pid, state, worker.memory(), job, held.model, held.memory))
        return tuple(found)

    def unload(self) -> tuple[int, int]:
        """End idle workers: how many, and the resident bytes that they held."""
        answer: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
        self._errands.put(lambda: answer.put(self._unload()))
        try:
            return answer.get(timeout=_ENDING_SECONDS)
        except queue.Empty:
            return 0, 0

    def close(self) -> None:
        """End all workers at once."""
        self._errands.put(self._end)
        if self._thread.is_alive():
            self._thread.join()

    # ------------------------------------------------------------ on the executor's thread

    def _until_deadline(self) -> float | None:
        """Seconds to the next thing to be done without being asked; None when there is nothing."""
        times = [slot.cancel_by for slot in self._slots if slot.cancel_by is not None]
        times += [slot.idle_since + self._settings.idle_seconds for slot in self._slots if slot.is_idle]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _deadlines(self, now: float) -> None:
        for slot in self._slots:
            if slot.worker is None:
                continue
            if slot.cancel_by is not None and now >= slot.cancel_by:
                log.warning("Worker %d did not stop a cancelled task and is killed.", slot.worker.pid)
                slot.worker.kill()
                slot.cancel_by = None
            elif slot.is_idle and now >= slot.idle_since + self._settings.idle_seconds:
                self._release(slot, slot.worker)

    def _release(self, slot: _Slot, worker: WorkerProcess) -> int:
        """Let an idle worker end; the bytes that it holds."""
        held = worker.memory()
        log.info("Worker %d was idle and is released; it held %d MB.", worker.pid, held // 1_000_000)
        slot.releasing = True
        slot.loaded = None
        worker.release()
        return held

    def _unload(self) -> tuple[int, int]:
        held = [self._release(slot, slot.worker) for slot in self._slots if slot.is_idle and slot.worker is not None]
        return len(held), sum(held)

    def _free(self) -> _Slot | None:
        """A device without a task, rather one whose worker runs already."""
        free = [slot for slot in self._slots if slot.task is None]
        return min(free, key=lambda slot: slot.worker is None or slot.releasing, default=None)

    def _ensure_worker(self, slot: _Slot) -> WorkerProcess:
        """The slot's worker, started if need be. OSError when the system refuses."""
        if slot.worker is None or slot.releasing:
            slot.releasing = False
            settings = self._settings
            slot.worker = WorkerProcess(
                (
                    *("tweenbridge_server.executors.worker", str(settings.compute_threads), slot.device),
                    *(str(self._home), *(["--compile"] if settings.compile_models else [])),
                ),
                self._environment,
                on_event=lambda worker, happened: self._errands.put(lambda: self._happened(worker, happened)),
                on_exit=lambda worker: self._errands.put(lambda: self._exited(worker)),
            )
            log.info("Worker %d started for device %s.", slot.worker.pid, slot.device)
        slot.idle_since = time.monotonic()
        return slot.worker

    def _prepare(self, command: Prepare) -> None:
        slot = self._free()
        if slot is not None:
            try:
                self._ensure_worker(slot).send(command)
            except OSError as error:
                log.error("A worker could not be started: %s", error)

    def _expect(self, keyframe: KeyframeFile, spool: str) -> None:
        slot = self._free()
        if slot is not None and slot.worker is not None and not slot.releasing:
            slot.worker.send(Expect(keyframe, spool))

    def _run(self, task: GapTask) -> None:
        slot = self._free()
        assert slot is not None, "the service gives no more tasks than there are slots"
        slot.unheard = slot.is_idle
        slot.task = task
        try:
            self._ensure_worker(slot).send(Run(task))
        except OSError as error:
            slot.task = None
            self._on_event(task.id, Died(f"A worker could not be started: {error}."))

    def _cancel(self, task: str) -> None:
        for slot in self._slots:
            if slot.task and slot.task.id == task and slot.worker and not slot.cancelled:
                slot.cancelled = True
                slot.cancel_by = time.monotonic() + self._settings.cancel_seconds
                slot.worker.send(CancelTask(task))

    def _happened(self, worker: WorkerProcess, happened: Happened) -> None:
        slot = self._slot_of(worker)
        if slot is None:
            return
        if isinstance(happened.event, Loaded):
            slot.loaded = happened.event
            return
        if isinstance(happened.event, Standing):
            return
        task, final = slot.task, isinstance(happened.event, FINAL)
        if task is not None and task.id == happened.task:
            slot.unheard = False
            if isinstance(happened.event, Computed):
                slot.storing += (task,)
            if final or task in slot.storing:
                self._clear(slot)
        elif any(stored.id == happened.task for stored in slot.storing):
            if final:
                slot.storing = tuple(stored for stored in slot.storing if stored.id != happened.task)
                slot.idle_since = time.monotonic()
        else:
            return
        self._on_event(happened.task, happened.event)

    def _exited(self, worker: WorkerProcess) -> None:
        slot = self._slot_of(worker)
        if slot is None:
            return
        task, storing = slot.task, slot.storing
        # A worker that was dead before the task reached it did not die of the task.
        innocent = task is not None and (slot.cancelled or slot.unheard)
        # By `_deadlines`, which leaves nothing else behind.
        killed = slot.cancelled and slot.cancel_by is None
        level = logging.WARNING if killed else logging.ERROR
        slot.worker, slot.releasing, slot.storing, slot.loaded = None, False, (), None
        self._clear(slot)
        epitaph = _STUBBORN if killed else worker.epitaph()
        lost = [*storing, task] if task else [*storing]
        for each in lost:
            log.log(level, "Worker %d ended during job %s, gap %d. %s", worker.pid, each.job, each.gap, epitaph)
            Spool(Path(each.spool)).sweep(lambda writer: writer == worker.pid)
        for each in lost[:-1]:
            # One death counts once: for the task that was last begun.
            self._on_event(each.id, Stopped())
        if lost:
            self._on_event(lost[-1].id, Stopped() if innocent else Died(epitaph))

    def _clear(self, slot: _Slot) -> None:
        slot.task, slot.unheard, slot.cancelled, slot.cancel_by = None, False, False, None
        slot.idle_since = time.monotonic()

    def _slot_of(self, worker: WorkerProcess) -> _Slot | None:
        return next((slot for slot in self._slots if slot.worker is worker), None)

    def _end(self) -> None:
        self._errands.end()
        workers = [slot.worker for slot in self._slots if slot.worker]
        for worker in workers:
            worker.release()
        give_up = time.monotonic() + _ENDING_SECONDS
        for worker in workers:
            if not worker.wait(max(0.0, give_up - time.monotonic())):
                worker.kill()


def _nobody(task: str, event: object) -> None:
    log.debug("Nobody listens to %s of task %s.", event, task)


_MALLOC: Final = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
}
"""For glibc: pictures of up to 32 MiB, the most it takes, lie in one heap that all threads share and that is not given
back in the middle of the work. Left alone, a gap of 1080p frames gets about 20,000 fresh pages from the system, which
costs a tenth of a second, and holds a tenth more memory."""


def worker_environment(home: Path, settings: WorkerSettings) -> dict[str, str]:
    """Variables that must be set before a worker's libraries are imported."""
    cache = home / "cache"
    # OpenBLAS's threads go on spinning after a matrix product, on the cores that compute and encode.
    variables = {"PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1"}
    variables |= {"NUMBA_CACHE_DIR": str(cache / "numba"), "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor")}
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
    variables |= {name: str(settings.compute_threads) for name in names}
    if sys.platform == "linux":
        variables |= _MALLOC
    return {**variables, **settings.environment}
