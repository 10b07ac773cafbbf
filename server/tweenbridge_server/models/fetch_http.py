"""One file over HTTP: what is here already is kept, a lost connection is taken up again, a changed file begins anew.

Ranges: RFC 9110, section 14. The connection is huggingface_hub's session, so that proxies and certificates are the same
for the hub and for plain addresses.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

from tweenbridge.protocol.errors import TweenbridgeError

from .orders import download_failed
from .partial import Partial

_TRIES: Final = 4
"""Attempts in a row that bring nothing new before it is given up."""
_FIRST_WAIT: Final = 0.25
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers of a server that is in trouble at the moment."""
_PLENTY: Final = 2**20
"""Bytes after which what was written is handed to the system."""


@dataclass(frozen=True)
class Remote:
    """A file at an address.

    Attributes:
        path: its path in the model, for messages.
        size: bytes, where known.
        tag: what this very version is called, where known; else what the server calls it decides.
        headers: to be sent with the request.
        refused: makes the error of an answer that is none of the usual ones; raises it.
    """

    path: str
    url: str
    size: int | None = None
    tag: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    refused: Callable[[Any], None] | None = None


class Interrupted(Exception):
    """The connection was lost, or the server is in trouble: worth another try."""


def fetch(
    session: Any, remote: Remote, partial: Partial, stall: float, told: Callable[[], None],
    room: Callable[[int], None],
) -> None:  # fmt: skip
    """Bring a file here as far as `partial.finish`, which is the caller's.

    Args:
        session: huggingface_hub's.
        stall: seconds without a byte after which the connection counts as lost.
        told: called whenever bytes have come, or are given up.
        room: called with the bytes to come, once they are known; raises when there is no room for them.

    Raises:
        TweenbridgeError: DOWNLOAD_FAILED, saying why.
    """
    transport = transport_of(session)
    if remote.tag:
        partial.belongs_to(remote.tag)
    fruitless = 0
    while True:
        before = partial.size
        try:
            _attempt(session, remote, partial, stall, told, room)
            return
        except (transport.TransportError, Interrupted) as error:
            fruitless = 0 if partial.size > before else fruitless + 1
            if fruitless >= _TRIES:
                raise explain(transport, error, remote.url, stall) from error
            time.sleep(_FIRST_WAIT * 2**fruitless)


def transport_of(session: Any) -> ModuleType:
    """The HTTP library that the session is of: httpx or httpx2, which raise the same errors under the same names."""
    return importlib.import_module(type(session).__module__.partition(".")[0])


def explain(transport: ModuleType, error: Exception, url: str, stall: float) -> TweenbridgeError:
    """A failed connection as a sentence."""
    host = urlsplit(url).hostname or url
    if isinstance(error, transport.ProxyError):
        remedy = "Check the proxy in the settings (models.proxy) or in the environment (HTTPS_PROXY)."
        return download_failed(f"The proxy on the way to {host} refuses the connection.", remedy)
    if isinstance(error, transport.ConnectError):
        return download_failed(f"{host} cannot be reached.")
    if isinstance(error, transport.TimeoutException):
        return download_failed(f"{host} has sent nothing for {stall:g} seconds.")
    words = str(error).strip().rstrip(".")[:200]
    return download_failed(f"The connection to {host} was lost several times{f' ({words})' if words else ''}.")


def _attempt(
    session: Any, remote: Remote, partial: Partial, stall: float, told: Callable[[], None],
    room: Callable[[int], None],
) -> None:  # fmt: skip
    headers = {**remote.headers, "Accept-Encoding": "identity"}
    if remote.size is not None and partial.size > remote.size:
        partial.restart()
    if remote.size is not None and partial.size == remote.size:
        return
    if partial.size and not remote.tag and not partial.tag:
        # Nothing tells whether what is here belongs to what is there now.
        partial.restart()
    if partial.size:
        headers["Range"] = f"bytes={partial.size}-"
        if not remote.tag:
            headers["If-Range"] = partial.tag
    with session.stream("GET", remote.url, headers=headers, timeout=stall, follow_redirects=True) as response:
        if response.status_code == 416:
            # Shorter there than what is here: it is another file.
            partial.restart()
            told()
            raise Interrupted("the server has fewer bytes than are here")
        _check_status(response, remote)
        start = _start(response)
        if start != partial.size:
            partial.restart()
            told()
            if start:
                raise Interrupted("the server sent another part than was asked for")
        if not remote.tag:
            _note_version(partial, response, start)
        whole = remote.size if remote.size is not None else _whole(response, start)
        if whole is not None:
            room(whole - partial.size)
        _receive(response, partial, told)
    if whole is not None and partial.size < whole:
        raise Interrupted("it ended early")


def _receive(response: Any, partial: Partial, told: Callable[[], None]) -> None:
    unsaid = 0
    try:
        for chunk in response.iter_bytes():
            partial.write(chunk)
            unsaid += len(chunk)
            if unsaid >= _PLENTY:
                partial.flush()
                unsaid = 0
            told()
    finally:
        partial.flush()


def _check_status(response: Any, remote: Remote) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    if status in _LATER:
        raise Interrupted(f"the server answers {status}")
    if remote.refused is not None:
        remote.refused(response)
    host = urlsplit(remote.url).hostname
    if status in (404, 410):
        raise download_failed(
            f"{remote.path!r} is no longer at {host}.",
            "Get the model from somewhere else and import it, or correct its address in models.toml.",
        )
    if status in (401, 403):
        raise download_failed(f"{host} does not let you have {remote.path!r}.", "Ask there for access.")
    raise download_failed(f"{host} answers {status} when asked for {remote.path!r}.")


def _start(response: Any) -> int:
    """The place of the first byte that comes."""
    if response.status_code != 206:
        return 0
    words = str(response.headers.get("Content-Range", "")).partition(" ")[2].partition("-")[0]
    return int(words) if words.isdigit() else -1


def _whole(response: Any, start: int) -> int | None:
    """The size of the whole file as the server says it."""
    length = str(response.headers.get("Content-Length", ""))
    encoded = response.headers.get("Content-Encoding", "identity") != "identity"
    return start + int(length) if length.isdigit() and not encoded else None


def _note_version(partial: Partial, response: Any, start: int) -> None:
    etag = str(response.headers.get("ETag", ""))
    version = etag if etag and not etag.startswith("W/") else str(response.headers.get("Last-Modified", ""))
    if version != partial.tag:
        partial.belongs_to(version)
        if start:
            raise Interrupted("the server sent a part of another version")
