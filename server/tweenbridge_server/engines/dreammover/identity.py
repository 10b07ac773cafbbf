"""Which model a job means, and whether it is still the same: asked by the gateway when a job comes in.

Only file names, sizes, times and small headers are read, which takes milliseconds: no torch, no numpy, no network.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import prod
from pathlib import Path

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import Scalar

from .folders import LORA_WEIGHTS, files_of_model, files_of_vae, header_as, is_whole
from .hub import is_hub_id, snapshots
from .recognise import (
    LDM_TEXT_1,
    LDM_TEXT_2,
    LDM_UNET,
    LDM_VAE,
    Contents,
    Header,
    description_of,
    read_header,
    unreadable,
)


class ModelKind(Enum):
    """How a model lies on the disk."""

    FOLDER = "folder"
    SINGLE_FILE = "single_file"


@dataclass(frozen=True)
class ModelSource:
    """A model that was found and looks whole.

    Attributes:
        model: a diffusers folder or a `.safetensors` checkpoint.
        vae: another VAE: a diffusers VAE folder or a `.safetensors` file; None for the model's own.
        lora: a LoRA's `.safetensors` file; None for none.
        lora_weight: how much the LoRA counts.
        kind: what `model` is.
    """

    model: Path
    vae: Path | None
    lora: Path | None
    lora_weight: float
    kind: ModelKind


def find(settings: Mapping[str, Scalar], home: Path | None = None) -> ModelSource:
    """Find the model, VAE and LoRA that settings name, and check that they are what they should be.

    Args:
        settings: `model`, `vae`, `lora` (each a path, or a hub id "org/name" that was downloaded before; "" for none)
            and `lora_weight`.
        home: Tweenbridge's own folder; models may lie under its `models`.

    Raises:
        TweenbridgeError: MODEL_MISSING where nothing was named or it is not there; MODEL_FAILED where it is something
            else, lacks a part, or is damaged.
    """
    name = _text(settings, "model")
    if not name:
        raise TweenbridgeError(
            ErrorCode.MODEL_MISSING,
            "The dreammover engine needs a Stable Diffusion model, and none was given.",
            remedy="Get one with `tweenbridge models get stable-diffusion-1.5`, or set `model` to a diffusers folder "
            "or a .safetensors checkpoint that you have, or use the flow engine.",
        )
    model = _locate(name, "model", home)
    kind = ModelKind.FOLDER if model.is_dir() else ModelKind.SINGLE_FILE
    vae_name, lora_name = _text(settings, "vae"), _text(settings, "lora")
    vae = _vae(_locate(vae_name, "vae", home)) if vae_name else None
    lora = _lora(_locate(lora_name, "lora", home)) if lora_name else None
    source = ModelSource(model, vae, lora, float(settings.get("lora_weight", 1.0)), kind)
    files(source)
    return source


def identity(source: ModelSource) -> str:
    """A word for the model as it is now, hexadecimal; another one when a file that counts changes (name, size, time).

    Raises:
        TweenbridgeError: as `find`, where files changed or went since.
    """
    digest = hashlib.sha256()
    for role, base, paths in files(source):
        for path in paths:
            try:
                seen = path.stat()
            except OSError as error:
                raise unreadable(path, error) from None
            name = path.relative_to(base).as_posix() if path != base else path.name
            digest.update(f"{role}\0{name}\0{seen.st_size}\0{seen.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    if source.lora is not None:
        digest.update(f"{source.lora_weight!r}".encode())
    return digest.hexdigest()[:32]


def files(source: ModelSource) -> list[tuple[str, Path, tuple[Path, ...]]]:
    """The files that count, checked: (what for, the file or folder that was given, its files)."""
    if source.kind is ModelKind.FOLDER:
        found = [("model", source.model, files_of_model(source.model, source.vae is None))]
    else:
        _check_checkpoint(source.model, header_as(source.model, "model", Contents.CHECKPOINT), source.vae is None)
        description = description_of(source.model)
        own = (source.model, description) if description.is_file() else (source.model,)
        found = [("model", source.model.parent, own)]
    if source.vae is not None:
        inside = files_of_vae(source.vae) if source.vae.is_dir() else _single(source.vae, "vae", Contents.VAE)
        found.append(("vae", source.vae, inside))
    if source.lora is not None:
        found.append(("lora", source.lora, _single(source.lora, "lora", Contents.LORA)))
    return found


def numbers_in(source: ModelSource) -> int:
    """How many numbers the weights have, LoRA aside, which is added to them. Reads headers; raises as `find`."""
    total = 0
    for role, _, paths in files(source):
        for path in paths:
            if role != "lora" and path.suffix == ".safetensors":
                shapes = read_header(path).shapes
                # A checkpoint may also hold what its training left behind.
                used = {name: shape for name, shape in shapes.items() if name.startswith(_LDM)} or shapes
                total += sum(map(prod, used.values()))
    return total


_LDM = (LDM_UNET, LDM_VAE, LDM_TEXT_1, LDM_TEXT_2)


def _text(settings: Mapping[str, Scalar], name: str) -> str:
    # Copied paths often come in quotes.
    return str(settings.get(name, "")).strip().strip("\"'")


def _locate(name: str, role: str, home: Path | None) -> Path:
    # Here, because that module asks this one what a folder is.
    from ...models.present import place_of

    try:
        here = Path(name).expanduser()
    except RuntimeError:
        # "~someone" where there is nobody of that name.
        here = Path(name)
    own = home / "models" / name if home is not None else None
    for path in (here, own):
        if path is not None and _exists(path):
            return path.absolute()
    if home is not None and (registered := place_of(name, home)) is not None:
        return registered
    if is_hub_id(name):
        candidates = list(snapshots(name, home))
        whole = next((folder for folder in candidates if role != "model" or is_whole(folder)), None)
        if whole is not None:
            return whole.absolute()
        if candidates:
            # What is missing there is told when its files are looked at.
            return candidates[0].absolute()
        raise TweenbridgeError(
            ErrorCode.MODEL_MISSING,
            f"The {_ROLES[role]} {name!r} has not been downloaded to this machine.",
            remedy=f"Download it first (`hf download {name.split('@')[0]}`), take one that `tweenbridge models list` "
            "shows, or give the path of a model you have.",
        )
    raise TweenbridgeError(
        ErrorCode.MODEL_MISSING,
        f"There is no {_ROLES[role]} at {name[:300]!r}.",
        remedy="Check the path, or give a name that `tweenbridge models list` shows.",
    )


_ROLES = {"model": "model", "vae": "VAE", "lora": "LoRA"}


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise unreadable(path, error) from None
    return True


def _check_checkpoint(path: Path, header: Header, with_vae: bool) -> None:
    lacks = []
    if with_vae and not header.starts(LDM_VAE + "decoder."):
        lacks.append("a VAE")
    if not header.starts(LDM_TEXT_1, LDM_TEXT_2):
        lacks.append("a text encoder")
    if lacks:
        raise TweenbridgeError(
            ErrorCode.MODEL_FAILED,
            f"The checkpoint {path.name!r} lacks {' and '.join(lacks)}.",
            remedy="Give a VAE beside it." if lacks == ["a VAE"] else "Use a checkpoint with all its parts.",
        )


def _single(path: Path, role: str, kind: Contents) -> tuple[Path, ...]:
    header_as(path, role, kind)
    return (path,)


def _vae(path: Path) -> Path:
    return path / "vae" if (path / "model_index.json").is_file() and (path / "vae").is_dir() else path


def _lora(path: Path) -> Path:
    if not path.is_dir():
        return path
    if (path / LORA_WEIGHTS).is_file():
        return path / LORA_WEIGHTS
    raise TweenbridgeError(
        ErrorCode.MODEL_FAILED,
        f"The folder {path.name!r} holds no {LORA_WEIGHTS}.",
        remedy="Name the LoRA's .safetensors file itself.",
    )
