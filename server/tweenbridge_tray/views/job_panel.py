"""One job in full: player, film strip, how far each gap is, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QProgressBar, QSlider, QVBoxLayout, QWidget
from tweenbridge import JobInfo, JobState, Priority

from .. import words
from ..preferences import Preferences
from ..state.export import Export
from ..state.jobs import JobsState
from ..state.look import Look
from ..state.server import ServerState
from ..words import tr
from .parts import Elided, button, heading, note, row
from .player import Player
from .strip import Strip

_RATES = (6, 12, 24, 25, 30)
_MOST_GAPS = 4
"""Gaps that are listed one by one; of more, those at work are."""


class JobPanel(QWidget):
    """Shows the job that is looked at, and passes on what the user wants done with it."""

    def __init__(
        self, jobs: JobsState, look: Look, export: Export, preferences: Preferences, server: ServerState
    ) -> None:
        super().__init__()
        self._jobs = jobs
        self._look = look
        self._export = export
        self._preferences = preferences
        self._server = server
        self._title = Elided(mode=Qt.TextElideMode.ElideMiddle)
        self._title.setFont(heading("", 1.2).font())
        self._facts = Elided()
        self._facts.setProperty("muted", True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 1000)
        self._gaps = note()
        self._trouble = note()
        self._trouble.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._player = Player(look)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(self._title)
        layout.addWidget(self._facts)
        layout.addWidget(self._player, 1)
        layout.addLayout(self._controls())
        layout.addWidget(Strip(look))
        layout.addWidget(self._bar)
        layout.addWidget(self._gaps)
        layout.addWidget(self._trouble)
        layout.addLayout(self._buttons())
        look.changed.connect(self._show)
        look.moved.connect(self._show_player)
        export.changed.connect(self._show)

    # ------------------------------------------------------------ building

    def _controls(self) -> QHBoxLayout:
        self._play = button(tr("Play"), lambda: self._look.play(not self._look.playing), keys="Ctrl+Space")
        # As wide as its longer word, so that nothing moves when it changes.
        self._play.setMinimumWidth(self._play.fontMetrics().horizontalAdvance(tr("Pause")) + 36)
        self._rate = QComboBox()
        for rate in _RATES:
            self._rate.addItem(tr("%n fps", rate), rate)
        self._rate.setCurrentIndex(_RATES.index(12))
        self._rate.setAccessibleName(tr("Speed"))
        self._rate.currentIndexChanged.connect(lambda: self._look.set_rate(self._rate.currentData()))
        self._wipe = QSlider(Qt.Orientation.Horizontal)
        self._wipe.setRange(0, 100)
        self._wipe.setValue(100)
        self._wipe.setAccessibleName(tr("Wipe to the cross-fade"))
        self._wipe.setToolTip(tr("Compare with a cross-fade of the keyframes"))
        self._wipe.valueChanged.connect(lambda value: self._look.set_wipe(value / 100))
        return row(self._play, self._rate, 12, QLabel(tr("Cross-fade")), self._wipe, QLabel(tr("In-between")))

    def _buttons(self) -> QHBoxLayout:
        self._cancel = button(tr("Cancel"), lambda: self._with(lambda info: self._jobs.cancel(info.job)))
        self._retry = button(tr("Try again"), lambda: self._with(lambda info: self._jobs.retry(info.job)))
        self._first = button(tr("Do this next"), lambda: self._with(lambda info: self._jobs.move_first(info.job)))
        self._save = button(tr("Save frames"), lambda: self._with(self._export.save), main=True, keys="Ctrl+S")
        self._open = button(tr("Open folder"), self._open_folder)
        self._forget = button(tr("Remove from list"), lambda: self._with(lambda info: self._jobs.forget(info.job)))
        self._report = button(tr("Copy report"), self._copy_report, flat=True)
        asked = (self._save, self._open, self._cancel, self._retry, self._first, self._forget)
        for made in asked:
            made.hide()
        return row(*asked, None, self._report)

    # ------------------------------------------------------------ doing

    def _with(self, action: Callable[[JobInfo], object]) -> None:
        if self._look.info is not None:
            action(self._look.info)

    def _open_folder(self) -> None:
        folder = self._preferences.folder_of(self._look.info.job) if self._look.info is not None else None
        if folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def _copy_report(self) -> None:
        if self._look.info is not None:
            status = self._server.status
            text = words.report(self._look.info, status.server if status is not None else "")
            QGuiApplication.clipboard().setText(text)

    # ------------------------------------------------------------ showing

    def _show(self) -> None:
        info = self._look.info
        if info is None:
            return
        self._title.set_whole(words.title(info))
        self._facts.set_whole(self._facts_of(info))
        moving = info.state is JobState.RUNNING
        self._bar.setVisible(moving)
        self._bar.setValue(round(info.fraction * 1000))
        gaps = self._gap_lines(info)
        self._gaps.setText("\n".join(gaps))
        self._gaps.setVisible(bool(gaps))
        trouble = words.problem(info.error) if info.error is not None else " ".join(n.message for n in info.notes)
        self._trouble.setText(trouble)
        self._trouble.setVisible(bool(trouble))
        final, done = info.state.is_final, info.state is JobState.DONE
        self._cancel.setVisible(not final)
        self._retry.setVisible(info.state in (JobState.FAILED, JobState.CANCELLED))
        waiting = info.state in (JobState.QUEUED, JobState.RECEIVING)
        self._first.setVisible(waiting and info.priority is not Priority.INTERACTIVE)
        self._save.setVisible(done)
        self._save.setEnabled(not self._export.busy)
        self._save.setText(tr("Saving") if self._export.busy else tr("Save frames"))
        self._open.setVisible(self._preferences.folder_of(info.job) is not None)
        self._forget.setVisible(final)
        self._show_player()

    def _show_player(self) -> None:
        self._play.setText(tr("Pause") if self._look.playing else tr("Play"))
        self._play.setEnabled(len(self._look.reel) > 1)
        self._wipe.blockSignals(True)
        self._wipe.setValue(round(self._look.wipe * 100))
        self._wipe.blockSignals(False)

    def _facts_of(self, info: JobInfo) -> str:
        parts = [words.state_name(info.state), words.progress(info) if info.error is None else ""]
        parts += [tr("from {origin}").format(origin=words.origin(info)), f"{info.engine} {info.profile}"]
        if self._jobs.of_several:
            parts.append(words.owner(info))
        if info.stage and info.state is JobState.RUNNING:
            parts.insert(1, info.stage)
        return " · ".join(part for part in parts if part)

    def _gap_lines(self, info: JobInfo) -> list[str]:
        """How far the gaps of an unfinished job are: all of a few, those at work of many."""
        if info.state.is_final or len(self._look.gaps) < 2:
            return []
        numbered = list(enumerate(self._look.gaps, start=1))
        if len(numbered) > _MOST_GAPS:
            numbered = [(number, gap) for number, gap in numbered if gap.eta is not None or 0 < gap.fraction < 1]
        lines = []
        for number, gap in numbered[:_MOST_GAPS]:
            line = tr("Gap {number}: {done} of {total} frames").format(number=number, done=gap.done, total=gap.total)
            if gap.eta is not None:
                line += " · " + tr("{time} left").format(time=words.duration(gap.eta))
            lines.append(line)
        return lines
