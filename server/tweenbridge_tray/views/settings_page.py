"""The Settings page: where things go, how long they stay, and what the server may use."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from ..session import Link
from ..state.server import ServerState
from ..state.settings import Setting, SettingsState
from ..words import tr
from .parts import Card, Elided, Page, button, heading, label_for, note, row, scrolled
from .style import indent

_GB = 1024**3
_MINUTE = 60.0

# (setting, label, unit, how many of the server's units one of these is; 0: a line of text)
_KEPT = (
    ("retention.days", "Keep frames for", " days", 1.0),
    ("retention.bytes", "Keep at most", " GB", float(_GB)),
    ("retention.history", "Jobs in the list", " jobs", 1.0),
)
_MEMORY = (
    ("workers.idle_seconds", "Give memory back when idle for", " min", _MINUTE),
    ("workers.cpu_threads", "Processor threads (0: all but one)", "", 1.0),
)
_NETWORK = (
    ("models.proxy", "Proxy for downloads", "http://proxy:3128", 0.0),
    ("models.mirror", "Mirror of the model hub", "https://hub.example.org", 0.0),
    ("server.host", "Listen on address", "127.0.0.1", 0.0),
    ("server.port", "Port (0: any free one)", "", 1.0),
)


class SettingsPage(Page):
    """Shows the settings; each is written as soon as its field is left."""

    def __init__(self, settings: SettingsState, server: ServerState) -> None:
        super().__init__(tr("Settings"))
        self._settings = settings
        self._server = server
        self._fields: dict[str, _Field] = {}
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(0, 0, 8, 0)
        layout.setSpacing(14)
        layout.addWidget(self._make_restart())
        layout.addWidget(self._make_own())
        layout.addWidget(self._make_group(tr("Frames and jobs on disk"), _KEPT))
        layout.addWidget(self._make_group(tr("Memory and processor"), _MEMORY))
        layout.addWidget(self._make_group(tr("Network"), _NETWORK))
        layout.addWidget(note(tr("`tweenbridge config` lists further settings of the server.")))
        layout.addStretch(1)
        self.body.addWidget(scrolled(inside))
        self.shown.connect(lambda on: settings.refresh() if on else None)
        settings.changed.connect(self._show)
        settings.failed.connect(self.banner.say)
        server.changed.connect(self._link_changed)
        self._was_on = server.link is Link.ON
        self._show()

    # ------------------------------------------------------------ building

    def _make_restart(self) -> QWidget:
        self._restart_words = QLabel(tr("The server takes the change over when it starts next."))
        self._restart_words.setWordWrap(True)
        self._restart_button = button(tr("Restart the server now"), self._restart)
        line = row(self._restart_words, self._restart_button)
        line.setStretch(0, 1)
        self._restart_card = Card(line, margin=10)
        self._restart_card.hide()
        self._restarting = False
        return self._restart_card

    def _make_own(self) -> QWidget:
        self._folder = Elided(mode=Qt.TextElideMode.ElideMiddle)
        choose = button(tr("Change"), self._choose_folder)
        choose.setAccessibleName(tr("Change the folder for results"))
        self._autostart = QCheckBox(tr("Start with the computer"))
        self._autostart.clicked.connect(self._settings.set_autostart)
        self._notify = QCheckBox(tr("Tell me when a job ends"))
        self._notify.clicked.connect(self._settings.set_notify)
        folder = row(QLabel(tr("Results of dropped stills go to")), self._folder, choose)
        folder.setStretch(1, 1)
        inside = QVBoxLayout()
        inside.setSpacing(10)
        inside.addWidget(heading(tr("This app"), 1.1))
        inside.addLayout(folder)
        inside.addWidget(self._autostart)
        inside.addWidget(self._notify)
        return Card(inside)

    def _make_group(self, title: str, rows: tuple[tuple[str, str, str, float], ...]) -> QWidget:
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(10)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.FieldsStayAtSizeHint)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for name, label, unit, scale in rows:
            field = _Number(name, unit, scale, self._settings) if scale else _Line(name, unit, self._settings)
            words = label_for(tr(label), field.widget)
            words.setMinimumWidth(230)
            field.label = words
            self._fields[name] = field
            form.addRow(words, field.widget)
        inside = QVBoxLayout()
        inside.setSpacing(10)
        inside.addWidget(heading(title, 1.1))
        inside.addLayout(form)
        return Card(inside)

    # ------------------------------------------------------------ doing

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, tr("Folder for results"), str(self._settings.results_folder))
        if folder:
            self._settings.set_results_folder(Path(folder))

    def _restart(self) -> None:
        if self._server.link is Link.ON:
            self._restarting = True
            self._server.stop()
        else:
            self._server.start()

    def _link_changed(self) -> None:
        on = self._server.link is Link.ON
        if self._restarting and self._server.link is Link.OFF:
            self._restarting = False
            self._server.start()
        if on and not self._was_on:
            self._settings.restarted()
        self._was_on = on

    # ------------------------------------------------------------ showing

    def _show(self) -> None:
        settings = self._settings
        self._folder.set_whole(str(settings.results_folder))
        self._notify.setChecked(settings.notify)
        self._autostart.setChecked(bool(settings.autostart))
        self._autostart.setEnabled(settings.autostart is not None)
        self._autostart.setToolTip("" if settings.autostart is not None else tr("This installation cannot arrange it"))
        self._restart_card.setVisible(settings.needs_restart)
        for name, field in self._fields.items():
            setting = settings.settings.get(name)
            field.widget.setVisible(setting is not None or not settings.settings)
            field.label.setVisible(setting is not None or not settings.settings)
            if setting is not None:
                field.show(setting)
                field.widget.setEnabled(not setting.fixed)
                said = tr("Set by the environment") if setting.fixed else setting.help
                field.widget.setToolTip(said)


class _Field:
    """A control for one of the server's settings."""

    widget: QWidget
    label: QLabel

    def show(self, setting: Setting) -> None:
        """Show its value, unless the user is at it."""
        raise NotImplementedError


class _Number(_Field):
    def __init__(self, name: str, unit: str, scale: float, settings: SettingsState) -> None:
        self._scale = scale
        spin = QDoubleSpinBox()
        indent(spin)
        spin.setSuffix(tr(unit) if unit else "")
        spin.setRange(0, 1e9)
        spin.setDecimals(0 if scale == 1.0 else 1)
        spin.setFixedWidth(150)
        spin.setKeyboardTracking(False)
        spin.editingFinished.connect(lambda: settings.set(name, f"{round(spin.value() * scale)}"))
        self.widget = self._spin = spin

    def show(self, setting: Setting) -> None:
        if not self._spin.hasFocus():
            self._spin.setValue(float(setting.value) / self._scale)


class _Line(_Field):
    def __init__(self, name: str, example: str, settings: SettingsState) -> None:
        line = QLineEdit()
        line.setPlaceholderText(example)
        line.setMinimumWidth(280)
        line.editingFinished.connect(lambda: settings.set(name, line.text().strip()))
        self.widget = self._line = line

    def show(self, setting: Setting) -> None:
        if not self._line.hasFocus():
            self._line.setText(setting.value)
