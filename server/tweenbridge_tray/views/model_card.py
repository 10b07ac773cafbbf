"""One model: what it is, its licence, size and need, how far a download is, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout
from tweenbridge.protocol.models import DeviceInfo, ModelAction, ModelInfo, ModelOrigin, ModelRole, ModelState

from .. import words
from ..state.models import Fit, actions, fit
from ..words import tr
from .parts import Card, button, heading, note
from .style import colour

OnAction = Callable[[str, ModelAction], None]


def action_name(action: ModelAction, model: ModelInfo) -> str:
    """What a button for an action says."""
    if action is ModelAction.GET:
        return tr("Go on") if model.state is ModelState.PAUSED else tr("Download")
    if action is ModelAction.REMOVE and model.reference:
        return tr("Take off the list")
    return {
        ModelAction.PAUSE: tr("Pause"),
        ModelAction.CANCEL: tr("Cancel"),
        ModelAction.VERIFY: tr("Check files"),
        ModelAction.REPAIR: tr("Repair"),
        ModelAction.REMOVE: tr("Delete"),
        ModelAction.PREFER: tr("Use by default"),
    }[action]


def state_line(model: ModelInfo) -> str:
    """Where a model is, in a line."""
    if model.state is ModelState.DOWNLOADING:
        line = tr("{done} of {total}").format(done=words.size(model.done), total=words.size(model.total))
        if model.rate:
            line += " · " + tr("{rate} a second").format(rate=words.size(model.rate))
        if model.eta is not None:
            line += " · " + tr("{time} left").format(time=words.duration(model.eta))
        return line
    if model.state is ModelState.PAUSED:
        return tr("Paused at {done} of {total}").format(done=words.size(model.done), total=words.size(model.total))
    if model.state is ModelState.READY:
        parts = [tr("Used by default") if model.default else tr("Ready")]
        if model.loaded:
            parts.append(tr("in memory now"))
        if model.used is not None:
            parts.append(tr("last used {time}").format(time=words.ago(model.used)))
        return " · ".join(parts)
    return {
        ModelState.ABSENT: tr("Not downloaded"),
        ModelState.WAITING: tr("Waiting for another download"),
        ModelState.VERIFYING: tr("Checking the files"),
        ModelState.DAMAGED: tr("Damaged"),
        ModelState.FAILED: tr("The download failed"),
    }[model.state]


def fit_line(model: ModelInfo, device: DeviceInfo | None) -> str:
    """What a model needs, and how that goes with this machine."""
    if not model.memory:
        return ""
    need = tr("needs {size} of memory").format(size=words.size(model.memory))
    return {
        Fit.UNKNOWN: need,
        Fit.FITS: tr("{need}, which this computer has").format(need=need),
        Fit.TIGHT: tr("{need}; this computer has just that").format(need=need),
        Fit.TOO_LARGE: tr("{need}; this computer has less").format(need=need),
    }[fit(model, device)]


class ModelCard(Card):
    """Shows a model; `show_model` gives it another state."""

    def __init__(self, on_action: OnAction) -> None:
        super().__init__()
        self._on_action = on_action
        self._title = heading("", 1.1)
        self._state = QLabel()
        self._about = note()
        self._facts = note()
        self._facts.setOpenExternalLinks(True)
        self._facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self._trouble = QLabel()
        self._trouble.setWordWrap(True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 1000)
        self._buttons = QHBoxLayout()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 14)
        layout.setSpacing(6)
        head = QHBoxLayout()
        head.addWidget(self._title)
        head.addStretch(1)
        head.addWidget(self._state)
        layout.addLayout(head)
        layout.addWidget(self._about)
        layout.addWidget(self._facts)
        layout.addWidget(self._trouble)
        layout.addWidget(self._bar)
        layout.addLayout(self._buttons)

    def show_model(self, model: ModelInfo, device: DeviceInfo | None) -> None:
        """Show a model as it is now."""
        self._title.setText(model.title)
        self._state.setText(state_line(model))
        self._about.setText(model.description)
        self._about.setVisible(bool(model.description))
        self._facts.setText(self._facts_of(model, device))
        error = model.error
        self._trouble.setText(words.problem(error) if error is not None else "")
        self._trouble.setVisible(error is not None)
        moving = model.state in (ModelState.DOWNLOADING, ModelState.PAUSED, ModelState.VERIFYING) and model.total > 0
        self._bar.setVisible(moving)
        self._bar.setValue(round(1000 * model.done / model.total) if model.total else 0)
        self._show_buttons(model)

    def _facts_of(self, model: ModelInfo, device: DeviceInfo | None) -> str:
        roles = {ModelRole.MODEL: tr("Model"), ModelRole.VAE: tr("VAE"), ModelRole.LORA: tr("LoRA")}
        parts = [f"{roles[model.role]} · {model.engine}"]
        if model.size:
            parts.append(words.size(model.size))
        if need := fit_line(model, device):
            parts.append(need)
        if model.origin is ModelOrigin.OWN:
            parts.append(tr("your own"))
        text = " · ".join(parts)
        if model.licence is not None:
            name = model.licence.name
            tint = colour(self.palette(), "link").name()
            link = f'<a href="{model.licence.link}" style="color: {tint}">{name}</a>' if model.licence.link else name
            text += " · " + tr("licence: {licence}").format(licence=link)
        return text

    def _show_buttons(self, model: ModelInfo) -> None:
        wanted = actions(model)
        names = tuple(action_name(action, model) for action in wanted)
        shown = tuple(made.text() for made in self.buttons())
        if shown == names:
            return
        while (item := self._buttons.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        for number, action in enumerate(wanted):
            first = number == 0 and action in (ModelAction.GET, ModelAction.REPAIR)
            made = button(names[number], partial(self._on_action, model.model, action), main=first)
            made.setAccessibleName(f"{names[number]}: {model.title}")
            self._buttons.addWidget(made)
        self._buttons.addStretch(1)

    def buttons(self) -> list[QPushButton]:
        """What can be pressed, in order."""
        items = [self._buttons.itemAt(number) for number in range(self._buttons.count())]
        found = [item.widget() for item in items if item is not None]
        return [made for made in found if isinstance(made, QPushButton)]
