"""The Models page: the catalogue and the user's own models. Files and folders that are dropped on it are imported."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QMessageBox, QStackedWidget, QVBoxLayout, QWidget
from tweenbridge import ErrorInfo
from tweenbridge.protocol.models import ModelAction, ModelState

from .. import words
from ..state.models import ModelsState
from ..words import tr
from .drop_page import paths_of
from .model_card import ModelCard
from .parts import Empty, Page, button, note, scrolled


class ModelsPage(Page):
    """Shows all models."""

    def __init__(self, models: ModelsState) -> None:
        super().__init__(tr("Models"))
        self._models = models
        self.setAcceptDrops(True)
        self.tools.addWidget(button(tr("Add a folder"), self._choose_folder))
        self.tools.addWidget(button(tr("Add a file"), self._choose_file, keys="Ctrl+I"))
        self._machine = note()
        self._cards: dict[str, ModelCard] = {}
        inside = QWidget()
        self._list = QVBoxLayout(inside)
        self._list.setContentsMargins(0, 0, 8, 0)
        self._list.setSpacing(12)
        self._list.addStretch(1)
        self._body = QStackedWidget()
        self._body.addWidget(
            Empty(
                tr("No models to show"),
                tr("Models are for the diffusion engine. Optical flow works without any."),
            )
        )
        self._body.addWidget(scrolled(inside))
        self.body.addWidget(self._machine)
        self.body.addWidget(self._body, 1)
        models.changed.connect(self._follow)
        models.failed.connect(self._complain)
        self._follow(None)

    def card(self, model: str) -> ModelCard:
        """The card of a model."""
        return self._cards[model]

    # ------------------------------------------------------------ doing

    def act(self, model: str, action: ModelAction) -> None:
        """Do what a card's button says, after asking where that is due."""
        info = self._models.models.get(model)
        if info is None:
            return
        consent = action in (ModelAction.GET, ModelAction.REPAIR) and self._models.needs_consent(model)
        if consent and info.licence is not None:
            text = tr("{title} comes under the licence {licence}.").format(title=info.title, licence=info.licence.name)
            if info.licence.link:
                text += f'<br><a href="{info.licence.link}">{info.licence.link}</a>'
            if not self.ask(tr("Accept the licence?"), text, tr("Accept and download")):
                return
        if action is ModelAction.REMOVE and info.state is ModelState.READY and not info.reference:
            text = tr("{size} are freed. It can be downloaded again.").format(size=words.size(info.size))
            if not self.ask(tr("Delete {title}?").format(title=info.title), text, tr("Delete")):
                return
        self._models.do(model, action, accept_licence=consent)

    def ask(self, question: str, text: str, yes: str) -> bool:
        """Ask before something that the user should know of."""
        box = QMessageBox(QMessageBox.Icon.NoIcon, question, f"<b>{question}</b>", parent=self)
        box.setInformativeText(text)
        accept = box.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(accept)
        box.exec()
        return box.clickedButton() is accept

    def _choose_file(self) -> None:
        file, _ = QFileDialog.getOpenFileName(self, tr("Add a checkpoint"), "", f"{tr('Checkpoints')} (*.safetensors)")
        if file:
            self._models.bring(Path(file))

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, tr("Add a diffusers folder"))
        if folder:
            self._models.bring(Path(folder))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Files and folders may be dropped anywhere on the page."""
        if paths_of(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Import what was dropped."""
        for path in paths_of(event.mimeData()):
            self._models.bring(path)
        event.acceptProposedAction()

    # ------------------------------------------------------------ showing

    def _follow(self, model: object) -> None:
        if isinstance(model, str) and model in self._cards and model in self._models.models:
            self._cards[model].show_model(self._models.models[model], self._models.device)
            return
        for gone in [known for known in self._cards if known not in self._models.models]:
            card = self._cards.pop(gone)
            self._list.removeWidget(card)
            card.deleteLater()
        for place, (name, info) in enumerate(self._models.models.items()):
            if name not in self._cards:
                self._cards[name] = ModelCard(self.act)
                self._list.insertWidget(place, self._cards[name])
            self._cards[name].show_model(info, self._models.device)
        self._body.setCurrentIndex(1 if self._cards else 0)
        self._machine.setText(self._machine_line())
        self._machine.setVisible(bool(self._cards))

    def _machine_line(self) -> str:
        models, parts = self._models, []
        if models.device is not None:
            memory = words.size(models.device.memory)
            parts.append(tr("This computer: {device} with {memory}").format(device=models.device.title, memory=memory))
        if models.folder:
            parts.append(tr("{free} free in {folder}").format(free=words.size(models.free), folder=models.folder))
        return " · ".join(parts)

    def _complain(self, error: ErrorInfo) -> None:
        self.banner.say(words.problem(error))
