"""Widgets that several pages use: headings, cards, buttons, a banner for what is wrong, an empty page's words."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFont, QHideEvent, QKeySequence, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ..words import tr
from .icons import dot
from .style import GAP, MARGIN, muted, sized

_BANNER_SECONDS = 20


def heading(text: str, scale: float = 1.5) -> QLabel:
    """A page's or a card's title."""
    label = QLabel(text)
    label.setFont(sized(label, scale, QFont.Weight.DemiBold))
    return label


def note(text: str = "") -> QLabel:
    """What is said beside: smaller words in a quieter colour, in as many lines as they need."""
    label = muted(QLabel(text))
    label.setWordWrap(True)
    return label


class Elided(QLabel):
    """A label of one line that never asks for more room than it is given."""

    def __init__(self, text: str = "", mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight) -> None:
        super().__init__()
        self._whole = text
        self._mode = mode
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.set_whole(text)

    def set_whole(self, text: str) -> None:
        """Show this text, as much of it as fits."""
        self._whole = text
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the text into the new width."""
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """A few letters."""
        return QSize(40, super().minimumSizeHint().height())

    def _fit(self) -> None:
        shown = self.fontMetrics().elidedText(self._whole, self._mode, max(20, self.width()))
        super().setText(shown)
        self.setToolTip(self._whole if shown != self._whole else "")


def button(
    text: str, then: Callable[[], object], *, main: bool = False, flat: bool = False, keys: str = ""
) -> QPushButton:
    """A button, and what happens when it is pressed; `keys` is a shortcut like "Ctrl+G"."""
    made = QPushButton(text)
    made.clicked.connect(lambda *_: then())
    made.setProperty("main", main)
    made.setProperty("flat", flat)
    # Every press by mouse has its like on the keyboard, also where the system skips buttons.
    made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    if keys:
        made.setShortcut(QKeySequence(keys))
        made.setToolTip(f"{text} ({made.shortcut().toString(QKeySequence.SequenceFormat.NativeText)})")
    return made


def row(*parts: QWidget | int | None) -> QHBoxLayout:
    """Widgets side by side; a number is a fixed gap, None takes what is left."""
    layout = QHBoxLayout()
    layout.setSpacing(GAP)
    for part in parts:
        if part is None:
            layout.addStretch(1)
        elif isinstance(part, int):
            layout.addSpacing(part)
        else:
            layout.addWidget(part, 1 if isinstance(part, Elided) else 0)
    return layout


def column(*parts: QWidget | QLayout | int | None, spacing: int = GAP) -> QVBoxLayout:
    """Widgets and layouts one below the other; a number is a fixed gap, None takes what is left."""
    layout = QVBoxLayout()
    layout.setSpacing(spacing)
    for part in parts:
        if part is None:
            layout.addStretch(1)
        elif isinstance(part, int):
            layout.addSpacing(part)
        elif isinstance(part, QWidget):
            layout.addWidget(part)
        else:
            layout.addLayout(part)
    return layout


def label_for(text: str, field: QWidget) -> QLabel:
    """A field's label, in the middle of its line; the field bears the same name for those who cannot see it."""
    made = QLabel(text)
    made.setMinimumHeight(field.sizeHint().height())
    field.setAccessibleName(text)
    return made


class Card(QFrame):
    """A surface that holds together what belongs together."""

    def __init__(self, layout: QLayout | None = None, margin: int = 16) -> None:
        super().__init__()
        self.setProperty("card", True)
        if layout is not None:
            layout.setContentsMargins(margin, margin, margin, margin)
            self.setLayout(layout)


class Banner(QFrame):
    """A sentence across the page about something that did not work; it goes by itself or when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("banner", True)
        self._sign = QLabel()
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._close = button(tr("Dismiss"), self.hide, flat=True)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 8, 8, 8)
        layout.addWidget(self._sign)
        layout.addWidget(self._text, 1)
        layout.addWidget(self._close)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.hide)
        self.hide()

    @property
    def text(self) -> str:
        """What it says; "" while it is hidden."""
        return "" if self.isHidden() else self._text.text()

    def say(self, sentence: str, sign: str = "wrong", stay: bool = False) -> None:
        """Show a sentence."""
        pixmap = dot(self.palette(), sign)
        pixmap.setDevicePixelRatio(2)
        self._sign.setPixmap(pixmap)
        self._text.setText(sentence)
        self.show()
        if stay:
            self._timer.stop()
        else:
            self._timer.start(_BANNER_SECONDS * 1000)


class Empty(QWidget):
    """What an empty page says: a line, and what to do about it in lines of that width."""

    def __init__(self, title: str, words: str, width: int = 440) -> None:
        super().__init__()
        head = heading(title, 1.15)
        head.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        text = note(words)
        text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        text.setFixedWidth(width)
        layout = QVBoxLayout(self)
        layout.setSpacing(GAP)
        layout.addStretch(2)
        layout.addWidget(head)
        layout.addWidget(text, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(3)


class Page(QWidget):
    """A page of the window: its title with actions beside it, a banner, and what it is about."""

    shown = Signal(bool)

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title = title
        self.banner = Banner()
        self.tools = QHBoxLayout()
        self.tools.setSpacing(GAP)
        head = QHBoxLayout()
        head.addWidget(heading(title))
        head.addStretch(1)
        head.addLayout(self.tools)
        self.body = QVBoxLayout()
        self.body.setSpacing(12)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN - 4, MARGIN, MARGIN)
        layout.setSpacing(14)
        layout.addLayout(head)
        layout.addWidget(self.banner)
        layout.addLayout(self.body, 1)

    def showEvent(self, event: QShowEvent) -> None:
        """The page is looked at."""
        self.shown.emit(True)

    def hideEvent(self, event: QHideEvent) -> None:
        """The page is not looked at any more."""
        self.shown.emit(False)


def scrolled(content: QWidget) -> QScrollArea:
    """The widget in an area that scrolls up and down where it does not fit."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidget(content)
    area.viewport().setAutoFillBackground(False)
    content.setAutoFillBackground(False)
    return area
