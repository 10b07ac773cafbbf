"""Where the running server is: a small file, readable by its user alone, that the server writes once it listens.

The file may be stale; whether a server lives is decided by the lock beside it, and by trying to talk to it.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from .protocol.errors import ErrorCode, TweenbridgeError

_REPLACE_ATTEMPTS = 20
_CURVE_KEY_LENGTH = 40


@dataclass(frozen=True)
class ServerAddress:
    """How to reach one server.

    Attributes:
        endpoint: ZeroMQ endpoint, e.g. "tcp://127.0.0.1:40123".
        token: secret that both sides prove to hold.
        pid: the server's process id, on its own machine.
        started: when it started, in seconds since 1970 (UTC).
        versions: protocol versions it speaks, newest first.
        curve_key: its public CURVE key (40 characters, Z85), where the transport is encrypted.
        client_secret: the secret CURVE key that lets the client in there; both keys are there or none.
    """

    endpoint: str
    token: bytes
    pid: int
    started: float
    versions: tuple[int, ...]
    curve_key: Optional[str] = None
    client_secret: Optional[str] = None


def data_dir() -> Path:
    """The folder for everything Tweenbridge keeps: `$TWEENBRIDGE_HOME`, else the platform's folder for user data."""
    chosen = os.environ.get("TWEENBRIDGE_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
        return (Path(base) if base else Path.home() / "AppData" / "Local") / "tweenbridge"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "tweenbridge"
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "tweenbridge"


def address_file(home: Path) -> Path:
    """The file that tells where the server of this data folder is."""
    return home / "run" / "server.json"


def lock_file(home: Path) -> Path:
    """The file whose lock makes its holder the one server of this data folder."""
    return home / "run" / "server.lock"


def private_folder(path: Path) -> Path:
    """Make a folder that only its user may enter, and return it. Folders above it that are missing are made alike."""
    for folder in reversed([path, *path.parents]):
        folder.mkdir(exist_ok=True, mode=0o700)
    if os.name == "posix":
        path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file that only its user may read, so that readers see all of it or what was there before."""
    private_folder(path.parent)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _replace(source: Path, target: Path) -> None:
    for attempt in range(_REPLACE_ATTEMPTS):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            # Windows refuses while another process reads the old file, which takes it well under a second.
            if os.name == "posix" or attempt == _REPLACE_ATTEMPTS - 1:
                raise
            time.sleep(0.02)


def address_text(address: ServerAddress) -> str:
    """What `load_address` reads."""
    content: dict[str, Any] = {
        "endpoint": address.endpoint,
        "token": address.token.hex(),
        "pid": address.pid,
        "started": address.started,
        "versions": list(address.versions),
    }
    if address.curve_key is not None:
        content["curve_key"] = address.curve_key
        content["client_secret"] = address.client_secret
    return json.dumps(content, indent=1) + "\n"


def write_address(address: ServerAddress, home: Path) -> None:
    """Tell clients where this server is."""
    write_private(address_file(home), address_text(address))


def _parse(content: Any) -> ServerAddress:
    address = ServerAddress(
        endpoint=content["endpoint"],
        token=bytes.fromhex(content["token"]),
        pid=int(content["pid"]),
        started=float(content["started"]),
        versions=tuple(int(version) for version in content["versions"]),
        curve_key=content.get("curve_key"),
        client_secret=content.get("client_secret"),
    )
    if not isinstance(address.endpoint, str) or not address.token:
        raise ValueError("no endpoint or no token")
    keys = (address.curve_key, address.client_secret)
    if keys != (None, None) and not all(isinstance(key, str) and len(key) == _CURVE_KEY_LENGTH for key in keys):
        raise ValueError("not CURVE keys")
    return address


def load_address(path: Path) -> Optional[ServerAddress]:
    """The address in a file, for instance one copied from another machine; None when absent or damaged."""
    try:
        return _parse(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def read_address(home: Path) -> Optional[ServerAddress]:
    """Where the server of this data folder says it is; None when it says nothing that can be understood."""
    return load_address(address_file(home))


def chosen_file(home: Path) -> Path:
    """The key file of another machine's server that this machine's programs use instead of their own."""
    return home / "other-server.json"


def chosen_address(home: Path) -> Optional[ServerAddress]:
    """The other machine's server that `tweenbridge use` has chosen; None where this machine has its own.

    Raises:
        TweenbridgeError: BAD_REQUEST when what was chosen cannot be read any more.
    """
    path = chosen_file(home)
    if not path.exists():
        return None
    address = load_address(path)
    if address is None:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST,
            f"{path}, which says what server to use, cannot be read.",
            remedy="Choose the server again: `tweenbridge use KEY_FILE`, or `tweenbridge use --own`.",
        )
    return address


def remove_address(home: Path, pid: int) -> None:
    """Take the address away when it is still that of process `pid`, and not of a server that came after it."""
    address = read_address(home)
    if address is not None and address.pid == pid:
        address_file(home).unlink(missing_ok=True)
