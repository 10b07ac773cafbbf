"""The keys of clients on other machines: one named CURVE key pair each, a file in the data folder's `keys`.

A key is there or it is not; it never changes. So the folder can be read again at any time, and a running server
follows what `tweenbridge keys` does to it.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq
from tweenbridge.discovery import private_folder, write_private
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_PREFIX, _SUFFIX = "client-", ".json"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClientKey:
    """One client's key.

    Attributes:
        name: what the user calls it; its jobs belong to this name.
        public, secret: the CURVE pair, Z85.
        admin: its holder sees and changes everybody's jobs, the models and the server.
        created: seconds since 1970.
    """

    name: str
    public: str
    secret: str
    admin: bool
    created: float


def keys_folder(home: Path) -> Path:
    """Where the keys lie."""
    return home / "keys"


def _file(home: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST,
            f"{name[:60]!r} cannot be the name of a key.",
            remedy="Take 1 to 40 letters, digits, dots, dashes and underscores, the first a letter or a digit.",
        )
    return keys_folder(home) / f"{_PREFIX}{name}{_SUFFIX}"


def create_key(home: Path, name: str, admin: bool) -> ClientKey:
    """Make a key.

    Raises:
        TweenbridgeError: BAD_REQUEST for a name that is none; CONFLICT for one that is taken, in whatever case.
    """
    path = _file(home, name)
    if name.casefold() in (key.name.casefold() for key in all_keys(home)) or path.exists():
        raise TweenbridgeError(
            ErrorCode.CONFLICT,
            f"There is a key named {name} already.",
            remedy=f"Choose another name, or run `tweenbridge keys revoke {name}` first.",
        )
    public, secret = (part.decode("ascii") for part in zmq.curve_keypair())
    key = ClientKey(name, public, secret, admin, time.time())
    content = {"name": name, "public": public, "secret": secret, "admin": admin, "created": key.created}
    try:
        write_private(path, json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise _unwritable(home, error) from error
    return key


def revoke_key(home: Path, name: str) -> None:
    """Take a key away.

    Raises:
        TweenbridgeError: BAD_REQUEST when there is none of that name.
    """
    path = _file(home, name)
    try:
        path.unlink()
    except FileNotFoundError:
        raise unknown_key(name) from None
    except OSError as error:
        raise _unwritable(home, error) from error


def find_key(home: Path, name: str) -> ClientKey:
    """The key of that name.

    Raises:
        TweenbridgeError: BAD_REQUEST when there is none.
    """
    key = _read(_file(home, name))
    if key is None:
        raise unknown_key(name)
    return key


def all_keys(home: Path) -> list[ClientKey]:
    """Every key that can be read, by name."""
    found = (_read(path) for path in sorted(keys_folder(home).glob(f"{_PREFIX}*{_SUFFIX}")))
    return [key for key in found if key is not None]


def unknown_key(name: str) -> TweenbridgeError:
    """The error for a name that no key has."""
    return TweenbridgeError(
        ErrorCode.BAD_REQUEST, f"There is no key named {name}.", remedy="`tweenbridge keys list` shows those there are."
    )


def _unwritable(home: Path, error: OSError) -> TweenbridgeError:
    return TweenbridgeError(
        ErrorCode.BAD_REQUEST,
        f"The folder {keys_folder(home)} cannot be written: {error.strerror}.",
        remedy="Look after its permissions and the disk's free space.",
    )


def _read(path: Path) -> ClientKey | None:
    """The key in a file; None where there is none that could let anybody in."""
    try:
        content: Any = json.loads(path.read_text(encoding="ascii"))
        key = ClientKey(
            name=str(content["name"]),
            public=str(content["public"]),
            secret=str(content["secret"]),
            admin=content["admin"] is True,
            created=float(content["created"]),
        )
        if path.name != f"{_PREFIX}{key.name}{_SUFFIX}" or not _NAME.fullmatch(key.name):
            raise ValueError("the file has another name than the key")
        if zmq.curve_public(key.secret.encode("ascii")) != key.public.encode("ascii"):
            raise ValueError("the pair does not belong together")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError, zmq.ZMQError) as error:
        log.warning("The key file %s is not used, because it cannot be understood: %s", path.name, error)
        return None
    return key


class KeyRing:
    """The keys as they are now, by public key. Looks at the folder only, as long as nothing changes in it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._seen: object = None
        self._keys: dict[str, ClientKey] = {}
        private_folder(keys_folder(home))
        self.refresh()

    def refresh(self) -> None:
        """Take up what has changed in the folder. A folder that cannot be read lets nobody in."""
        try:
            with os.scandir(keys_folder(self._home)) as entries:
                seen = sorted(
                    (entry.name, status.st_mtime_ns, status.st_ino, status.st_size)
                    for entry in entries
                    for status in (entry.stat(),)
                )
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                log.error("The keys of clients cannot be read, so nobody is let in: %s", error)
            self._seen, self._keys = None, {}
            return
        if seen != self._seen:
            self._keys = {key.public: key for key in all_keys(self._home)}
            self._seen = seen

    def find(self, public: str) -> ClientKey | None:
        """The key whose public half this is."""
        return self._keys.get(public)
