"""The executor for a Ray cluster, as the server sees it: a process that speaks to Ray, and what to do when it ends.

Nothing of Ray is imported here. As with the executor for one machine, one thread owns all state.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgpack
from tweenbridge.protocol.codec import to_plain
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import Scalar, WorkerInfo

from ..base import (
    FINAL,
    Advanced,
    GapTask,
    KeyframeFile,
    Noted,
    OnEvent,
    Room,
    Stopped,
    TaskEvent,
    WorkerSettings,
)
from ..errands import Errands
from ..pipe import CancelTask, Command, Expect, Happened, Prepare, Run
from ..process import WorkerProcess
from .messages import ClusterSettings, Standing, Unload, Wanted

log = logging.getLogger(__name__)

_DRIVER = "tweenbridge_server.executors.cluster.driver"
_START_SECONDS = 60.0
"""How long the process may take to say anything at all."""
_PAUSES = (1.0, 2.0, 5.0, 10.0, 15.0)
"""Seconds before the process is started again, after one failure, two, and so on."""
_IDLE_PAUSE = 60.0
"""The same while no job waits."""
_CANCEL_SECONDS = 15.0
"""On top of a worker's own time: a process that does not stop a cancelled task by then hangs, and is ended."""
_ENDING_SECONDS = 3.0
_ENVIRONMENT = {
    "PYTHONUNBUFFERED": "1",
    # Nothing is sent anywhere.
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
}


def check_ray() -> None:
    """Refuse to use a cluster where Ray is not installed.

    Raises:
        TweenbridgeError: START_FAILED.
    """
    if importlib.util.find_spec("ray") is None:
        raise TweenbridgeError(
            ErrorCode.START_FAILED,
            "The setting workers.executor is cluster, and Ray is not installed here.",
            remedy="Run `pip install tweenbridge[cluster]`, or `tweenbridge config --set workers.executor=local`.",
        )


@dataclass
class _Given:
    """A task that the scheduler has given.

    Attributes:
        sent: the process has it.
        noted: the user knows that it waits for the cluster.
    """

    task: GapTask
    sent: bool = False
    noted: bool = False
    cancel_by: float | None = None


