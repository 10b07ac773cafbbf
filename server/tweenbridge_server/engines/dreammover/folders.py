"""What a diffusers folder must hold, and which of its files are used. Standard library only: the gateway asks, too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from .recognise import (
    Contents,
    Header,
    component_contents,
    contents,
    damaged,
    pipeline_contents,
    read_header,
    unreadable,
)

UNET_WEIGHTS: Final = "diffusion_pytorch_model"
TEXT_WEIGHTS: Final = "model"
LORA_WEIGHTS: Final = "pytorch_lora_weights.safetensors"

# Part of the folder: its weights' name ("" for none) and the files that must be there, one of each group.
_PARTS: Final[dict[str, tuple[str, tuple[tuple[str, ...], ...]]]] = {
    "unet": (UNET_WEIGHTS, (("config.json",),)),
    "vae": (UNET_WEIGHTS, (("config.json",),)),
    "text_encoder": (TEXT_WEIGHTS, (("config.json",),)),
    "tokenizer": ("", (("vocab.json", "tokenizer.json"), ("merges.txt", "tokenizer.json"))),
    "scheduler": ("", (("scheduler_config.json",),)),
}
_TOKENIZER_FILES: Final = (
    "vocab.json",
    "merges.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
_PICKLES: Final = (".bin", ".ckpt", ".pt", ".pth")
_MAX_JSON: Final = 64 * 2**20
_MOST_LAYERS: Final = 128
"""Of anything that a configuration counts to build: Stable Diffusion has 24 at most."""
_LARGEST_SIZE: Final = 1_000_000


@dataclass(frozen=True)
class Weights:
    """The weights of one part of a model.

    Attributes:
        files: the weights, in one file or several; with several also the index that names them.
        variant: "" or what stands between the name and its ending, as in `model.fp16.safetensors`.
    """

    files: tuple[Path, ...]
    variant: str


def needs(kind: Contents) -> str:
    """The remedy for a model of another kind."""
    if kind is Contents.LORA:
        return "Give it as the LoRA, and a Stable Diffusion 1.x or 2.x model as the model."
    if kind is Contents.VAE:
        return "Give it as the VAE, and a Stable Diffusion 1.x or 2.x model as the model."
    return "Use a Stable Diffusion 1.x or 2.x model, or one made from them."


def wrong_kind(path: Path, role: str, kind: Contents) -> TweenbridgeError:
    """The error for a file or folder that is something else than it was given as."""
    wanted = {"model": "a Stable Diffusion 1.x or 2.x model", "vae": "a VAE", "lora": "a LoRA"}[role]
    remedy = needs(kind) if role == "model" else f"Give {wanted} of a Stable Diffusion 1.x or 2.x model, or none."
    return TweenbridgeError(ErrorCode.MODEL_FAILED, f"{path.name!r} is {kind.value}, not {wanted}.", remedy=remedy)


def read_json(path: Path) -> Mapping[str, Any]:
    """Read a small JSON object.

    Raises:
        TweenbridgeError: MODEL_FAILED where it cannot be read or is no JSON object.
    """
    try:
        if path.stat().st_size > _MAX_JSON:
            raise damaged(path, "is far too long for what it should be")
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, RecursionError):
        raise damaged(path, "is damaged") from None
    if not isinstance(value, dict):
        raise damaged(path, "is damaged")
    return value


def names_in(folder: Path) -> list[str]:
    """The names in a folder, sorted.

    Raises:
        TweenbridgeError: MODEL_FAILED where the folder cannot be read.
    """
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise unreadable(folder, error) from None


def weights_in(folder: Path, stem: str) -> Weights:
    """The weights in a part's folder: full precision first, else a variant (fp16 first).

    Raises:
        TweenbridgeError: MODEL_FAILED where there are none, only pickled ones, or some are missing.
    """
    names = names_in(folder)
    single = {_between(name, stem, ".safetensors"): name for name in names if not _is_shard(name)}
    sharded = {_between(name, stem + ".safetensors.index", ".json"): name for name in names}
    for variant in ("", "fp16", *sorted(v for v in {*single, *sharded} if v)):
        if variant in single:
            return Weights((folder / single[variant],), variant)
        if variant in sharded:
            return _shards(folder, sharded[variant], variant)
    if any(name.endswith(_PICKLES) for name in names):
        raise TweenbridgeError(
            ErrorCode.MODEL_FAILED,
            f"{folder.parent.name}/{folder.name} has only pickled weights; they can run anything and are not opened.",
            remedy="Get the model with .safetensors weights.",
        )
    raise _missing(folder.parent, f"the weights {folder.name}/{stem}.safetensors")


def _between(name: str, start: str, end: str) -> str | None:
    """What stands between `start` and `end` in `name`, without its dot; None where the name has another form."""
    if not name.startswith(start) or not name.endswith(end) or len(name) < len(start) + len(end):
        return None
    middle = name[len(start) : len(name) - len(end)]
    if middle and (not middle.startswith(".") or "." in middle[1:]):
        return None
    return middle[1:]


def _is_shard(name: str) -> bool:
    return "-of-" in name


def _shards(folder: Path, index: str, variant: str) -> Weights:
    table = read_json(folder / index).get("weight_map")
    if not isinstance(table, dict) or not table:
        raise damaged(folder / index, "is damaged")
    names = sorted({str(name) for name in table.values()})
    for name in names:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise damaged(folder / index, "names files that are no .safetensors files beside it")
        if not (folder / name).is_file():
            raise _missing(folder.parent, f"{folder.name}/{name}")
    return Weights((folder / index, *(folder / name for name in names)), variant)


def _missing(folder: Path, what: str) -> TweenbridgeError:
    return TweenbridgeError(
        ErrorCode.MODEL_FAILED,
        f"The model folder {folder.name!r} lacks {what}.",
        remedy=f"Download the model again, with all its parts: {folder}",
    )


def is_part(folder: Path, part: str) -> bool:
    """Whether a part of the model lies in the folder."""
    return (folder / part).is_dir()


def is_whole(folder: Path) -> bool:
    """Whether the folder looks like a whole model; nothing is read."""
    return (folder / "model_index.json").is_file() and all(is_part(folder, part) for part in _PARTS)


def files_of_model(folder: Path, with_vae: bool) -> tuple[Path, ...]:
    """Check a diffusers folder; the files that count, headers of weights read.

    Args:
        folder: has `model_index.json`.
        with_vae: whether its own VAE is used.

    Raises:
        TweenbridgeError: MODEL_FAILED saying what it is instead, what is missing or what is damaged.
    """
    index_path = folder / "model_index.json"
    if not index_path.is_file():
        raise _no_model(folder)
    index = read_json(index_path)
    name = str(index.get("_class_name", ""))
    kind = pipeline_contents(name)
    if kind is Contents.CHECKPOINT and index.get("text_encoder_2"):
        kind = Contents.SDXL
    if kind is Contents.UNKNOWN:
        # Pipelines of other names are the same model, where they are made of the same parts.
        unet = index.get("unet")
        if not isinstance(unet, list) or unet[-1:] != ["UNet2DConditionModel"]:
            raise wrong_kind(folder, "model", kind)
    elif kind is not Contents.CHECKPOINT:
        raise wrong_kind(folder, "model", kind)
    parts = [part for part in _PARTS if with_vae or part != "vae"]
    absent = [part for part in parts if not is_part(folder, part)]
    if absent:
        raise _missing(folder, ", ".join(absent))
    files = [index_path]
    for part in parts:
        files += _files_of_part(folder / part)
    _check_unet(folder)
    return tuple(files)


def _files_of_part(folder: Path) -> list[Path]:
    stem, groups = _PARTS[folder.name]
    for group in groups:
        if not any((folder / name).is_file() for name in group):
            raise _missing(folder.parent, f"{folder.name}/{group[0]}")
    if folder.name == "tokenizer":
        return [folder / name for name in _TOKENIZER_FILES if (folder / name).is_file()]
    if folder.name == "scheduler":
        return [folder / "scheduler_config.json"]
    _check_counts(folder / "config.json")
    return [folder / "config.json", *checked(weights_in(folder, stem)).files]


def checked(weights: Weights) -> Weights:
    """The weights, after their headers were read: damage shows before anything is loaded."""
    for path in weights.files:
        if path.suffix == ".safetensors":
            read_header(path)
    return weights


def _check_counts(path: Path) -> None:
    """Refuse a configuration that would have networks built until memory or patience ends, before weights are read."""
    for name, value in read_json(path).items():
        most = _MOST_LAYERS if "layers" in name else _LARGEST_SIZE
        for number in _numbers(value):
            if not -_LARGEST_SIZE <= number <= most:
                raise damaged(path, f"says that {name[:40]} is {number:.6g}, which no such model has")


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, (int, float)):
        yield value
    elif isinstance(value, (list, dict)):
        yield len(value) if isinstance(value, list) else 0
        for inner in value if isinstance(value, list) else value.values():
            yield from _numbers(inner)


def _check_unet(folder: Path) -> None:
    config = read_json(folder / "unet" / "config.json")
    if config.get("addition_embed_type") == "text_time":
        raise wrong_kind(folder, "model", Contents.SDXL)
    inputs = config.get("in_channels", 4)
    if inputs != 4:
        raise wrong_kind(folder, "model", Contents.INPAINTING if inputs == 9 else Contents.SPECIAL)


def _no_model(folder: Path) -> TweenbridgeError:
    """Why a folder without `model_index.json` is no model."""
    names = names_in(folder)
    if LORA_WEIGHTS in names or "adapter_config.json" in names:
        return wrong_kind(folder, "model", Contents.LORA)
    if "config.json" in names:
        kind = component_contents(read_json(folder / "config.json"))
        if kind is not Contents.UNKNOWN:
            return wrong_kind(folder, "model", kind)
    checkpoints = [name for name in names if name.endswith(".safetensors")]
    if checkpoints:
        return TweenbridgeError(
            ErrorCode.MODEL_FAILED,
            f"The folder {folder.name!r} is no model, but holds {len(checkpoints)} .safetensors file(s).",
            remedy=f"Name the file itself, such as {folder / checkpoints[0]}",
        )
    if any(name.endswith(_PICKLES) for name in names):
        return TweenbridgeError(
            ErrorCode.MODEL_FAILED,
            f"The folder {folder.name!r} holds only pickled weights, which can run anything; they are not opened.",
            remedy="Get the model as .safetensors.",
        )
    return _missing(folder, "model_index.json: it is not a diffusers folder")


def files_of_vae(folder: Path) -> tuple[Path, ...]:
    """Check a VAE's folder (or the `vae` of a whole model's folder); the files that count."""
    if (folder / "model_index.json").is_file() and is_part(folder, "vae"):
        folder = folder / "vae"
    config = folder / "config.json"
    if not config.is_file():
        raise _missing(folder, "config.json: it is no VAE's folder")
    kind = component_contents(read_json(config))
    if kind is not Contents.VAE:
        raise wrong_kind(folder, "vae", kind)
    _check_counts(config)
    return (config, *checked(weights_in(folder, UNET_WEIGHTS)).files)


def header_as(path: Path, role: str, allowed: Contents) -> Header:
    """The header of a single file that must be `allowed`."""
    if path.suffix.lower() != ".safetensors":
        if path.suffix.lower() in _PICKLES:
            raise TweenbridgeError(
                ErrorCode.MODEL_FAILED,
                f"{path.name!r} is a pickle file, which can run anything; it is not opened.",
                remedy="Get it as .safetensors.",
            )
        raise TweenbridgeError(
            ErrorCode.MODEL_FAILED,
            f"{path.name!r} is not a .safetensors file.",
            remedy="Give a diffusers folder, a .safetensors file, or a hub id.",
        )
    header = read_header(path)
    kind = contents(header)
    if kind is not allowed:
        raise wrong_kind(path, role, kind)
    return header
