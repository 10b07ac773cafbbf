"""Fitted LoRAs on disk: safetensors named by what they depend on; the least recently used go."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

log = logging.getLogger(__name__)

KEPT = 32
"""Files that stay; one for SD 1.5 takes 13 MB."""
_ABANDONED_SECONDS = 3600.0

Weights = Mapping[str, tuple[Tensor, Tensor]]
"""By a layer's name: down (rank, in) and up (out, rank), float32 on the CPU. The layer's change is up @ down."""


@dataclass(frozen=True)
class Fitted:
    """A LoRA that was fitted to a shot.

    Attributes:
        steps: how many it took.
        loss_before, loss_after: mean squared error on the validation samples.
    """

    weights: Weights
    steps: int
    loss_before: float
    loss_after: float


def load(path: Path, layers: Mapping[str, tuple[int, int]], rank: int) -> Fitted | None:
    """Read a file and mark it as used; None where there is none or it is damaged (it is deleted then).

    Args:
        layers: inputs and outputs of each layer, by name.
    """
    if not path.is_file():
        return None
    try:
        fitted = _read(path, layers, rank)
        os.utime(path)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        log.warning("A LoRA in the cache is damaged and will be fitted again (%s).", error)
        _delete(path)
        return None
    return fitted


def _read(path: Path, layers: Mapping[str, tuple[int, int]], rank: int) -> Fitted:
    with safe_open(path, "pt") as file:
        told = file.metadata() or {}
        # Copies: the file stays mapped as long as its tensors live, and Windows cannot replace a mapped file.
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    if told["digest"] != _digest(tensors):
        raise ValueError("its content is not what was written")
    weights = {name: (tensors[f"{name}.down"], tensors[f"{name}.up"]) for name in layers}
    for name, (down, up) in weights.items():
        inputs, outputs = layers[name]
        if down.shape != (rank, inputs) or up.shape != (outputs, rank):
            raise ValueError(f"{name} has another shape")
    return Fitted(weights, int(told["steps"]), float(told["loss_before"]), float(told["loss_after"]))


def save(path: Path, fitted: Fitted) -> None:
    """Write a file, so that nobody ever sees half of it, and delete those that have not been used for longest.

    A full disk is no reason to lose what was fitted: it is told in the log.
    """
    tensors = {}
    for name, (down, up) in fitted.weights.items():
        tensors[f"{name}.down"], tensors[f"{name}.up"] = down.contiguous(), up.contiguous()
    told = {
        "digest": _digest(tensors),
        "steps": str(fitted.steps),
        "loss_before": repr(fitted.loss_before),
        "loss_after": repr(fitted.loss_after),
    }
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, part, told)
        os.replace(part, path)
        _trim(path.parent, path)
    except (OSError, SafetensorError) as error:
        log.warning("The LoRA of this shot could not be kept for later (%s).", error)
    finally:
        _delete(part)


def _trim(folder: Path, newest: Path) -> None:
    """Leave the `KEPT` files that were used last, and no half-written ones of processes that ended."""
    used = {path: path.stat().st_mtime for path in folder.iterdir() if path.is_file()}
    now = used[newest]
    files = sorted((path for path in used if path.suffix == ".safetensors"), key=used.__getitem__, reverse=True)
    parts = [path for path in used if path.suffix == ".part" and used[path] < now - _ABANDONED_SECONDS]
    for path in [*files[KEPT:], *parts]:
        _delete(path)


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.info("%s stays for now (%s).", path.name, error)


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].to(torch.float32).contiguous().numpy().tobytes())
    return digest.hexdigest()
