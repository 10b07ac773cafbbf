"""What a client can ask about models: mixed into `Client`. All of it happens on the server's machine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Type, TypeVar, Union

from .protocol import messages as wire
from .protocol.models import (
    ChangeModel,
    ImportModel,
    ListModels,
    Model,
    ModelAction,
    ModelInfo,
    Models,
    ModelsFound,
    ScanModels,
    Unloaded,
    UnloadModels,
)

ANSWER_TIMEOUT = 30.0
"""Seconds that a question may take, the start of a server included."""

T = TypeVar("T")


class ModelCalls(ABC):
    """Calls that wait for their answer. `Client.ask` puts the same questions without waiting."""

    @abstractmethod
    def _answer(self, question: wire.ClientMessage, kind: Type[T], timeout: float) -> T:
        """Ask and wait."""

    def models(self, timeout: float = ANSWER_TIMEOUT) -> Models:
        """All models, those that could be had included, with where they are kept and what runs them."""
        return self._answer(ListModels(), Models, timeout)

    def get_model(self, model: str, *, accept_licence: bool = False, timeout: float = ANSWER_TIMEOUT) -> ModelInfo:
        """Begin to download a model, or go on with one that was paused or failed. Returns at once.

        Args:
            accept_licence: the user has read and accepted the model's licence; needed once where there is one.

        Raises:
            TweenbridgeError: BAD_REQUEST where there is no such model or its licence has not been accepted; DISK_FULL.
        """
        return self._change(model, ModelAction.GET, timeout, accept_licence)

    def pause_model(self, model: str, timeout: float = ANSWER_TIMEOUT) -> ModelInfo:
        """Pause a download. What is there is kept, `get_model` goes on."""
        return self._change(model, ModelAction.PAUSE, timeout)

    def cancel_model(self, model: str, timeout: float = ANSWER_TIMEOUT) -> ModelInfo:
        """End a download and throw away what is there."""
        return self._change(model, ModelAction.CANCEL, timeout)

    def verify_model(self, model: str, timeout: float = ANSWER_TIMEOUT) -> ModelInfo:
        """Begin to read all files of a model and compare them with what they should be. Returns at once."""
        return self._change(model, ModelAction.VERIFY, timeout)

    def repair_model(self, model: str, timeout: float = ANSWER_TIMEOUT) -> ModelInfo:
        """Begin to check a model and to download what is damaged or missing. Returns at once."""
        return self._change(model, ModelAction.REPAIR, timeout)

    def remove_model(self, model: str, timeout: float = ANSWER_TIMEOUT) -> ModelInfo:
        """Delete a model's files, or, where they are somebody else's, only forget it."""
        return self._change(model, ModelAction.REMOVE, timeout)

    def prefer_model(self, model: str, timeout: float = ANSWER_TIMEOUT) -> ModelInfo:
        """Make a model the one its engine takes where a job names none."""
        return self._change(model, ModelAction.PREFER, timeout)

    def import_model(self, path: Union[str, Path], *, title: str = "", timeout: float = ANSWER_TIMEOUT) -> ModelInfo:
        """Use a model where it lies: a diffusers folder or a `.safetensors` file, on the server's machine.

        Raises:
            TweenbridgeError: MODEL_MISSING or MODEL_FAILED, saying what it is instead or what it lacks.
        """
        return self._answer(ImportModel(str(path), title), Model, timeout).info

    def scan_models(self, path: Union[str, Path] = "", timeout: float = ANSWER_TIMEOUT) -> ModelsFound:
        """What could be imported from a folder, or from where other programs keep their models."""
        return self._answer(ScanModels(str(path)), ModelsFound, timeout)

    def unload_models(self, timeout: float = ANSWER_TIMEOUT) -> Unloaded:
        """Have workers that have nothing to do give their memory back."""
        return self._answer(UnloadModels(), Unloaded, timeout)

    def _change(self, model: str, action: ModelAction, timeout: float, accept_licence: bool = False) -> ModelInfo:
        question = ChangeModel(model, action, accept_licence)
        return self._answer(question, Model, timeout).info
