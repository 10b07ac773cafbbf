"""What models there are on this machine, and which place a name means: asked by engines when a job comes in.

A model is here because it comes with Tweenbridge, because it was downloaded or imported (the register says so),
because it lies in the folder `models`, or because the catalogue's repository is in the hub's cache. Small files are
read; a few milliseconds.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge.protocol.messages import EngineInfo
from tweenbridge.protocol.models import ModelOrigin, ModelRole

from ..engines.dreammover.hub import snapshots
from . import catalogue, register
from .catalogue import Catalogue, Entry, HubSource
from .recognition import Recognised, recognise
from .register import Facts, Holding

PARTS: Final = ".parts"
"""The folder in `models` where downloads grow."""

log = logging.getLogger(__name__)

_recognised: dict[Path, Recognised] = {}
"""What was recognised before: headers are not read again while the files stay as long as they are."""


@dataclass(frozen=True)
class Present:
    """A model that is here.

    Attributes:
        id: what it goes by.
        holding: where it is and what it is for.
        entry: what the catalogue says of it, where it is in there.
        by_hand: nobody asked for it here: it lies in `models`, in the hub's cache or in Tweenbridge itself, and goes
            only from there.
        gone: what is wrong with its files, at a glance or since they were verified; "" where nothing is.
    """

    id: str
    title: str
    holding: Holding
    entry: Entry | None = None
    by_hand: bool = False
    gone: str = ""

    @property
    def built_in(self) -> bool:
        """It comes with Tweenbridge."""
        return self.entry is not None and self.entry.built_in is not None

    @property
    def origin(self) -> ModelOrigin:
        """Who brought it."""
        return self.entry.origin if self.entry is not None else ModelOrigin.OWN


def models_folder(home: Path) -> Path:
    """Where downloaded models are kept."""
    return home / "models"


def parts_folder(home: Path, id: str) -> Path:
    """Where a download grows."""
    return models_folder(home) / PARTS / id


def present(home: Path, known: Catalogue, facts: Facts) -> tuple[Present, ...]:
    """All models that are here: the catalogue's in its order, then the user's own."""
    found: dict[str, Present] = {}
    for id, holding in facts.holdings.items():
        entry = known.find(id)
        title = holding.title or (entry.title if entry is not None else id)
        found[id] = Present(id, title, holding, entry, gone=what_is_gone(holding))
    for entry in known.entries:
        if entry.id not in found and entry.id not in facts.begun:
            cached = _elsewhere(entry, home)
            if cached is not None:
                found[entry.id] = Present(entry.id, entry.title, _as_holding(cached), entry, by_hand=True)
    places = {one.holding.place for one in found.values()}
    for recognised in _lying_in(models_folder(home)):
        if str(recognised.place) not in places:
            name = recognised.place.stem if recognised.place.is_file() else recognised.place.name
            entry = known.find(name)
            if entry is not None and name not in found and entry.role is recognised.role:
                # As a download would lie there: of an installation whose register was lost, or copied from another.
                found[name] = Present(name, entry.title, _as_holding(recognised), entry, by_hand=True)
            else:
                id = free_id(name, set(found) | _ids(known))
                found[id] = Present(id, recognised.place.name, _as_holding(recognised), by_hand=True)
    order = {entry.id: number for number, entry in enumerate(known.entries)}
    return tuple(sorted(found.values(), key=lambda one: (order.get(one.id, len(order)), one.id)))


def place_of(name: str, home: Path) -> Path | None:
    """The place of the model of that id, or of that hub repository, if it is here by way of the register."""
    facts, known = register.read(home), catalogue.load(home)
    ids = [name] + [
        entry.id
        for entry in known.entries
        if any(isinstance(source, HubSource) and source.repository == name for source in entry.sources)
    ]
    for id in ids:
        if id in facts.holdings:
            return Path(facts.holdings[id].place)
    for entry in known.entries:
        if entry.id == name:
            cached = _elsewhere(entry, home)
            return cached.place if cached is not None else None
    return None


def default(engine: str, home: Path) -> tuple[Present | None, tuple[Present, ...]]:
    """The model to take where a job of that engine names none, and those to choose among."""
    known, facts = catalogue.load(home), register.read(home)
    there = present(home, known, facts)
    return choose(engine, there, facts), _not_built_in(_usable(engine, there))


def without_needless(info: EngineInfo, home: Path) -> EngineInfo:
    """An engine's description, which does not need a model to be named where one is taken by itself."""
    if info.name not in catalogue.ENGINES or default(info.name, home)[0] is None:
        return info
    return replace(info, needs=tuple(need for need in info.needs if need != ModelRole.MODEL.value))


