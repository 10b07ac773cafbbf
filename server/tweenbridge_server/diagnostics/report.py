"""The doctor's report as a file to send to somebody: what was found, and what the log warned of, without the private.

Folders, the user's and the computer's names, addresses and keys are replaced; fields of the log, which hold the titles
of jobs, are left out. What remains says how Tweenbridge is, and nothing about whose it is or what it is used for.
"""

from __future__ import annotations

import getpass
import json
import platform
import re
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.version import __version__

from .checks import Check
from .logs import log_file

_FIRST_WORD = b"Tweenbridge "
_LOG_LINES = 40
_KEPT_BYTES = 400_000
# A path ends where a sentence goes on: at a quotation mark, a comma, a colon with a space. It may have spaces in it.
_REST = r"(?:(?!:\s)[^\"'`\n;,()<>])"
_PATH = re.compile(rf"(?<![\w~>/])/(?!/){_REST}+|\b[A-Za-z]:[\\/]{_REST}*|\\\\{_REST}+")
# Of those that begin below 10 only such with a port: the others are versions of libraries.
_ADDRESS = re.compile(
    r"\b(?!127\.)(?:[1-9]\d{1,2}(?:\.\d{1,3}){3}|\d(?:\.\d{1,3}){3}(?=:\d))\b|\b(?:[0-9a-fA-F]{1,4}:){4,}[0-9a-fA-F:]+"
)
_SECRET = re.compile(r"\b[0-9a-fA-F]{24,}\b")


@dataclass(frozen=True)
class Private:
    """What must not be in a report.

    Attributes:
        folders: their names for the reader, longest path first.
        words: names of the user and of the computer, and what stands for them.
    """

    folders: tuple[tuple[str, str], ...]
    words: tuple[tuple[str, str], ...]

    @classmethod
    def here(cls, data: Path) -> Private:
        """Of this computer and user."""
        home = Path.home()
        try:
            user = getpass.getuser()
        except (OSError, KeyError):
            user = home.name
        computer = socket.gethostname()
        return cls.of({"<data folder>": data, "~": home}, {"<user>": (user, home.name), "<computer>": (computer,)})

    @classmethod
    def of(cls, folders: dict[str, Path], words: dict[str, Sequence[str]]) -> Private:
        """Of given folders and names."""
        paths = {(str(form), name) for name, path in folders.items() for form in (path, path.resolve())}
        named = [(word, name) for name, many in words.items() for word in many if len(word) > 1]
        named += [(word.partition(".")[0], name) for word, name in named if len(word.partition(".")[0]) > 1]
        return cls(
            tuple(sorted((pair for pair in paths if pair[0] not in ("/", "")), key=lambda pair: -len(pair[0]))),
            tuple(sorted(set(named), key=lambda pair: -len(pair[0]))),
        )


def without_private(text: str, private: Private) -> str:
    """The text with placeholders for all that is private. Pure."""
    for path, name in private.folders:
        text = re.sub(re.escape(path) + f"{_REST}*", name, text, flags=re.IGNORECASE)
    text = _PATH.sub("<path>", text)
    text = _SECRET.sub("<key>", _ADDRESS.sub("<address>", text))
    for word, name in private.words:
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", name, text, flags=re.IGNORECASE)
    return text


def write(path: Path, home: Path, checks: Sequence[Check]) -> None:
    """Write the report, also over an older one.

    Raises:
        TweenbridgeError: BAD_REQUEST when the file is there and is no report.
        OSError: the file cannot be written.
    """
    if path.is_file() and path.stat().st_size and not path.read_bytes().startswith(_FIRST_WORD):
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, f"{path} is there already, and is no report.", remedy="Choose another file name."
        )
    lines = [
        f"Tweenbridge {__version__}, report of {time.strftime('%Y-%m-%d %H:%M')}",
        f"{platform.system()} {platform.release()}, {platform.machine()}, Python {platform.python_version()}",
        "",
        *(f"{check.verdict.value:<6} {check.name}: {check.found}" for check in checks),
        "",
        "Warnings and errors of the server's log, newest last:",
        *(_warnings(home) or ["none"]),
        "",
    ]
    path.write_text(without_private("\n".join(lines), Private.here(home)), encoding="utf-8")


def _warnings(home: Path) -> list[str]:
    try:
        with log_file(home).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _KEPT_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return list(_told(text))[-_LOG_LINES:]


def _told(text: str) -> Iterator[str]:
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("level") in ("warning", "error", "critical"):
            # Of a traceback the kind of error alone: its words may name anything.
            failed = str(entry.get("error", "")).strip().splitlines()[-1:] or [""]
            words = [str(entry.get(name, "")) for name in ("time", "level", "source", "message", "code")]
            yield " ".join([*words, failed[0].partition(":")[0]]).strip()
