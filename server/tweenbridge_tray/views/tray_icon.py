"""The icon in the desktop's tray, its menu, and the notifications that come from it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QAction, QDesktopServices
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from .. import words
from ..preferences import Preferences
from ..session import Link, Session
from ..state.desktop import DesktopState
from ..state.jobs import JobsState
from ..words import tr
from .icons import tray_icon

_NOTICE_MS = 8000


class TrayIcon(QObject):
    """Shows the desktop's state. Where the desktop has no tray this shows nothing, and the window serves."""

    open_wanted = Signal(str)
    """The window is wanted, to show this job; "" for no job in particular."""
    quit_wanted = Signal()

    def __init__(self, desktop: DesktopState, jobs: JobsState, session: Session, preferences: Preferences) -> None:
        super().__init__()
        self._desktop = desktop
        self._jobs = jobs
        self._session = session
        self._preferences = preferences
        self._told = ""
        self._icon = QSystemTrayIcon(self)
        self.menu = QMenu()
        self._open = self._act(tr("Open Tweenbridge"), lambda: self.open_wanted.emit(""))
        self._results = QMenu(tr("Recent results"))
        self.menu.addMenu(self._results)
        self._pause = self._act(tr("Pause queue"), lambda: jobs.pause(not jobs.paused))
        self.menu.addSeparator()
        self._server = self._act(tr("Start server"), self._toggle_server)
        self.menu.addSeparator()
        self._act(tr("Quit"), self.quit_wanted.emit)
        self.menu.aboutToShow.connect(self.refresh_menu)
        self._icon.setContextMenu(self.menu)
        self._icon.activated.connect(self._activated)
        self._icon.messageClicked.connect(lambda: self.open_wanted.emit(self._told))
        desktop.changed.connect(self._show)
        desktop.notice.connect(self._notify)
        self._show()

    @property
    def is_there(self) -> bool:
        """Whether the desktop shows the icon."""
        return QSystemTrayIcon.isSystemTrayAvailable()

    def show(self) -> None:
        """Show the icon."""
        self._icon.show()

    def hide(self) -> None:
        """Take the icon away."""
        self._icon.hide()

    def _act(self, text: str, then: Callable[[], object]) -> QAction:
        action = QAction(text, self.menu)
        action.triggered.connect(lambda *_: then())
        self.menu.addAction(action)
        return action

    def _activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason in (QSystemTrayIcon.ActivationReason.Trigger, QSystemTrayIcon.ActivationReason.DoubleClick):
            self.open_wanted.emit("")

    def _toggle_server(self) -> None:
        if self._session.link is Link.ON:
            self._session.stop_server()
        else:
            self._session.start_server()

    def refresh_menu(self) -> None:
        """Fill in what changes: results, and what can be done with queue and server."""
        on = self._session.link is Link.ON
        self._pause.setText(tr("Go on with the queue") if self._jobs.paused else tr("Pause queue"))
        self._pause.setEnabled(on)
        self._server.setText(tr("Stop server") if on else tr("Start server"))
        self._server.setEnabled(self._session.link is not Link.STARTING)
        self._results.clear()
        for info in self._jobs.newest_results():
            action = self._results.addAction(words.title(info))
            action.triggered.connect(lambda *_, job=info.job: self._open_result(job))
        self._results.setEnabled(not self._results.isEmpty())

    def _open_result(self, job: str) -> None:
        folder = self._preferences.folder_of(job)
        if folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
        else:
            self.open_wanted.emit(job)

    def _show(self) -> None:
        face = self._desktop.face
        self._icon.setIcon(tray_icon(face.mood, face.fraction))
        self._icon.setToolTip(f"Tweenbridge: {face.text}")

    def _notify(self, heading: str, sentence: str, job: str) -> None:
        self._told = job
        if self._icon.isVisible():
            self._icon.showMessage(heading, sentence, self._icon.icon(), _NOTICE_MS)
