"""The client: jobs in, frames out, over a session that opens again by itself. docs/scripting.md shows it in use.

Everything happens inside the calls: no thread touches the socket, and `poll(0)` never waits, so a host application may
call it from its main loop. (Hashing and reading keyframe files is left to one helper thread, which knows nothing else.)
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Collection, Generator, Mapping, Optional, Sequence, Type, TypeVar, Union

import zmq

from .dialogue import Dialogue
from .discovery import ServerAddress, chosen_address, data_dir, read_address
from .events import Event, FrameArrived, JobEnded, JobProgress
from .job import JobHandle
from .keyframes import KeyframeLike, job_id_for, make_order
from .link import Link, LinkState
from .model_calls import ANSWER_TIMEOUT, ModelCalls
from .pixels import PixelFormat
from .protocol import messages as wire
from .protocol.errors import ErrorCode, TweenbridgeError
from .protocol.limits import Limits
from .protocol.messages import EngineInfo, JobInfo, JobState, Priority, Scalar, Status, Welcome
from .reply import Reply
from .results import Frame
from .timing import Timing
from .version import __version__

_FAREWELL = 2.0
"""Seconds that cancelling or releasing a job may take when its caller is already gone."""
_TICK = 0.05
"""Longest sleep while waiting: timers make no noise that could wake it."""

log = logging.getLogger("tweenbridge")

T = TypeVar("T")


class Client(ModelCalls):
    """A client of one Tweenbridge server.

    Args:
        home: data folder to find the server in; None for the user's own.
        address: a server elsewhere, which is never started from here; None for the one in `home`, or the one that was
            chosen there with `tweenbridge use`.
        name: who asks, as lists and logs show it.
        start_server: start the server of `home` when it is absent and something is asked of it.
        context: a ZeroMQ context to share; None makes one.
        limits: what is accepted from a server; raise `frame_bytes` where the server's is raised.

    Use it from one thread. Nothing is sent before the first call; `close` it, or use it in a `with` statement.
    """

    def __init__(
        self,
        home: Optional[Union[str, Path]] = None,
        address: Optional[ServerAddress] = None,
        name: str = "script",
        start_server: bool = True,
        context: Optional[zmq.Context[Any]] = None,
        limits: Optional[Limits] = None,
    ) -> None:
        self._home = data_dir() if home is None else Path(home).absolute()
        self._fixed = address or chosen_address(self._home)
        self._name = name
        self._own_context: Optional[zmq.Context[Any]] = zmq.Context() if context is None else None
        used = context or self._own_context
        assert used is not None
        info = wire.ClientInfo(name=name, version=__version__)
        bounds = limits or Limits()
        self._link = Link(self._home, self._fixed, info, start_server, used, bounds)
        self._dialogue = Dialogue(self._link, bounds)
        self._closed = False

    # ------------------------------------------------------------ for a main loop

    def poll(self, timeout: float = 0.0) -> list[Event]:
        """Do what can be done and report what happened.

        Args:
            timeout: seconds to wait for something to happen; 0 returns at once, whatever the server does.
        """
        self._step(timeout, self._dialogue.has_events)
        return self._dialogue.take_events()

    def submit(
        self,
        keyframes: Sequence[KeyframeLike],
        *,
        count: Optional[int] = None,
        timing: Optional[Timing] = None,
        engine: str = "flow",
        profile: str = "",
        settings: Optional[Mapping[str, Scalar]] = None,
        output: Optional[PixelFormat] = None,
        priority: Priority = Priority.NORMAL,
        title: str = "",
        job: Optional[str] = None,
        have: Collection[int] = (),
        previews: bool = False,
    ) -> JobHandle:
        """Ask for in-betweens. Returns at once; `poll` reports progress, frames and the end.

        Args:
            keyframes: in timeline order: file paths, bytes, or `KeyframeSource`s with positions. Files are read when
                they are needed, and not kept in memory.
            count: in-betweens in every gap; the same as in `timing`, which it overrides.
            timing: how the gaps are filled. Without a count, keyframes need positions.
            engine, profile, settings: see `engines`.
            output: form of the results; None returns them as the keyframes are.
            priority: which waiting job goes first.
            title: what the user calls the job.
            job: an id for the job, to find it again in another session; None makes one.
            have: drawings that an earlier session has brought, and that are not to be fetched again; not all of them.
            previews: also show unfinished frames, where the engine makes any (`PreviewArrived`).

        Raises:
            TweenbridgeError: BAD_REQUEST when the keyframes' positions and the timing do not fit; CONFLICT when this
                client follows a job of that id already. What goes wrong later ends the job with an event.
        """
        order = make_order(
            keyframes, count=count, timing=timing, engine=engine, profile=profile, settings=settings, output=output
        )
        handle = JobHandle(
            order, job=job, priority=priority, title=title, origin=self._name, have=have, previews=previews
        )
        self._dialogue.follow(handle)
        return handle

    def ask(self, question: wire.ClientMessage) -> Reply:
        """Send any question of the protocol without waiting; the reply is filled in by later calls of `poll`."""
        return self._dialogue.ask(question)

    def watch(self, on: bool = True) -> None:
        """Have `poll` report every job of the server, whoever submitted it, or no longer."""
        self._dialogue.watch(on)

    def watch_models(self, on: bool = True) -> None:
        """Have `poll` report every model's changes (`ModelsListed`, `ModelChanged`), or no longer."""
        self._dialogue.watch_models(on)

    @property
    def server(self) -> Optional[Welcome]:
        """What the server said of itself, with its limits; None while there is no session."""
        return self._link.welcome

    @property
    def connecting(self) -> bool:
        """Whether a session is being opened: it will be there, or an event says why not."""
        return self._link.state is LinkState.OPENING

    def retry(self) -> None:
        """Look for the server at once, where the pause after a failed attempt is not over. Starts none."""
        self._link.retry()

    # ------------------------------------------------------------ calls that wait

    def interpolate(
        self,
        keyframes: Sequence[KeyframeLike],
        *,
        count: Optional[int] = None,
        timing: Optional[Timing] = None,
        engine: str = "flow",
        profile: str = "",
        settings: Optional[Mapping[str, Scalar]] = None,
        output: Optional[PixelFormat] = None,
        priority: Priority = Priority.INTERACTIVE,
        title: str = "",
        job: Optional[str] = None,
        resume: bool = False,
        on_progress: Optional[Callable[[JobInfo], None]] = None,
        on_event: Optional[Callable[[Event], None]] = None,
        timeout: Optional[float] = None,
    ) -> Generator[Frame, None, None]:
        """Make in-betweens and yield them in time order, as they are finished.

        The job starts with the first frame asked for. When all frames have been taken, the job is released; when the
        generator is closed early or an exception passes through it (Ctrl-C included), the job is cancelled. A restart
        of the server in between is bridged.

        Args:
            resume: take a job id made from the keyframes and settings, so that the same call goes on where an
                interrupted one stopped.
            on_progress: called with the job's state whenever it changes.
            on_event: called with connection events: `Connected`, `Disconnected`, `ServerStarting`, `ServerStopping`.
            timeout: seconds for the whole job.

        The other arguments are those of `submit`.

        Raises:
            TweenbridgeError: whatever ended the job; NOT_RUNNING or START_FAILED when there is no server; TIMED_OUT.
        """
        order = make_order(
            keyframes, count=count, timing=timing, engine=engine, profile=profile, settings=settings, output=output
        )
        if resume and job is None:
            job = job_id_for(order.request())
        handle = JobHandle(order, job=job, priority=priority, title=title, origin=self._name, in_order=True)
        return self._frames(handle, on_progress, on_event, timeout)

    def connect(self, timeout: float = ANSWER_TIMEOUT) -> Welcome:
        """Wait until there is a session, and return what the server said of itself.

        Raises:
            TweenbridgeError: NOT_RUNNING, START_FAILED, UNAUTHORIZED, VERSION or TIMED_OUT.
        """
        self.status(timeout)
        welcome = self._link.welcome
        assert welcome is not None
        return welcome

    def engines(self, timeout: float = ANSWER_TIMEOUT) -> tuple[EngineInfo, ...]:
        """The engines there are, with their profiles and settings."""
        return self._answer(wire.GetEngines(), wire.Engines, timeout).engines

    def jobs(self, limit: int = 50, timeout: float = ANSWER_TIMEOUT) -> tuple[JobInfo, ...]:
        """The newest jobs of the server, newest first."""
        return self._answer(wire.ListJobs(limit=limit), wire.Jobs, timeout).jobs

    def job(self, job: str, timeout: float = ANSWER_TIMEOUT) -> JobInfo:
        """How one job stands. UNKNOWN_JOB when the server has forgotten it."""
        return self._answer(wire.GetJob(job=job), wire.Job, timeout).info

    def status(self, timeout: float = ANSWER_TIMEOUT) -> Status:
        """How the server is."""
        return self._answer(wire.GetStatus(), Status, timeout)

    def cancel(self, job: str, timeout: float = ANSWER_TIMEOUT) -> JobInfo:
        """Stop a job, whoever submitted it. Its finished frames stay until it is released."""
        return self._answer(wire.Cancel(job=job), wire.Job, timeout).info

    def release(self, job: str, timeout: float = ANSWER_TIMEOUT) -> None:
        """Tell the server that a job's frames are not needed any more."""
        self._answer(wire.Release(job=job), wire.Released, timeout)

    def stop_server(self, timeout: float = ANSWER_TIMEOUT) -> None:
        """End the server and wait until it has gone. Running jobs go on at its next start.

        Raises:
            TweenbridgeError: NOT_RUNNING when none is running.
        """
        self._link.do_not_start()
        before = None if self._fixed is not None else read_address(self._home)
        self._answer(wire.Stop(), wire.Stopping, timeout)
        end = time.monotonic() + timeout
        while time.monotonic() < end and (
            self._link.welcome is not None or (before is not None and read_address(self._home) == before)
        ):
            self._step(_TICK, lambda: self._link.welcome is None)

    def close(self) -> None:
        """End the session. Jobs that are not finished complete on the server and wait there."""
        if self._closed:
            return
        self._closed = True
        self._dialogue.close()
        self._link.close()
        if self._own_context is not None:
            self._own_context.term()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    # ------------------------------------------------------------ waiting

    def _step(self, timeout: float, until: Callable[[], bool]) -> None:
        end = time.monotonic() + timeout
        while True:
            now = time.monotonic()
            self._dialogue.step(now)
            if until() or now >= end:
                return
            self._dialogue.wait(min(end - now, _TICK))

    def _wait(self, until: Callable[[], bool], timeout: Optional[float]) -> None:
        """Wait for something; say what is wrong once there is no hope of it.

        Raises:
            TweenbridgeError: the reason why there is no session, or TIMED_OUT.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not until():
            now = time.monotonic()
            if self._link.error is not None and self._link.is_hopeless(now):
                raise TweenbridgeError.from_info(self._link.error)
            if end is not None and now >= end:
                raise TweenbridgeError(ErrorCode.TIMED_OUT, f"There was no result within {timeout:g} seconds.")
            self._dialogue.step(now)
            if not until():
                self._dialogue.wait(_TICK if end is None else min(_TICK, end - now))

    def _answer(self, question: wire.ClientMessage, kind: Type[T], timeout: float) -> T:
        reply = self._dialogue.ask(question)
        try:
            self._wait(lambda: reply.done, timeout)
        finally:
            self._dialogue.withdraw(reply)
        answer = reply.result()
        if not isinstance(answer, kind):
            raise TweenbridgeError(ErrorCode.BAD_MESSAGE, f"The server answered {question.TYPE} with {answer.TYPE}.")
        return answer

    def _frames(
        self,
        handle: JobHandle,
        on_progress: Optional[Callable[[JobInfo], None]],
        on_event: Optional[Callable[[Event], None]],
        timeout: Optional[float],
    ) -> Generator[Frame, None, None]:
        end = None if timeout is None else time.monotonic() + timeout
        self._dialogue.follow(handle)
        try:
            while True:
                left = None if end is None else max(0.0, end - time.monotonic())
                self._wait(lambda: self._dialogue.has_events_of(handle, on_event is not None), left)
                for event in self._dialogue.take_events_of(handle, on_event is not None):
                    if isinstance(event, FrameArrived):
                        yield event.frame
                    elif isinstance(event, JobProgress):
                        if on_progress is not None:
                            on_progress(event.info)
                    elif isinstance(event, JobEnded):
                        if event.error is not None:
                            raise TweenbridgeError.from_info(event.error)
                        return
                    elif on_event is not None:
                        on_event(event)
        finally:
            self._part(handle)

    def _part(self, handle: JobHandle) -> None:
        """Release a job whose frames were all taken; cancel one that was abandoned. Does not insist."""
        if self._closed:
            return
        if handle.state is JobState.DONE:
            farewell = self._dialogue.ask(wire.Release(job=handle.id))
            said = self._patiently(lambda: farewell.done)
            self._dialogue.withdraw(farewell)
        else:
            handle.cancel()
            said = self._patiently(lambda: handle.ended)
        if not said:
            log.info("the server could not be told that job %s is no longer needed", handle.id)
        self._dialogue.take_events_of(handle, False)

    def _patiently(self, until: Callable[[], bool]) -> bool:
        """Whether it happened within `_FAREWELL` seconds."""
        end = time.monotonic() + _FAREWELL
        while not until() and time.monotonic() < end and self._link.sessions:
            self._step(_TICK, until)
        return until()
