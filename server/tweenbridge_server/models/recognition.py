"""What a file or folder is, before it is accepted as a model: the engine's own checks, asked for every role in turn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Final

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.models import ModelRole

from ..engines.dreammover import folders, identity
from ..engines.dreammover.identity import ModelKind, ModelSource
from ..engines.dreammover.recognise import Contents, component_contents, contents, read_header

_ENGINE: Final = "dreammover"
_HALF: Final = 2
"""Bytes of a number as the engine keeps it on a graphics card."""
_WORK: Final = 1_900_000_000
"""Bytes that a model works with beside its weights, about: keys and values, and frames on their way."""


@dataclass(frozen=True)
class Recognised:
    """A model that an engine can use.

    Attributes:
        place: the file or folder to name to the engine.
        files: the files that count, as paths from `place` ("" for `place` itself), and their sizes in bytes.
        memory: about what it needs on the device, in bytes.
    """

    place: Path
    engine: str
    role: ModelRole
    files: dict[str, int]
    memory: int

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(self.files.values())


def recognise(path: Path) -> Recognised:
    """Tell what a file or folder is. Reads small headers only.

    Raises:
        TweenbridgeError: MODEL_MISSING where there is nothing; MODEL_FAILED where it is something that no engine can
            use, lacks a part or is damaged, saying so.
    """
    if not path.exists():
        raise TweenbridgeError(
            ErrorCode.MODEL_MISSING, f"There is nothing at {str(path)[:300]!r}.", remedy="Check the path."
        )
    place = _inside(path).absolute()
    role = _role(place)
    files = _files(place, role)
    sizes = {"" if file == place else file.relative_to(place).as_posix(): file.stat().st_size for file in files}
    return Recognised(place, _ENGINE, role, sizes, _memory(role, files))


def _inside(path: Path) -> Path:
    """The model in a folder that is only its wrapping: a repository of the hub's cache, a folder around one file."""
    if not path.is_dir() or (path / "model_index.json").is_file() or (path / "config.json").is_file():
        return path
    kept = path / "snapshots"
    if path.name.startswith("models--") and kept.is_dir():
        newest = sorted(kept.iterdir(), key=lambda folder: folder.stat().st_mtime_ns, reverse=True)
        whole = [folder for folder in newest if folders.is_whole(folder)]
        return _inside((whole or newest or [path])[0])
    single = sorted(path.glob("*.safetensors"))
    return single[0] if len(single) == 1 else path


def _role(place: Path) -> ModelRole:
    """What it looks like; a model where it looks like nothing, because that check tells best what is wrong."""
    if place.is_file() and place.suffix.lower() == ".safetensors":
        kind = contents(read_header(place))
        return {Contents.VAE: ModelRole.VAE, Contents.LORA: ModelRole.LORA}.get(kind, ModelRole.MODEL)
    if (place / "model_index.json").is_file():
        return ModelRole.MODEL
    if (place / folders.LORA_WEIGHTS).is_file():
        return ModelRole.LORA
    if (place / "config.json").is_file():
        kind = component_contents(folders.read_json(place / "config.json"))
        return ModelRole.VAE if kind is Contents.VAE else ModelRole.MODEL
    return ModelRole.MODEL


def _files(place: Path, role: ModelRole) -> tuple[Path, ...]:
    if role is ModelRole.MODEL:
        kind = ModelKind.FOLDER if place.is_dir() else ModelKind.SINGLE_FILE
        source = ModelSource(place, None, None, 1.0, kind)
        return tuple(file for _, _, inside in identity.files(source) for file in inside if _belongs(file, place))
    if role is ModelRole.VAE and place.is_dir():
        return folders.files_of_vae(place)
    if role is ModelRole.VAE:
        folders.header_as(place, "vae", Contents.VAE)
        return (place,)
    weights = place / folders.LORA_WEIGHTS if place.is_dir() else place
    folders.header_as(weights, "lora", Contents.LORA)
    return (weights,)


def _belongs(file: Path, place: Path) -> bool:
    """Whether a file is the model's own: a description beside a checkpoint is not kept in the register."""
    return file == place or place in file.parents


def _memory(role: ModelRole, files: Iterable[Path]) -> int:
    if role is ModelRole.LORA:
        # It is added to the model's weights and takes no room of its own.
        return 0
    weights = [read_header(file) for file in files if file.suffix == ".safetensors"]
    numbers = sum(prod(shape) for header in weights for shape in header.shapes.values())
    return numbers * _HALF + (_WORK if role is ModelRole.MODEL else 0)
