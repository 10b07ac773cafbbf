"""The window: pages named on the left, the page itself on the right; at the first run the welcome instead."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLabel, QListWidget, QListWidgetItem, QStackedWidget, QVBoxLayout, QWidget

from ..session import Link, Session
from ..words import tr
from .icons import app_icon, dot, page_icon
from .parts import Page, note

_NAVIGATION_WIDTH = 184


class Window(QWidget):
    """Shows one page at a time."""

    opened = Signal()
    closed = Signal()

    def __init__(self, pages: dict[str, Page], welcome: QWidget, session: Session) -> None:
        super().__init__()
        self._session = session
        self._pages = pages
        self.setWindowTitle(tr("Tweenbridge"))
        self.setWindowIcon(app_icon())
        self.resize(1120, 740)
        self.setMinimumSize(1010, 680)
        self._navigation = self._make_navigation()
        self._sign = QLabel()
        self._link = note()
        self._stack = QStackedWidget()
        for page in pages.values():
            self._stack.addWidget(page)
        side = QVBoxLayout()
        side.setContentsMargins(4, 20, 0, 16)
        side.setSpacing(8)
        side.addWidget(self._navigation, 1)
        foot = QHBoxLayout()
        foot.setContentsMargins(18, 0, 8, 0)
        foot.setSpacing(8)
        foot.addWidget(self._sign)
        foot.addWidget(self._link, 1)
        side.addLayout(foot)
        main = QWidget()
        layout = QHBoxLayout(main)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(side)
        layout.addWidget(self._stack, 1)
        self._outer = QStackedWidget()
        self._outer.addWidget(main)
        self._outer.addWidget(welcome)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._outer)
        for number, name in enumerate(pages, start=1):
            QShortcut(QKeySequence(f"Ctrl+{number}"), self, lambda name=name: self.show_page(name))
        QShortcut(QKeySequence(QKeySequence.StandardKey.Close), self, self.close)
        session.link_changed.connect(self._show_link)
        self._show_link()

    def _make_navigation(self) -> QListWidget:
        made = QListWidget()
        made.setObjectName("navigation")
        made.setFixedWidth(_NAVIGATION_WIDTH)
        made.setIconSize(QSize(18, 18))
        made.setAccessibleName(tr("Pages"))
        made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for number, (name, page) in enumerate(self._pages.items(), start=1):
            item = QListWidgetItem(page_icon(name), page.title)
            item.setData(Qt.ItemDataRole.UserRole, name)
            item.setToolTip(QKeySequence(f"Ctrl+{number}").toString(QKeySequence.SequenceFormat.NativeText))
            made.addItem(item)
        made.setCurrentRow(0)
        made.currentRowChanged.connect(lambda row: self._stack.setCurrentIndex(row))
        return made

    # ------------------------------------------------------------ showing

    @property
    def page(self) -> str:
        """The page that is shown."""
        return list(self._pages)[self._stack.currentIndex()]

    def show_page(self, name: str) -> None:
        """Show a page."""
        self._outer.setCurrentIndex(0)
        self._navigation.setCurrentRow(list(self._pages).index(name))

    def show_welcome(self) -> None:
        """Show the first run."""
        self._outer.setCurrentIndex(1)

    def leave_welcome(self) -> None:
        """The first run is over: dropping stills comes next."""
        self.show_page("drop")

    def bring_up(self) -> None:
        """Show the window above the others."""
        self.show()
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.raise_()
        self.activateWindow()
        self.opened.emit()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Whoever owns the window decides whether the program goes on without it."""
        self.closed.emit()
        event.accept()

    def changeEvent(self, event: QEvent) -> None:
        """Light has turned dark, or the other way round: icons follow the text."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange and hasattr(self, "_navigation"):
            for number in range(self._navigation.count()):
                item = self._navigation.item(number)
                item.setIcon(page_icon(item.data(Qt.ItemDataRole.UserRole), self.palette()))

    def _show_link(self) -> None:
        link = self._session.link
        signs = {Link.ON: "ok", Link.STARTING: "note", Link.OFF: "wrong"}
        texts = {Link.ON: tr("Server runs"), Link.STARTING: tr("Server starts"), Link.OFF: tr("No server")}
        pixmap = dot(self.palette(), signs[link])
        pixmap.setDevicePixelRatio(2)
        self._sign.setPixmap(pixmap)
        self._link.setText(texts[link])
        self._link.setToolTip(self._session.error.message if self._session.error is not None else "")
