"""The Server page: what runs, on what, with how much memory; the log; and the doctor."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QFormLayout, QLabel, QTabWidget, QVBoxLayout, QWidget

from .. import words
from ..session import Link
from ..state.log import LogState
from ..state.server import ServerState
from ..words import tr
from .graph import MemoryGraph
from .icons import dot
from .log_panel import LogPanel
from .parts import Card, Elided, Page, button, heading, note, row, scrolled


class ServerPage(Page):
    """Shows how the server is."""

    def __init__(self, server: ServerState, log: LogState) -> None:
        super().__init__(tr("Server"))
        self._server = server
        self._log = log
        self._start = button(tr("Start"), server.start, main=True)
        self._stop = button(tr("Stop"), server.stop)
        self.tools.addWidget(self._start)
        self.tools.addWidget(self._stop)
        self._tabs = QTabWidget()
        self._tabs.setDocumentMode(True)
        self._tabs.addTab(scrolled(self._make_overview()), tr("Overview"))
        self._tabs.addTab(self._framed(LogPanel(log)), tr("Log"))
        self._tabs.addTab(self._make_doctor(), tr("Doctor"))
        self._tabs.currentChanged.connect(lambda _: self._watch(self.isVisible()))
        self.body.addWidget(self._tabs, 1)
        self.shown.connect(self._watch)
        server.changed.connect(self._show)
        server.checks_changed.connect(self._show_checks)
        server.key_made.connect(self._show_key)
        self._show()
        self._show_checks()

    # ------------------------------------------------------------ building

    def _framed(self, inside: QWidget) -> QWidget:
        frame = QWidget()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(0, 12, 0, 0)
        layout.addWidget(inside)
        return frame

    def _make_overview(self) -> QWidget:
        self._facts: dict[str, Elided] = {}
        form = QFormLayout()
        form.setHorizontalSpacing(18)
        form.setVerticalSpacing(8)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name, text in _FACTS.items():
            label = QLabel(tr(text))
            label.setProperty("muted", True)
            self._facts[name] = Elided(mode=Qt.TextElideMode.ElideMiddle)
            self._facts[name].setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            form.addRow(label, self._facts[name])
        self._export = button(tr("New key for another computer"), self._export_key)
        self._alone = note(tr("Only this computer can use the server. Settings say how to serve others."))
        memory = QVBoxLayout()
        memory.setSpacing(10)
        memory.addWidget(heading(tr("Memory"), 1.1))
        memory.addWidget(MemoryGraph(self._server))
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(0, 12, 8, 0)
        layout.setSpacing(12)
        layout.addWidget(Card(form))
        layout.addWidget(Card(memory))
        layout.addWidget(self._alone)
        layout.addLayout(row(self._export, None))
        layout.addStretch(1)
        return inside

    def _make_doctor(self) -> QWidget:
        self._examine = button(tr("Check this installation"), self._server.examine, main=True, keys="Ctrl+D")
        self._checks = QVBoxLayout()
        self._checks.setSpacing(8)
        self._checks_note = note()
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(0, 0, 8, 0)
        layout.addWidget(self._checks_note)
        layout.addLayout(self._checks)
        layout.addStretch(1)
        frame = QWidget()
        outer = QVBoxLayout(frame)
        outer.setContentsMargins(0, 12, 0, 0)
        outer.setSpacing(12)
        outer.addLayout(row(self._examine, None))
        outer.addWidget(scrolled(inside), 1)
        return frame

    # ------------------------------------------------------------ doing

    def _watch(self, on: bool) -> None:
        self._server.watch(on and self._tabs.currentIndex() == 0)
        self._log.watch(on and self._tabs.currentIndex() == 1)

    def _export_key(self) -> None:
        title = tr("Key file, named after the computer or person that gets it")
        target, _ = QFileDialog.getSaveFileName(self, title, "new-computer.json", "JSON (*.json)")
        if target:
            self._server.make_key(Path(target))

    def _show_key(self, problem: str) -> None:
        if problem:
            self.banner.say(tr("The key could not be saved: {reason}").format(reason=problem))
        else:
            self.banner.say(tr("Saved. Whoever holds this file may use the server; treat it like a password."), "ok")

    # ------------------------------------------------------------ showing

    def _show(self) -> None:
        server, status = self._server, self._server.status
        on = server.link is Link.ON
        self._start.setVisible(not on)
        self._start.setEnabled(server.link is Link.OFF)
        self._stop.setVisible(on)
        states = {Link.ON: tr("Running"), Link.STARTING: tr("Starting"), Link.OFF: tr("Not running")}
        state = states[server.link] if on or not server.problem else f"{states[server.link]}. {server.problem}"
        self._facts["state"].set_whole(state)
        self._facts["version"].set_whole(status.server if status is not None else "–")
        self._facts["endpoint"].set_whole(server.endpoint or "–")
        facts = dict.fromkeys(("uptime", "workers", "sessions", "disk", "folder", "device"), "–")
        if status is not None:
            busy = [
                f"{worker.device}: {worker.state}, {words.size(worker.memory)}" for worker in status.workers
            ] or [tr("none now; they start when there is work")]  # fmt: skip
            facts = {
                "uptime": words.duration(status.uptime),
                "workers": "; ".join(busy),
                "sessions": str(status.sessions),
                "disk": tr("{size} of keyframes and frames").format(size=words.size(status.spool_bytes)),
                "folder": status.data_dir,
                "device": self._device_line(),
            }
        for name, text in facts.items():
            self._facts[name].set_whole(text)
        self._export.setVisible(server.serves_others)
        self._alone.setVisible(on and not server.serves_others)

    def _device_line(self) -> str:
        device = self._server.status.device if self._server.status is not None else None
        if device is None:
            return tr("not looked at yet")
        return tr("{title}, {memory}").format(title=device.title, memory=words.size(device.memory))

    def _show_checks(self) -> None:
        server = self._server
        self._examine.setEnabled(not server.checking)
        self._examine.setText(tr("Checking") if server.checking else tr("Check this installation"))
        while (item := self._checks.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        for check in server.checks if not server.checking else ():
            self._checks.addWidget(_CheckLine(check.name, check.verdict, check.found, check.remedy))
        wrong = sum(check.verdict == "wrong" for check in server.checks)
        if server.checking:
            text = tr("This takes a few seconds.")
        elif server.check_problem:
            text = server.check_problem
        elif not server.checks:
            text = tr("The doctor looks whether everything is there that in-betweens need.")
        else:
            text = tr("%n things are wrong.", wrong) if wrong else tr("All is well.")
        self._checks_note.setText(text)


class _CheckLine(Card):
    """What the doctor found."""

    def __init__(self, name: str, verdict: str, found: str, remedy: str) -> None:
        super().__init__()
        sign = QLabel()
        pixmap = dot(self.palette(), verdict)
        pixmap.setDevicePixelRatio(2)
        sign.setPixmap(pixmap)
        sign.setAccessibleName(verdict)
        text = QLabel(f"{name}: {found}")
        text.setWordWrap(True)
        text.setTextFormat(Qt.TextFormat.PlainText)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.setSpacing(2)
        line = row(sign, text)
        line.setStretch(1, 1)
        layout.addLayout(line)
        if remedy:
            layout.addWidget(note(remedy))


_FACTS = {
    "state": "State",
    "version": "Version",
    "device": "Computes models on",
    "workers": "Workers",
    "endpoint": "Address",
    "sessions": "Connected programs",
    "uptime": "Running for",
    "disk": "On disk",
    "folder": "Data folder",
}
