"""The progress line of a job: what happens, a bar, frames done, and the time left."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING

from tweenbridge.events import Connected, Disconnected, Event, JobProgress, ServerStarting
from tweenbridge.job import JobHandle
from tweenbridge.protocol.messages import JobInfo, JobState, Note

from .console import console, duration, say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_STAGES = {
    JobState.RECEIVING: "Sending the keyframes",
    JobState.QUEUED: "Waiting for other jobs",
    JobState.RUNNING: "Making in-betweens",
}


class JobDisplay(AbstractContextManager["JobDisplay"]):
    """Shows one job's progress on a terminal; says only what went wrong where there is none."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._stderr = console(stderr=True)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._told: set[tuple[str, str]] = set()

    def __enter__(self) -> JobDisplay:
        if self._stderr.is_terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            self._progress = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"),
                console=self._stderr, transient=True,
            )  # fmt: skip
            self._task = self._progress.add_task("Connecting", total=self._total, left="")
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def event(self, event: Event, handle: JobHandle) -> None:
        """Take an event of the client."""
        if isinstance(event, ServerStarting):
            self._describe("Starting the server")
        elif isinstance(event, Disconnected):
            self._describe("Reconnecting")
            if self._progress is None and handle.received:
                say(f"{event.error.message} Reconnecting...")
        elif isinstance(event, Connected):
            self._describe("Sending the keyframes")
        elif isinstance(event, JobProgress):
            self.tell(event.info.notes)
            self._show(event.info, handle)

    def tell(self, notes: Sequence[Note]) -> None:
        """Say what was not said before."""
        for note in notes:
            if (note.code, note.message) not in self._told:
                self._told.add((note.code, note.message))
                self._stderr.print(f"Note: {note.message}")

    def frame(self, received: int) -> None:
        """A frame was written."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=received)

    def _describe(self, text: str) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=text)

    def _show(self, info: JobInfo, handle: JobHandle) -> None:
        if self._progress is not None and self._task is not None:
            left = f"{duration(info.eta)} left" if info.eta is not None and not info.state.is_final else ""
            text = _STAGES.get(info.state, "Collecting the frames")
            if info.state is JobState.RUNNING and info.stage:
                text = info.stage[0].upper() + info.stage[1:]
            self._progress.update(self._task, description=text, completed=handle.received, left=left)
