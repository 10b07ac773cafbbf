"""A process that the server works through, as the server sees it: started, spoken to, watched, ended."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from .pipe import Command, Happened, PipeWriter, read_event

log = logging.getLogger(__name__)

_LAST_LINES = 20
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)


class WorkerProcess:
    """A running worker. `on_event` and, once, `on_exit` are called from a thread of its own."""

    def __init__(
        self,
        program: Sequence[str],
        environment: Mapping[str, str],
        on_event: Callable[[WorkerProcess, Happened], None],
        on_exit: Callable[[WorkerProcess], None],
    ) -> None:
        """Start a module of this installation with arguments. OSError when the system refuses."""
        self._on_event = on_event
        self._on_exit = on_exit
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._process = subprocess.Popen(
            [sys.executable, "-m", *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            creationflags=_NO_WINDOW,
        )
        self.pid = self._process.pid
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._stdin, self._stdout, self._stderr = self._process.stdin, self._process.stdout, self._process.stderr
        self._writer = PipeWriter(self._stdin)
        self._errors = threading.Thread(target=self._read_stderr, name=f"worker {self.pid} stderr", daemon=True)
        self._events = threading.Thread(target=self._read_events, name=f"worker {self.pid}", daemon=True)
        self._errors.start()
        self._events.start()

    def send(self, command: Command) -> None:
        """Give it a command. One that has died meanwhile reports that through `on_exit`."""
        try:
            self._writer.command(command)
        except (OSError, ValueError):
            log.debug("Worker %d is gone and took no command.", self.pid)

    def release(self) -> None:
        """Let it end: it does as soon as it sees its input closed."""
        try:
            self._stdin.close()
        except OSError:
            log.debug("Worker %d had already closed its input.", self.pid)

    def kill(self) -> None:
        """End it now."""
        self._process.kill()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended and been reported within that time."""
        self._events.join(seconds)
        return not self._events.is_alive()

    def memory(self) -> int:
        """Its resident bytes; 0 when it has ended."""
        import psutil  # 15 ms that the server's start need not pay

        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def epitaph(self) -> str:
        """One sentence on how it ended, with its last words."""
        status = self._process.wait()
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        if status == -9:
            how += ", perhaps because memory ran out"
        words = [line for line in self._last_lines if line.strip()]
        return f"The worker {how}" + (f", saying: {words[-1].strip()[:300]}" if words else ".")

    def _read_events(self) -> None:
        try:
            while (happened := read_event(self._stdout)) is not None:
                self._on_event(self, happened)
        except Exception:
            log.exception("Worker %d sent something that is no event and is ended.", self.pid)
            self.kill()
        self._errors.join(2.0)
        self._process.wait()
        for pipe in (self._stdout, self._stderr):
            pipe.close()
        self.release()
        self._on_exit(self)

    def _read_stderr(self) -> None:
        for raw in self._stderr:
            line = raw.decode("utf-8", "replace").rstrip()
            self._last_lines.append(line)
            if line:
                log.info("worker %d: %s", self.pid, line)
