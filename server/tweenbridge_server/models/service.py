"""Everything the gateway asks of models: list, get, pause, check, repair, import, remove. Thread-safe; no torch.

What takes long is done by a helper process (transfers.py): calls here return at once, and `on_change` tells the rest.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import WorkerInfo
from tweenbridge.protocol.models import (
    ChangeModel,
    DeviceInfo,
    FoundModel,
    ImportModel,
    ModelInfo,
    ModelRole,
    Models,
    ModelsFound,
    ModelState,
    Unloaded,
)

from . import catalogue, files, present
from .catalogue import KnownFile
from .device import Device
from .keeper import Keeper, ModelChange
from .present import models_folder
from .recognition import Recognised, recognise
from .register import Holding, with_holding
from .scan import scan, scan_known_places
from .settings import FetchSettings

__all__ = ["ModelChange", "ModelService"]

log = logging.getLogger(__name__)


class ModelService:
    """The models of one data folder.

    Args:
        on_change: told of every change, from any thread; must not block.
        workers: the worker processes there are.
        unload: ends those that have nothing to do; returns how many, and the bytes that they held.
    """

    def __init__(
        self, home: Path, settings: FetchSettings, device: Device, on_change: Callable[[ModelChange], None],
        workers: Callable[[], tuple[WorkerInfo, ...]], unload: Callable[[], tuple[int, int]],
    ) -> None:  # fmt: skip
        self._home = home
        self._device = device
        self._unload = unload
        self._keeper = Keeper(home, settings, on_change, workers, unload)

    def start(self) -> None:
        """Go on with downloads that the last end of the server interrupted."""
        with self._keeper.lock:
            self._keeper.resume()

    def close(self) -> None:
        """Stop downloads; they go on at the next start."""
        self._keeper.close()

    def models(self, seq: int) -> Models:
        """All models, as of change number `seq`."""
        self._device.look()
        folder = models_folder(self._home)
        return Models(
            seq=seq,
            models=self._keeper.infos(),
            folder=str(folder),
            free=files.free_bytes(folder),
            device=self._device.known,
            notes=self._keeper.catalogue().problems,
        )

    @property
    def device(self) -> DeviceInfo | None:
        """What models are computed on; None until that is known."""
        return self._device.known

    def change(self, message: ChangeModel) -> ModelInfo:
        """Do something with a model; what takes long goes on by itself.

        Raises:
            TweenbridgeError: BAD_REQUEST, DISK_FULL, MODEL_MISSING, MODEL_FAILED, saying what is wrong.
        """
        with self._keeper.lock:
            before = self._keeper.info(message.model)
            if before is None:
                raise TweenbridgeError(
                    ErrorCode.BAD_REQUEST,
                    f"There is no model {message.model[:64]!r}.",
                    remedy="Run `tweenbridge models list` to see what there is.",
                )
            self._keeper.act(message.action, message.model, message.accept_licence)
            after = self._keeper.tell(message.model)
            # One that only stood in the register is gone from the list now.
            return after or replace(before, state=ModelState.ABSENT, location="", size=0, default=False, error=None)

    def import_model(self, message: ImportModel) -> ModelInfo:
        """Use a model where it lies. One that is here already is looked at anew.

        Raises:
            TweenbridgeError: MODEL_MISSING, MODEL_FAILED, saying what is wrong with it; BAD_REQUEST.
        """
        found = recognise(_path(message.path))
        title = message.title.strip() or files.title_of(found.place)
        if len(title) > catalogue.MOST_TEXT:
            raise TweenbridgeError(ErrorCode.BAD_REQUEST, "The model's title is too long.")
        with self._keeper.lock:
            facts = self._keeper.register.facts
            id = next((id for id, one in facts.holdings.items() if one.place == str(found.place)), "")
            if id and facts.holdings[id].reference:
                # It may be another file than it was.
                before = facts.holdings[id]
                again = replace(_imported(found, message.title.strip() or before.title), added=before.added)
                self._keeper.register.change(lambda facts: with_holding(facts, id, again))
            elif not id:
                taken = {entry.id for entry in self._keeper.catalogue().entries} | set(facts.holdings)
                id = present.free_id(title, taken)
                self._keeper.register.change(lambda facts: with_holding(facts, id, _imported(found, title)))
                log.info("Model %s is used where it lies: %s", id, found.place)
            info = self._keeper.tell(id)
        assert info is not None, "what is in the register is in the list"
        return info

    def scan(self, path: str) -> ModelsFound:
        """What models lie in a folder, or where other programs keep theirs.

        Raises:
            TweenbridgeError: MODEL_MISSING where there is no such folder; BAD_REQUEST.
        """
        found, whole = scan(_path(path)) if path.strip() else scan_known_places()
        known = {info.location: info.model for info in self._keeper.infos() if info.location}
        shown = []
        for one in found:
            role = one.recognised.role if one.recognised is not None else ModelRole.MODEL
            engine = one.recognised.engine if one.recognised is not None else catalogue.ENGINES[0]
            listed = known.get(str(one.path), "")
            shown.append(FoundModel(str(one.path), one.title, engine, role, one.size, listed, one.problem))
        return ModelsFound(tuple(shown), whole)

    def unload(self) -> Unloaded:
        """End workers that have nothing to do."""
        return Unloaded(*self._unload())

    def note_use(self, places: set[str]) -> None:
        """A job works with the models that lie at these places. Returns at once."""
        threading.Thread(target=self._note_use, args=(places, time.time()), name="models used", daemon=True).start()

    def _note_use(self, places: set[str], now: float) -> None:
        with self._keeper.lock:
            used = {info.model: now for info in self._keeper.infos() if info.location in places}
            if used:
                self._keeper.register.change(lambda facts: replace(facts, used={**facts.used, **used}))
            for id in used:
                self._keeper.tell(id)


def _path(text: str) -> Path:
    """A path as the user gave it."""
    cleaned = text.strip().strip("\"'")
    if not cleaned or "\0" in cleaned or len(cleaned) > 4096:
        raise TweenbridgeError(ErrorCode.BAD_REQUEST, "That is no path of a file or folder.")
    try:
        return Path(cleaned).expanduser().absolute()
    except RuntimeError:
        # "~someone" where there is nobody of that name.
        return Path(cleaned).absolute()


def _imported(found: Recognised, title: str) -> Holding:
    sizes = {path: KnownFile(size) for path, size in found.files.items()}
    return Holding(
        str(found.place), found.engine, found.role, True, title, sizes, memory=found.memory, added=time.time()
    )
