"""The player: one picture of a job, divided by a wipe from the cross-fade of the keyframes around it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from ..state.look import Look
from ..words import tr
from .style import colour

_GRIP = 9


class Player(QWidget):
    """Shows the picture that is looked at. The wipe is drawn with the mouse, or moved with Shift and the arrows."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._last: tuple[object, QImage] | None = None
        self.setMinimumHeight(120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setAccessibleName(tr("Player"))
        self.setToolTip(tr("Drag to compare with a cross-fade"))
        look.moved.connect(self.update)
        look.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """As large as there is room."""
        return QSize(480, 280)

    # ------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw in-between, cross-fade and wipe."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour(self.palette(), "hover"))
        painter.drawRoundedRect(QRectF(self.rect()), 8, 8)
        shown = self._look.shown
        if shown is None:
            self._say(painter, self._look.error.message if self._look.error is not None else tr("Loading pictures"))
            return
        image = self._picture()
        if image is None:
            self._say(painter, tr("This frame is not made yet") if not self._look.is_ready(shown) else tr("Loading"))
            return
        area = self._area(image)
        painter.drawImage(area, image)
        wipe = self._look.wipe
        if wipe < 1.0 and shown.frame is not None:
            self._draw_fade(painter, area, shown.t, area.left() + wipe * area.width())
        if wipe < 1.0:
            self._draw_wipe(painter, area, wipe)

    def _picture(self) -> QImage | None:
        """The picture that is shown; while it is on its way, the last one of the same job."""
        shown, info = self._look.shown, self._look.info
        if shown is None or info is None:
            return None
        image = self._look.large(shown) or self._look.small(shown)
        if image is not None:
            self._last = (info.job, image)
        elif self._last is not None and self._last[0] == info.job and self._look.playing:
            image = self._last[1]
        return image

    def _area(self, image: QImage) -> QRectF:
        size = image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        return QRectF(
            (self.width() - size.width()) / 2, (self.height() - size.height()) / 2, size.width(), size.height()
        )

    def _draw_fade(self, painter: QPainter, area: QRectF, t: float, left: float) -> None:
        """The cross-fade right of the wipe: B at the in-between's time over A."""
        shown = self._look.shown
        assert shown is not None
        a, b = self._look.ends(shown)
        if a is None or b is None:
            return
        painter.save()
        painter.setClipRect(QRectF(left, area.top(), area.right() - left, area.height()))
        painter.drawImage(area, a)
        painter.setOpacity(t)
        painter.drawImage(area, b)
        painter.restore()

    def _draw_wipe(self, painter: QPainter, area: QRectF, wipe: float) -> None:
        x = area.left() + wipe * area.width()
        painter.setPen(QPen(QColor(255, 255, 255), 2))
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        painter.setBrush(self.palette().color(QPalette.ColorRole.Highlight))
        painter.drawEllipse(QPointF(x, area.center().y()), _GRIP, _GRIP)
        if self._look.shown is not None and self._look.shown.frame is not None:
            self._tag(painter, tr("In-between"), QPointF(area.left() + 10, area.top() + 10), False)
            self._tag(painter, tr("Cross-fade"), QPointF(area.right() - 10, area.top() + 10), True)

    def _tag(self, painter: QPainter, text: str, corner: QPointF, right: bool) -> None:
        width = painter.fontMetrics().horizontalAdvance(text) + 14
        box = QRectF(corner.x() - (width if right else 0), corner.y(), width, painter.fontMetrics().height() + 6)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 150))
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(QColor(255, 255, 255))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _say(self, painter: QPainter, text: str) -> None:
        painter.setPen(colour(self.palette(), "muted"))
        painter.drawText(
            self.rect().adjusted(20, 0, -20, 0), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text
        )

    # ------------------------------------------------------------ mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """The wipe follows the mouse."""
        self._wipe_to(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """The wipe follows the mouse."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._wipe_to(event.position().x())

    def _wipe_to(self, x: float) -> None:
        image = self._picture()
        if image is not None:
            area = self._area(image)
            self._look.set_wipe((x - area.left()) / max(1.0, area.width()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space plays, the arrows step, Shift and the arrows move the wipe."""
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        by = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if event.key() == Qt.Key.Key_Space:
            self._look.play(not self._look.playing)
        elif by is not None and shift:
            self._look.set_wipe(self._look.wipe + 0.05 * by)
        elif by is not None:
            self._look.play(False)
            self._look.step(by)
        else:
            super().keyPressEvent(event)
