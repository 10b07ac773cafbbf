"""Is the model that a gap means on this node, and is it the same one? Places and file times differ from machine to
machine; the bytes of the files must not.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import Scalar

from ...engines import registry
from ...engines.registry import Resolved

_MOST_TRIED = 32
"""Combinations of names of model, VAE and LoRA."""


@dataclass(frozen=True)
class Wish:
    """Which model the server means.

    Attributes:
        contents: the hash of its files; "" where the engine has no model.
        names: for each setting that names a file, what it may be called on another machine, the likeliest first.
    """

    contents: str = ""
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)


class Fitter:
    """Finds models on a node; remembers nothing but what files say, so a model that is put there is found."""

    def __init__(self, home: Path) -> None:
        """`home`: the node's data folder."""
        self._home = home

    def fit(self, engine: str, profile: str, settings: Mapping[str, Scalar], wish: Wish) -> Resolved:
        """The settings as this node has them.

        Raises:
            TweenbridgeError: MODEL_MISSING, MODEL_FAILED, naming the node and what to do.
        """
        if not wish.contents:
            return Resolved(dict(settings))
        another = False
        trouble: TweenbridgeError | None = None
        for names in itertools.islice(itertools.product(*wish.names.values()), _MOST_TRIED):
            try:
                resolved = registry.resolve(engine, profile, {**settings, **dict(zip(wish.names, names))}, self._home)
                if registry.contents(engine, resolved, self._home) == wish.contents:
                    return resolved
                another = True
            except TweenbridgeError as error:
                trouble = error if trouble is None or trouble.code is ErrorCode.MODEL_MISSING else trouble
        raise _refusal(another, trouble, [names[0] for names in wish.names.values() if names and names[0]])


def _refusal(another: bool, trouble: TweenbridgeError | None, names: list[str]) -> TweenbridgeError:
    node, model = socket.gethostname(), " and ".join(Path(name).name for name in names)
    if another:
        return TweenbridgeError(
            ErrorCode.MODEL_FAILED,
            f"The model {model} on node {node} is another one than on the server.",
            remedy=f"Put the server's files on {node}; `tweenbridge cluster status` shows what is where.",
        )
    if trouble is None or trouble.code is ErrorCode.MODEL_MISSING:
        return TweenbridgeError(
            ErrorCode.MODEL_MISSING,
            f"The model {model} is not on node {node}.",
            remedy=f"Put the same files on {node}, into the folder `models` of its data folder or by `tweenbridge "
            "models get`.",
        )
    return TweenbridgeError(trouble.code, f"On node {node}: {trouble}", remedy=trouble.remedy)


def names_elsewhere(engine: str, settings: Mapping[str, Scalar], home: Path) -> dict[str, tuple[str, ...]]:
    """What the files that resolved settings name may be called on other machines: for `Wish.names`."""
    return {
        place: _names(str(settings[place]), home) for place in registry.places(engine) if settings.get(place)
    }  # fmt: skip


def _names(place: str, home: Path) -> tuple[str, ...]:
    from ...models import catalogue, present, register

    path, names = Path(place), []
    there = present.present(home, catalogue.load(home), register.read(home))
    names += [one.id for one in there if Path(one.holding.place) == path]
    own = home / "models"
    if own in path.parents:
        names.append(path.relative_to(own).as_posix())
    parts = path.parts
    for at, part in enumerate(parts):
        # As the hub keeps what it has downloaded: models--org--name/snapshots/REVISION.
        if part.startswith("models--") and parts[at + 1 : at + 2] == ("snapshots",) and len(parts) > at + 2:
            names.append("/".join(part.split("--")[1:]) + f"@{parts[at + 2]}")
    names.append(place)
    return tuple(dict.fromkeys(names))
