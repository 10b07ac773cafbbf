"""Keyframes and results as pictures in lines: thumbnails of files on this machine, read on threads of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, QObject, QRect, QRunnable, QSize, Qt, QThreadPool, QUrl, Signal
from PySide6.QtGui import QDrag, QIcon, QImage, QImageReader, QPainter, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem

SIDE = QSize(132, 84)
_PATH = Qt.ItemDataRole.UserRole


class _Loaded(QObject):
    done = Signal(str, QImage)


class _Load(QRunnable):
    """Reads one picture small, for the file `shown`."""

    def __init__(self, picture: str, shown: str, size: QSize) -> None:
        super().__init__()
        self.signals = _Loaded()
        self._picture = picture
        self._shown = shown
        self._size = size

    def run(self) -> None:
        """Read it; a file that Qt cannot read gives an empty picture."""
        reader = QImageReader(self._picture)
        reader.setAutoTransform(True)
        full = reader.size()
        if full.isValid():
            reader.setScaledSize(full.scaled(self._size, Qt.AspectRatioMode.KeepAspectRatio))
        self.signals.done.emit(self._shown, reader.read())


class PictureList(QListWidget):
    """Files with their pictures. What is dragged out of it are the files themselves."""

    def __init__(self, name: str, side: QSize = SIDE) -> None:
        super().__init__()
        self._loading: dict[str, _Load] = {}
        self._pictured: set[str] = set()
        self._side = side
        self.setViewMode(QListWidget.ViewMode.IconMode)
        self.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.setMovement(QListWidget.Movement.Static)
        self.setIconSize(side)
        self.setGridSize(QSize(side.width() + 18, side.height() + 36))
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setAccessibleName(name)
        self.setProperty("plain", True)

    def show_files(self, files: Sequence[tuple[Path, str, Path | None]]) -> None:
        """Show these: (file, its label, the picture of it that Qt can read)."""
        there = [(self.item(row).data(_PATH), self.item(row).text()) for row in range(self.count())]
        wanted = [(str(path), label) for path, label, _ in files]
        if there == wanted[: len(there)]:
            fresh = files[len(there) :]
        else:
            self.clear()
            self._pictured.clear()
            fresh = files
        for path, label, _ in fresh:
            item = QListWidgetItem(label)
            item.setData(_PATH, str(path))
            item.setToolTip(label)
            item.setSizeHint(self.gridSize())
            item.setIcon(self._blank())
            self.addItem(item)
        for path, _, picture in files:
            # A picture may come after its file, where it has to be made first.
            if picture is not None and str(path) not in self._pictured:
                self._pictured.add(str(path))
                self._load(str(picture), str(path))

    def files(self, rows: Sequence[int] | None = None) -> list[Path]:
        """The files of these rows, or of all."""
        chosen = range(self.count()) if rows is None else rows
        return [Path(self.item(row).data(_PATH)) for row in chosen]

    def selected_rows(self) -> list[int]:
        """Rows that are chosen, in order."""
        return sorted(index.row() for index in self.selectedIndexes())

    def startDrag(self, actions: Qt.DropAction) -> None:
        """Drag the chosen files out."""
        drag_files(self, self.files(self.selected_rows()))

    def _blank(self) -> QIcon:
        pixmap = QPixmap(self._side)
        pixmap.fill(self.palette().midlight().color())
        return QIcon(pixmap)

    def _framed(self, image: QImage) -> QIcon:
        """The picture in the middle of a place of its own size, sharp on screens of twice the density, too."""
        pixmap = QPixmap(self._side * 2)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        place = QRect(0, 0, image.width(), image.height())
        place.moveCenter(pixmap.rect().center())
        painter.drawImage(place, image)
        painter.end()
        pixmap.setDevicePixelRatio(2)
        icon = QIcon(pixmap)
        # Chosen pictures keep their colours: they are what is looked at.
        icon.addPixmap(pixmap, QIcon.Mode.Selected)
        return icon

    def _load(self, picture: str, path: str) -> None:
        task = _Load(picture, path, self._side * 2)
        self._loading[path] = task
        task.setAutoDelete(False)
        # A method, and no lambda: what arrives when the list is gone is dropped.
        task.signals.done.connect(self._loaded)
        QThreadPool.globalInstance().start(task)

    def _loaded(self, path: str, image: QImage) -> None:
        self._loading.pop(path, None)
        if image.isNull():
            return
        for row in range(self.count()):
            item = self.item(row)
            if item.data(_PATH) == path:
                item.setIcon(self._framed(image))


def drag_files(source: QListWidget, files: Sequence[Path]) -> None:
    """Let the user drag these files to another program, which copies them."""
    if not files:
        return
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file)) for file in files])
    drag = QDrag(source)
    drag.setMimeData(data)
    icon = source.item(0).icon() if source.count() else QIcon()
    drag.setPixmap(icon.pixmap(QSize(96, 64)))
    drag.exec(Qt.DropAction.CopyAction)
