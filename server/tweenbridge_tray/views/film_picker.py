"""Choosing frames of a film: a line of stills over its whole length, and a number for the exact frame."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QSpinBox, QVBoxLayout, QWidget

from ..state.drop import DropState
from ..words import tr
from .keyframe_list import PictureList
from .parts import Elided, button, row
from .style import indent

_SIDE = QSize(104, 62)


class FilmPicker(QWidget):
    """Shows the film that was dropped."""

    def __init__(self, drop: DropState) -> None:
        super().__init__()
        self._drop = drop
        self._title = Elided()
        self._stills = PictureList(tr("Frames of the film"), _SIDE)
        self._stills.setDragEnabled(False)
        self._stills.setFlow(PictureList.Flow.LeftToRight)
        self._stills.setWrapping(False)
        self._stills.setFixedHeight(_SIDE.height() + 52)
        self._stills.itemActivated.connect(lambda _: self._take())
        self._stills.itemDoubleClicked.connect(lambda _: self._take())
        self._frame = QSpinBox()
        indent(self._frame)
        self._frame.setMinimumWidth(70)
        self._frame.setAccessibleName(tr("Frame"))
        self._look = button(tr("Look at frame"), lambda: drop.look_at_frame(self._frame.value()))
        self._use = button(tr("Use as keyframe"), self._take, main=True, keys="Ctrl+K")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row(self._title, button(tr("Close film"), drop.close_film, flat=True)))
        layout.addWidget(self._stills)
        layout.addLayout(row(self._frame, self._look, None, self._use))
        drop.changed.connect(self._show)

    def _take(self) -> None:
        film, rows = self._drop.film, self._stills.selected_rows()
        if film is None:
            return
        if rows:
            self._drop.take_frame(film.stills[rows[0]].frame)
        else:
            self._drop.take_frame(self._frame.value())

    def _show(self) -> None:
        film = self._drop.film
        if film is None:
            return
        if film.frames:
            text = tr("{name}: {frames} frames at {rate} fps")
            self._title.set_whole(text.format(name=film.path.name, frames=film.frames, rate=f"{film.rate:g}"))
            self._frame.setRange(0, film.frames - 1)
        else:
            self._title.set_whole(tr("Reading {name}").format(name=film.path.name))
        files: list[tuple[Path, str, Path | None]] = [
            (still.picture, str(still.frame), still.picture) for still in film.stills
        ]
        self._stills.show_files(files)
        for widget in (self._look, self._use):
            widget.setEnabled(not film.busy)
