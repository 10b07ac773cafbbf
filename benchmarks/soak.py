"""Whether a server that works for hours grows: memory, descriptors, files, and how long small requests take.

    python benchmarks/soak.py [--minutes 60] [--json FILE] [--picture FILE]

A server process on an empty data folder works for clients in another process: four people who submit jobs of many
kinds, cancel them, submit them again, go away in the middle, send damaged keyframes; programs that look on; small
pictures; a few jobs of the diffusion engine. Retention is set so low that it deletes all the time. In the first half
there are three pauses in which the worker ends for want of work. From this process, small requests are timed.

At the end each curve's growth per hour is estimated with an interval (soaking/trends.py). The exit status is 1 when
something grows, or when anything happened that must not.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psutil
from soaking import report
from soaking.load import Load, Report
from soaking.measuring import QUESTIONS, Asker, Figures, of_children, of_files, of_process, unknown_files
from soaking.report import Window
from tweenbridge.discovery import read_address
from tweenbridge_server.config import config_file
from tweenbridge_server.diagnostics.logs import log_file

IDLE: Final = 10
"""Seconds without work after which the worker ends."""
SETTINGS: Final = f"""
[limits]
spool_bytes = {256 * 1024**2}
[retention]
bytes = {64 * 1024**2}
days = 0.01
history = 200
[workers]
idle_seconds = {IDLE}
cpu_threads = 1
[log]
level = "warning"
"""
PAUSES: Final = (1 / 6, 1 / 3, 1 / 2)
"""When they begin, as shares of the time."""
_PAUSE: Final = 2.5 * IDLE
"""Seconds that each takes."""
WINDOWS: Final = 60
_BETWEEN_LINES: Final = 5
"""Windows for each line of the table."""
_SAMPLES: Final = 12
"""Of each window."""
_LAST_SECONDS: Final = 10.0
"""Seconds after the server's end by which its processes have ended, too."""
_BETWEEN: Final = 0.05
"""Seconds between two small requests."""


@dataclass(frozen=True)
class Outcome:
    """What a soak found.

    Attributes:
        windows: what was measured over time.
        load: what the clients did and what they complain of.
        workers: how many worker processes there have been.
        errors: what else must not have happened, one sentence each.
    """

    windows: list[Window]
    load: Report
    workers: int
    errors: list[str]

    @property
    def passed(self) -> bool:
        """Nothing grows, and nothing happened that must not."""
        grows = any(verdict and not verdict.passes for verdict in report.verdicts(self.windows).values())
        return not (grows or self.load.complained or self.errors)


