"""Files of a training run that are always whole: written beside their name and then moved there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch


def save(file: Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers and containers of them; a kill leaves the old file or the new one."""
    partial = file.with_name(file.name + ".partial")
    torch.save(state, partial)
    os.replace(partial, file)


def read(file: Path) -> dict[str, Any] | None:
    """What was saved, or None where nothing was; nothing in the file is run."""
    if not file.exists():
        return None
    state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    return state
