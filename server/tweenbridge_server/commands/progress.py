"""The progress line of a job: what happens, a bar, frames done, and the time left."""

from __future__ import annotations

from collections.abc import Sequence

from tweenbridge.events import Connected, Disconnected, Event, JobProgress, ServerStarting
from tweenbridge.job import JobHandle
from tweenbridge.protocol.messages import JobInfo, JobState, Note

from .console import duration, say
from .terminal_bar import TerminalBar

_STAGES = {
    JobState.RECEIVING: "Sending the keyframes",
    JobState.QUEUED: "Waiting for other jobs",
    JobState.RUNNING: "Making in-betweens",
}


class JobDisplay(TerminalBar):
    """Shows one job's progress on a terminal; says only what went wrong where there is none."""

    def __init__(self, total: int) -> None:
        super().__init__(total, counted=True)
        self._told: set[tuple[str, str]] = set()

    def event(self, event: Event, handle: JobHandle) -> None:
        """Take an event of the client."""
        if isinstance(event, ServerStarting):
            self.update(description="Starting the server")
        elif isinstance(event, Disconnected):
            self.update(description="Reconnecting")
            if not self.is_shown and handle.received:
                say(f"{event.error.message} Reconnecting...")
        elif isinstance(event, Connected):
            self.update(description="Sending the keyframes")
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
        self.update(completed=received)

    def _show(self, info: JobInfo, handle: JobHandle) -> None:
        left = f"{duration(info.eta)} left" if info.eta is not None and not info.state.is_final else ""
        text = _STAGES.get(info.state, "Collecting the frames")
        if info.state is JobState.RUNNING and info.stage:
            text = info.stage[0].upper() + info.stage[1:]
        self.update(description=text, completed=handle.received, words=left)
