"""One run, from chosen keyframes to clips on the timeline. Until every frame has arrived, nothing is touched there.

The caller steps it and shows where it is; everything happens inside the calls, on one thread. `begin` and the last
`step` talk to Resolve and may take seconds; the steps between only talk to the server.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, List, Optional, Sequence, Tuple

from tweenbridge.events import Connected, Disconnected, Event, FrameArrived, JobEnded, JobProgress, ServerStarting
from tweenbridge.keyframes import KeyframeSource
from tweenbridge.pixels import Encoding, PixelFormat, SampleType
from tweenbridge.protocol.errors import ErrorCode, ErrorInfo, TweenbridgeError
from tweenbridge.protocol.messages import JobInfo, Priority, Release

from . import survey, timeline
from .capture import capture
from .choice import Choice
from .errors import PluginError, Trouble
from .folders import chosen_folder, new_folder, pattern
from .host import Host
from .insertion import Order, Placed, insert, look_again, moved_note, unplaceable
from .media import BIN
from .placement import Keyframe, Plan, make_plan
from .placing import Placer
from .stills import unwritable
from .survey import Survey

if TYPE_CHECKING:
    from tweenbridge.client import Client
    from tweenbridge.job import JobHandle

OUTPUT = PixelFormat(Encoding.TIFF, dtype=SampleType.UINT16)
_NO_SERVER = 20.0
"""Seconds without a session after which a run gives up. Its job goes on at the server, and is quick the next time."""
_FAREWELL = 2.0
"""Seconds that the server gets to hear of a cancel when nobody waits for it any more."""


class Stage(Enum):
    """Where a run is."""

    GENERATING = "generating"
    ASKING = "asking"
    """The timeline has changed; `answer` says whether to place all the same."""
    CANCELLING = "cancelling"
    DONE = "done"
    KEPT = "kept"
    """The frames are kept, and were not placed."""
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Nothing more will happen."""
        return self not in (Stage.GENERATING, Stage.ASKING, Stage.CANCELLING)


@dataclass(frozen=True)
class Result:
    """What a finished run made: clips on a video track, their frames in a folder, and what should be known of it."""

    track: int
    name: str
    take: int
    folder: Path
    notes: Tuple[str, ...]


