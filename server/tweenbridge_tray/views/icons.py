"""Icons, drawn: the app's sign, the tray's faces, and the pages' marks, in whatever colour and size is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPalette, QPen, QPixmap
from PySide6.QtWidgets import QApplication

from ..state.desktop import Mood
from .style import colour

SIZES = (16, 22, 24, 32, 48, 64, 128, 256)
_STEPS = 24
"""Different lengths of the tray's ring: an icon is not drawn anew for every percent."""


def app_icon() -> QIcon:
    """Two keyframes and what lies between them."""
    icon = QIcon()
    for size in SIZES:
        icon.addPixmap(_painted(size, lambda painter: _sign(painter, QColor(74, 120, 214))))
    return icon


def tray_icon(mood: Mood, fraction: float) -> QIcon:
    """The sign with a ring around it while work goes on, and a dot where something is wrong."""
    icon = QIcon()
    step = round(max(0.0, min(1.0, fraction)) * _STEPS) / _STEPS
    for size in SIZES[:6]:
        icon.addPixmap(_painted(size, lambda painter: _face(painter, mood, step)))
    return icon


def page_icon(name: str, palette: QPalette | None = None) -> QIcon:
    """The mark of a page: jobs, drop, models, server, settings."""
    palette = palette or QApplication.palette()
    icon = QIcon()
    tint = palette.color(QPalette.ColorRole.WindowText)
    for size in (18, 36, 54):
        icon.addPixmap(_painted(size, lambda painter: _MARKS[name](painter, tint)))
    return icon


def _painted(size: int, draw: Callable[[QPainter], None]) -> QPixmap:
    """A picture on a square of 100 by 100."""
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(size / 100, size / 100)
    draw(painter)
    painter.end()
    return pixmap


def _sign(painter: QPainter, accent: QColor) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(accent)
    painter.drawRoundedRect(QRectF(4, 4, 92, 92), 22, 22)
    _diamonds(painter, QColor(255, 255, 255), 1.0)


def _diamonds(painter: QPainter, ink: QColor, scale: float) -> None:
    """Two diamonds, as timelines mark keyframes, with dots on the arc between them."""
    painter.save()
    painter.translate(50, 50)
    painter.scale(scale, scale)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ink)
    for x in (-28.0, 28.0):
        path = QPainterPath(QPointF(x, 2))
        for dx, dy in ((13, 15), (0, 28), (-13, 15)):
            path.lineTo(x + dx, 2 + dy)
        path.closeSubpath()
        painter.drawPath(path)
    for angle, radius in ((150, 4.5), (120, 5.5), (90, 6.5), (60, 5.5), (30, 4.5)):
        x, y = 31 * math.cos(math.radians(angle)), -31 * math.sin(math.radians(angle)) + 9
        painter.drawEllipse(QPointF(x, y), radius, radius)
    painter.restore()


def _face(painter: QPainter, mood: Mood, fraction: float) -> None:
    _sign(painter, QColor(74, 120, 214) if mood is not Mood.PROBLEM else QColor(120, 124, 132))
    if mood is Mood.WORKING:
        ring = QRectF(8, 8, 84, 84)
        painter.setBrush(QColor(22, 30, 48))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawEllipse(QRectF(0, 0, 100, 100))
        _diamonds(painter, QColor(255, 255, 255), 0.72)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(255, 255, 255, 60), 11))
        painter.drawEllipse(ring)
        pen = QPen(QColor(98, 190, 120), 11)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.drawArc(ring, 90 * 16, -round(360 * 16 * max(fraction, 0.03)))
    elif mood is Mood.PROBLEM:
        painter.setPen(QPen(QColor(255, 255, 255), 5))
        painter.setBrush(QColor(214, 64, 50))
        painter.drawEllipse(QRectF(54, 54, 43, 43))


def _pen(tint: QColor) -> QPen:
    pen = QPen(tint, 8)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    return pen


def _jobs(painter: QPainter, tint: QColor) -> None:
    painter.setPen(_pen(tint))
    for y, width in ((24, 64), (50, 44), (76, 56)):
        painter.drawPoint(QPointF(16, y))
        painter.drawLine(QPointF(34, y), QPointF(34 + width * 0.85, y))


def _drop(painter: QPainter, tint: QColor) -> None:
    painter.setPen(_pen(tint))
    painter.drawLine(QPointF(50, 14), QPointF(50, 60))
    painter.drawPolyline([QPointF(32, 43), QPointF(50, 61), QPointF(68, 43)])
    painter.drawPolyline([QPointF(14, 62), QPointF(14, 84), QPointF(86, 84), QPointF(86, 62)])


def _models(painter: QPainter, tint: QColor) -> None:
    painter.setPen(_pen(tint))
    painter.drawPolygon(
        [QPointF(50, 12), QPointF(84, 31), QPointF(84, 69), QPointF(50, 88), QPointF(16, 69), QPointF(16, 31)]
    )
    painter.drawPolyline([QPointF(16, 31), QPointF(50, 50), QPointF(84, 31)])
    painter.drawLine(QPointF(50, 50), QPointF(50, 88))


def _server(painter: QPainter, tint: QColor) -> None:
    painter.setPen(_pen(tint))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for y in (16, 56):
        painter.drawRoundedRect(QRectF(13, y, 74, 28), 7, 7)
        painter.drawPoint(QPointF(30, y + 14))


def _settings(painter: QPainter, tint: QColor) -> None:
    painter.setPen(_pen(tint))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for y, x in ((28, 66), (72, 34)):
        painter.drawLine(QPointF(12, y), QPointF(x - 12, y))
        painter.drawLine(QPointF(x + 12, y), QPointF(88, y))
        painter.drawEllipse(QPointF(x, y), 12, 12)


_MARKS: dict[str, Callable[[QPainter, QColor], None]] = {
    "jobs": _jobs,
    "drop": _drop,
    "models": _models,
    "server": _server,
    "settings": _settings,
}


def dot(palette: QPalette, name: str, size: int = 10) -> QPixmap:
    """A round sign: "ok", "note" or "wrong"; anything else is faint."""
    tint = colour(palette, name if name in ("ok", "note", "wrong") else "faint")

    def draw(painter: QPainter) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(tint)
        painter.drawEllipse(QRectF(8, 8, 84, 84))

    return _painted(size * 2, draw)
