"""The people of the soak: each takes one job after the other, as artists do, and checks what comes back.

What they do is drawn by a seeded chance, with pauses in between. What must not happen is written down as a sentence.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tweenbridge import Client
from tweenbridge.events import FrameArrived, PreviewArrived
from tweenbridge.job import JobHandle
from tweenbridge.protocol import messages as wire
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobState
from tweenbridge.protocol.oversight import GetDetails, GetThumbnail, Retry, Thumbnail
from tweenbridge.results import Frame
from tweenbridge.timing import Spacing, Timing

from . import drawing

PATIENCE: Final = 180.0
"""Seconds that anything may take on a busy machine."""
_THINKING: Final = (0.2, 1.5)
"""Seconds between two jobs of one person, at least and at most."""
_KNOWN_SHOTS: Final = 12
"""Shots that are asked for again and again: their frames must be the same bytes each time."""
_KNOWN_SHARE: Final = 0.3
_MOST_COMPLAINTS: Final = 50
_DAMAGED: Final = (ErrorCode.BAD_KEYFRAME, ErrorCode.UNSUPPORTED_FORMAT)
_GONE: Final = (ErrorCode.UNKNOWN_JOB, ErrorCode.NOT_READY, ErrorCode.EXPIRED, ErrorCode.CANCELLED)

TIMINGS: Final = (
    Timing(count=2),
    Timing(count=4, spacing=Spacing.EASE_IN_OUT),
    Timing(count=6, hold=2),
    Timing(count=3, loop=True),
    Timing(count=5, chart=(0.25, 0.5, 0.9)),
)


@dataclass
class Tally:
    """What has happened so far. Any thread may write.

    Attributes:
        counts: how often each thing happened.
        complaints: what must not happen, one sentence each: the first ones.
        complained: how many there were in all.
    """

    counts: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    complained: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, what: str, more: int = 1) -> None:
        """It happened again."""
        with self.lock:
            self.counts[what] += more

    def complain(self, sentence: str) -> None:
        """It must not have happened."""
        with self.lock:
            self.complained += 1
            if len(self.complaints) < _MOST_COMPLAINTS:
                self.complaints.append(sentence)


@dataclass(frozen=True)
class Shot:
    """What a job asks for. Those that are `known` come again, and equal shots make equal frames."""

    number: int
    kind: drawing.Kind
    size: tuple[int, int]
    keyframes: int
    timing: Timing
    engine: str = "flow"
    profile: str = "draft"
    known: bool = False


def choose(chance: random.Random) -> Shot:
    """A shot for the flow engine."""
    known = chance.random() < _KNOWN_SHARE
    own = random.Random(chance.randrange(_KNOWN_SHOTS)) if known else chance  # noqa: S311 - no secret
    return Shot(
        own.randrange(1 << 30),
        own.choice(drawing.KINDS),
        own.choice(drawing.SIZES),
        own.choice((2, 2, 3, 4)),
        own.choice(TIMINGS),
        profile=own.choices(("draft", "quality"), (3, 1))[0],
        known=known,
    )


def choose_dream(chance: random.Random) -> Shot:
    """A small shot for the diffusion engine with the model that is built in."""
    kind = chance.choice(drawing.KINDS)
    return Shot(chance.randrange(1 << 30), kind, (96, 64), 2, Timing(count=2), "dreammover", "draft")


class Memory:
    """What known shots became. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hashes: dict[Shot, list[str]] = {}

    def agrees(self, shot: Shot, hashes: list[str]) -> bool:
        """Whether an earlier job of the shot made the same; the first one is remembered."""
        if not shot.known:
            return True
        with self._lock:
            return self._hashes.setdefault(shot, hashes) == hashes