class Run:
    """One run.

    Attributes:
        plan: what it makes.
        folder: where its frames go.
        stage, info: where it is; `info` is what the server said last.
        result: once it is DONE.
        error: once it has FAILED: sentence and remedy.
        question: while it is ASKING: what has changed on the timeline.
    """

    def __init__(
        self, host: Host, client: Client, keyframes: Sequence[Keyframe], choice: Choice, bin_name: str = BIN,
        colour: str = "",
        only: Tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        """A run between keyframes.

        Args:
            colour: of the markers that they were found on; "" for other sources.
            only: clips whose tracks alone give the pictures; () for what the viewer shows.

        Raises:
            PluginError, TweenbridgeError: there is nothing to make between these keyframes.
        """
        timeline.check_on_timeline(host, keyframes)
        self.plan: Plan = make_plan(keyframes, choice.timing)
        self.stage = Stage.GENERATING
        self.info: Optional[JobInfo] = None
        self.result: Optional[Result] = None
        self.error: Optional[Tuple[str, str]] = None
        self.question = ""
        self.folder = Path()
        self._host = host
        self._client = client
        self.choice = choice
        self._bin = bin_name
        self._colour = colour
        self._only = only
        self._pattern = ""
        self._begun = time.monotonic()
        self._before: Optional[Survey] = None
        self._notes: List[str] = []
        self._captured_notes: Tuple[str, ...] = ()
        self._handle: Optional[JobHandle] = None
        self._placer = Placer(host)
        self._lost: Optional[float] = None

    @property
    def title(self) -> str:
        """What lists call the job."""
        return f"{self._host.timeline.GetName() or 'Timeline'}, {self.plan.keyframes[0].label}"

    # ------------------------------------------------------------ steps

    def begin(self) -> None:
        """Take the keyframes' pictures and send the job off.

        Raises:
            PluginError: PLAYHEAD, STILL or FOLDER. Nothing is left behind.
            TweenbridgeError: the timing makes no sense.
        """
        host, first, last = self._host, self.plan.keyframes[0], self.plan.keyframes[-1]
        host.not_restored.clear()
        name = f"{host.text(first.frame)}-{host.text(last.frame)}".replace(":", "").replace(";", "")
        base = chosen_folder(self.choice.folder)
        project, shown = str(host.project.GetName() or ""), str(host.timeline.GetName() or "")
        self.folder = new_folder(base, project, shown, name)
        self._pattern = pattern(shown, host.text(first.frame), self.folder)
        choice = self.choice
        try:
            with host.view_kept():
                self._before = survey.take(host, self.plan.keyframes, self._colour)
                captured = capture(host, self.plan.keyframes, self.folder / "keyframes", self._only)
            self._captured_notes = captured.notes
            sources = [
                KeyframeSource(path, position=keyframe.frame, name=keyframe.label)
                for path, keyframe in zip(captured.files, self.plan.keyframes)
            ]
            self._handle = self._client.submit(
                sources, timing=self.plan.timing, engine=choice.engine, profile=choice.profile,
                settings=choice.settings, output=OUTPUT, priority=Priority.INTERACTIVE, title=self.title,
            )  # fmt: skip
        except PluginError as error:
            self._forget_files()
            raise PluginError(error.code, error.sentence, " ".join([error.remedy, *host.not_restored])) from error
        except BaseException:
            self._forget_files()
            raise

    def step(self, timeout: float = 0.0) -> None:
        """Take what the server said; insert the frames once all are there. Waits up to `timeout` seconds."""
        if self.stage.is_final or self._handle is None:
            return
        try:
            for event in self._client.poll(timeout):
                self._take(event, self._handle)
            self._give_up_without_server()
        except (PluginError, TweenbridgeError) as error:
            self._fail(str(error), error.remedy)
        except OSError as error:
            problem = unwritable(self.folder, error)
            self._fail(problem.sentence, problem.remedy)

    def cancel(self) -> None:
        """Stop. The server is told; what arrives later is dropped, and nothing is left behind.

        Frames that have all arrived are kept.
        """
        self.answer(place=False)
        if self.stage is Stage.GENERATING and self._handle is not None:
            self.stage = Stage.CANCELLING
            self._handle.cancel()

    def abandon(self) -> None:
        """Stop, and wait a moment for the server to know; nothing is left behind either way."""
        self.cancel()
        end = time.monotonic() + _FAREWELL
        while not self.stage.is_final and time.monotonic() < end:
            self.step(0.05)
        if not self.stage.is_final:
            self._ended(None, [])

    # ------------------------------------------------------------ what the server said

    def _take(self, event: Event, handle: JobHandle) -> None:
        if isinstance(event, (Connected, ServerStarting)):
            self._lost = None
        elif isinstance(event, Disconnected):
            if event.error.code in (ErrorCode.START_FAILED, ErrorCode.UNAUTHORIZED, ErrorCode.VERSION):
                raise TweenbridgeError.from_info(event.error)
            self._lost = self._lost or time.monotonic()
        elif self.stage.is_final or getattr(event, "job", None) != handle.id:
            return
        elif isinstance(event, JobProgress):
            self.info = event.info
        elif isinstance(event, FrameArrived) and self.stage is Stage.GENERATING:
            self._keep(event)
        elif isinstance(event, JobEnded):
            self._ended(event.error, [note.message for note in event.notes])

    def _keep(self, event: FrameArrived) -> None:
        """Write a drawing; on a hold the same file again for each frame that shows it."""
        first: Optional[Path] = None
        for number in self.plan.files_of(event.frame.index):
            path = self.folder / (self._pattern % (number + 1))
            if first is None:
                first = event.frame.save(path)
            else:
                shutil.copyfile(first, path)

    def _ended(self, error: Optional[ErrorInfo], notes: List[str]) -> None:
        if self.stage is Stage.CANCELLING or (error is not None and error.code is ErrorCode.CANCELLED):
            self._forget_files()
            self.stage = Stage.CANCELLED
        elif error is not None:
            raise TweenbridgeError.from_info(error)
        else:
            self._notes = notes
            self._arrived()

    def _give_up_without_server(self) -> None:
        if self.stage is Stage.CANCELLING and self._lost is not None:
            self._ended(None, [])
        elif self.stage is Stage.GENERATING and self._lost is not None and time.monotonic() > self._lost + _NO_SERVER:
            raise TweenbridgeError(ErrorCode.NOT_RUNNING, "The Tweenbridge server does not answer.")

    def _fail(self, sentence: str, remedy: str) -> None:
        self.stage = Stage.FAILED
        if self._handle is not None and not self._handle.ended:
            self._handle.cancel()
        if len(list(self.folder.glob("*.tif"))) < self.plan.frames:
            self._forget_files()
        elif str(self.folder) not in remedy:
            remedy = f"{remedy} The frames are in {self.folder}.".strip()
        self.error = (sentence, " ".join([remedy, *self._host.not_restored]).strip())

    # ------------------------------------------------------------ the timeline

    def _arrived(self) -> None:
        """All frames are here: place them where their keyframes are now, or ask."""
        assert self._before is not None and self._handle is not None
        # From here on the frames are the user's: the server need not keep them.
        self._client.ask(Release(job=self._handle.id))
        missing = self.plan.frames - len(list(self.folder.glob("*.tif")))
        if missing:
            raise PluginError(
                Trouble.FOLDER,
                f"{missing} of {self.plan.frames} frames {'is' if missing == 1 else 'are'} missing in {self.folder}.",
                "Generate the in-betweens again, and leave that folder alone meanwhile.",
            )
        placed: Optional[Placed] = None
        with self._host.view_kept():
            change = look_again(self._host, self._order(), self._before)
            if not change.sentence:
                placed = insert(self._host, self._order(), self._placer, change.shift)
        if placed is not None:
            self._done(placed, change.shift)
        elif change.can_place:
            self.stage, self.question = Stage.ASKING, change.sentence
        else:
            raise unplaceable(change)

    def answer(self, place: bool) -> None:
        """While it is ASKING: place the in-betweens all the same, or keep the frames and leave the timeline alone."""
        if self.stage is not Stage.ASKING:
            return
        if not place:
            shutil.rmtree(self.folder / "keyframes", ignore_errors=True)
            self.stage = Stage.KEPT
            return
        assert self._before is not None
        try:
            with self._host.view_kept():
                change = survey.compare(self._host, self._before)
                if not change.can_place:
                    raise unplaceable(change)
                placed = insert(self._host, self._order(), self._placer, change.shift)
            self._done(placed, change.shift)
        except PluginError as error:
            self._fail(error.sentence, error.remedy)
        except OSError as error:
            problem = unwritable(self.folder, error)
            self._fail(problem.sentence, problem.remedy)

    def _done(self, placed: Placed, shift: int) -> None:
        assert self._before is not None
        followed = [moved_note(shift)] if shift != self._host.start - self._before.start else []
        notes = (*followed, *self._captured_notes, *placed.notes, *self._notes, *self._host.not_restored)
        shutil.rmtree(self.folder / "keyframes", ignore_errors=True)
        self.result = Result(placed.track, placed.name, placed.take, self.folder, notes)
        self.stage = Stage.DONE

    def _order(self) -> Order:
        job = "" if self._handle is None else self._handle.id
        return Order(self.plan, self.choice, self.folder, self._pattern, self._bin, job, self._only)

    def _forget_files(self) -> None:
        """Remove the run's folder, and those around it that this leaves empty."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for parent in list(self.folder.parents)[:2]:
            try:
                os.rmdir(parent)
            except OSError:
                return
