"""What a `dreammover` job's settings come to on this machine, found out in the server's own process, without torch."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import Note, Scalar

from ...models import present
from ..registry import Resolved
from . import identity
from .builtin import NANO
from .info import INFO
from .settings import RECIPES

_DEMONSTRATION = Note(
    "demonstration_model",
    "The model is `nano`, which knows simple artwork only and shows what the engine does. For real work get one with "
    "`tweenbridge models get stable-diffusion-1.5`.",
)
_LIBRARIES = ("torch", "diffusers", "transformers", "peft", "safetensors")


def resolve(profile: str, settings: Mapping[str, Scalar], home: Path) -> Resolved:
    """Make the places of the model's files absolute and tell which model it is. A few milliseconds.

    Raises:
        TweenbridgeError: MODEL_FAILED when the engine's libraries are not installed or the model is of no known kind;
            MODEL_MISSING when it is not there.
    """
    _check_libraries()
    notes: tuple[Note, ...] = ()
    if not str(settings["model"]).strip():
        settings, notes = _with_default(settings, home)
    source = identity.find(settings, home)
    if source.model == NANO:
        notes = (*notes, _DEMONSTRATION)
    places = {"model": source.model, "vae": source.vae, "lora": source.lora}
    definite = {name: os.path.abspath(place) if place is not None else "" for name, place in places.items()}
    return Resolved({**settings, **definite}, identity.identity(source), RECIPES[profile].fit_lora, notes)


def _with_default(settings: Mapping[str, Scalar], home: Path) -> tuple[Mapping[str, Scalar], tuple[Note, ...]]:
    """The settings with the model that is taken where none is named, and what is said of it.

    Raises:
        TweenbridgeError: MODEL_MISSING where there are several and nobody said which.
    """
    chosen, others = present.default(INFO.name, home)
    if chosen is not None and chosen.built_in:
        # Said below, as where it was named.
        return {**settings, "model": chosen.holding.place}, ()
    if chosen is not None:
        note = Note("model", f"No model was named; {chosen.title} is taken.")
        return {**settings, "model": chosen.holding.place}, (note,)
    if others:
        names = ", ".join(one.id for one in others)
        raise TweenbridgeError(
            ErrorCode.MODEL_MISSING,
            f"No model was named, and there are several: {names}.",
            remedy=f"Name one, or choose one for good with `tweenbridge models default {others[0].id}`.",
        )
    return settings, ()


def _check_libraries() -> None:
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise TweenbridgeError(
            ErrorCode.MODEL_FAILED,
            f"The engine dreammover needs {', '.join(missing)}, which this installation lacks.",
            remedy="Run `python3 bootstrap.py setup`, then generate again.",
        )
