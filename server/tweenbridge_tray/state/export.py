"""Saving a finished job's frames to a folder, whoever submitted it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from tweenbridge import ErrorInfo, JobInfo, schedule
from tweenbridge.protocol import messages as wire
from tweenbridge.protocol.limits import FETCH_WINDOW
from tweenbridge.protocol.oversight import GetDetails
from tweenbridge.results import place_frame

from ..preferences import Preferences
from ..session import Answer, Session
from ..words import problem
from .saving import Saver, folder_for


class Export(QObject):
    """One job at a time; its frames are asked for two by two and written on another thread."""

    changed = Signal()
    finished = Signal(object)
    """The folder that the frames lie in (a `Path`)."""
    failed = Signal(str)

    def __init__(self, session: Session, preferences: Preferences, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.job: JobInfo | None = None
        self.saved = 0
        self._session = session
        self._preferences = preferences
        self._details: wire.Details | None = None
        self._saver: Saver | None = None
        self._next = 0
        self._out = 0

    @property
    def busy(self) -> bool:
        """Whether frames are being saved."""
        return self.job is not None

    def save(self, job: JobInfo) -> None:
        """Save a job's frames into a new folder where results go."""
        if self.job is None:
            self.job, self.saved, self._next, self._out = job, 0, 0, 0
            self.changed.emit()
            self._session.ask(GetDetails(job=job.job), self._begin)

    def _begin(self, answer: Answer) -> None:
        if answer.error is not None:
            self._give_up(answer.error)
        elif isinstance(answer.message, wire.Details):
            self._details = answer.message
            request = answer.message.request
            names = [keyframe.name or "keyframe" for keyframe in request.keyframes]
            folder = folder_for(self._preferences.results_folder, names[0], names[-1])
            plan = schedule([keyframe.position for keyframe in request.keyframes], request.timing)
            self._saver = Saver(folder, plan, False, self)
            self._saver.saved.connect(self._saved)
            self._saver.failed.connect(self._fail)
            self._saver.finished.connect(self._done)
            self._ask()

    def _ask(self) -> None:
        assert self.job is not None
        while self._out < FETCH_WINDOW and self._next < self.job.total:
            self._out += 1
            self._session.ask(wire.Fetch(job=self.job.job, frame=self._next), self._take)
            self._next += 1

    def _take(self, answer: Answer) -> None:
        self._out -= 1
        if self.job is None or self._saver is None or self._details is None:
            return
        if answer.error is not None:
            self._give_up(answer.error)
            return
        if isinstance(answer.message, wire.FrameData) and answer.data is not None:
            request = self._details.request
            plan = schedule([keyframe.position for keyframe in request.keyframes], request.timing)
            self._saver.save(place_frame(answer.message, answer.data, plan, request.keyframes))
        if self._next < self.job.total:
            self._ask()
        elif self._out == 0:
            self._saver.finish()

    def _saved(self, path: Path) -> None:
        self.saved += 1
        self.changed.emit()

    def _done(self) -> None:
        job, saver = self.job, self._saver
        self._end()
        if job is not None and saver is not None:
            self._preferences.remember_result(job.job, saver.folder)
            self.finished.emit(saver.folder)

    def _give_up(self, error: ErrorInfo) -> None:
        self._fail(problem(error))

    def _fail(self, sentence: str) -> None:
        self._end()
        self.failed.emit(sentence)

    def _end(self) -> None:
        if self._saver is not None:
            self._saver.close()
        self.job, self._saver, self._details = None, None, None
        self.changed.emit()
