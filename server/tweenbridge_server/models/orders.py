"""What the server and its helper process tell each other: an order goes in, news come out, one line of JSON each.

Only the two processes of one installation speak this; it is no wire protocol.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tweenbridge.protocol.codec import from_plain, to_plain
from tweenbridge.protocol.errors import ErrorCode, ErrorInfo, TweenbridgeError

from .catalogue import KnownFile


@dataclass(frozen=True)
class Place:
    """Where files can be had: a repository on the hub, or the address of each file by its path."""

    hub: str = ""
    revision: str = ""
    files: tuple[str, ...] = ()
    addresses: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.hub or next(iter(self.addresses.values()), "")


@dataclass(frozen=True)
class FetchOrder:
    """To the helper: get files into a folder, from the first place that has them.

    Attributes:
        known: what files must be, where that is known beforehand.
        here: what files must be that are in the folder already, to be kept where nothing else tells.
        stall: seconds without a byte after which a connection counts as lost.
    """

    TYPE: ClassVar[str] = "fetch"
    folder: str
    places: tuple[Place, ...]
    known: dict[str, KnownFile]
    here: dict[str, KnownFile]
    stall: float


@dataclass(frozen=True)
class CheckOrder:
    """To the helper: read files and say what they are. `git`: their hash as git makes it, where only that is known."""

    TYPE: ClassVar[str] = "check"
    folder: str
    files: dict[str, KnownFile]
    git: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Counted:
    """From the helper: so many bytes are done, of so many in all."""

    TYPE: ClassVar[str] = "counted"
    done: int
    total: int


@dataclass(frozen=True)
class Fetched:
    """From the helper: all files are there and are what they should be. `source`: which place they came from."""

    TYPE: ClassVar[str] = "fetched"
    files: dict[str, KnownFile]
    source: str


@dataclass(frozen=True)
class Checked:
    """From the helper: what the files are, and which of them are not what they should be, or not there."""

    TYPE: ClassVar[str] = "checked"
    files: dict[str, KnownFile]
    damaged: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Failed:
    """From the helper: it cannot go on. What is there stays."""

    TYPE: ClassVar[str] = "failed"
    error: ErrorInfo


Order = FetchOrder | CheckOrder
News = Counted | Fetched | Checked | Failed

_KINDS: dict[str, type] = {kind.TYPE: kind for kind in (FetchOrder, CheckOrder, Counted, Fetched, Checked, Failed)}


def to_line(message: Order | News) -> str:
    """One line, without its end."""
    return json.dumps({"t": message.TYPE, **to_plain(message)})


def from_line(line: str | bytes) -> Any:
    """The message of a line. ValueError or TweenbridgeError when it is none."""
    content = json.loads(line)
    return from_plain(_KINDS[content["t"]], content)


def size_words(count: int) -> str:
    """Bytes as an error says them."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def disk_full(needed: int, free: int) -> TweenbridgeError:
    """The error for a disk without room for what is to come."""
    return TweenbridgeError(
        ErrorCode.DISK_FULL,
        f"The model needs {size_words(needed)} on the disk, and {size_words(free)} are free.",
        remedy="Free some disk space, then get the model again; what is here is kept.",
    )


def download_failed(message: str, remedy: str | None = None) -> TweenbridgeError:
    """The error for a download that cannot go on."""
    return TweenbridgeError(ErrorCode.DOWNLOAD_FAILED, message, remedy=remedy)
