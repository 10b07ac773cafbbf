"""The Drop page: stills or frames of a film in, in-betweens out, for every program that files can be dragged to."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import (
    QDesktopServices,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QGuiApplication,
    QKeySequence,
    QShortcut,
)
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QProgressBar,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from .. import words
from ..state.drop import FILMS, STILLS, DropState, Stage
from ..words import tr
from .film_picker import FilmPicker
from .keyframe_list import PictureList
from .parts import Card, Elided, Page, button, heading, note, row, scrolled
from .recipe_form import RecipeForm

_FORM_WIDTH = 350


def paths_of(data: QMimeData) -> list[Path]:
    """The files that are being dragged."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]


class Target(QFrame):
    """Where files are dropped while there are none yet."""

    def __init__(self, choose: QWidget) -> None:
        super().__init__()
        self.setProperty("target", True)
        head = heading(tr("Drop two or more stills here"), 1.3)
        head.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        words_ = note(tr("PNG, TIFF, OpenEXR or JPEG, in time order. Or drop a film and choose frames of it."))
        words_.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        layout = QVBoxLayout(self)
        layout.addStretch(1)
        layout.addWidget(head)
        layout.addSpacing(4)
        layout.addWidget(words_)
        layout.addSpacing(12)
        layout.addWidget(choose, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(1)

    def set_hot(self, on: bool) -> None:
        """Show that what is dragged can be dropped here."""
        self.setProperty("hot", on)
        self.style().unpolish(self)
        self.style().polish(self)


class DropPage(Page):
    """Shows a drop, and changes it."""

    def __init__(self, drop: DropState) -> None:
        super().__init__(tr("Drop"))
        self._drop = drop
        self.setAcceptDrops(True)
        self._again = button(tr("Start over"), drop.start_anew, keys="Ctrl+N")
        self.tools.addWidget(self._again)
        self._target = Target(button(tr("Choose files"), self._choose, main=True, keys="Ctrl+O"))
        self._picker = FilmPicker(drop)
        self._keyframes = PictureList(tr("Keyframes"))
        self._work = self._make_work()
        self._result = self._make_result()
        self._left = QStackedWidget()
        self._left.addWidget(self._target)
        self._left.addWidget(self._work)
        self._left.addWidget(self._result)
        body = QHBoxLayout()
        body.setSpacing(16)
        body.addWidget(self._left, 1)
        body.addWidget(self._make_form())
        self.body.addLayout(body, 1)
        drop.changed.connect(self._show)
        drop.progressed.connect(self._show_progress)
        drop.recipe.changed.connect(self._show)
        drop.failed.connect(self.banner.say)
        for keys, act in (("Delete", self._remove), ("Alt+Left", self._earlier), ("Alt+Right", self._later)):
            QShortcut(QKeySequence(keys), self._keyframes, act, context=Qt.ShortcutContext.WidgetShortcut)
        self._show()

    # ------------------------------------------------------------ building

    def _make_form(self) -> QWidget:
        self._generate = button(tr("Generate"), self._drop.generate, main=True, keys="Ctrl+G")
        self._with_keyframes = QCheckBox(tr("Keyframes in the sequence, too"))
        self._with_keyframes.toggled.connect(self._set_with_keyframes)
        inside = QVBoxLayout()
        inside.setSpacing(12)
        inside.addWidget(heading(tr("How"), 1.1))
        inside.addWidget(scrolled(RecipeForm(self._drop.recipe)), 1)
        inside.addWidget(self._with_keyframes)
        inside.addWidget(self._generate)
        card = Card(inside)
        card.setFixedWidth(_FORM_WIDTH)
        return card

    def _make_work(self) -> QWidget:
        self._progress = QProgressBar()
        self._progress.setRange(0, 1000)
        self._progress.setTextVisible(False)
        self._stage = Elided()
        self._cancel = button(tr("Cancel"), self._drop.cancel)
        self._remove_button = button(tr("Remove"), self._remove, flat=True)
        self._earlier_button = button(tr("Earlier"), self._earlier, flat=True)
        self._later_button = button(tr("Later"), self._later, flat=True)
        self._add = button(tr("Add files"), self._choose)
        inside = QVBoxLayout()
        inside.setSpacing(12)
        inside.addLayout(
            row(
                heading(tr("Keyframes"), 1.1),
                None,
                self._earlier_button,
                self._later_button,
                self._remove_button,
                self._add,
            )
        )
        inside.addWidget(self._keyframes, 1)
        inside.addWidget(self._picker)
        inside.addWidget(self._progress)
        inside.addLayout(row(self._stage, self._cancel))
        return Card(inside)

    def _make_result(self) -> QWidget:
        self._frames = PictureList(tr("In-betweens"))
        self._place = Elided(mode=Qt.TextElideMode.ElideMiddle)
        self._place.setProperty("muted", True)
        self._notes = note()
        self._film = button(tr("Make a film"), lambda: self._drop.make_movie(24.0))
        open_folder = button(tr("Open folder"), self._open, main=True)
        copy = button(tr("Copy all files"), self._copy, keys="Ctrl+Shift+C")
        drag = button(tr("Choose all"), self._frames.selectAll, flat=True)
        inside = QVBoxLayout()
        inside.setSpacing(12)
        self._headline = heading(tr("Ready"), 1.1)
        inside.addLayout(row(self._headline, None, drag))
        inside.addWidget(self._place)
        inside.addWidget(self._frames, 1)
        inside.addWidget(self._notes)
        inside.addWidget(note(tr("Drag the frames from here to your editor. They are a numbered sequence.")))
        inside.addLayout(row(open_folder, copy, self._film, None))
        return Card(inside)

    # ------------------------------------------------------------ doing

    def _choose(self) -> None:
        patterns = " ".join(f"*{ending}" for ending in (*STILLS, *FILMS))
        files, _ = QFileDialog.getOpenFileNames(
            self, tr("Choose stills or a film"), "", f"{tr('Pictures')} ({patterns})"
        )
        if files:
            self._drop.add([Path(file) for file in files])

    def _set_with_keyframes(self, on: bool) -> None:
        self._drop.with_keyframes = on

    def _remove(self) -> None:
        for index in reversed(self._keyframes.selected_rows()):
            self._drop.remove(index)

    def _earlier(self) -> None:
        self._move(-1)

    def _later(self) -> None:
        self._move(1)

    def _move(self, by: int) -> None:
        rows = self._keyframes.selected_rows()
        if len(rows) == 1:
            self._drop.move(rows[0], by)
            self._keyframes.setCurrentRow(max(0, min(self._keyframes.count() - 1, rows[0] + by)))

    def _open(self) -> None:
        if self._drop.folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._drop.folder)))

    def _copy(self) -> None:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(file)) for file in self._drop.files])
        QGuiApplication.clipboard().setMimeData(data)

    # ------------------------------------------------------------ dropping

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Files may be dropped anywhere on the page."""
        if paths_of(event.mimeData()) and self._drop.stage is not Stage.MAKING and event.source() is None:
            event.acceptProposedAction()
            self._target.set_hot(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """What was dragged has gone elsewhere."""
        self._target.set_hot(False)

    def dropEvent(self, event: QDropEvent) -> None:
        """Take the files."""
        self._target.set_hot(False)
        self._drop.add(paths_of(event.mimeData()))
        event.acceptProposedAction()

    # ------------------------------------------------------------ showing

    def _show(self) -> None:
        drop = self._drop
        nothing = not drop.keyframes and drop.film is None
        self._left.setCurrentWidget(
            self._result if drop.stage is Stage.DONE else self._target if nothing else self._work
        )  # fmt: skip
        self._again.setVisible(not nothing and drop.stage is not Stage.MAKING)
        self._keyframes.show_files([(each.path, each.label, drop.picture_of(each.path)) for each in drop.keyframes])
        choosing = drop.stage is Stage.CHOOSING
        for widget in (self._add, self._remove_button, self._earlier_button, self._later_button):
            widget.setEnabled(choosing)
        self._picker.setVisible(drop.film is not None and choosing)
        self._generate.setEnabled(drop.can_generate)
        making = drop.stage is Stage.MAKING
        self._progress.setVisible(making)
        self._cancel.setVisible(making)
        if drop.stage is Stage.DONE:
            self._show_result()
        self._show_progress()

    def _show_progress(self) -> None:
        drop = self._drop
        if drop.stage is Stage.MAKING:
            self._progress.setValue(round(drop.fraction * 1000))
            info = drop.handle.info if drop.handle is not None else None
            self._stage.set_whole(words.progress(info) if info is not None else tr("Sending the keyframes"))
        elif drop.stage is Stage.CHOOSING:
            if len(drop.keyframes) < 2:
                said = tr("At least two keyframes are needed")
            else:
                said = tr("Ready to generate") if drop.can_generate else ""
            self._stage.set_whole(said)

    def _show_result(self) -> None:
        drop = self._drop
        self._headline.setText(tr("%n frames are ready", len(drop.files)))
        self._place.set_whole(str(drop.folder))
        fresh = self._frames.files() != drop.files
        self._frames.show_files([(file, file.name, drop.picture_of(file)) for file in drop.files])
        if fresh:
            # Whoever drags one of them now drags the whole sequence.
            self._frames.selectAll()
        self._notes.setText(" ".join(each.message for each in drop.notes))
        self._notes.setVisible(bool(drop.notes))
        self._film.setEnabled(drop.movie is None)
        self._film.setText(tr("The film is in the folder") if drop.movie is not None else tr("Make a film"))
