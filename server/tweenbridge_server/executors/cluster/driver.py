"""The server's process for the cluster, `python -m tweenbridge_server.executors.cluster.driver`: the one that Ray sees.

Commands come on stdin and events go out on stdout, as with a worker. Ray may end this process whenever it loses the
cluster, and prints what it likes: neither reaches the server. It ends with a status of its own when no cluster answers;
the server starts it again.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from typing import IO, TextIO

import msgpack
from tweenbridge.protocol.codec import from_plain
from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge.version import __version__

from ..pipe import CancelTask, Expect, PipeWriter, Prepare, Run, claim_pipes, read_command
from .messages import Standing, Unload, Wanted
from .pool import Pool
from .probe import probe
from .usable import checked

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
"""Between two looks at which nodes there are."""
_AGAIN_SECONDS = 30.0
"""Between two looks at what is on nodes that could not be used."""
_SILENCE_SECONDS = 60.0
"""A look takes a second, or, with new nodes, half a minute; after this long the cluster is gone, whatever Ray hopes."""
_ENDING_SECONDS = 2.0
_NO_CLUSTER = 3
"""Exit status when no cluster answers."""


class Driver:
    """Connects the pool with the server's pipe and with Ray."""

    def __init__(self, commands: IO[bytes], events: IO[bytes], wanted: Wanted) -> None:
        from .ray_layer import RayCluster

        self._commands = commands
        self._writer = PipeWriter(events)
        self._wanted = wanted
        self._cluster = RayCluster(wanted)
        self._pool = Pool(self._cluster, wanted, self._report)
        self._own = str(probe().get("fingerprint", ""))
        self._seen = time.monotonic()

    def run(self) -> None:
        """Work until the server closes the pipe."""
        threading.Thread(target=self._listen, name="commands", daemon=True).start()
        threading.Thread(target=self._look, name="nodes", daemon=True).start()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        self._pool.run()

    def _report(self, task: str, event: object) -> None:
        try:
            self._writer.happened(task, event)  # type: ignore[arg-type]
        except OSError:
            os._exit(0)

    def _listen(self) -> None:
        try:
            while (command := read_command(self._commands)) is not None:
                self._obey(command)
        except Exception:
            log.exception("A command could not be understood.")
        self._pool.close()
        # Ray may keep the pool waiting; the actors go with this process in any case.
        threading.Timer(_ENDING_SECONDS, os._exit, (0,)).start()

    def _obey(self, command: object) -> None:
        if isinstance(command, Run):
            self._pool.run_task(command.task)
        elif isinstance(command, CancelTask):
            self._pool.cancel(command.task)
        elif isinstance(command, Prepare):
            self._pool.prepare(command)
        elif isinstance(command, Expect):
            self._pool.expect(command.keyframe, command.spool)
        elif isinstance(command, Unload):
            self._pool.unload()

    def _look(self) -> None:
        """Keep the pool informed of the nodes."""
        again = time.monotonic() + _AGAIN_SECONDS
        while True:
            try:
                nodes = checked(self._cluster.nodes(), self._wanted.cluster, __version__, self._own)
                self._pool.nodes_are(nodes)
                self._seen = time.monotonic()
                if time.monotonic() >= again:
                    again = time.monotonic() + _AGAIN_SECONDS
                    self._cluster.forget([node.id for node in nodes if node.problem])
            except Exception:
                log.exception("The nodes could not be looked at.")
            time.sleep(_LOOK_SECONDS)

    def _watch(self) -> None:
        """End when the cluster has not answered for long: whoever asks Ray then waits without end."""
        while time.monotonic() - self._seen < _SILENCE_SECONDS:
            time.sleep(1.0)
        self._report("", Standing(0, f"The cluster at {self._wanted.cluster.address} does not answer any more."))
        os._exit(_NO_CLUSTER)


def main() -> None:
    """Entry point of the process. Argument: a `Wanted`, as hexadecimal msgpack."""
    wanted: Wanted = from_plain(Wanted, msgpack.unpackb(bytes.fromhex(sys.argv[1])))
    # Ctrl-C in the server's terminal reaches this process, too; the server decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    commands, events = claim_pipes()
    logging.basicConfig(level=logging.INFO, stream=_own_stderr(), format="%(levelname)s %(message)s")
    try:
        from .ray_layer import connect

        connect(wanted.cluster)
        driver = Driver(commands, events, wanted)
    except TweenbridgeError as error:
        PipeWriter(events).happened("", Standing(0, f"{error} {error.remedy}".strip()))
        # Not by sys.exit: Ray's threads may hang.
        os._exit(_NO_CLUSTER)
    driver.run()
    os._exit(0)


def _own_stderr() -> TextIO:
    """A stream to the server's log for this process's own words; Ray's, which are many, go nowhere: it has logs."""
    own = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8")
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)
    return own


if __name__ == "__main__":
    main()
