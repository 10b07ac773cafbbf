"""A model service as a client would use it, on a scratch folder, with a hub on loopback to download from."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from fake_hub import COMMIT, FakeHub
from tweenbridge.protocol.messages import WorkerInfo
from tweenbridge.protocol.models import ChangeModel, ModelAction, ModelInfo, ModelState
from tweenbridge_server.models.device import Device
from tweenbridge_server.models.service import ModelChange, ModelService
from tweenbridge_server.models.settings import FetchSettings

REPOSITORY = "someone/toon"
ENTRY = f"""
[[model]]
id = "toon"
title = "Toon"
notes = "Draws toons."
licence = {{ name = "Terms", link = "https://example.org/terms" }}
[[model.source]]
hub = "{REPOSITORY}"
revision = "{COMMIT}"
files = ["model_index.json", "scheduler/*", "text_encoder/*", "tokenizer/*", "unet/*", "vae/*"]
"""
PLAIN = """
[[model]]
id = "paint"
[[model.source]]
url = "{url}/plain/paint.safetensors"
"""


class Shop:
    """The service as a client would use it, and what it told."""

    def __init__(self, home: Path, hub: FakeHub) -> None:
        self.home = home
        self.hub = hub
        self.settings = FetchSettings(mirror=hub.url, stall_seconds=5.0)
        self.changes: list[ModelChange] = []
        self.workers: tuple[WorkerInfo, ...] = ()
        self.unloads = 0
        self._changed = threading.Condition()
        self._service: ModelService | None = None

    @property
    def service(self) -> ModelService:
        if self._service is None:
            device = Device("auto")
            device.look = lambda: None  # type: ignore[method-assign] - torch takes seconds and is not what is tested
            self._service = ModelService(
                self.home, self.settings, device, self._told, lambda: self.workers, self._unload
            )
            self._service.start()
        return self._service

    def _unload(self) -> tuple[int, int]:
        self.unloads += 1
        return 0, 0

    def _told(self, change: ModelChange) -> None:
        with self._changed:
            self.changes.append(change)
            self._changed.notify_all()

    def catalogue(self, text: str = ENTRY) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "models.toml").write_text(text.replace("{url}", self.hub.url), "utf-8")

    def restart(self) -> None:
        self.close()

    def close(self) -> None:
        if self._service is not None:
            self._service.close()
            self._service = None

    def do(self, action: ModelAction, id: str = "toon", accept: bool = False) -> ModelInfo:
        return self.service.change(ChangeModel(id, action, accept))

    def get(self, id: str = "toon") -> ModelInfo:
        """Get a model and wait until it is here, or not."""
        self.do(ModelAction.GET, id, accept=True)
        return self.settled(id)

    def info(self, id: str = "toon") -> ModelInfo:
        return next(info for info in self.service.models(0).models if info.model == id)

    def settled(self, id: str = "toon") -> ModelInfo:
        """The model once nothing goes on with it."""
        return self.wait(lambda info: not info.state.is_busy, id)

    def wait(self, until: Callable[[ModelInfo], bool], id: str = "toon", seconds: float = 30.0) -> ModelInfo:
        end = time.monotonic() + seconds
        while True:
            info = self.info(id)
            if until(info):
                return info
            assert time.monotonic() < end, info
            with self._changed:
                self._changed.wait(0.05)

    def states(self, id: str = "toon") -> list[ModelState]:
        """The states that were told of, without repeats in a row."""
        told = [change.info.state for change in self.changes if change.model == id and change.info is not None]
        return [state for i, state in enumerate(told) if i == 0 or told[i - 1] is not state]


def helpers_of(server: psutil.Process) -> list[psutil.Process]:
    """The processes with which a server, or a test, downloads. One that has just ended is none."""

    def downloads(process: psutil.Process) -> bool:
        try:
            return "tweenbridge_server.models.helper" in process.cmdline()
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            return False

    return [child for child in server.children() if downloads(child)]
