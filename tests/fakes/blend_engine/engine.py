"""Blends two keyframes, and writes a line for every frame that it computes to the file named by BLEND_ENGINE_LOG.

With the mischief "wait" it goes on when that file has the line "go on", so that a test can do something in the middle
of a job, however fast or slow the machine is.
"""

from __future__ import annotations

import os
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from tweenbridge.protocol.messages import EngineInfo, Scalar
from tweenbridge_server.engines.base import Frame, Gap, Held, Progress, Workplace

from .info import INFO


def _note(line: str) -> None:
    with open(os.environ["BLEND_ENGINE_LOG"], "ab", buffering=0) as file:
        file.write(f"{line}\n".encode())


def _noted(word: str) -> bool:
    with open(os.environ["BLEND_ENGINE_LOG"], "rb") as file:
        return word.encode() in file.read()


class BlendEngine:
    info: EngineInfo = INFO
    held: Held | None = None

    def settle(self, workplace: Workplace) -> None:
        form = "compiled" if workplace.compile_models else "plain"
        _note(f"settle {os.getpid()} {workplace.device} {workplace.cache} {form}")

    def warm_up(self, profile: str, settings: Mapping[str, Scalar]) -> None:
        _note(f"warm {os.getpid()} {profile} {settings['model']}")

    def interpolate(
        self, gap: Gap, times: Sequence[float], profile: str, settings: Mapping[str, Scalar], progress: Progress
    ) -> Iterator[Frame]:
        self.held = Held(str(settings["model"]), 12345) if settings["model"] else None
        if gap.shot:
            _note("shot " + " ".join(f"{shown[0, 0, 0]:.3f}" for shown in gap.shot))
        _say(str(settings["says"]), gap, progress)
        pair = f"{zlib.crc32(gap.a.tobytes()):08x}-{zlib.crc32(gap.b.tobytes()):08x}"
        for number, t in enumerate(times):
            progress(number / len(times), "blending")
            self._misbehave(settings, t)
            if settings["mischief"] == "wait" and t >= float(settings["at"]):
                _wait(number / len(times), progress)
            _sleep(float(settings["seconds"]), number / len(times), progress, settings["mischief"] == "stubborn")
            _note(f"frame {os.getpid()} {pair} {t!r}")
            pixels = np.ascontiguousarray(gap.a * np.float32(1 - t) + gap.b * np.float32(t))
            if settings["mischief"] == "wrong shape":
                pixels = pixels[1:]
            if settings["mischief"] != "too few":
                yield Frame(t, pixels)

    def _misbehave(self, settings: Mapping[str, Scalar], t: float) -> None:
        mischief = settings["mischief"]
        if mischief in ("none", "wrong shape", "too few", "stubborn", "wait") or t < float(settings["at"]):
            return
        if mischief == "raise":
            raise ValueError("the engine broke")
        if mischief == "exit" or (mischief == "exit once" and not _noted("exit")):
            _note("exit")
            print("last words", file=sys.stderr, flush=True)
            os._exit(7)
        if mischief == "memory":
            np.empty((1 << 50,), np.float64)
        if mischief == "hang":
            time.sleep(60)
        if mischief == "print":
            print("a library prints to standard output", flush=True)
            os.write(1, b"and so does native code\n")


def _say(what: str, gap: Gap, progress: Progress) -> None:
    if what == "note":
        progress.note("tip", "This could be better.")
        progress.note("tip", "This could be better.")
    if what == "notes of gaps":
        progress.note("gap", f"From {gap.a[0, 0, 0]:.2f}.")
    if what == "note flood":
        for number in range(1000):
            progress.note("c" * 5000, f"{number} " + "m" * 5000)
    if what == "preview":
        for t in (0.25, 0.5):
            progress.preview(t, np.tile(gap.a, (40, 40, 1)))
    if what == "odd previews":
        for odd in (gap.a[:, :, 0], gap.a[:0], np.zeros((4, 4, 9), np.float32), "picture", None):
            progress.preview(0.5, odd)  # type: ignore[arg-type]
        progress.preview(float("nan"), gap.a)


def _wait(fraction: float, progress: Progress) -> None:
    while not _noted("go on\n"):
        time.sleep(0.005)
        progress(fraction, "blending")


def _sleep(seconds: float, fraction: float, progress: Progress, stubborn: bool) -> None:
    end = time.monotonic() + seconds
    while (rest := end - time.monotonic()) > 0:
        time.sleep(min(rest, 0.005))
        if not stubborn:
            progress(fraction, "blending")
