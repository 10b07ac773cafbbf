# SPDX-License-Identifier: GPL-3.0-or-later
"""One shot on its way: keyframes are rendered one per step, jobs submitted, frames written, strips inserted at the end.

`step` never waits. Scenes and strips are known by name only and looked up when they are needed, because undo, deleting
and loading may take them away at any time.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import time
from collections.abc import Callable, Generator, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from . import insertion, records
from .batch import Batch, job_drawings, timing_of
from .countdown import Countdown
from .disk import names_in
from .errors import PluginError
from .frames import Depth, FrameForm, Renderer
from .naming import frame_file
from .plan import JobPlan, StripPlan
from .records import Record
from .server import Problem, Server, Where

if TYPE_CHECKING:
    from tweenbridge import Event, JobHandle


class Stage(Enum):
    """How far a shot is."""

    RENDERING = "rendering"
    GENERATING = "generating"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PARTED = "parted"
    """Another file was opened. The jobs go on; the record offers them when this file is opened again."""

    @property
    def is_final(self) -> bool:
        """Nothing more will happen."""
        return self not in (Stage.RENDERING, Stage.GENERATING)


class Generation:
    """One shot on its way.

    Args:
        record: what is to be done.
        server, where: who does it.
        folder: where its record is kept until its strips are inserted.
        renders: its keyframes have to be rendered; False to go on with files of an earlier session.
    """

    def __init__(self, record: Record, server: Server, where: Where, folder: Path, renders: bool = True) -> None:
        self.record = record
        self.stage = Stage.RENDERING
        self.problem: Problem | None = None
        self.strips: tuple[str, ...] = record.drafted
        self.stepped = time.monotonic()
        self._server = server
        self._where = where
        self._folder = folder
        self._made_here = renders
        self._announced = 0
        self._rendered = 0 if renders else len(record.plan.keyframes)
        self._batches: list[Batch] = []
        self._countdown = Countdown()
        self._inserting: Generator[None, None, tuple[str, ...]] | None = None
        self._names: dict[tuple[int, int], str] = {}
        self._hashes: dict[int, str] = {}

    # ------------------------------------------------------------ what the panel shows

    @property
    def title(self) -> str:
        """What the shot is called."""
        return f"{self.record.shot} (take {self.record.take})"

    @property
    def fraction(self) -> float:
        """How much of the final frames is done, 0 to 1."""
        return self._batches[-1].fraction if self._batches else 0.0

    @property
    def sentence(self) -> str:
        """What is going on, for a line of the panel."""
        if self.stage is Stage.RENDERING:
            return f"Rendering key drawing {self._rendered + 1} of {len(self.record.plan.keyframes)}"
        if self.stage is not Stage.GENERATING:
            return str(self.stage.value).capitalize()
        if not self._server.connected:
            return "Starting the server" if self._server.starting else "Waiting for the server"
        batch = self._batch
        what = "draft in-betweens" if batch.draft else "in-betweens"
        return f"{batch.received} of {batch.total} {what}{_left(self._countdown.left(time.monotonic()))}"

    @property
    def _batch(self) -> Batch:
        """What is being made."""
        return next((batch for batch in self._batches if not batch.inserted), self._batches[-1])

    @property
    def notes(self) -> tuple[str, ...]:
        """What the artist should know of the result."""
        return self.record.plan.notes + tuple(note for batch in self._batches for note in batch.notes)

    # ------------------------------------------------------------ going on

    def step(self, push_undo: Callable[[str], None]) -> None:
        """Do the next piece of work. What is wrong ends up in `problem`.

        Args:
            push_undo: called after a draft was inserted, which is an undo step of its own.
        """
        self.stepped = time.monotonic()
        try:
            if self.stage is Stage.RENDERING:
                self._render()
            elif self.stage is Stage.GENERATING:
                self._go_on(push_undo)
        except PluginError as error:
            self.fail(Problem.of(error))
        except OSError as error:
            self._fail_writing(error)

    def take(self, event: Event) -> None:
        """Take what the server said, where it is about this shot."""
        from tweenbridge import FrameArrived, JobEnded

        if self.stage is Stage.CANCELLED:
            return
        for batch in self._batches:
            for number, job in enumerate(self.record.plan.jobs):
                if getattr(event, "job", None) != self.record.job_id(batch.draft, number):
                    continue
                if isinstance(event, FrameArrived):
                    try:
                        event.frame.save(batch.folder / self._file(job, event.frame.index))
                    except OSError as error:
                        self._fail_writing(error)
                elif isinstance(event, JobEnded):
                    batch.notes += [note.message for note in event.notes]
                    if event.error is not None and not self.stage.is_final:
                        self.fail(Problem.of(event.error))
                        records.forget(self.record, self._folder)

    def cancel(self) -> None:
        """Stop; the server stops too. What was inserted as a draft stays; otherwise the take leaves nothing behind."""
        if not self.stage.is_final:
            if self._inserting is not None:
                self._inserting.close()
            self._stop_jobs()
            records.forget(self.record, self._folder)
            self.stage = Stage.CANCELLED
            if self._made_here and not self.strips:
                shutil.rmtree(self.record.root, ignore_errors=True)

    def part(self) -> None:
        """Let go without stopping the server: another file is being opened."""
        if not self.stage.is_final:
            if self.stage is Stage.RENDERING:
                records.forget(self.record, self._folder)
            self.stage = Stage.PARTED

    def fail(self, problem: Problem) -> None:
        """End with a problem. The record stays, so that frames that are finished can be inserted later."""
        if not self.stage.is_final:
            self.problem = problem
            self._stop_jobs()
            self.stage = Stage.FAILED

    def give_up(self, problem: Problem) -> None:
        """End because there is no server. Its jobs are not stopped: they are gone on with once there is one."""
        self.problem, self.stage = problem, Stage.FAILED

    def _fail_writing(self, error: OSError) -> None:
        reason = error.strerror or str(error)
        self.fail(Problem(f"The frames could not be written: {reason}.", "Free some disk space, then try again."))

    def _stop_jobs(self) -> None:
        for batch in self._batches:
            for handle in batch.handles.values():
                if not handle.ended:
                    handle.cancel()

    # ------------------------------------------------------------ keyframes

    def keyframe_file(self, index: int) -> Path:
        """The file of a rendered keyframe."""
        suffix = Depth(self.record.wanted.depth).suffix
        return Path(self.record.root) / "keyframes" / f"keyframe_{index + 1:02d}{suffix}"

    def _render(self) -> None:
        keyframes = self.record.plan.keyframes
        if self._rendered < len(keyframes):
            if self._announced <= self._rendered:
                # Blender stands still while it renders: first it shows what it is about to do, and takes a cancel.
                self._announced = self._rendered + 1
                return
            wanted = self.record.wanted
            path = self.keyframe_file(self._rendered)
            path.parent.mkdir(parents=True, exist_ok=True)
            form = FrameForm(Depth(wanted.depth), wanted.alpha)
            at = keyframes[self._rendered]
            scene = insertion.scene_of(self.record)
            frame = insertion.frame_now(scene, self.record, self._rendered)
            Renderer(scene.name, form).still(frame, path, at.hide)
            self._hash(self._rendered)
            self._rendered += 1
        if self._rendered >= len(keyframes):
            self._submit()
            records.save(self.record, self._folder)
            self.stage = Stage.GENERATING

    # ------------------------------------------------------------ jobs

    def _submit(self) -> None:
        for draft in (True, False) if self.record.wanted.has_draft and not self.record.drafted else (False,):
            batch = Batch(draft, Path(self.record.root) / "draft" if draft else Path(self.record.root))
            self._batches.append(batch)
            for number, job in enumerate(self.record.plan.jobs):
                drawings = job_drawings(job)
                there = names_in(batch.folder)
                have = [each for each in drawings if self._file(job, each) in there]
                if len(have) < len(drawings):
                    batch.handles[self.record.job_id(draft, number)] = self._submit_job(draft, number, have)

    def _submit_job(self, draft: bool, number: int, have: Sequence[int]) -> JobHandle:
        """Submit one job.

        Raises:
            PluginError: the client does not take it.
        """
        from tweenbridge import KeyframeSource, Priority, TweenbridgeError

        wanted, plan = self.record.wanted, self.record.plan
        job = plan.jobs[number]
        sources = [
            KeyframeSource(self.keyframe_file(index), position, name=plan.keyframes[index].label)
            for index, position in zip(job.keyframes, job.positions)
        ]
        try:
            return self._server.open(self._where).submit(
                sources,
                timing=timing_of(job),
                engine="flow" if draft else wanted.engine,
                profile="draft" if draft else wanted.profile,
                settings={} if draft else dict(wanted.settings),
                priority=Priority.INTERACTIVE if draft else Priority.NORMAL,
                title=self.title,
                job=self.record.job_id(draft, number),
                have=have,
            )
        except TweenbridgeError as error:
            raise PluginError(error.info.message, error.remedy) from error

    def _file(self, job: JobPlan, drawing: int) -> str:
        first = job.strips[0].index
        if (first, drawing) not in self._names:
            suffix = Depth(self.record.wanted.depth).suffix
            for strip in job.strips:
                for number, each in enumerate(sorted(set(strip.drawings)), start=1):
                    self._names[first, each] = frame_file(strip.index, number, suffix)
        return self._names[first, drawing]

    def _go_on(self, push_undo: Callable[[str], None]) -> None:
        self._countdown.add(time.monotonic(), self._batch.eta)
        for batch in self._batches:
            ready = batch.done and not batch.inserted and not self._waits(batch)
            if ready and self._insert(batch) and batch.draft:
                push_undo("Insert draft in-betweens")
        if all(batch.inserted for batch in self._batches):
            records.forget(self.record, self._folder)
            for batch in self._batches:
                for job in batch.handles:
                    self._server.release(job)
            self.stage = Stage.DONE

    def _waits(self, batch: Batch) -> bool:
        """The draft goes first, so that its frames never replace finished ones."""
        return not batch.draft and any(other.draft and not other.inserted for other in self._batches)

    def _insert(self, batch: Batch) -> bool:
        """A piece of the insertion; whether it is over."""
        files = {
            strip.index: [self._file(job, drawing) for drawing in strip.drawings]
            for job in self.record.plan.jobs
            for strip in job.strips
        }
        scene = insertion.scene_of(self.record)
        directory = insertion.folder_of(self.record) + ("/draft" if batch.draft else "")
        if self.strips:
            insertion.replace(scene, self.record, self.strips, directory, files, self.recipe)
        else:
            if self._inserting is None:
                batch.notes += insertion.covered_now(scene, self.record)
                self._inserting = insertion.insert(self.record, directory, files, self.recipe)
            try:
                next(self._inserting)
            except StopIteration as end:
                self.strips = end.value
            else:
                return False
            self._inserting = None
        batch.inserted = True
        if batch.draft:
            self.record = dataclasses.replace(self.record, drafted=self.strips)
            records.save(self.record, self._folder)
        return True

    def recipe(self, job: JobPlan, strip: StripPlan) -> str:
        """The text that a strip carries."""
        return insertion.recipe_text(self.record, job, strip, [self._hash(index) for index in job.keyframes])

    def _hash(self, index: int) -> str:
        """Of a keyframe's file, read once."""
        if index not in self._hashes:
            self._hashes[index] = hashlib.sha256(self.keyframe_file(index).read_bytes()).hexdigest()
        return self._hashes[index]


def _left(eta: float | None) -> str:
    if eta is None:
        return ""
    return f", {eta:.0f} s left" if eta < 100 else f", {eta / 60:.0f} min left"
