"""What is known of the models on this machine, kept in `models.json`: which files, whose, used when, under what terms.

One process writes it, the server's; others may read it. It is written anew as a whole and renamed, so it is never half.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tweenbridge.protocol.codec import from_plain, to_plain
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.models import ModelRole

from .catalogue import KnownFile

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Holding:
    """A model that is here.

    Attributes:
        place: its folder or file, absolute.
        engine, role: what it is for.
        reference: its files are somebody else's.
        title: what the user calls it; "" takes the catalogue's title.
        files: what each file was when it came or was last verified, by its path from `place` ("" for `place` itself).
        source: where it was downloaded from.
        memory: bytes it needs on the device; 0 where not known.
        damaged: files that were not what they should be when they were last verified.
        added: when it came, in seconds since 1970 (UTC).
    """

    place: str
    engine: str
    role: ModelRole
    reference: bool = False
    title: str = ""
    files: dict[str, KnownFile] = field(default_factory=dict)
    source: str = ""
    memory: int = 0
    damaged: tuple[str, ...] = ()
    added: float = 0.0


@dataclass(frozen=True)
class Begun:
    """A download that is not finished.

    Attributes:
        wanted: it goes on by itself when the server starts.
        total: bytes in all, as far as known.
        here: what files were that are here from before, when a model is being repaired.
    """

    wanted: bool
    total: int = 0
    here: dict[str, KnownFile] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """Everything the register holds.

    Attributes:
        holdings: models that are here, by id.
        begun: unfinished downloads, by id.
        accepted: when the licence of a model was accepted, by id.
        preferred: by "engine/role", the id that is taken where a job names none.
        used: when an engine last worked with a model, by id.
    """

    holdings: dict[str, Holding] = field(default_factory=dict)
    begun: dict[str, Begun] = field(default_factory=dict)
    accepted: dict[str, float] = field(default_factory=dict)
    preferred: dict[str, str] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)


def register_file(home: Path) -> Path:
    """Where the register lies; it need not exist."""
    return home / "models.json"


def read(home: Path) -> Facts:
    """What the register holds; nothing where it is absent or damaged, which is logged."""
    path = register_file(home)
    try:
        facts: Facts = from_plain(Facts, json.loads(path.read_bytes()))
    except FileNotFoundError:
        return Facts()
    except (OSError, ValueError, TweenbridgeError) as error:
        log.error("%s cannot be read and counts as empty: %s", path, error)
        return Facts()
    return facts


class Register:
    """The register of a data folder, for the one process that writes it. Thread-safe."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._facts: Facts | None = None

    @property
    def facts(self) -> Facts:
        """What it holds."""
        with self._lock:
            return self._known()

    def change(self, change: Callable[[Facts], Facts]) -> Facts:
        """Change it and write it down.

        Raises:
            TweenbridgeError: DISK_FULL: it could not be written; nothing has changed.
        """
        with self._lock:
            facts = change(self._known())
            if facts != self._facts:
                try:
                    self._write(facts)
                except OSError as error:
                    raise TweenbridgeError(
                        ErrorCode.DISK_FULL,
                        f"{register_file(self._home)} cannot be written: {error.strerror or error}.",
                        remedy="Free some disk space, or give yourself the right to write there.",
                    ) from error
                self._facts = facts
            return facts

    def _known(self) -> Facts:
        if self._facts is None:
            self._set_aside_if_damaged()
            self._facts = read(self._home)
        return self._facts

    def _set_aside_if_damaged(self) -> None:
        path = register_file(self._home)
        try:
            from_plain(Facts, json.loads(path.read_bytes()))
        except OSError:
            return
        except (ValueError, TweenbridgeError):
            # What it said may still be read by a person.
            path.replace(path.with_suffix(".damaged.json"))

    def _write(self, facts: Facts) -> None:
        path = register_file(self._home)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".models-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(to_plain(facts), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def with_holding(facts: Facts, id: str, holding: Holding | None) -> Facts:
    """The same with another holding, or without it."""
    rest = {name: one for name, one in facts.holdings.items() if name != id}
    return replace(facts, holdings={**rest, id: holding} if holding is not None else rest)


def forgotten(facts: Facts, id: str) -> Facts:
    """The same without a model and what was said of it; that its licence was accepted stays."""
    preferred = {key: name for key, name in facts.preferred.items() if name != id}
    used = {name: when for name, when in facts.used.items() if name != id}
    return replace(with_holding(facts, id, None), preferred=preferred, used=used)


def with_begun(facts: Facts, id: str, begun: Begun | None) -> Facts:
    """The same with another unfinished download, or without it."""
    rest = {name: one for name, one in facts.begun.items() if name != id}
    return replace(facts, begun={**rest, id: begun} if begun is not None else rest)
