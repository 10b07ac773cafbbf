"""The models that can be had: `catalogue.toml` beside this file, and the user's own entries in `models.toml`.

An entry is data: what it is, under which licence, where it can be had, and what its files are. A mistake in the user's
file is told in one sentence that names the entry and the key; the entries without mistakes are used all the same.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from tweenbridge.protocol.models import ModelOrigin, ModelRole

from ..engines.dreammover.hub import is_hub_id

ENGINES: Final = ("dreammover",)
"""Engines that take models."""
_OWN_FILE: Final = "models.toml"
_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
MOST_TEXT: Final = 300


class BadEntry(ValueError):
    """An entry that cannot be used; its words follow the entry's name in a sentence."""


@dataclass(frozen=True)
class KnownFile:
    """What a file must be: bytes, and SHA-256 in lower-case hexadecimal digits; None and "" where not known."""

    size: int | None = None
    sha256: str = ""


@dataclass(frozen=True)
class HubSource:
    """A repository on the hub.

    Attributes:
        repository: "organisation/name".
        revision: a commit, or a branch or tag.
        files: the paths to get; may hold the wildcards * and ?.
    """

    repository: str
    revision: str
    files: tuple[str, ...]

    def __str__(self) -> str:
        return self.repository


@dataclass(frozen=True)
class UrlSource:
    """Plain HTTP: one file, or, where the address ends in a slash, the `files` under it."""

    url: str
    files: tuple[str, ...]

    def __str__(self) -> str:
        return self.url

    def addresses(self) -> Iterator[tuple[str, str]]:
        """Each file's path in the model and its address."""
        for path in self.files:
            yield path, self.url + path if self.url.endswith("/") else self.url


@dataclass(frozen=True)
class OwnSource:
    """It comes with Tweenbridge: a folder of the server's package, used as it lies.

    Only Tweenbridge's own entries have it. No files are named, for none is ever fetched.
    """

    folder: str
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "comes with Tweenbridge"

    @property
    def place(self) -> Path:
        """Where it lies."""
        return Path(__file__).resolve().parents[1] / self.folder


Source = HubSource | UrlSource | OwnSource


@dataclass(frozen=True)
class Terms:
    """A licence; `ask`: the user must accept it before the model is fetched."""

    name: str
    link: str = ""
    ask: bool = True


@dataclass(frozen=True)
class Entry:
    """A model that can be had."""

    id: str
    title: str
    engine: str
    role: ModelRole
    sources: tuple[Source, ...]
    origin: ModelOrigin
    memory: int = 0
    notes: str = ""
    terms: Terms | None = None
    files: Mapping[str, KnownFile] = field(default_factory=dict)

    @property
    def built_in(self) -> Path | None:
        """Where it lies, if it comes with Tweenbridge."""
        return next((source.place for source in self.sources if isinstance(source, OwnSource)), None)

    @property
    def size(self) -> int:
        """Bytes of the files whose size is known."""
        return sum(known.size or 0 for known in self.files.values())


@dataclass(frozen=True)
class Catalogue:
    """All entries in order, and what is wrong with the user's file: one sentence each."""

    entries: tuple[Entry, ...]
    problems: tuple[str, ...] = ()

    def find(self, id: str) -> Entry | None:
        """The entry of that id."""
        return next((entry for entry in self.entries if entry.id == id), None)


def own_file(home: Path) -> Path:
    """Where the user's entries stand; it need not exist."""
    return home / _OWN_FILE


def load(home: Path) -> Catalogue:
    """Tweenbridge's entries and then the user's. Never fails for the user's file: see `problems`."""
    built_in = _built_in()
    path = own_file(home)
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Catalogue(built_in)
    except (OSError, UnicodeDecodeError) as error:
        return Catalogue(built_in, (f"{path} cannot be read: {error}.",))
    try:
        content = _parse(text)
    except ValueError as error:
        return Catalogue(built_in, (f"{path} is no proper TOML: {error}.",))
    own, problems = _entries(content, ModelOrigin.OWN, {entry.id for entry in built_in})
    return Catalogue((*built_in, *own), tuple(f"{path}: {problem}" for problem in problems))


@cache
def _built_in() -> tuple[Entry, ...]:
    text = Path(__file__).with_name("catalogue.toml").read_text("utf-8")
    entries, problems = _entries(_parse(text), ModelOrigin.CATALOGUE, set())
    assert not problems, problems
    return entries


