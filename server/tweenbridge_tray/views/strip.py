"""The film strip under the player: keyframes framed, in-betweens filling in as they are made."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPalette, QPen
from PySide6.QtWidgets import QApplication, QListView, QStyledItemDelegate, QStyleOptionViewItem

from ..state.look import Look
from ..state.reel import Shown
from ..words import tr
from .jobs_model import Index, draw_picture

CELL = QSize(92, 62)
SHOWN = Qt.ItemDataRole.UserRole


class StripModel(QAbstractListModel):
    """The reel of the job that is looked at."""

    def __init__(self, look: Look, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._look = look
        self._reel: tuple[Shown, ...] = ()
        look.changed.connect(self._follow)
        look.picture_arrived.connect(lambda _: self._repaint())

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        """Pictures of the reel."""
        return 0 if parent.isValid() else len(self._reel)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """The picture of a cell, or what it is called."""
        if not index.isValid() or index.row() >= len(self._reel):
            return None
        shown = self._reel[index.row()]
        if role == SHOWN:
            return shown
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            if shown.keyframe is not None:
                request = self._look.request
                name = request.keyframes[shown.keyframe].name if request is not None else ""
                return name or tr("Keyframe {number}").format(number=shown.keyframe + 1)
            return tr("In-between at {t}").format(t=f"{shown.t:.2f}")
        return None

    def _follow(self) -> None:
        if self._look.reel is not self._reel:
            self.beginResetModel()
            self._reel = self._look.reel
            self.endResetModel()
        else:
            self._repaint()

    def _repaint(self) -> None:
        if self._reel:
            self.dataChanged.emit(self.index(0), self.index(len(self._reel) - 1))


class _Cell(QStyledItemDelegate):
    def __init__(self, look: Look, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._look = look

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return CELL

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        shown: Shown = index.data(SHOWN)
        palette = QApplication.palette()
        area: QRect = option.rect.adjusted(3, 3, -3, -3)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        draw_picture(painter, area, self._look.small(shown), palette)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if shown.keyframe is not None:
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Highlight), 2))
            painter.drawRoundedRect(QRectF(area).adjusted(1, 1, -1, -1), 4, 4)
        if index.row() == self._look.at:
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Text), 2))
            painter.drawRoundedRect(QRectF(area).adjusted(-1, -1, 1, 1), 5, 5)
        painter.restore()


class Strip(QListView):
    """One line of pictures; the one chosen is shown by the player."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self.setModel(StripModel(look, self))
        self.setItemDelegate(_Cell(look, self))
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setUniformItemSizes(True)
        self.setProperty("plain", True)
        self.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFixedHeight(CELL.height() + 16)
        self.setAccessibleName(tr("Film strip"))
        self.selectionModel().currentChanged.connect(self._choose)
        look.moved.connect(self._follow)

    def _choose(self, index: QModelIndex, before: QModelIndex) -> None:
        if index.isValid() and index.row() != self._look.at:
            self._look.play(False)
            self._look.show_at(index.row())

    def _follow(self) -> None:
        index = self.model().index(self._look.at, 0)
        if index.isValid() and not self._look.playing and index != self.currentIndex():
            self.selectionModel().blockSignals(True)
            self.setCurrentIndex(index)
            self.selectionModel().blockSignals(False)
            self.scrollTo(index)
        self.viewport().update()
