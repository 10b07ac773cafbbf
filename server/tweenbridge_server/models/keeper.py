"""What is done with one model after another: get, pause, verify, repair, remove, and what comes of it.

Everything that is known is in three places: the register (on disk), the transfers that go on, and the last errors.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tweenbridge.protocol.errors import ErrorCode, ErrorInfo, TweenbridgeError
from tweenbridge.protocol.messages import WorkerInfo
from tweenbridge.protocol.models import ModelAction, ModelInfo, ModelRole

from . import catalogue, describe, files, present
from .catalogue import Catalogue, Entry
from .helper import MARGIN
from .orders import Checked, Counted, Failed, Fetched, News, disk_full
from .present import Present, models_folder, parts_folder
from .recognition import recognise
from .register import Begun, Holding, Register, forgotten, with_begun, with_holding
from .settings import FetchSettings
from .transfers import Transfer, Transfers

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelChange:
    """A model changed, or is gone from the list when `info` is None."""

    model: str
    info: ModelInfo | None


class Keeper:
    """Keeps the models of one data folder. Its methods want `lock` to be held.

    Args:
        on_change: told of every change, from any thread; must not block.
        workers: the worker processes there are.
        unload: ends those that have nothing to do; returns how many, and the bytes that they held.
    """

    def __init__(
        self, home: Path, settings: FetchSettings, on_change: Callable[[ModelChange], None],
        workers: Callable[[], tuple[WorkerInfo, ...]], unload: Callable[[], tuple[int, int]],
    ) -> None:  # fmt: skip
        self._home = home
        self._stall = settings.stall_seconds
        self._on_change = on_change
        self._workers = workers
        self._unload = unload
        self._transfers = Transfers(settings.environment(), self._on_news)
        self._errors: dict[str, ErrorInfo] = {}
        self.register = Register(home)
        self.lock = threading.RLock()

    def resume(self) -> None:
        """Go on with downloads that the last end of the server interrupted."""
        for folder in (models_folder(self._home), parts_folder(self._home, "any").parent):
            files.sweep(folder)
        for id, begun in self.register.facts.begun.items():
            entry = self.catalogue().find(id)
            if begun.wanted and entry is not None:
                try:
                    self._fetch(entry, begun.total)
                except TweenbridgeError as error:
                    self._failed(id, error.info)

    def close(self) -> None:
        """Stop downloads; what is here stays."""
        self._transfers.close()

    def act(self, action: ModelAction, id: str, accepted: bool) -> None:
        """Do something with a model; what takes long goes on by itself.

        Raises:
            TweenbridgeError: BAD_REQUEST, DISK_FULL, MODEL_MISSING, MODEL_FAILED, saying what is wrong.
        """
        if action is ModelAction.GET:
            self._get(id, accepted)
            return
        {
            ModelAction.PAUSE: self._pause,
            ModelAction.CANCEL: self._cancel,
            ModelAction.VERIFY: self._verify,
            ModelAction.REPAIR: self._repair,
            ModelAction.REMOVE: self._remove,
            ModelAction.PREFER: self._prefer,
        }[action](id)

    # ------------------------------------------------------------ one action each

    def _get(self, id: str, accepted: bool) -> None:
        entry, there = self.catalogue().find(id), self._find(id)
        if self._transfers.find(id) is not None or (there is not None and not there.gone):
            return
        if entry is None:
            raise TweenbridgeError(
                ErrorCode.BAD_REQUEST,
                f"{id!r} is a model of your own: there is no place to download it from.",
                remedy="Put its files back where they were, or remove it here and import it again.",
            )
        self._accept_terms(entry, accepted)
        if there is not None:
            if there.holding.reference:
                self.register.change(lambda facts: with_holding(facts, id, None))
            else:
                self._take_back(there, entry)
        self._fetch(entry, entry.size)

    def _fetch(self, entry: Entry, total: int) -> None:
        if entry.built_in is not None:
            raise TweenbridgeError(
                ErrorCode.MODEL_MISSING,
                f"{entry.title} comes with Tweenbridge, and its files are gone or damaged.",
                remedy="Install Tweenbridge again: `python3 bootstrap.py setup`.",
            )
        folder = parts_folder(self._home, entry.id)
        here = files.bytes_in(folder)
        free = files.free_bytes(folder)
        if entry.size - here > 0 and entry.size - here + MARGIN > free:
            raise disk_full(entry.size - here, free)
        self._errors.pop(entry.id, None)
        before = self.register.facts.begun.get(entry.id, Begun(True))
        begun = replace(before, wanted=True, total=total)
        self.register.change(lambda facts: with_begun(facts, entry.id, begun))
        transfer = Transfer(entry.id, files.fetch_order(entry, folder, begun.here, self._stall))
        transfer.counted = Counted(min(here, total), total)
        self._transfers.add(transfer)

    def _accept_terms(self, entry: Entry, accepted: bool) -> None:
        if entry.terms is None or not entry.terms.ask or entry.id in self.register.facts.accepted:
            return
        if not accepted:
            raise TweenbridgeError(
                ErrorCode.BAD_REQUEST,
                f"The licence of {entry.title}, {entry.terms.name}, has not been accepted.",
                remedy=f"Read it at {entry.terms.link}, then accept it (`tweenbridge models get {entry.id}` asks)."
                if entry.terms.link
                else "Read it where the model comes from, then accept it.",
            )
        now = time.time()
        self.register.change(lambda facts: replace(facts, accepted={**facts.accepted, entry.id: now}))

    def _pause(self, id: str) -> None:
        transfer = self._transfers.find(id)
        if id in self.register.facts.begun and transfer is not None:
            self._transfers.drop(id)
            total = max(transfer.counted.total, self.register.facts.begun[id].total)
            begun = replace(self.register.facts.begun[id], wanted=False, total=total)
            self.register.change(lambda facts: with_begun(facts, id, begun))
        elif transfer is not None:
            self._transfers.drop(id)

    def _cancel(self, id: str) -> None:
        self._transfers.drop(id)
        self._errors.pop(id, None)
        if id in self.register.facts.begun:
            files.delete(parts_folder(self._home, id))
            self.register.change(lambda facts: with_begun(facts, id, None))

    def _verify(self, id: str) -> None:
        there = self._here(id)
        if self._transfers.find(id) is None:
            self._errors.pop(id, None)
            self._transfers.add(Transfer(id, files.check_order(there.holding, there.entry)))

    def _repair(self, id: str) -> None:
        entry = self.catalogue().find(id)
        if id in self.register.facts.begun:
            self._get(id, accepted=False)
            return
        there = self._here(id)
        if entry is None or there.holding.reference:
            raise TweenbridgeError(
                ErrorCode.BAD_REQUEST,
                f"{there.title} cannot be repaired here: its files were not downloaded by Tweenbridge.",
                remedy="Replace its files where they lie, then verify it.",
            )
        self._transfers.drop(id)
        self._take_back(there, entry)
        self._fetch(entry, entry.size)

    def _take_back(self, there: Present, entry: Entry) -> None:
        """Make a model a download again: what is right of it is kept."""
        self._unload()
        files.take_back(there.holding, entry, parts_folder(self._home, entry.id), models_folder(self._home))
        begun = Begun(False, entry.size, files.names_in_parts(there.holding, entry))
        self.register.change(lambda facts: with_begun(with_holding(facts, entry.id, None), entry.id, begun))

    def _remove(self, id: str) -> None:
        self._cancel(id)
        there = self._find(id)
        if there is None:
            return
        if there.built_in:
            raise TweenbridgeError(
                ErrorCode.BAD_REQUEST,
                f"{there.title} comes with Tweenbridge and stays.",
                remedy="Any other model that is here is taken before it.",
            )
        if there.by_hand:
            inside = models_folder(self._home) in Path(there.holding.place).parents
            where = "the folder for models by hand" if inside else "the Hugging Face cache, which other programs use"
            raise TweenbridgeError(
                ErrorCode.BAD_REQUEST,
                f"{there.title} lies in {where}, and is not removed from there.",
                remedy=f"Delete it yourself: {there.holding.place}",
            )
        if not there.holding.reference:
            self._unload()
            files.delete(files.root_of(Path(there.holding.place), models_folder(self._home)))
        self.register.change(lambda facts: forgotten(facts, id))
        log.info("Model %s was removed%s.", id, " from the list; its files stay" if there.holding.reference else "")

    def _prefer(self, id: str) -> None:
        holding = self._here(id).holding
        if holding.role is not ModelRole.MODEL:
            raise TweenbridgeError(
                ErrorCode.BAD_REQUEST,
                f"{id!r} is no whole model, so it cannot be taken by itself.",
                remedy=f"Name it in a job's setting {holding.role.value}.",
            )
        key = present.preference(holding.engine, holding.role)
        before = self.register.facts.preferred.get(key)
        self.register.change(lambda facts: replace(facts, preferred={**facts.preferred, key: id}))
        if before is not None and before != id:
            self.tell(before)

    def _here(self, id: str) -> Present:
        there = self._find(id)
        if there is None:
            raise TweenbridgeError(
                ErrorCode.MODEL_MISSING, f"{id!r} is not on this machine (yet).", remedy="Get the model first."
            )
        return there

    # ------------------------------------------------------------ news of the helper

    def _on_news(self, transfer: Transfer, news: News) -> None:
        id = transfer.id
        with self.lock:
            if not isinstance(news, Counted) and not self._transfers.finish(transfer):
                return
            try:
                if isinstance(news, Fetched):
                    self._fetched(id, news)
                elif isinstance(news, Checked):
                    self._checked(id, news)
                elif isinstance(news, Failed):
                    raise TweenbridgeError.from_info(news.error)
            except TweenbridgeError as error:
                log.warning("Model %s: %s", id, error)
                self._failed(id, error.info)
            except OSError as error:
                log.exception("Model %s could not be put into its place.", id)
                message = f"The model could not be put into its place: {error.strerror or error}."
                remedy = "Check that you may write to the folder for models."
                self._failed(id, TweenbridgeError(ErrorCode.DOWNLOAD_FAILED, message, remedy=remedy).info)
            self.tell(id)

    def _failed(self, id: str, error: ErrorInfo) -> None:
        self._errors[id] = error
        begun = self.register.facts.begun.get(id)
        if begun is not None:
            # Not by itself at the next start: the reason may well be there still.
            self.register.change(lambda facts: with_begun(facts, id, replace(begun, wanted=False)))

    def _fetched(self, id: str, news: Fetched) -> None:
        entry = self.catalogue().find(id)
        if entry is None:
            raise TweenbridgeError(ErrorCode.DOWNLOAD_FAILED, f"{id!r} is no longer in models.toml.")
        parts = parts_folder(self._home, id)
        try:
            found = recognise(parts)
            if found.role is not entry.role:
                raise TweenbridgeError(
                    ErrorCode.MODEL_FAILED,
                    f"What was downloaded as {entry.title} is a {found.role.value}, not a {entry.role.value}.",
                    remedy="Correct its entry in models.toml.",
                )
        except TweenbridgeError:
            # It is what its source has, and no use: the next try begins anew.
            files.delete(parts)
            raise
        single = len(news.files) == 1
        target = files.free_place(id, models_folder(self._home), single)
        place = target if single else target / found.place.relative_to(parts)
        name = found.place.relative_to(parts).as_posix()
        holding = Holding(
            place=str(place),
            engine=entry.engine,
            role=entry.role,
            files={"": news.files[name]} if name in news.files else news.files,
            source=news.source,
            memory=entry.memory or found.memory,
            added=time.time(),
        )
        begun = self.register.facts.begun.get(id)
        # First: should the server be killed in between, getting the model again finds all of it among the parts, while
        # a model that nobody knows of would be somebody else's and be got a second time.
        self.register.change(lambda facts: with_begun(with_holding(facts, id, holding), id, None))
        try:
            files.settle(parts, target, news.files)
        except OSError:
            self.register.change(lambda facts: with_begun(with_holding(facts, id, None), id, begun))
            raise
        log.info("Model %s is here: %s", id, place)

    def _checked(self, id: str, news: Checked) -> None:
        there = self._find(id)
        if there is None:
            return
        wrong = (*news.missing, *news.damaged)
        single = "" in there.holding.files
        if not there.by_hand:
            seen = {name: news.files.get(name, known) for name, known in files.named(there.holding).items()}
            kept = there.holding.files if wrong else {("" if single else name): known for name, known in seen.items()}
            damaged = tuple("" if single else name for name in wrong)
            holding = replace(there.holding, files=kept, damaged=damaged)
            self.register.change(lambda facts: with_holding(facts, id, holding))
        if wrong:
            self._errors[id] = describe.damaged(there, wrong[0], wrong[0] in news.missing)
            log.warning("Model %s has %d files that are not what they should be: %s", id, len(wrong), ", ".join(wrong))
        else:
            # Headers too: what was never hashed before may be no model at all.
            recognise(Path(there.holding.place))
            log.info("Model %s is what it should be.", id)

    # ------------------------------------------------------------ describing

    def tell(self, id: str) -> ModelInfo | None:
        """Tell of a model's change; what it is now, None where it is no longer listed."""
        info = self.info(id)
        self._on_change(ModelChange(id, info))
        return info

    def info(self, id: str) -> ModelInfo | None:
        """One model as clients see it."""
        return next((info for info in self.infos() if info.model == id), None)

    def infos(self) -> tuple[ModelInfo, ...]:
        """All models as clients see them: the catalogue's in its order, then the user's own."""
        with self.lock:
            known, facts = self.catalogue(), self.register.facts
            loaded = {worker.model for worker in self._workers() if worker.model}
            there = present.present(self._home, known, facts)
            return describe.infos(known, facts, there, self._transfers.find, self._errors, loaded, self._home)

    def _find(self, id: str) -> Present | None:
        there = present.present(self._home, self.catalogue(), self.register.facts)
        return next((one for one in there if one.id == id), None)

    def catalogue(self) -> Catalogue:
        """What can be had."""
        return catalogue.load(self._home)
