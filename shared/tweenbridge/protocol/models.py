"""What crosses the wire about models: see, get, check, import and remove them. PROTOCOL.md says when each is sent.

The rules of messages.py hold: a `TYPE` is the header's `t`, a field with a default may be absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Optional, Union

from .errors import ErrorInfo


class ModelState(str, Enum):
    """Where a model is."""

    ABSENT = "absent"
    WAITING = "waiting"
    DOWNLOADING = "downloading"
    PAUSED = "paused"
    VERIFYING = "verifying"
    READY = "ready"
    DAMAGED = "damaged"
    FAILED = "failed"

    @property
    def is_busy(self) -> bool:
        """The server is at work on it, or will be."""
        return self in (ModelState.WAITING, ModelState.DOWNLOADING, ModelState.VERIFYING)


class ModelRole(str, Enum):
    """Which setting of its engine a model is for."""

    MODEL = "model"
    VAE = "vae"
    LORA = "lora"


class ModelOrigin(str, Enum):
    """Who brought it."""

    CATALOGUE = "catalogue"
    OWN = "own"


class ModelAction(str, Enum):
    """What `change_model` does to a model."""

    GET = "get"
    PAUSE = "pause"
    CANCEL = "cancel"
    VERIFY = "verify"
    REPAIR = "repair"
    REMOVE = "remove"
    PREFER = "prefer"


# ---------------------------------------------------------------- values inside messages


@dataclass(frozen=True)
class Licence:
    """The terms of a model: their name, where to read them, and whether the user has accepted them here."""

    name: str
    link: str = ""
    accepted: bool = False


@dataclass(frozen=True)
class ModelInfo:
    """A model as lists show it. Sizes are bytes; times are seconds since 1970 (UTC).

    Attributes:
        model: its id: what an engine's setting may name it by.
        title: for people.
        engine, role: which engine it is for, and as which of its settings.
        state: where it is; `error` says more where it is damaged or failed.
        origin: from Tweenbridge's catalogue, or the user's own.
        description: one or two sentences for people.
        licence: its terms; None where they are not known or there are none.
        size: what it takes on disk; while it is absent, what there is to download (0: not known).
        done, total: bytes of the download or check that goes on or is paused; 0 of 0 where there is none.
        rate, eta: bytes a second just now, and seconds left, where known.
        location: the folder or file it lies in on the server's machine; "" while it is absent.
        reference: its files are somebody else's and stay where they are when it is removed.
        memory: about what it needs on the device; 0 where not known.
        used: when an engine last worked with it.
        sources: where it can be had, in order, for people.
        default: what its engine takes where a job names no model.
        loaded: a worker holds it in memory.
    """

    model: str
    title: str
    engine: str
    role: ModelRole
    state: ModelState
    origin: ModelOrigin = ModelOrigin.CATALOGUE
    description: str = ""
    licence: Optional[Licence] = None
    size: int = 0
    done: int = 0
    total: int = 0
    rate: float = 0.0
    eta: Optional[float] = None
    location: str = ""
    reference: bool = False
    memory: int = 0
    used: Optional[float] = None
    sources: tuple[str, ...] = ()
    default: bool = False
    loaded: bool = False
    error: Optional[ErrorInfo] = None


@dataclass(frozen=True)
class FoundModel:
    """Something in a folder that looks like a model.

    `model` is its id where it is listed already; `problem` says why no engine can use it, "" where one can.
    """

    path: str
    title: str
    engine: str
    role: ModelRole
    size: int
    model: str = ""
    problem: str = ""


@dataclass(frozen=True)
class DeviceInfo:
    """What models are computed on: `memory` bytes in all, `free` of them when it was looked at."""

    device: str
    title: str
    memory: int
    free: int = 0


# ---------------------------------------------------------------- client to server


@dataclass(frozen=True)
class ListModels:
    """Asks for all models, those that could be had included."""

    TYPE: ClassVar[str] = "list_models"


@dataclass(frozen=True)
class WatchModels:
    """Turns the stream of all models' changes on or off for this session."""

    TYPE: ClassVar[str] = "watch_models"
    on: bool = True


@dataclass(frozen=True)
class ChangeModel:
    """Asks for something to be done with a model. `accept_licence`: the user has accepted its terms."""

    TYPE: ClassVar[str] = "change_model"
    model: str
    action: ModelAction
    accept_licence: bool = False


@dataclass(frozen=True)
class ImportModel:
    """Asks the server to use a model where it lies on its machine. `title`: what to call it."""

    TYPE: ClassVar[str] = "import_model"
    path: str
    title: str = ""


@dataclass(frozen=True)
class ScanModels:
    """Asks what models lie in a folder of the server's machine; "" means where other programs keep theirs."""

    TYPE: ClassVar[str] = "scan_models"
    path: str = ""


@dataclass(frozen=True)
class UnloadModels:
    """Asks workers that have nothing to do to end and give their memory back."""

    TYPE: ClassVar[str] = "unload_models"


# ---------------------------------------------------------------- server to client


@dataclass(frozen=True)
class Models:
    """Answers `list_models` and `watch_models`: the models, where they are kept, and what runs them.

    `seq` is the number of the last change that is in the list, for who watches; `free` is bytes free in `folder`;
    `notes` are things the user should know, such as a mistake in their own list of models.
    """

    TYPE: ClassVar[str] = "models"
    seq: int
    models: tuple[ModelInfo, ...]
    folder: str = ""
    free: int = 0
    device: Optional[DeviceInfo] = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """One model as it is now. Answers `change_model` and `import_model`."""

    TYPE: ClassVar[str] = "model"
    info: ModelInfo


@dataclass(frozen=True)
class ModelDelta:
    """One model changed (or is gone, when `info` is absent). A hole in `seq` means: ask to watch again."""

    TYPE: ClassVar[str] = "model_delta"
    seq: int
    model: str
    info: Optional[ModelInfo] = None


@dataclass(frozen=True)
class ModelsFound:
    """Answers `scan_models`. `whole`: false where the folder holds more than was looked through."""

    TYPE: ClassVar[str] = "models_found"
    found: tuple[FoundModel, ...]
    whole: bool = True


@dataclass(frozen=True)
class Unloaded:
    """Answers `unload_models`: how many workers end, and the bytes that they held."""

    TYPE: ClassVar[str] = "unloaded"
    workers: int
    freed: int


ModelQuestion = Union[ListModels, WatchModels, ChangeModel, ImportModel, ScanModels, UnloadModels]
ModelAnswer = Union[Models, Model, ModelDelta, ModelsFound, Unloaded]
