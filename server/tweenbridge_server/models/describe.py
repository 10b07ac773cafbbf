"""Models as clients see them: catalogue, register, what is on the disk and what goes on, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tweenbridge.protocol.errors import ErrorCode, ErrorInfo, TweenbridgeError
from tweenbridge.protocol.models import Licence, ModelInfo, ModelState

from .catalogue import Catalogue, Entry
from .files import bytes_in
from .present import Present, choose, parts_folder
from .register import Facts
from .transfers import Transfer


def infos(
    known: Catalogue, facts: Facts, there: tuple[Present, ...], transfer_of: Callable[[str], Transfer | None],
    errors: Mapping[str, ErrorInfo], loaded: set[str], home: Path,
) -> tuple[ModelInfo, ...]:  # fmt: skip
    """All models: the catalogue's in its order, then the user's own.

    Args:
        there: what is here.
        transfer_of: the download or check of a model, if one goes on.
        errors: what went wrong last, by id.
        loaded: places of the models that workers hold.
    """
    here = {one.id: one for one in there}
    defaults = {engine: choose(engine, there, facts) for engine in {one.holding.engine for one in there}}

    def all_of_them() -> Iterator[ModelInfo]:
        for entry in known.entries:
            transfer, error = transfer_of(entry.id), errors.get(entry.id)
            if entry.id in here:
                yield _of_present(here[entry.id], facts, transfer, error, loaded, defaults)
            else:
                yield _of_absent(entry, facts, transfer, error, home)
        for one in there:
            if known.find(one.id) is None:
                yield _of_present(one, facts, transfer_of(one.id), errors.get(one.id), loaded, defaults)

    return tuple(all_of_them())


def damaged(one: Present, file: str, missing: bool) -> ErrorInfo:
    """What is said of a model with a file that is not what it should be."""
    how = "is missing" if missing else "is not what it should be"
    return _broken(one, f"{file or Path(one.holding.place).name!r} {how}")


def _broken(one: Present, what: str) -> ErrorInfo:
    own = one.entry is not None and not one.holding.reference
    remedy = (
        "Repair the model: only what is wrong is downloaded again."
        if own
        else f"Get the file again from where you have it: {one.holding.place}"
    )
    return TweenbridgeError(ErrorCode.MODEL_FAILED, f"Of {one.title}, {what}.", remedy=remedy).info


def _licence(entry: Entry | None, facts: Facts) -> Licence | None:
    if entry is None or entry.terms is None:
        return None
    accepted = not entry.terms.ask or entry.id in facts.accepted
    return Licence(entry.terms.name, entry.terms.link, accepted)


def _of_present(
    one: Present, facts: Facts, transfer: Transfer | None, error: ErrorInfo | None, loaded: set[str],
    defaults: Mapping[str, Present | None],
) -> ModelInfo:  # fmt: skip
    holding, entry, count = one.holding, one.entry, _count(transfer)
    if one.gone:
        error = error or _broken(one, one.gone)
    state = transfer.state if transfer is not None else ModelState.DAMAGED if error else ModelState.READY
    return ModelInfo(
        model=one.id,
        title=one.title,
        engine=holding.engine,
        role=holding.role,
        state=state,
        origin=one.origin,
        description=entry.notes if entry is not None else "",
        licence=_licence(entry, facts),
        size=sum(known.size or 0 for known in holding.files.values()),
        location=holding.place,
        reference=holding.reference,
        memory=(entry.memory if entry is not None else 0) or holding.memory,
        used=facts.used.get(one.id),
        sources=tuple(map(str, entry.sources)) if entry is not None else (),
        default=defaults.get(holding.engine) is one,
        loaded=holding.place in loaded,
        error=error,
        done=count.done,
        total=count.total,
        rate=count.rate,
        eta=count.eta,
    )


def _of_absent(entry: Entry, facts: Facts, transfer: Transfer | None, error: ErrorInfo | None, home: Path) -> ModelInfo:
    begun = facts.begun.get(entry.id)
    count = _count(transfer)
    if transfer is not None:
        state = transfer.state
    elif error is not None:
        state = ModelState.FAILED
    else:
        state = ModelState.ABSENT if begun is None else ModelState.PAUSED
    if transfer is None and begun is not None:
        total = max(begun.total, entry.size)
        count = _Count(min(bytes_in(parts_folder(home, entry.id)), total), total)
    return ModelInfo(
        model=entry.id,
        title=entry.title,
        engine=entry.engine,
        role=entry.role,
        state=state,
        origin=entry.origin,
        description=entry.notes,
        licence=_licence(entry, facts),
        size=entry.size,
        memory=entry.memory,
        sources=tuple(map(str, entry.sources)),
        error=error,
        done=count.done,
        total=count.total,
        rate=count.rate,
        eta=count.eta,
    )


@dataclass(frozen=True)
class _Count:
    """How far a download or check is, as in ModelInfo."""

    done: int = 0
    total: int = 0
    rate: float = 0.0
    eta: float | None = None


def _count(transfer: Transfer | None) -> _Count:
    if transfer is None:
        return _Count()
    return _Count(transfer.counted.done, transfer.counted.total, transfer.rate, transfer.eta)
