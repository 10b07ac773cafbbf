"""The first run: this computer, which engine to begin with, and the editors to put Tweenbridge into."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget
from tweenbridge.protocol.models import ModelAction

from .. import words
from ..session import Link
from ..state.models import ModelsState
from ..state.server import ServerState
from ..state.welcome import Host, WelcomeState
from ..words import tr
from .icons import app_icon, dot
from .model_card import fit_line
from .models_page import ModelsPage
from .parts import Card, button, heading, note, row, scrolled
from .style import MARGIN

_WIDTH = 620


class WelcomePage(QWidget):
    """Shown until the user is done with it; nothing on it has to be done."""

    done = Signal()

    def __init__(
        self, welcome: WelcomeState, server: ServerState, models: ModelsState, models_page: ModelsPage
    ) -> None:
        super().__init__()
        self._welcome = welcome
        self._server = server
        self._models = models
        self._models_page = models_page
        column = QWidget()
        column.setMaximumWidth(_WIDTH)
        layout = QVBoxLayout(column)
        layout.setContentsMargins(0, MARGIN, 0, MARGIN)
        layout.setSpacing(14)
        layout.addLayout(self._make_head())
        layout.addWidget(self._make_computer())
        layout.addWidget(self._make_engine())
        layout.addWidget(self._make_hosts())
        self._begin = button(tr("Start with optical flow now"), self._finish, main=True, keys="Ctrl+Return")
        layout.addLayout(row(None, self._begin))
        layout.addStretch(1)
        around = QWidget()
        side = QHBoxLayout(around)
        side.setContentsMargins(MARGIN, 0, MARGIN, 0)
        side.addStretch(1)
        side.addWidget(column, 100)
        side.addStretch(1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(scrolled(around))
        welcome.changed.connect(self._show_hosts)
        models.changed.connect(lambda _: self._show_engine())
        server.changed.connect(self._show_computer)
        self._show_computer()
        self._show_engine()
        self._show_hosts()

    # ------------------------------------------------------------ building

    def _make_head(self) -> QHBoxLayout:
        sign = QLabel()
        sign.setPixmap(app_icon().pixmap(56, 56))
        words_ = QVBoxLayout()
        words_.setSpacing(2)
        words_.addWidget(heading(tr("Welcome to Tweenbridge"), 1.7))
        words_.addWidget(note(tr("You make the keyframes; it makes the frames between them, on this computer.")))
        head = QHBoxLayout()
        head.setSpacing(16)
        head.addWidget(sign)
        head.addLayout(words_, 1)
        return head

    def _make_computer(self) -> QWidget:
        self._computer_sign = QLabel()
        self._computer = QLabel()
        self._computer.setWordWrap(True)
        self._device = note()
        inside = QVBoxLayout()
        inside.setSpacing(6)
        inside.addWidget(heading(tr("This computer"), 1.1))
        line = row(self._computer_sign, self._computer)
        line.setStretch(1, 1)
        inside.addLayout(line)
        inside.addWidget(self._device)
        return Card(inside)

    def _make_engine(self) -> QWidget:
        self._offer = note()
        self._get = button(tr("Download the model"), self._download)
        inside = QVBoxLayout()
        inside.setSpacing(6)
        inside.addWidget(heading(tr("Engines"), 1.1))
        inside.addWidget(QLabel(tr("Optical flow is there and needs no download.")))
        inside.addWidget(self._offer)
        inside.addLayout(row(self._get, None))
        return Card(inside)

    def _make_hosts(self) -> QWidget:
        self._hosts = QVBoxLayout()
        self._hosts.setSpacing(4)
        self._hosts_note = note()
        self._install = button(tr("Install in these editors"), self._welcome.install)
        inside = QVBoxLayout()
        inside.setSpacing(8)
        inside.addWidget(heading(tr("Your editors"), 1.1))
        inside.addWidget(self._hosts_note)
        inside.addLayout(self._hosts)
        inside.addLayout(row(self._install, None))
        return Card(inside)

    # ------------------------------------------------------------ doing

    def _finish(self) -> None:
        self._welcome.finish()
        self.done.emit()

    def _download(self) -> None:
        model = self._models.suggestion()
        if model is not None:
            self._models_page.act(model.model, ModelAction.GET)

    # ------------------------------------------------------------ showing

    def _show_computer(self) -> None:
        link = self._server.link
        sign = {Link.ON: "ok", Link.STARTING: "note", Link.OFF: "wrong"}[link]
        text = {Link.ON: tr("The server runs."), Link.STARTING: tr("The server is starting."), Link.OFF: ""}[link]
        pixmap = dot(self.palette(), sign)
        pixmap.setDevicePixelRatio(2)
        self._computer_sign.setPixmap(pixmap)
        self._computer.setText(text or self._server.problem or tr("The server is not running."))
        self._show_device()

    def _show_device(self) -> None:
        device = self._models.device or (self._server.status.device if self._server.status is not None else None)
        if device is None:
            self._device.setText(tr("Optical flow computes on the processor."))
        else:
            text = tr("Models compute on: {title}, {memory}. Optical flow on the processor.")
            self._device.setText(text.format(title=device.title, memory=words.size(device.memory)))

    def _show_engine(self) -> None:
        self._show_device()
        model = self._models.suggestion()
        loading = self._models.downloading()
        self._get.setVisible(model is not None and not loading)
        if loading:
            total, done = loading[0].total, loading[0].done
            share = tr("{percent} %").format(percent=round(100 * done / total)) if total else ""
            self._offer.setText(tr("Downloading {title} {share}").format(title=loading[0].title, share=share))
        elif model is not None:
            need = fit_line(model, self._models.device)
            text = tr("For motion that flow cannot follow: {title}, {size}.")
            text = text.format(title=model.title, size=words.size(model.size))
            self._offer.setText(f"{text} {need[:1].upper()}{need[1:]}." if need else text)
        else:
            self._offer.setText(tr("Models for large motion are on the Models page."))

    def _show_hosts(self) -> None:
        welcome = self._welcome
        while (item := self._hosts.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        for host in welcome.hosts:
            self._hosts.addWidget(self._host_line(host))
        if welcome.looking:
            text = tr("Looking for editors.")
        elif welcome.problem:
            text = welcome.problem
        elif not welcome.hosts:
            text = tr("No editor was found here. The Drop page works with every program.")
        else:
            text = tr("Tweenbridge can be put into these:")
        self._hosts_note.setText(text)
        can = any(host.chosen and not host.obstacle for host in welcome.hosts)
        self._install.setVisible(bool(welcome.hosts))
        self._install.setEnabled(can and not welcome.busy)

    def _host_line(self, host: Host) -> QWidget:
        box = QCheckBox(host.name)
        box.setChecked(host.chosen)
        box.setEnabled(not host.obstacle and host.state not in ("busy", "done"))
        box.toggled.connect(partial(self._welcome.choose, host.id))
        states = {"busy": tr("Installing"), "done": tr("Installed"), "": tr("Installed") if host.installed else ""}
        obstacle = host.obstacle[:1].upper() + host.obstacle[1:]
        said = note(obstacle or states.get(host.state, host.state))
        said.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        line = QWidget()
        layout = row(box, said)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setStretch(1, 1)
        line.setLayout(layout)
        return line