@contextmanager
def _server(home: Path) -> Iterator[psutil.Popen]:
    command = [sys.executable, "-m", "tweenbridge_server", "serve"]
    environment = {**os.environ, "TWEENBRIDGE_HOME": str(home)}
    with psutil.Popen(command, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            while read_address(home) is None:
                if server.poll() is not None:
                    raise SystemExit("The server did not start.")
                time.sleep(0.05)
            yield server
        finally:
            if server.poll() is None:
                server.terminate()
            try:
                server.wait(60)
            except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
                server.kill()


class Soak:
    """One run on a data folder."""

    def __init__(self, home: Path, minutes: float, dreams: bool) -> None:
        self._home = home
        self._seconds = 60 * minutes
        self._dreams = dreams
        self._pids: set[int] = set()
        self._windows: list[Window] = []
        self._pausing = False

    def run(self) -> Outcome:
        """Work for the whole time, or until Ctrl-C or SIGTERM."""
        config_file(self._home).write_text(SETTINGS, encoding="utf-8")
        with _server(self._home) as server:
            load = Load(self._home, self._dreams)
            asker = Asker(self._home)
            try:
                self._measure(server, load, asker)
            except KeyboardInterrupt:
                print("Ended early.", file=sys.stderr)
            finally:
                asker.close()
                said = load.end()
            left = server.children(recursive=True)
        errors = [f"{count} times, {sentence}" for sentence, count in asker.errors.items()]
        outlived = psutil.wait_procs(left, timeout=_LAST_SECONDS)[1]
        errors += [f"process {child.pid} outlived the server" for child in outlived]
        errors += [f"the server ended with status {server.returncode}"] if server.returncode else []
        errors += [f"{name}: in the spool or in the database, but not in both" for name in unknown_files(self._home)]
        return Outcome(self._windows, said, len(self._pids), errors + self._logged())

    def _measure(self, server: psutil.Process, load: Load, asker: Asker) -> None:
        self._warm_up(load, asker)
        print(report.head(), flush=True)
        clients = psutil.Process(load.pid)
        began = time.monotonic()
        samples: list[Figures] = []
        for number in range(1, WINDOWS * _SAMPLES + 1):
            ends = began + number * self._seconds / WINDOWS / _SAMPLES
            # At least once, on however busy a machine.
            asker.ask()
            while (now := time.monotonic()) < ends:
                time.sleep(min(_BETWEEN, ends - now))
                asker.ask()
            self._pause(load, now - began)
            samples.append(self._sample(server, clients, asker))
            if number % _SAMPLES == 0:
                jobs = sum(count for what, count in load.report().counts.items() if what.startswith("jobs "))
                self._windows.append(report.window((now - began) / 3600, samples, asker.seconds, jobs))
                samples, asker.seconds = [], []
                if len(self._windows) % _BETWEEN_LINES == 0:
                    print(report.line(self._windows[-1]), flush=True)

    def _pause(self, load: Load, passed: float) -> None:
        """Have the clients pause, or go on, where it is time."""
        wanted = any(0 <= passed - share * self._seconds < _PAUSE for share in PAUSES)
        if wanted is not self._pausing:
            self._pausing = wanted
            load.pause(wanted)

    def _warm_up(self, load: Load, asker: Asker) -> None:
        """Until the first job has ended: before, the worker imports and compiles."""
        while not any(what.startswith("jobs ") for what in load.report().counts):
            time.sleep(0.1)
        for _ in QUESTIONS:
            asker.ask()
        asker.seconds = []

    def _sample(self, server: psutil.Process, clients: psutil.Process, asker: Asker) -> Figures:
        figures = of_process("gateway", server) | of_process("clients", clients)
        figures |= of_children(server) | of_files(self._home)
        for worker in asker.status.workers:
            self._pids.add(worker.pid)
            if psutil.pid_exists(worker.pid):
                figures |= of_process("worker", psutil.Process(worker.pid))
        return figures

    def _logged(self) -> list[str]:
        """Errors in the server's log."""
        lines = log_file(self._home).read_text(encoding="utf-8").splitlines()
        entries: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [f"log: {entry['message'][:200]}" for entry in entries if entry["level"] in ("error", "critical")]


def show(outcome: Outcome) -> None:
    """Print what was found."""
    print("\n" + report.trends_table(outcome.windows), end="\n\n")
    counts = ", ".join(f"{count} {what}" for what, count in sorted(outcome.load.counts.items()))
    print(f"{counts}, {outcome.workers} worker processes\n")
    wrong = [*outcome.load.complaints, *outcome.errors]
    print(f"What must not happen: {outcome.load.complained + len(outcome.errors)}", *wrong, sep="\n- ")
    print("\nPASS" if outcome.passed else "\nFAIL")


def main() -> int:
    """Run and print. Exit status 1 when something grows or went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (default: 60)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write what was measured")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="also draw the curves")
    parser.add_argument("--without-dreammover", action="store_true", help="no jobs of the diffusion engine")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Also where it was started in the background, for which shells turn Ctrl-C off.
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="tweenbridge-soak-") as folder:
        outcome = Soak(Path(folder), options.minutes, not options.without_dreammover).run()
    show(outcome)
    if options.json is not None:
        options.json.write_text(json.dumps(asdict(outcome), indent=1) + "\n", encoding="utf-8")
    if options.picture is not None:
        report.draw(outcome.windows, options.picture)
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())