class Editor:
    """One person: a thread of its own, and a client that goes away and comes back now and then."""

    def __init__(self, home: Path, number: int, tally: Tally, memory: Memory, dreams: bool) -> None:
        self._home = home
        self._name = f"soak {number}"
        self._chance = random.Random(number)  # noqa: S311 - no secret
        self._tally = tally
        self._memory = memory
        self._dreams = dreams
        self._client = self._come()

    def run(self, may_go_on: threading.Event, ends: threading.Event) -> None:
        """One thing after the other until the end."""
        deeds: dict[Callable[[Path], None], int] = {
            self.whole: 40, self.leave: 15, self.cancel: 10, self.again: 8, self.vanish: 8, self.refused: 8,
            self.nonsense: 4, self.look: 7, self.dream: 5 if self._dreams else 0,
        }  # fmt: skip
        while not ends.is_set():
            if may_go_on.wait(0.5):
                self._do(self._chance.choices(list(deeds), list(deeds.values()))[0])
                ends.wait(self._chance.uniform(*_THINKING))
        self._client.close()

    def _do(self, deed: Callable[[Path], None]) -> None:
        folder = Path(tempfile.mkdtemp(prefix="tweenbridge-soak-"))
        try:
            deed(folder)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the soak goes on
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
            self._tally.complain(f"{deed.__name__}: {what}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if self._chance.random() < 0.2:
            self._client.close()
            self._client = self._come()
            self._tally.add("clients that came")

    # ------------------------------------------------------------ deeds

    def whole(self, folder: Path) -> None:
        """Wait for all frames, in order; the job is forgotten afterwards."""
        shot = choose(self._chance)
        frames = list(self._client.interpolate(self._draw(folder, shot), timeout=PATIENCE, **_wishes(shot)))
        self._check(shot, frames, len(frames))
        self._tally.add("jobs done")

    def leave(self, folder: Path) -> None:
        """Take the frames as they come, and leave the job in the list."""
        self._finish(self._client, choose(self._chance), folder)

    def dream(self, folder: Path) -> None:
        """A job of the diffusion engine, with previews."""
        self._finish(self._client, choose_dream(self._chance), folder)
        self._tally.add("of them dreammover")

    def cancel(self, folder: Path) -> None:
        """Stop a job at some moment, and now and then have it go on after all."""
        shot = choose(self._chance)
        handle = self._client.submit(self._draw(folder, shot), **_wishes(shot))
        self._follow(self._client, handle, self._chance.uniform(0.0, 1.0))
        handle.cancel()
        state, _ = self._follow(self._client, handle)
        if state not in (JobState.CANCELLED, JobState.DONE):
            self._tally.complain(f"cancel: the job ended as {state.value}: {handle.error}")
        self._tally.add(f"jobs {state.value}")
        if state is JobState.CANCELLED and self._chance.random() < 0.5:
            # The server may never have heard of it, or not have its keyframes.
            self._ask(Retry(handle.id), ErrorCode.UNKNOWN_JOB, ErrorCode.BAD_REQUEST, ErrorCode.EXPIRED)

    def again(self, folder: Path) -> None:
        """The same job twice under one id: the second time its frames are there, or are made again."""
        shot = choose(self._chance)
        handle = self._finish(self._client, shot, folder)
        self._finish(self._client, shot, folder, handle.id)

    def vanish(self, folder: Path) -> None:
        """Go away in the middle, come back as somebody new and take the job up."""
        shot = choose(self._chance)
        with self._come() as first:
            handle = first.submit(self._draw(folder, shot), **_wishes(shot))
            self._follow(first, handle, self._chance.uniform(0.0, 1.0))
        with self._come() as second:
            self._finish(second, shot, folder, handle.id)
        self._tally.add("clients that came", 2)

    def refused(self, folder: Path) -> None:
        """A keyframe that is cut off, or that is none."""
        shot = choose(self._chance)
        paths = self._draw(folder, shot)
        data = paths[1].read_bytes()
        paths[1].write_bytes(self._chance.choice((data[: len(data) // 2], data[:40], b"no picture" * 50, b"")))
        handle = self._client.submit(paths, **_wishes(shot))
        state, _ = self._follow(self._client, handle)
        if state is not JobState.FAILED or handle.error is None or handle.error.code not in _DAMAGED:
            self._tally.complain(f"refused: a damaged keyframe of {shot} ended as {state.value}: {handle.error}")
        self._tally.add("keyframes refused")

    def nonsense(self, folder: Path) -> None:
        """Questions that have no answer, and an engine that is none."""
        self._ask(wire.GetJob("none"), ErrorCode.UNKNOWN_JOB)
        self._ask(wire.Fetch("none", 3), ErrorCode.UNKNOWN_JOB)
        handle = self._client.submit(self._draw(folder, choose(self._chance)), count=2, engine="magic")
        state, _ = self._follow(self._client, handle)
        if state is not JobState.FAILED:
            self._tally.complain(f"nonsense: an unknown engine ended as {state.value}")
        self._tally.add("nonsense refused")

    def look(self, folder: Path) -> None:
        """What the tray does: the list, jobs in detail, small pictures."""
        for info in self._client.jobs(3, timeout=PATIENCE):
            self._ask(GetDetails(info.job), ErrorCode.UNKNOWN_JOB)
            for thing in (GetThumbnail(info.job, keyframe=0, side=64), GetThumbnail(info.job, frame=0, side=64)):
                if isinstance(self._ask(thing, *_GONE, *_DAMAGED), Thumbnail):
                    self._tally.add("small pictures")

    # ------------------------------------------------------------ inside

    def _come(self) -> Client:
        return Client(self._home, name=self._name, start_server=False)

    def _draw(self, folder: Path, shot: Shot) -> list[Path]:
        return drawing.draw(folder, shot.number, shot.kind, shot.size, shot.keyframes)

    def _finish(self, client: Client, shot: Shot, folder: Path, job: str | None = None) -> JobHandle:
        """Submit a sound job, wait for its end and check its frames."""
        dream = shot.engine == "dreammover"
        handle = client.submit(self._draw(folder, shot), job=job, previews=dream, **_wishes(shot))
        state, frames = self._follow(client, handle)
        if state is not JobState.DONE:
            self._tally.complain(f"a sound job ended as {state.value}: {handle.error}")
        else:
            self._check(shot, frames, handle.total)
        self._tally.add(f"jobs {state.value}")
        return handle

    def _follow(self, client: Client, handle: JobHandle, seconds: float = PATIENCE) -> tuple[JobState, list[Frame]]:
        """Until the job's end, or for so many seconds. Returns its state and the frames that came."""
        ends = time.monotonic() + seconds
        frames: list[Frame] = []
        while not handle.ended and time.monotonic() < ends:
            for event in client.poll(0.2):
                if isinstance(event, FrameArrived) and event.job == handle.id:
                    frames.append(event.frame)
                elif isinstance(event, PreviewArrived):
                    self._tally.add("previews")
        if not handle.ended and seconds == PATIENCE:
            self._tally.complain(f"a job was not over after {PATIENCE:.0f} seconds, but {handle.info}")
        return handle.state, frames

    def _check(self, shot: Shot, frames: list[Frame], total: int) -> None:
        """Every frame is there, is what its hash says, and what an equal job got before."""
        frames = sorted(frames, key=lambda frame: frame.index)
        hashes = [hashlib.sha256(frame.data).hexdigest() for frame in frames]
        if [frame.index for frame in frames] != list(range(total)) or not total:
            self._tally.complain(f"frames are missing: {shot}")
        if hashes != [frame.sha256 for frame in frames]:
            self._tally.complain(f"frames are damaged: {shot}")
        elif not self._memory.agrees(shot, hashes):
            self._tally.complain(f"the same job made other frames than before: {shot}")
        self._tally.add("frames", total)

    def _ask(self, question: wire.ClientMessage, *expected: ErrorCode) -> wire.Message | None:
        """The answer; None for an error that is expected."""
        reply = self._client.ask(question)
        ends = time.monotonic() + PATIENCE
        while not reply.done and time.monotonic() < ends:
            self._client.poll(0.2)
        try:
            return reply.result()
        except TweenbridgeError as error:
            if error.code not in expected:
                self._tally.complain(f"{question.TYPE} was answered with {error.code.value}: {error}")
            return None


def _wishes(shot: Shot) -> dict[str, Any]:
    settings = {"model": "nano"} if shot.engine == "dreammover" else {}
    return {"timing": shot.timing, "engine": shot.engine, "profile": shot.profile, "settings": settings}
