"""`tweenbridge keys` and `tweenbridge use`: who of other machines gets in here, and which server is used from here."""

from __future__ import annotations

import os
import re
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from tweenbridge.discovery import (
    ServerAddress,
    address_text,
    chosen_file,
    load_address,
    read_address,
    write_private,
)
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import PROTOCOL_VERSIONS

from ..config import load_config
from ..transport.client_keys import all_keys, create_key, find_key, revoke_key
from ..transport.keys import kept_keys
from .console import print_json, say

_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+")


def create(home: Path, name: str, admin: bool) -> None:
    """Make a key and say what to do with it."""
    create_key(home, name, admin)
    what = "an administrator's key" if admin else "a key"
    say(f"{name} is {what} now. `tweenbridge keys export {name} FILE` writes the file for the client's machine.")


def show(home: Path, as_json: bool) -> None:
    """Print the keys, never their secrets."""
    keys = all_keys(home)
    if as_json:
        print_json([{"name": key.name, "admin": key.admin, "created": key.created} for key in keys])
        return
    if not keys:
        print("There are no keys: only this machine's programs may use the server.")
    width = max((len(key.name) for key in keys), default=0)
    for key in keys:
        made = time.strftime("%Y-%m-%d", time.localtime(key.created))
        print(f"{key.name:<{width}}  {made}{'  administrator' if key.admin else ''}")


def revoke(home: Path, name: str) -> None:
    """Take a key away."""
    revoke_key(home, name)
    say(f"The key {name} opens nothing any more.")


def export(home: Path, name: str, file: Path, at: str) -> None:
    """Write a key file that only its user may read.

    Raises:
        TweenbridgeError: BAD_REQUEST when there is no such key, the port is not known, or the file cannot be written.
    """
    key = find_key(home, name)
    keys = kept_keys(home)
    assert keys.curve is not None, "the keys of a server for other machines are a pair"
    address = ServerAddress(
        endpoint=_endpoint(home, at),
        token=keys.token,
        pid=0,
        started=0.0,
        versions=PROTOCOL_VERSIONS,
        curve_key=keys.curve.public,
        client_secret=key.secret,
    )
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as output:
            output.write(address_text(address))
    except FileExistsError:
        raise _refused(f"{file} exists already.", "Choose another name, or remove the file.") from None
    except OSError as error:
        raise _refused(f"{file} cannot be written: {error.strerror}.", "Choose another place.") from error
    say(f"{file} is the key of {name} for {address.endpoint}. Take it there by a way that nobody else reads.")


def _endpoint(home: Path, at: str) -> str:
    host, port = split_address(at) if at else ("", None)
    if not port:
        port = load_config(home).port or _running_port(home)
    if not port:
        raise _refused(
            "The server has no port of its own yet.",
            "Set one, `tweenbridge config --set server.port=47800`, or say it: --at HOST:PORT.",
        )
    host = host or socket.gethostname()
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def _running_port(home: Path) -> int | None:
    running = read_address(home)
    return urlsplit(running.endpoint).port if running is not None and running.curve_key is not None else None


def split_address(text: str) -> tuple[str, int | None]:
    """The host and the port of `tcp://HOST:PORT`, `HOST:PORT`, `[HOST]:PORT` or `HOST`; None where no port is named.

    Raises:
        TweenbridgeError: BAD_REQUEST.
    """
    try:
        parts = urlsplit(text if "://" in text else f"tcp://{text}")
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "tcp" and _HOST.fullmatch(host) and not (parts.path or parts.query or parts.username):
            return host, port
    except ValueError:
        pass
    raise _refused(f"{text[:80]!r} is no address.", "Write it like tcp://0.0.0.0:47800.")


def use(home: Path, file: Path | None, own: bool = False) -> None:
    """Have this machine's programs use the server of a key file, or their own again.

    Raises:
        TweenbridgeError: BAD_REQUEST when the file is no key file, or both or neither are asked for.
    """
    if own == (file is not None):
        raise _refused("It is not clear which server is meant.", "Name a key file, or give --own.")
    if file is None:
        chosen_file(home).unlink(missing_ok=True)
        say("The programs of this machine use its own server.")
        return
    address = load_address(file)
    if address is None:
        raise _refused(f"{file} is no key file.", "Take one that `tweenbridge keys export` wrote.")
    write_private(chosen_file(home), address_text(address))
    say(f"The programs of this machine use the server at {address.endpoint}. Restart those that are open.")


def _refused(message: str, remedy: str) -> TweenbridgeError:
    return TweenbridgeError(ErrorCode.BAD_REQUEST, message, remedy=remedy)
