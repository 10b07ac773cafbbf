"""How the windows look: spacing, type sizes and surfaces, all taken from the system's palette, light or dark."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF
from PySide6.QtGui import QColor, QFont, QPainter, QPalette, QPen
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QLabel, QProxyStyle, QStyle, QStyleOption, QWidget

GAP = 8
MARGIN = 24

_SHEET = """
QFrame[card="true"] { background: palette(base); border: 1px solid %(line)s; border-radius: 8px; }
QFrame[banner="true"] { background: %(tint)s; border: 1px solid %(tint_line)s; border-radius: 8px; }
QFrame[target="true"] { background: palette(base); border: 2px dashed %(faint)s; border-radius: 12px; }
QFrame[target="true"][hot="true"] { border-color: palette(highlight); background: %(tint)s; }
QLabel[muted="true"] { color: %(muted)s; }
QListView { background: palette(base); border: 1px solid %(line)s; border-radius: 8px; outline: 0; }
QListView[plain="true"], QScrollArea { background: transparent; border: 0; }
QListView#navigation { background: transparent; border: 0; padding: 0 8px; }
QListView#navigation::item { padding: 9px 10px; border-radius: 6px; margin: 1px 0; color: palette(window-text); }
QListView#navigation::item:selected { background: %(tint)s; color: palette(window-text); }
QListView#navigation::item:hover:!selected { background: %(hover)s; }
QPlainTextEdit { background: palette(base); border: 1px solid %(line)s; border-radius: 8px; padding: 4px; }
QPushButton { padding: 6px 14px; border-radius: 6px; border: 1px solid %(edge)s; background: palette(button); }
QPushButton:hover { background: %(hover)s; }
QPushButton:pressed { background: %(tint)s; }
QPushButton:focus { border: 1px solid palette(highlight); }
QPushButton:disabled { color: %(faint)s; border-color: %(line)s; }
QPushButton[main="true"] { background: palette(highlight); color: palette(highlighted-text); font-weight: 600;
  border: 1px solid palette(highlight); }
QPushButton[main="true"]:hover { background: %(deep)s; border-color: %(deep)s; }
QPushButton[main="true"]:focus { border: 2px solid palette(window-text); padding: 5px 13px; }
QPushButton[main="true"]:disabled { background: %(line)s; border-color: %(line)s; color: %(faint)s; }
QPushButton[flat="true"] { border: 1px solid transparent; background: transparent; padding: 6px 8px; }
QPushButton[flat="true"]:hover { background: %(hover)s; }
QPushButton[flat="true"]:focus { border: 1px solid palette(highlight); }
QPushButton[flat="true"]:checked { background: %(tint)s; }
QProgressBar { border: 0; border-radius: 3px; background: %(line)s; max-height: 6px; min-height: 6px; }
QProgressBar::chunk { border-radius: 3px; background: palette(highlight); }
QComboBox { min-height: 24px; }
QSpinBox, QDoubleSpinBox, QLineEdit { min-height: 24px; padding: 0 5px; background: palette(base); border-radius: 5px;
  border: 1px solid %(edge)s; }
QLineEdit#qt_spinbox_lineedit { border: 0; min-height: 0; padding: 0 5px; background: transparent; }
QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button, QDoubleSpinBox::down-button { width: 0;
  border: 0; }
