"""Jobs as Qt's lists want them: one row a job, sorted and narrowed by the proxy, painted by the delegate."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    QSortFilterProxyModel,
    Qt,
)
from PySide6.QtGui import QFont, QImage, QPainter, QPalette, QPen
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem
from tweenbridge import JobInfo, JobState

from .. import words
from ..state.jobs import Group, JobsState, place
from ..state.pictures import PictureKey, Pictures
from .style import colour

Index = QModelIndex | QPersistentModelIndex
JOB = Qt.ItemDataRole.UserRole
ROW_HEIGHT = 68
_THUMBNAIL = QSize(80, 48)
THUMBNAIL_SIDE = 160


class JobsModel(QAbstractListModel):
    """All jobs, in the order in which they became known."""

    def __init__(self, state: JobsState, pictures: Pictures, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._ids: list[str] = list(state.jobs)
        self._rows = {job: row for row, job in enumerate(self._ids)}
        state.changed.connect(self._follow)
        pictures.arrived.connect(self._arrived)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        """How many jobs there are."""
        return 0 if parent.isValid() else len(self._ids)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """The job of a row, or what screen readers say of it."""
        info = self._state.jobs.get(self._ids[index.row()]) if index.isValid() else None
        if info is None:
            return None
        if role == JOB:
            return info
        if role == Qt.ItemDataRole.DisplayRole:
            return words.title(info)
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            said = f"{words.state_name(info.state)}, {words.progress(info)}"
            return f"{said}, {words.owner(info)}" if self._state.of_several else said
        return None

    def _follow(self, came: list[str], dirty: list[str], gone: list[str]) -> None:
        for job in gone:
            row = self._rows.pop(job, None)
            if row is not None:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._ids[row]
                self._rows = {known: number for number, known in enumerate(self._ids)}
                self.endRemoveRows()
        fresh = [job for job in came if job not in self._rows and job in self._state.jobs]
        if fresh:
            self.beginInsertRows(QModelIndex(), len(self._ids), len(self._ids) + len(fresh) - 1)
            self._rows.update((job, len(self._ids) + number) for number, job in enumerate(fresh))
            self._ids += fresh
            self.endInsertRows()
        for job in dirty:
            self._touch(job)

    def _touch(self, job: str) -> None:
        row = self._rows.get(job)
        if row is not None:
            self.dataChanged.emit(self.index(row), self.index(row))

    def _arrived(self, key: PictureKey) -> None:
        if key.side == THUMBNAIL_SIDE:
            self._touch(key.job)


class JobsOrder(QSortFilterProxyModel):
    """Jobs at work first, then those that wait, then the newest results; one group of them where that is chosen."""

    def __init__(self, model: JobsModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._group = Group.ALL
        self.setSourceModel(model)
        self.setDynamicSortFilter(True)
        self.sort(0)

    def narrow(self, group: Group) -> None:
        """Show one group."""
        self._group = group
        self.invalidate()

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        """Whether a job is of the group that is shown."""
        info = self.sourceModel().index(row, 0).data(JOB)
        return info is not None and self._group in (Group.ALL, Group.of(info.state))

    def lessThan(self, left: Index, right: Index) -> bool:
        """Whether a job comes before another."""
        return place(left.data(JOB)) < place(right.data(JOB))

    def index_of(self, job: str) -> QModelIndex:
        """Where a job is in the list; invalid where it is not."""
        for row in range(self.rowCount()):
            index = self.index(row, 0)
            if index.data(JOB).job == job:
                return index
        return QModelIndex()


class JobRow(QStyledItemDelegate):
    """Paints a job: its first keyframe, what it is called, where it came from, whose it is, and how far it is."""

    def __init__(self, jobs: JobsState, pictures: Pictures, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._pictures = pictures

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """All rows are of one height."""
        return QSize(200, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint a row."""
        info: JobInfo = index.data(JOB)
        area: QRect = option.rect
        # The style sheet has made the view's own palette transparent.
        palette = QApplication.palette()
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour(palette, "tint"))
            painter.drawRoundedRect(QRectF(area).adjusted(4, 2, -4, -2), 6, 6)
            if state & QStyle.StateFlag.State_HasFocus:
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(palette.color(QPalette.ColorRole.Highlight), 1.2))
                painter.drawRoundedRect(QRectF(area).adjusted(4.5, 2.5, -4.5, -2.5), 6, 6)
        picture = QRect(area.left() + 14, area.top() + 10, _THUMBNAIL.width(), _THUMBNAIL.height())
        draw_picture(
            painter, picture, self._pictures.find(PictureKey(info.job, keyframe=0, side=THUMBNAIL_SIDE)), palette
        )
        left = picture.right() + 14
        text = QRect(left, area.top() + 11, area.right() - left - 14, 20)
        self._words(painter, text, info, palette)
        painter.restore()

    def _words(self, painter: QPainter, line: QRect, info: JobInfo, palette: QPalette) -> None:
        strong = QFont(painter.font())
        strong.setWeight(QFont.Weight.DemiBold)
        state = words.state_name(info.state)
        room = painter.fontMetrics().horizontalAdvance(state) + 12
        tint = {JobState.FAILED: "wrong", JobState.DONE: "ok"}.get(info.state, "muted")
        painter.setPen(colour(palette, tint))
        painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, state)
        painter.setPen(palette.color(QPalette.ColorRole.Text))
        painter.setFont(strong)
        title = painter.fontMetrics().elidedText(words.title(info), Qt.TextElideMode.ElideMiddle, line.width() - room)
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, title)
        light = QFont(strong)
        light.setWeight(QFont.Weight.Normal)
        painter.setFont(light)
        below = line.translated(0, 23)
        if info.state is JobState.RUNNING:
            bar = QRectF(below.left(), below.top() + 1, below.width(), 4)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour(palette, "line"))
            painter.drawRoundedRect(bar, 2, 2)
            painter.setBrush(palette.color(QPalette.ColorRole.Highlight))
            painter.drawRoundedRect(QRectF(bar.left(), bar.top(), bar.width() * info.fraction, 4), 2, 2)
            below = below.translated(0, 7)
        painter.setPen(colour(palette, "muted"))
        said = f"{words.progress(info)} · {words.origin(info)}"
        if self._jobs.of_several:
            said = f"{words.owner(info)} · {said}"
        if info.finished is not None:
            said += f" · {words.ago(info.finished)}"
        said = painter.fontMetrics().elidedText(said, Qt.TextElideMode.ElideRight, below.width())
        painter.drawText(below, Qt.AlignmentFlag.AlignVCenter, said)


def draw_picture(painter: QPainter, area: QRect, image: QImage | None, palette: QPalette) -> None:
    """Draw a picture as large as fits into an area; an empty frame where there is none yet."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour(palette, "hover" if image is None else "line"))
    painter.drawRoundedRect(area, 4, 4)
    if image is not None:
        size = image.size().scaled(area.size(), Qt.AspectRatioMode.KeepAspectRatio)
        place = QRect(0, 0, size.width(), size.height())
        place.moveCenter(area.center())
        painter.drawImage(place, image)
