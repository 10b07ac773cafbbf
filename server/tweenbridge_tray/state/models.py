"""The Models page's state: the catalogue and the user's own models, where each is, and whether it fits this machine."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from tweenbridge import Event, ModelChanged, ModelsListed
from tweenbridge.protocol import messages as wire
from tweenbridge.protocol.models import (
    ChangeModel,
    DeviceInfo,
    ImportModel,
    Model,
    ModelAction,
    ModelInfo,
    ModelOrigin,
    ModelRole,
    ModelState,
)

from ..session import Answer, Session

_HEADROOM = 0.9
"""The share of a device's memory that a model may be expected to get."""


class Fit(Enum):
    """How a model's need compares with the device that would run it."""

    UNKNOWN = "unknown"
    FITS = "fits"
    TIGHT = "tight"
    TOO_LARGE = "too large"


def fit(model: ModelInfo, device: DeviceInfo | None) -> Fit:
    """Compare what a model needs with what the device has."""
    if device is None or not device.memory or not model.memory:
        return Fit.UNKNOWN
    if model.memory <= device.memory * _HEADROOM:
        return Fit.FITS
    return Fit.TIGHT if model.memory <= device.memory else Fit.TOO_LARGE


def comes_along(model: ModelInfo) -> bool:
    """Whether the model is a part of Tweenbridge, for demonstration: it is neither downloaded nor deleted."""
    return model.origin is ModelOrigin.CATALOGUE and model.reference


def actions(model: ModelInfo) -> tuple[ModelAction, ...]:
    """What can be done with a model now, the likeliest first."""
    state = model.state
    if state in (ModelState.WAITING, ModelState.DOWNLOADING):
        return (ModelAction.PAUSE, ModelAction.CANCEL)
    if state is ModelState.VERIFYING:
        return (ModelAction.CANCEL,)
    if state is ModelState.PAUSED:
        return (ModelAction.GET, ModelAction.CANCEL)
    if state is ModelState.READY:
        prefer = () if model.default or model.role is not ModelRole.MODEL else (ModelAction.PREFER,)
        remove = () if comes_along(model) else (ModelAction.REMOVE,)
        return (*prefer, ModelAction.VERIFY, *remove)
    if state is ModelState.DAMAGED:
        repair = () if model.origin is ModelOrigin.OWN else (ModelAction.REPAIR,)
        return (*repair, ModelAction.VERIFY, ModelAction.REMOVE)
    return (ModelAction.GET,) if model.sources or model.origin is ModelOrigin.CATALOGUE else (ModelAction.REMOVE,)


class ModelsState(QObject):
    """All models, by id, in the server's order."""

    changed = Signal(object)
    """The id of the model that changed, or None for all."""
    failed = Signal(object)
    """Something that was asked for did not work (an `ErrorInfo`)."""
    ended = Signal(object)
    """A download is ready or has failed (a `ModelInfo`)."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.models: dict[str, ModelInfo] = {}
        self.device: DeviceInfo | None = None
        self.folder = ""
        self.free = 0
        self.known = False
        """Whether the server has told its models."""
        self._session = session
        session.happened.connect(self._hear)

    def see_status(self, status: wire.Status) -> None:
        """The server said how it is: by now it may have looked what models are computed on."""
        if status.device is not None and self.device != status.device:
            self.device = status.device
            self.changed.emit(None)

    def do(self, model: str, action: ModelAction, accept_licence: bool = False) -> None:
        """Ask for something to be done with a model."""
        self._session.ask(ChangeModel(model, action, accept_licence), self._answered)

    def needs_consent(self, model: str) -> bool:
        """Whether the user has to accept terms before the model is downloaded."""
        info = self.models.get(model)
        return info is not None and info.licence is not None and not info.licence.accepted

    def bring(self, path: Path) -> None:
        """Use a model where it lies: a diffusers folder or a checkpoint."""
        self._session.ask(ImportModel(str(path)), self._answered)

    def downloading(self) -> list[ModelInfo]:
        """Models that are on their way."""
        return [model for model in self.models.values() if model.state.is_busy]

    def suggestion(self) -> ModelInfo | None:
        """The model to offer at the first run: of those that fit the device, the first of the catalogue.

        None where the engine that would use it has one already that was not just brought along, or none fits.
        """
        models = self.models.values()
        full = [model for model in models if model.role is ModelRole.MODEL and not comes_along(model)]
        if any(model.state is ModelState.READY for model in full):
            return None
        return next((model for model in full if fit(model, self.device) is not Fit.TOO_LARGE), None)

    def _answered(self, answer: Answer) -> None:
        if answer.error is not None:
            self.failed.emit(answer.error)
        elif isinstance(answer.message, Model):
            self._take(answer.message.info)

    def _hear(self, event: Event) -> None:
        if isinstance(event, ModelsListed):
            listed = event.models
            self.models = {model.model: model for model in listed.models}
            self.device, self.folder, self.free, self.known = listed.device, listed.folder, listed.free, True
            self.changed.emit(None)
        elif isinstance(event, ModelChanged):
            if event.info is not None:
                self._take(event.info)
            elif self.models.pop(event.model, None) is not None:
                self.changed.emit(None)

    def _take(self, info: ModelInfo) -> None:
        before = self.models.get(info.model)
        if before == info:
            return
        self.models[info.model] = info
        if info.default and (before is None or not before.default):
            self.changed.emit(None)
        else:
            self.changed.emit(info.model if before is not None else None)
        if before is not None and before.state.is_busy and info.state in (ModelState.READY, ModelState.FAILED):
            self.ended.emit(info)