class ClusterExecutor:
    """Actors on a Ray cluster."""

    def __init__(self, home: Path, settings: WorkerSettings, cluster: ClusterSettings) -> None:
        """Raises as `check_ray`."""
        check_ray()
        self._cluster = "the cluster" if cluster.address == "auto" else f"the cluster at {cluster.address}"
        self._wanted = Wanted(
            str(home),
            cluster,
            settings.idle_seconds,
            settings.cancel_seconds,
            settings.threads,
            settings.compile_models,
        )
        self._environment = {**_ENVIRONMENT, **settings.environment}
        self._errands = Errands(self._until_deadline, self._deadlines)
        self._on_event: OnEvent = _nobody
        self._thread = threading.Thread(target=self._errands.run, name="executor", daemon=True)
        self._driver: WorkerProcess | None = None
        self._standing: Standing | None = None
        self._trouble = ""
        self._given: dict[str, _Given] = {}
        self._failures = 0
        self._start_at: float | None = None
        self._silent_until = 0.0

    @property
    def slots(self) -> int:
        """One task per actor that there can be; while there is no cluster one may come and wait, to say so."""
        return max(1, self._standing.slots if self._standing is not None else 0)

    def start(self, on_event: OnEvent) -> None:
        """Begin, and look for the cluster at once: what is wrong with it is known before there is work."""
        self._on_event = on_event
        self._thread.start()
        self._errands.put(self._start_driver)

    def prepare(self, engine: str, profile: str, settings: Mapping[str, Scalar]) -> None:
        """Have an actor started that imports and warms the engine."""
        self._tell(Prepare(engine, profile, dict(settings)))

    def expect(self, keyframe: KeyframeFile, spool: str) -> None:
        """Bring a keyframe to an actor that is idle."""
        self._tell(Expect(keyframe, spool))

    def run(self, task: GapTask) -> None:
        """Do a task, as soon as there is a cluster."""
        self._errands.put(lambda: self._take(task))

    def cancel(self, task: str) -> None:
        """Stop a task."""
        self._errands.put(lambda: self._cancel(task))

    def workers(self) -> tuple[WorkerInfo, ...]:
        """The actors there are."""
        return self._standing.workers if self._standing is not None else ()

    def unload(self) -> tuple[int, int]:
        """End idle actors: how many, and the resident bytes that their workers held."""
        idle = [worker for worker in self.workers() if worker.state == "idle"]
        if idle:
            self._tell(Unload())
        return len(idle), sum(worker.memory for worker in idle)

    def close(self) -> None:
        """End the process; the actors go with it."""
        self._errands.put(self._end)
        if self._thread.is_alive():
            self._thread.join()

    # ------------------------------------------------------------ on the executor's thread

    def _until_deadline(self) -> float | None:
        times = [given.cancel_by for given in self._given.values() if given.cancel_by is not None]
        times += [self._start_at] if self._start_at is not None else []
        times += [self._silent_until] if self._driver is not None and self._standing is None else []
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _deadlines(self, now: float) -> None:
        if self._start_at is not None and now >= self._start_at:
            self._start_driver()
        if self._driver is None:
            return
        if self._standing is None and now >= self._silent_until:
            self._trouble = f"{self._cluster[0].upper()}{self._cluster[1:]} does not answer."
            self._driver.kill()
            self._silent_until = now + _START_SECONDS
        for given in self._given.values():
            if given.cancel_by is not None and now >= given.cancel_by:
                log.warning("The process for the cluster did not stop a cancelled task and is ended.")
                given.cancel_by = None
                self._driver.kill()

    def _start_driver(self) -> None:
        self._start_at = None
        if self._driver is not None or self._errands.ending:
            return
        wanted = msgpack.packb(to_plain(self._wanted)).hex()
        self._silent_until = time.monotonic() + _START_SECONDS
        try:
            self._driver = WorkerProcess(
                (_DRIVER, wanted),
                self._environment,
                on_event=lambda driver, happened: self._errands.put(lambda: self._happened(driver, happened)),
                on_exit=lambda driver: self._errands.put(lambda: self._exited(driver)),
            )
        except OSError as error:
            self._trouble = f"The process for the cluster could not be started: {error}."
            self._start_later()

    def _start_later(self) -> None:
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)] if self._given or not self._failures else _IDLE_PAUSE
        self._failures += 1
        self._start_at = time.monotonic() + pause
        self._say_that_it_waits()

    def _tell(self, command: Command) -> None:
        """Tell the process, if there is a cluster."""

        def tell() -> None:
            if self._driver is not None and self._standing is not None:
                self._driver.send(command)

        self._errands.put(tell)

    def _take(self, task: GapTask) -> None:
        self._given[task.id] = _Given(task)
        if self._driver is None and self._start_at is not None:
            # Somebody waits now: not as long as before.
            self._start_at = min(self._start_at, time.monotonic() + _PAUSES[min(self._failures, len(_PAUSES)) - 1])
        self._hand_over()

    def _hand_over(self) -> None:
        """Give the process all tasks, if the cluster can do any."""
        if self._driver is None or self._standing is None or not self._standing.slots:
            self._say_that_it_waits()
            return
        for given in self._given.values():
            if not given.sent:
                given.sent = True
                self._driver.send(Run(given.task))

    def _say_that_it_waits(self) -> None:
        """Tell users why nothing happens; once it is known."""
        if not self._trouble:
            return
        for id, given in self._given.items():
            if not given.sent and not given.noted:
                given.noted = True
                self._on_event(id, Advanced(0.0, "waiting for the cluster"))
                self._on_event(id, Noted("cluster_away", f"The job waited for the cluster: {self._trouble}"))

    def _cancel(self, task: str) -> None:
        given = self._given.get(task)
        if given is None:
            return
        if given.sent and self._driver is not None:
            given.cancel_by = given.cancel_by or time.monotonic() + self._wanted.cancel_seconds + _CANCEL_SECONDS
            self._driver.send(CancelTask(task))
        else:
            self._end_task(task, Stopped())

    def _end_task(self, task: str, event: TaskEvent) -> None:
        del self._given[task]
        self._on_event(task, event)

    def _happened(self, driver: WorkerProcess, happened: Happened) -> None:
        if driver is not self._driver:
            return
        event = happened.event
        if isinstance(event, Standing):
            self._stands(event)
        elif happened.task in self._given:
            if isinstance(event, FINAL):
                self._end_task(happened.task, event)
            else:
                self._on_event(happened.task, event)

    def _stands(self, standing: Standing) -> None:
        before, self._standing = self._standing, standing
        if standing.trouble and standing.trouble != self._trouble:
            log.warning("No in-betweens are made: %s", standing.trouble)
        elif standing.slots and (before is None or not before.slots):
            log.info("The cluster is there, with room for %d at once.", standing.slots)
        self._trouble = standing.trouble
        if standing.slots:
            self._failures = 0
        self._hand_over()
        if before is None or before.slots != standing.slots:
            self._on_event("", Room())

    def _exited(self, driver: WorkerProcess) -> None:
        if driver is not self._driver:
            return
        epitaph = driver.epitaph()
        self._driver, standing, self._standing = None, self._standing, None
        if standing is None or standing.slots:
            self._trouble = self._trouble or f"The connection to {self._cluster} is lost."
            log.warning("%s %s", self._trouble, epitaph)
        self._start_later()
        for id, given in list(self._given.items()):
            if given.sent:
                # Queued again by the scheduler, without what is in the spool already.
                self._end_task(id, Stopped())
        self._on_event("", Room())

    def _end(self) -> None:
        self._errands.end()
        if self._driver is not None:
            self._driver.release()
            if not self._driver.wait(_ENDING_SECONDS):
                self._driver.kill()
                self._driver.wait(_ENDING_SECONDS)


def _nobody(task: str, event: object) -> None:
    log.debug("Nobody listens to %s of task %s.", event, task)