QCheckBox:disabled { color: %(faint)s; }
QSpinBox:focus, QDoubleSpinBox:focus, QLineEdit:focus { border-color: palette(highlight); }
QSpinBox:disabled, QDoubleSpinBox:disabled, QLineEdit:disabled { color: %(faint)s; border-color: %(line)s; }
QToolTip { padding: 4px; }
QListWidget::item { padding: 2px 4px; border-radius: 6px; }
QListWidget::item:selected { background: %(tint)s; color: palette(text); }
QScrollBar:vertical { background: transparent; width: 10px; margin: 2px 0; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0 2px; }
QScrollBar::handle { background: %(edge)s; border-radius: 3px; margin: 2px; min-width: 28px; min-height: 28px; }
QScrollBar::handle:hover { background: %(faint)s; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
"""


def mixed(a: QColor, b: QColor, share: float) -> QColor:
    """A colour between two: 0 is the first, 1 the second."""
    return QColor(
        round(a.red() + (b.red() - a.red()) * share),
        round(a.green() + (b.green() - a.green()) * share),
        round(a.blue() + (b.blue() - a.blue()) * share),
    )


def colour(palette: QPalette, name: str) -> QColor:
    """One of the colours between text and background that the windows use."""
    window, text = palette.color(QPalette.ColorRole.Window), palette.color(QPalette.ColorRole.WindowText)
    highlight = palette.color(QPalette.ColorRole.Highlight)
    base = palette.color(QPalette.ColorRole.Base)
    shares = {"line": 0.12, "edge": 0.22, "faint": 0.38, "hover": 0.06, "muted": 0.62}
    if name in shares:
        return mixed(window, text, shares[name])
    if name == "tint":
        return mixed(window, highlight, 0.18)
    if name == "tint_line":
        return mixed(window, highlight, 0.40)
    if name == "link":
        return mixed(highlight, text, 0.3)
    if name == "deep":
        return mixed(highlight, text, 0.15)
    warm = {"wrong": QColor(205, 60, 50), "note": QColor(196, 130, 20), "ok": QColor(45, 150, 85)}
    # Dark themes get lighter signs, light ones darker, so that both can be read.
    return mixed(warm[name], text, 0.12 if base.lightness() > 127 else 0.25)


def sheet(palette: QPalette) -> str:
    """The style sheet for a palette."""
    names = ("line", "edge", "faint", "hover", "muted", "tint", "tint_line", "deep")
    return _SHEET % {name: colour(palette, name).name() for name in names}


class _Style(QProxyStyle):
    """Fusion, but for the boxes of check boxes, whose frames it draws dark on dark."""

    def drawPrimitive(
        self, element: QStyle.PrimitiveElement, option: QStyleOption, painter: QPainter, widget: QWidget | None = None
    ) -> None:
        if element is not QStyle.PrimitiveElement.PE_IndicatorCheckBox:
            super().drawPrimitive(element, option, painter, widget)
            return
        palette, state = QApplication.palette(), option.state
        box = QRectF(option.rect).adjusted(0.5, 0.5, -0.5, -0.5)
        on = bool(state & QStyle.StateFlag.State_On)
        enabled = bool(state & QStyle.StateFlag.State_Enabled)
        accent = palette.color(QPalette.ColorRole.Highlight) if enabled else colour(palette, "faint")
        focused = bool(state & QStyle.StateFlag.State_HasFocus)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(accent if on or focused else colour(palette, "faint" if enabled else "edge"), 1))
        painter.setBrush(accent if on else palette.color(QPalette.ColorRole.Base))
        painter.drawRoundedRect(box, 3, 3)
        if on:
            painter.setPen(QPen(palette.color(QPalette.ColorRole.HighlightedText), 1.8))
            corners = ((0.24, 0.52), (0.43, 0.70), (0.77, 0.30))
            painter.drawPolyline([QPointF(box.x() + x * box.width(), box.y() + y * box.height()) for x, y in corners])
        painter.restore()


class _Dresser(QObject):
    """Dresses the application again whenever the system turns light or dark."""

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self._app = app
        app.installEventFilter(self)
        self._dress()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ApplicationPaletteChange and watched is self._app:
            self._dress()
        return False

    def _dress(self) -> None:
        wanted = sheet(self._app.palette())
        if wanted != self._app.styleSheet():
            self._app.setStyleSheet(wanted)


def apply(app: QApplication) -> None:
    """Dress the application, now and whenever the system turns light or dark."""
    app.setStyle(_Style("Fusion"))
    _Dresser(app)


def sized(widget: QWidget, scale: float, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """The widget's font at another size."""
    font = QFont(widget.font())
    if font.pointSizeF() > 0:
        font.setPointSizeF(font.pointSizeF() * scale)
    else:
        font.setPixelSize(max(1, round(font.pixelSize() * scale)))
    font.setWeight(weight)
    return font


def indent(spin: QAbstractSpinBox) -> None:
    """Put a number as far from the frame of its field as words are in others; the style sheet cannot."""
    spin.lineEdit().setTextMargins(4, 0, 4, 0)


def muted(label: QLabel) -> QLabel:
    """The label in the colour of what is said beside."""
    label.setProperty("muted", True)
    return label