def _parse(text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    content: dict[str, Any] = tomllib.loads(text)
    return content


def _entries(
    content: Mapping[str, Any], origin: ModelOrigin, taken: set[str]
) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    found: list[Entry] = []
    problems = [f"{name} is not known; entries are called [[model]]." for name in content if name != "model"]
    tables = content.get("model", [])
    if not isinstance(tables, list):
        return (), (*problems, "model must be a list of tables, written [[model]].")
    for number, table in enumerate(tables, 1):
        name = f"model {number}"
        try:
            if not isinstance(table, dict):
                raise BadEntry("must be a table.")
            if isinstance(table.get("id"), str):
                name = f"model {table['id'][:64]!r}"
            entry = _entry(table, origin)
            if entry.id in taken:
                raise BadEntry("has an id that another entry has already.")
        except BadEntry as problem:
            problems.append(f"{name} {problem}")
        else:
            taken.add(entry.id)
            found.append(entry)
    return tuple(found), tuple(problems)


def _entry(table: Mapping[str, Any], origin: ModelOrigin) -> Entry:
    known = {"id", "title", "engine", "role", "memory", "notes", "licence", "source", "file"}
    _only(table, known, "")
    id = _text(table, "id")
    if not _ID.fullmatch(id):
        raise BadEntry("has an id that is not 1 to 64 small letters, digits, dots, dashes or underscores.")
    engine = _text(table, "engine", "dreammover")
    if engine not in ENGINES:
        raise BadEntry(f"names the engine {engine!r}; engines that take models: {', '.join(ENGINES)}.")
    try:
        role = ModelRole(_text(table, "role", "model"))
    except ValueError:
        raise BadEntry("has a role that is not model, vae or lora.") from None
    sources = table.get("source")
    if not isinstance(sources, list) or not sources:
        raise BadEntry("has no [[model.source]].")
    return Entry(
        id=id,
        title=_text(table, "title", id),
        engine=engine,
        role=role,
        sources=tuple(_source(source, origin) for source in sources),
        origin=origin,
        memory=_size(table.get("memory", 0), "memory"),
        notes=_text(table, "notes", ""),
        terms=_terms(table.get("licence")),
        files=_files(table.get("file", {})),
    )


def _source(table: Any, origin: ModelOrigin) -> Source:
    if origin is ModelOrigin.CATALOGUE and isinstance(table, dict) and "package" in table:
        _only(table, {"package"}, " in a source")
        return OwnSource(_text(table, "package"))
    if not isinstance(table, dict) or ("hub" in table) == ("url" in table):
        raise BadEntry("has a source that names neither hub nor url, or both.")
    files = table.get("files", [])
    if not isinstance(files, list) or not all(isinstance(name, str) and is_inside(name) for name in files):
        raise BadEntry("has a source whose files are not a list of paths inside the model.")
    if "hub" in table:
        _only(table, {"hub", "revision", "files"}, " in a source")
        repository = _text(table, "hub")
        if not is_hub_id(repository) or "@" in repository:
            raise BadEntry(f"has a source whose hub is {repository!r}, not organisation/name.")
        if not files:
            raise BadEntry("has a source on the hub without files.")
        return HubSource(repository, _text(table, "revision", "main"), tuple(files))
    _only(table, {"url", "files"}, " in a source")
    url = _text(table, "url")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadEntry(f"has a source whose url is {url!r}; it must begin with https:// or http://.")
    if url.endswith("/"):
        if not files or any("*" in name or "?" in name for name in files):
            raise BadEntry("has a source whose url ends in a slash; its files must be listed, without wildcards.")
        return UrlSource(url, tuple(files))
    name = unquote(parts.path).rpartition("/")[2]
    if files or not is_inside(name) or not name.endswith(".safetensors"):
        raise BadEntry("has a source whose url is no .safetensors file, and does not end in a slash with files.")
    return UrlSource(url, (name,))


def is_inside(path: str) -> bool:
    """Whether a relative path with forward slashes stays in its folder, on every system."""
    parts = path.split("/")
    return 0 < len(path) <= MOST_TEXT and all(
        part not in ("", ".", "..") and not re.search(r'[\\:<>"|\x00-\x1f]', part) for part in parts
    )


def _terms(table: Any) -> Terms | None:
    if table is None:
        return None
    if not isinstance(table, dict):
        raise BadEntry("has a licence that is not a table with name and link.")
    _only(table, {"name", "link", "ask"}, " in its licence")
    ask = table.get("ask", True)
    if not isinstance(ask, bool):
        raise BadEntry("has a licence whose ask is neither true nor false.")
    return Terms(_text(table, "name"), _text(table, "link", ""), ask)


def _files(table: Any) -> dict[str, KnownFile]:
    if not isinstance(table, dict):
        raise BadEntry("has files that are not a table [model.file].")
    found = {}
    for path, facts in table.items():
        if not is_inside(path) or not isinstance(facts, dict):
            raise BadEntry(f"says of the file {path!r} something else than size and sha256.")
        _only(facts, {"size", "sha256"}, f" of the file {path!r}")
        digest = facts.get("sha256", "")
        if not isinstance(digest, str) or (digest and not _HASH.fullmatch(digest)):
            raise BadEntry(f"has for {path!r} a sha256 that is not 64 small hexadecimal digits.")
        size = _size(facts["size"], f"the size of {path!r}") if "size" in facts else None
        found[path] = KnownFile(size, digest)
    return found


def _only(table: Mapping[str, Any], known: set[str], where: str) -> None:
    strange = sorted(set(table) - known)
    if strange:
        raise BadEntry(f"has a key {strange[0]!r}{where} that is not known.")


def _text(table: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = table.get(key, default)
    if value is None:
        raise BadEntry(f"has no {key}.")
    if not isinstance(value, str) or len(value) > MOST_TEXT or (default is None and not value):
        raise BadEntry(f"has a {key} that is not a text of at most {MOST_TEXT} characters.")
    return value


def _size(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**50:
        raise BadEntry(f"has {what} that is not a number of bytes.")
    return value