def choose(engine: str, there: tuple[Present, ...], facts: Facts) -> Present | None:
    """The model to take where none is named: the preferred one, else the only one there is.

    What comes with Tweenbridge is taken where there is no other: it is there to show what an engine does.
    """
    usable = _usable(engine, there)
    preferred = facts.preferred.get(preference(engine, ModelRole.MODEL))
    for one in usable:
        if one.id == preferred:
            return one
    own = _not_built_in(usable)
    return own[0] if len(own) == 1 else None


def _not_built_in(usable: tuple[Present, ...]) -> tuple[Present, ...]:
    """Without what comes with Tweenbridge, where there is anything else."""
    return tuple(one for one in usable if not one.built_in) or usable


def _usable(engine: str, there: tuple[Present, ...]) -> tuple[Present, ...]:
    fitting = (one for one in there if one.holding.engine == engine and one.holding.role is ModelRole.MODEL)
    return tuple(one for one in fitting if not one.gone)


def preference(engine: str, role: ModelRole) -> str:
    """The key of a preference in the register."""
    return f"{engine}/{role.value}"


def what_is_gone(holding: Holding) -> str:
    """What is wrong with a model's files: a part of a sentence, "" where nothing is."""
    place = Path(holding.place)
    if holding.damaged:
        return f"{holding.damaged[0] or place.name!r} is damaged"
    if not place.exists():
        return f"{place.name!r} is no longer at its place"
    for path, known in holding.files.items():
        file = place / path if path else place
        try:
            size = file.stat().st_size
        except OSError:
            return f"{path or place.name!r} is missing"
        if known.size is not None and size != known.size:
            return f"{path or place.name!r} is not as long as it should be"
    return ""


def free_id(name: str, taken: set[str]) -> str:
    """An id like `name` that is not taken."""
    base = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:56] or "model"
    number = 1
    while (id := base if number == 1 else f"{base}-{number}") in taken:
        number += 1
    return id


def _ids(known: Catalogue) -> set[str]:
    return {entry.id for entry in known.entries}


def _as_holding(found: Recognised) -> Holding:
    files = {path: catalogue.KnownFile(size) for path, size in found.files.items()}
    return Holding(str(found.place), found.engine, found.role, True, files=files, memory=found.memory)


def _elsewhere(entry: Entry, home: Path) -> Recognised | None:
    """The catalogue's model as it comes with Tweenbridge, or as another program has downloaded it."""
    if entry.built_in is not None:
        return _try(entry.built_in)
    for source in entry.sources:
        if isinstance(source, HubSource):
            for folder in snapshots(source.repository, home):
                found = _try(folder)
                if found is not None and found.role is entry.role:
                    return found
    return None


def _lying_in(folder: Path) -> Iterator[Recognised]:
    """What was put into `models` by hand; repositories in the hub's layout only where they are named."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for path in entries:
        if not path.name.startswith((".", "models--")) and (path.is_dir() or path.suffix == ".safetensors"):
            found = _try(path)
            if found is not None:
                yield found


def _try(path: Path) -> Recognised | None:
    known = _recognised.get(path)
    if known is not None and not what_is_gone(_as_holding(known)):
        return known
    try:
        found = recognise(path)
    except (OSError, TweenbridgeError) as problem:
        log.debug("%s is not listed: %s", path, problem)
        _recognised.pop(path, None)
        return None
    _recognised[path] = found
    return found
