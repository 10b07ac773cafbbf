"""What the icon in the tray shows and what the desktop is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from PySide6.QtCore import QObject, Signal
from tweenbridge import JobInfo, JobState
from tweenbridge.protocol.models import ModelInfo, ModelState

from ..preferences import Preferences
from ..session import Link, Session
from ..words import progress, title, tr
from .jobs import JobsState
from .models import ModelsState


class Mood(Enum):
    """The icon's states."""

    IDLE = "idle"
    WORKING = "working"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Face:
    """What the icon shows: its mood, how far the work is (0 to 1), and the sentence beside the pointer."""

    mood: Mood
    fraction: float
    text: str


class DesktopState(QObject):
    """Watches jobs, downloads and the link. A problem shows until the window was opened."""

    changed = Signal()
    notice = Signal(str, str, str)
    """(title, sentence, job) to show as a notification; no job where it is about a model."""

    def __init__(
        self, session: Session, jobs: JobsState, models: ModelsState, preferences: Preferences,
        parent: QObject | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._session = session
        self._jobs = jobs
        self._models = models
        self._preferences = preferences
        self._problem = ""
        self._shown: Face | None = None
        session.link_changed.connect(self._look)
        jobs.changed.connect(self._look)
        jobs.paused_changed.connect(self._look)
        jobs.ended.connect(self._ended)
        models.changed.connect(self._look)
        models.ended.connect(self._model_ended)

    @property
    def face(self) -> Face:
        """What the icon shows now."""
        if self._session.link is Link.STARTING:
            return Face(Mood.IDLE, 0.0, tr("The server is starting"))
        if self._session.link is Link.OFF:
            text = self._session.error.message if self._session.error is not None else tr("Not connected yet")
            stopped = self._session.error is None or self._session.error.code.value == "not_running"
            return Face(Mood.IDLE if stopped else Mood.PROBLEM, 0.0, text)
        if self._problem:
            return Face(Mood.PROBLEM, 0.0, self._problem)
        running = [info for info in self._jobs.unfinished() if info.state is JobState.RUNNING]
        if running:
            done = sum(info.fraction * info.total for info in running) / max(1, sum(info.total for info in running))
            text = progress(running[0]) if len(running) == 1 else tr("%n jobs are running", len(running))
            return Face(Mood.WORKING, done, text)
        loading = self._models.downloading()
        if loading:
            total = sum(model.total for model in loading)
            fraction = sum(model.done for model in loading) / total if total else 0.0
            return Face(Mood.WORKING, fraction, tr("Downloading {title}").format(title=loading[0].title))
        if self._jobs.paused:
            return Face(Mood.IDLE, 0.0, tr("The queue is paused"))
        return Face(Mood.IDLE, 0.0, tr("Ready"))

    def seen(self) -> None:
        """The user has opened the window: a problem has been noticed."""
        self._problem = ""
        self._look()

    def _look(self, *_: object) -> None:
        face = self.face
        if face != self._shown:
            self._shown = face
            self.changed.emit()

    def _ended(self, info: JobInfo) -> None:
        if info.state is JobState.FAILED and info.error is not None:
            self._problem = f"{title(info)}: {info.error.message}"
            self._tell(tr("Generating failed"), self._problem, info.job)
        elif info.state is JobState.DONE:
            self._tell(tr("In-betweens are ready"), f"{title(info)} · {progress(info)}", info.job)
        self._look()

    def _model_ended(self, model: ModelInfo) -> None:
        if model.state is ModelState.READY:
            self._tell(tr("The model is ready"), model.title, "")
        elif model.error is not None:
            self._problem = f"{model.title}: {model.error.message}"
            self._tell(tr("The download failed"), self._problem, "")
        self._look()

    def _tell(self, heading: str, sentence: str, job: str) -> None:
        if self._preferences.notify:
            self.notice.emit(heading, sentence, job)
