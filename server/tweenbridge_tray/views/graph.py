"""The memory graph: what the server and its workers have held over the last minutes."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from .. import words
from ..state.server import EVERY, POINTS, ServerState
from ..words import tr
from .style import colour

_SPAN = EVERY * POINTS / 1000
_LEAST = 128e6


class MemoryGraph(QWidget):
    """Two areas, one on the other, against time."""

    def __init__(self, server: ServerState) -> None:
        super().__init__()
        self._server = server
        self.setMinimumHeight(130)
        self.setAccessibleName(tr("Memory of the server"))
        server.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Wide and low."""
        return QSize(400, 150)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the areas, the scale and the legend."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        legend = painter.fontMetrics().height() + 8
        area = QRectF(self.rect()).adjusted(0, 10, -64, -legend)
        points = list(self._server.memory)
        most = max([_LEAST, *(1.15 * (point.server + point.workers) for point in points)])
        self._draw_scale(painter, area, most)
        if points:
            now = points[-1].time

            def place(moment: float, size: float) -> QPointF:
                x = area.right() - (now - moment) / _SPAN * area.width()
                return QPointF(max(area.left(), x), area.bottom() - size / most * area.height())

            accent = self.palette().color(QPalette.ColorRole.Highlight)
            whole = [place(point.time, point.server + point.workers) for point in points]
            own = [place(point.time, point.server) for point in points]
            self._fill(painter, area, whole, _clear(accent, 70), accent)
            self._fill(painter, area, own, _clear(colour(self.palette(), "muted"), 90), colour(self.palette(), "muted"))
        self._draw_legend(painter, area, legend)

    def _fill(self, painter: QPainter, area: QRectF, line: list[QPointF], fill: QColor, edge: QColor) -> None:
        shape = [QPointF(line[0].x(), area.bottom()), *line, QPointF(line[-1].x(), area.bottom())]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawPolygon(QPolygonF(shape))
        painter.setPen(QPen(edge, 1.5))
        painter.drawPolyline(QPolygonF(line))

    def _draw_scale(self, painter: QPainter, area: QRectF, most: float) -> None:
        for part in (0.0, 0.5, 1.0):
            y = area.bottom() - part * area.height()
            painter.setPen(QPen(colour(self.palette(), "line"), 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(colour(self.palette(), "muted"))
            box = QRectF(area.right() + 6, y - 9, 58, 18)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, words.size(most * part))

    def _draw_legend(self, painter: QPainter, area: QRectF, height: float) -> None:
        status = self._server.status
        workers = sum(worker.memory for worker in status.workers) if status is not None else 0
        own = status.memory if status is not None else 0
        x = area.left()
        entries = (
            (colour(self.palette(), "muted"), tr("Server {size}").format(size=words.size(own))),
            (self.palette().color(QPalette.ColorRole.Highlight), tr("Workers {size}").format(size=words.size(workers))),
        )
        for tint, text in entries:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(tint)
            painter.drawRoundedRect(QRectF(x, area.bottom() + height / 2, 9, 9), 2, 2)
            painter.setPen(colour(self.palette(), "muted"))
            width = painter.fontMetrics().horizontalAdvance(text)
            box = QRectF(x + 15, area.bottom() + height / 2 - 5, width + 4, 19)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, text)
            x += width + 40


def _clear(tint: QColor, alpha: int) -> QColor:
    made = QColor(tint)
    made.setAlpha(alpha)
    return made
