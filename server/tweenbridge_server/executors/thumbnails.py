"""Small pictures of files in the spool, made in a process of its own: this one never decodes an image.

The process is started when somebody asks and ended a while after nobody did, so that it costs nothing where no one
looks on. It runs at a low priority beside the engines, and a file that brings it down brings nothing else down.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tweenbridge.pixels import PixelFormat
from tweenbridge.protocol.codec import from_plain, to_plain
from tweenbridge.protocol.errors import ErrorCode, ErrorInfo, TweenbridgeError
from tweenbridge.protocol.limits import THUMBNAIL_BYTES, THUMBNAIL_SIDE

from .pipe import read_message, write_message

log = logging.getLogger(__name__)

IDLE_SECONDS = 30.0
"""The process ends after so long without a question."""
PATIENCE = 30.0
"""Seconds that one picture may take."""
SMALLEST_SIDE = 16
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)


@dataclass(frozen=True)
class Picture:
    """The bytes of a PNG, 8 bits, RGB, of that many pixels."""

    width: int
    height: int
    png: bytes


class Thumbnailer:
    """One process at most, and one picture at a time. Any thread may call."""

    def __init__(self, idle_seconds: float = IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._timer: threading.Timer | None = None

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.poll() is None

    def make(self, path: Path, form: PixelFormat, name: str, side: int) -> Picture:
        """A picture of the file, whose longer side has `side` pixels at most.

        Raises:
            TweenbridgeError: BAD_REQUEST for a senseless side; INTERNAL when it took too long or the process ended;
                otherwise what is wrong with the file, which errors call `name`.
        """
        if not SMALLEST_SIDE <= side <= THUMBNAIL_SIDE:
            raise TweenbridgeError(
                ErrorCode.BAD_REQUEST, f"A thumbnail has {SMALLEST_SIDE} to {THUMBNAIL_SIDE} pixels a side."
            )
        question = {"path": str(path), "format": to_plain(form), "name": name, "side": side}
        with self._lock:
            self._rest()
            try:
                answer = self._ask(question)
            finally:
                self._timer = threading.Timer(self._idle_seconds, self.close)
                self._timer.daemon = True
                self._timer.start()
        if "error" in answer:
            raise TweenbridgeError.from_info(from_plain(ErrorInfo, answer["error"]))
        if len(answer["png"]) > THUMBNAIL_BYTES:
            raise TweenbridgeError(ErrorCode.TOO_LARGE, f"The thumbnail of {name} is too large.")
        return Picture(answer["width"], answer["height"], answer["png"])

    def close(self) -> None:
        """End the process; the next question starts another."""
        with self._lock:
            self._rest()
            self._end()

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ask(self, question: dict[str, object]) -> dict[str, Any]:
        process = self._running()
        assert process.stdin and process.stdout
        late = threading.Timer(PATIENCE, process.kill)
        late.start()
        try:
            write_message(process.stdin, question)
            answer = read_message(process.stdout)
        except OSError:
            answer = None
        finally:
            late.cancel()
        if answer is None:
            self._end()
            raise TweenbridgeError(ErrorCode.INTERNAL, "A thumbnail could not be made.")
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if not self.is_running or self._process is None:
            self._end()
            command = [sys.executable, "-m", "tweenbridge_server.executors.thumbnail_worker"]
            try:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                    creationflags=_NO_WINDOW,
                )  # fmt: skip
            except OSError as error:
                raise TweenbridgeError(ErrorCode.INTERNAL, "A thumbnail could not be made.") from error
            log.info("Process %d started for thumbnails.", self._process.pid)
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    log.debug("Process %d had closed its pipe.", process.pid)
