"""The job service with an executor whose steps the test decides: in whatever order things happen, it stays sound."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench import flat, request
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import Limits
from tweenbridge.protocol.messages import JobState, Priority, Scalar, Submit, WorkerInfo
from tweenbridge_server.executors.base import (
    Advanced,
    Computed,
    Died,
    Failed,
    Finished,
    GapTask,
    KeyframeFile,
    Made,
    OnEvent,
    Related,
    Stopped,
    TaskEvent,
)
from tweenbridge_server.jobs.plan import Relation
from tweenbridge_server.jobs.service import JobService, Retention
from tweenbridge_server.jobs.spool import Spool

PNG = PixelFormat(Encoding.PNG)
PICTURES = [flat(level) for level in (10, 60, 110, 160)]
REQUESTS = {
    "a": request(PICTURES[:3], count=2),
    "b": request(PICTURES[1:4], count=2),
    "c": request(PICTURES[:2], count=3),
    "d": request(PICTURES, count=2),
    "e": request(PICTURES[:2], count=0),
}
jobs = st.sampled_from(sorted(REQUESTS))


def _ignore(news: object) -> None:
    """Nobody listens."""


class ScriptedExecutor:
    """Does nothing by itself."""

    slots = 2

    def __init__(self) -> None:
        self.tasks: dict[str, GapTask] = {}
        self.computed: set[str] = set()
        self.cancelled: set[str] = set()
        self.on_event: OnEvent

    def start(self, on_event: OnEvent) -> None:
        self.on_event = on_event

    def prepare(self, engine: str, profile: str, settings: Mapping[str, Scalar]) -> None:
        assert engine == "blend"

    def expect(self, keyframe: KeyframeFile, spool: str) -> None:
        assert len(self.tasks) - len(self.computed) < self.slots
        assert (Path(spool) / "keyframes" / keyframe.file).exists()

    def run(self, task: GapTask) -> None:
        assert len(self.tasks) - len(self.computed) < self.slots
        busy = {frame.key for other in self.tasks.values() for frame in other.frames}
        assert not busy & {frame.key for frame in task.frames}, "a frame is never made twice at once"
        self.tasks[task.id] = task

    def cancel(self, task: str) -> None:
        self.cancelled.add(task)

    def workers(self) -> tuple[WorkerInfo, ...]:
        return ()

    def close(self) -> None:
        self.tasks.clear()
        self.computed.clear()


class AnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.spool = Spool(self.home / "spool")
        self.submitted: set[str] = set()
        self.made: set[str] = set()
        self.begin()

    def begin(self) -> None:
        self.executor = ScriptedExecutor()
        self.service = JobService(self.home, Limits(), Retention(), self.executor, _ignore, _ignore)
        self.service.start()

    def teardown(self) -> None:
        self.service.close()
        shutil.rmtree(self.home)

    # ------------------------------------------------------------ what clients do

    @rule(job=jobs, priority=st.sampled_from(Priority))
    def submit(self, job: str, priority: Priority) -> None:
        accepted = self.service.submit(Submit(job, REQUESTS[job], priority), "me")
        assert accepted.total == len(accepted.done) or accepted.state is not JobState.DONE
        self.submitted.add(job)

    @rule(job=jobs)
    def send(self, job: str) -> None:
        for position in self.service.submit(Submit(job, REQUESTS[job]), "me").need:
            self.service.put(job, position, self.picture(job, position))
        self.submitted.add(job)

    def picture(self, job: str, position: int) -> memoryview:
        wanted = REQUESTS[job].keyframes[position].sha256
        return memoryview(next(item for item in PICTURES if hashlib.sha256(item).hexdigest() == wanted))

    @precondition(lambda self: self.submitted)
    @rule(data=st.data(), index=st.integers(0, 3))
    def put(self, data: st.DataObject, index: int) -> None:
        job = data.draw(st.sampled_from(sorted(self.submitted)))
        position = index % len(REQUESTS[job].keyframes)
        try:
            assert position not in self.service.put(job, position, self.picture(job, position)).need
        except TweenbridgeError as error:
            assert error.code in (ErrorCode.CANCELLED, ErrorCode.WORKER_DIED, ErrorCode.INTERNAL)

    @precondition(lambda self: self.submitted)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        assert self.service.cancel(data.draw(st.sampled_from(sorted(self.submitted)))).state.is_final

    @precondition(lambda self: self.submitted)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(sorted(self.submitted)))
        self.service.release(job)
        self.submitted.discard(job)

    # ------------------------------------------------------------ what workers and the server do

    @precondition(lambda self: self.executor.tasks)
    @rule(
        data=st.data(),
        how=st.sampled_from(["on", "on", "on", "on", "computed", "computed", "died", "failed", "stopped"]),
    )
    def work(self, data: st.DataObject, how: str) -> None:
        self.step(self.executor.tasks[data.draw(st.sampled_from(sorted(self.executor.tasks)))], how)

    def step(self, task: GapTask, how: str) -> None:
        tell = self.executor.on_event
        missing = [frame.key for frame in task.frames if self.spool.find_frame(frame.key) is None]
        if how == "stopped" and task.id not in self.executor.cancelled:
            how = "on"
        if how == "computed":
            if task.id not in self.executor.computed:
                self.executor.computed.add(task.id)
                tell(task.id, Computed())
            return
        if how == "on" and missing:
            tell(task.id, Related(Relation.MOTION))
            tell(task.id, Advanced(0.5, "blending"))
            self.make(task, missing[0])
            return
        del self.executor.tasks[task.id]
        self.executor.computed.discard(task.id)
        error = TweenbridgeError(ErrorCode.INTERNAL, "It broke.").info
        endings: dict[str, TaskEvent] = {
            "died": Died("It died."),
            "failed": Failed(error),
            "stopped": Stopped(),
            "on": Finished(),
        }
        if how == "on":
            tell(task.id, Related(Relation.MOTION))
        tell(task.id, endings[how])

    def make(self, task: GapTask, key: str) -> None:
        assert key not in self.made, "a stored frame is never made again"
        self.made.add(key)
        data = key.encode()
        with self.spool.new_file(".part") as path:
            path.write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
            self.spool.publish(path, self.spool.frame_path(key, PNG, digest))
        self.executor.on_event(task.id, Made(key, PNG, digest, len(data), Relation.MOTION))

    @rule()
    def restart(self) -> None:
        before = {job: self.service.info(job) for job in self.submitted}
        self.service.close()
        self.begin()
        for job, info in before.items():
            after = self.service.info(job)
            assert after.done == info.done
            assert after.state.is_final == info.state.is_final

    @rule()
    def keep_house(self) -> None:
        self.service.keep_house()

    # ------------------------------------------------------------ what must hold

    @invariant()
    def known_jobs_are_the_submitted_ones(self) -> None:
        assert {info.job for info in self.service.jobs(99)} == self.submitted
        assert sum(self.service.counts().values()) == len(self.submitted)

    @invariant()
    def finished_frames_can_be_fetched(self) -> None:
        for job in self.submitted:
            info = self.service.info(job)
            if info.state is JobState.DONE:
                assert info.done == info.total
                for frame in range(info.total):
                    stored = self.service.frame(job, frame)
                    assert hashlib.sha256(stored.path.read_bytes()).hexdigest() == stored.sha256

    @invariant()
    def no_slot_idles_while_gaps_wait(self) -> None:
        infos = [self.service.info(job) for job in self.submitted]
        if any(info.state is JobState.QUEUED for info in infos):
            assert self.executor.tasks

    @rule()
    def let_everything_finish(self) -> None:
        for _ in range(200):
            if not self.executor.tasks:
                break
            self.step(next(iter(self.executor.tasks.values())), "on")
        assert not self.executor.tasks
        states = {self.service.info(job).state for job in self.submitted}
        assert not states & {JobState.QUEUED, JobState.RUNNING}


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=30, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
