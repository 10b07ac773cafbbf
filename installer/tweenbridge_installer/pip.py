"""Runs pip quietly: one line of progress on a terminal, everything in a log, and failures in plain words."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from .errors import InstallError

_REFRESH = 0.1
"""Least seconds between two drawings of the progress line."""
_BAR = 24

# In the order of asking: pip reports a package as missing when it could not be reached, too.
_CAUSES: tuple[tuple[str, str], ...] = (
    (
        r"No space left on device|Errno 28|WinError 112|not enough space on the disk",
        "The disk is full. Free some space, then run the same command again.",
    ),
    (
        r"ProxyError|Cannot connect to proxy|407 Proxy Authentication",
        "The proxy refused the connection. Set HTTPS_PROXY to your network's proxy (with user and password if it asks "
        "for them), then run the same command again.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError",
        "The package source's certificate was not accepted. If your network inspects traffic, point PIP_CERT at its "
        "certificate file, then run the same command again.",
    ),
    (
        r"NewConnectionError|NameResolutionError|Temporary failure in name resolution|getaddrinfo failed|"
        r"ConnectTimeout|ReadTimeout|Connection refused|Network is unreachable|ConnectionResetError|"
        r"Connection aborted|Max retries exceeded",
        "The package source cannot be reached. Check the network connection, then run the same command again.",
    ),
    (
        r"Permission denied|WinError 5\b|Access is denied|Errno 13",
        "A file could not be written. Close every program that uses Tweenbridge and check that this folder is yours, "
        "then run the same command again.",
    ),
    (
        r"THESE PACKAGES DO NOT MATCH THE HASHES|InvalidChunkLength|IncompleteRead|BadZipFile|is invalid: bad ",
        "A download arrived damaged. Run the same command again.",
    ),
)
_OTHER_PYTHON = "Delete the folder .venv and run the same command with Python 3.12."
OFFLINE = (
    "The folder of wheels lacks it, or was made for another Python or another kind of computer: make it with the "
    "Python that this is run with."
)
_NO_BUILD = re.compile(r"No matching distribution found for (\S+)")


def known_cause(output: str) -> str | None:
    """What went wrong around pip (disk, network, ...) and what to do, in plain words; None: something else. Pure."""
    return next((sentence for pattern, sentence in _CAUSES if re.search(pattern, output)), None)


def explain(output: str, python: str, no_build: str = _OTHER_PYTHON) -> str:
    """Why pip failed, and what to do, in plain words. Pure.

    Args:
        output: everything that pip printed.
        python: the environment's Python version, e.g. "3.14".
        no_build: what to do where a package has no build for it.
    """
    cause = known_cause(output)
    if cause is not None:
        return cause
    missing = _NO_BUILD.search(output)
    if missing:
        return f"There is no ready-made build of {missing[1]} for Python {python} on this computer. {no_build}"
    errors = [line.strip() for line in output.splitlines() if line.strip().startswith("ERROR:")]
    return f"pip could not install what Tweenbridge needs. {errors[-1] if errors else ''}".strip()


class Display:
    """The progress line. Writes nothing where standard error is not a terminal."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._live = self._stream.isatty()
        self._drawn = 0.0
        self._subject = ""

    def feed(self, line: str) -> None:
        """Take one line of pip's output."""
        if not self._live:
            return
        progress = re.match(r"Progress (\d+) of (\d+)", line)
        if progress:
            self._bar(int(progress[1]), int(progress[2]))
            return
        step = re.match(
            r"\s*(Collecting|Downloading|Using cached|Installing collected packages|Building)\W+(\S+)", line
        )
        if step:
            self._subject = step[2].rpartition("/")[2].split("-")[0].split(">")[0].split("=")[0]
            what = "unpacking" if step[1].startswith("Installing") else f"fetching {self._subject}"
            self._draw(f"  {what}")

    def _bar(self, done: int, total: int) -> None:
        now = time.monotonic()
        if total <= 0 or (now - self._drawn < _REFRESH and done < total):
            return
        self._drawn = now
        filled = _BAR * done // total
        size = f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
        self._draw(f"  [{'#' * filled}{'.' * (_BAR - filled)}] {self._subject} {size}")

    def _draw(self, text: str) -> None:
        self._stream.write("\r" + text[:78].ljust(78))
        self._stream.flush()

    def clear(self) -> None:
        """Leave an empty line behind."""
        if self._live:
            self._draw("")
            self._stream.write("\r")
            self._stream.flush()


def works(python: Path) -> bool:
    """Whether the environment has a pip that runs; one whose making was cut short may not."""
    command = [str(python), "-I", "-m", "pip", "--version"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def install(
    python: Path, arguments: Sequence[str], log: Path, version: str, *,
    progress: bool = True, no_build: str = _OTHER_PYTHON,
) -> None:  # fmt: skip
    """Run `pip install` in the environment.

    Args:
        python: the environment's interpreter.
        arguments: what follows `pip install`.
        log: file that pip's output is appended to.
        version: the environment's Python version, for messages.
        progress: ask pip for the progress of downloads, which it can report since 24.1.
        no_build: what to do where a package has no build for this Python, for the message.

    Raises:
        InstallError: it failed; the sentence says why.
    """
    # Isolated (-I): what PYTHONPATH or the user's own packages offer must not pass for installed.
    command = [str(python), "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar", "raw" if progress else "off", "--only-binary", ":all:", *arguments]
    environment = {**os.environ, "PIP_USER": "0", "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
    display = Display()
    kept: list[str] = []
    with open(log, "a", encoding="utf-8") as file:
        file.write(f"\n{time.strftime('%Y-%m-%d %H:%M:%S')} pip install {' '.join(arguments)}\n")
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            text=True, encoding="utf-8", errors="replace", env=environment,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            for line in process.stdout:
                display.feed(line)
                if not line.startswith("Progress "):
                    file.write(line)
                    kept.append(line)
            status = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            display.clear()
    if status != 0:
        if os.environ.get("PIP_NO_INDEX"):
            no_build = OFFLINE
        raise InstallError(f"{explain(''.join(kept), version, no_build)}\nEverything that pip said is in {log}.")
