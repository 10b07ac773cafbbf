"""A worker process, `python -m tweenbridge_server.executors.worker`: commands come on stdin, events go out on stdout.

One thread reads commands (and ends the process at once when the server is gone), the main thread runs engines, one
encodes and stores finished frames meanwhile, and two decode keyframes. numpy, OpenCV and OpenImageIO are imported here
and nowhere above.
"""

from __future__ import annotations

import ctypes
import logging
import os
import queue
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import IO

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from ..engines.base import Cancelled, Held
from ..jobs.spool import Spool
from .base import Advanced, Computed, Failed, Finished, GapTask, Loaded, Stopped, TaskEvent
from .failing import explain
from .pipe import CancelTask, Expect, PipeWriter, Prepare, Run, claim_pipes, read_command
from .render import Renderer, use_threads

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 10.0
"""How long freed memory is kept, and keyframes that were read for a task, when nothing comes: whoever tries settings on
a gap comes back within seconds, and to get the memory anew takes the next task a tenth of a second."""


def give_memory_back() -> None:
    """Return freed memory to the system; the C library on Linux keeps hundreds of megabytes otherwise."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


class Worker:
    """Runs commands in turn."""

    def __init__(self, commands: IO[bytes], events: IO[bytes], device: str, home: Path, compile_models: bool) -> None:
        self._commands = commands
        self._writer = PipeWriter(events)
        self._waiting: queue.SimpleQueue[Prepare | Run] = queue.SimpleQueue()
        self._cancelled: set[str] = set()
        self._renderer = Renderer(self._report, device, home, compile_models)
        self._held: Held | None = None

    def run(self) -> None:
        """Work until the server closes the pipe, which ends the process."""
        threading.Thread(target=self._listen, name="commands", daemon=True).start()
        worked = False
        while True:
            try:
                command = self._waiting.get(timeout=_PAUSE_SECONDS)
            except queue.Empty:
                if worked or self._renderer.stills.forget_expected():
                    give_memory_back()
                worked = False
                continue
            worked = True
            if isinstance(command, Prepare):
                self._prepare(command)
            else:
                self._do(command.task)

    def _listen(self) -> None:
        status = 1
        try:
            while (command := read_command(self._commands)) is not None:
                if isinstance(command, CancelTask):
                    self._cancelled.add(command.task)
                elif isinstance(command, Expect):
                    self._renderer.stills.expect(command.keyframe, Spool(Path(command.spool)))
                elif isinstance(command, (Prepare, Run)):
                    self._waiting.put(command)
            status = 0
        except Exception:
            log.exception("A command could not be understood.")
        finally:
            # The server is gone or wants this worker gone: nothing here is worth waiting for.
            os._exit(status)

    def _report(self, task: str, event: TaskEvent) -> None:
        try:
            self._writer.happened(task, event)
        except OSError:
            os._exit(0)
        if isinstance(event, Advanced):
            # In the middle of a task, too: loading is what its first steps do.
            self._tell_held()

    def _prepare(self, command: Prepare) -> None:
        try:
            self._renderer.prepare(command.engine, command.profile, command.settings)
        except Exception:  # noqa: BLE001 - the task that needs the engine will meet and report the same error
            log.warning("The engine %s could not be prepared.\n%s", command.engine, traceback.format_exc())
        self._tell_held()

    def _tell_held(self) -> None:
        """Tell which model is in memory now, where that is another one than before."""
        held = self._renderer.held
        if held != self._held:
            self._held = held
            self._report("", Loaded(held.model, held.memory) if held is not None else Loaded("", 0))

    def _do(self, task: GapTask) -> None:
        try:
            batch = self._renderer.render(task, lambda: task.id in self._cancelled)
        except Exception as error:  # noqa: BLE001 - whatever an engine raises becomes the job's error
            self._end(task, error)
        else:
            self._report(task.id, Computed(self._renderer.cost))
            batch.when_stored(lambda error: self._end(task, error))
        self._tell_held()

    def _end(self, task: GapTask, error: BaseException | None) -> None:
        self._report(task.id, Finished() if error is None else _ended_by(error))
        self._cancelled.discard(task.id)


def _ended_by(error: BaseException) -> TaskEvent:
    """What became of a task that raised this."""
    if isinstance(error, Cancelled):
        return Stopped()
    known = explain(error)
    if isinstance(error, TweenbridgeError) or known.code is not ErrorCode.INTERNAL:
        return Failed(known)
    return Failed(known, "".join(traceback.format_exception(error)))


def main() -> None:
    """Entry point of the process. Arguments: threads to compute with, device, the server's data folder, "--compile"."""
    threads, device, home = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    # Ctrl-C in the server's terminal reaches the worker, too; the server decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    commands, events = claim_pipes()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    use_threads(threads)
    Worker(commands, events, device, home, "--compile" in sys.argv[4:]).run()


if __name__ == "__main__":
    main()
