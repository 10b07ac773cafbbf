"""`tweenbridge config`: the server's settings, shown and changed. What else stands in the file stays as it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tweenbridge.discovery import write_private
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from ..config import KEYS, Key, Value, config_file, load_config, values_of
from .console import print_json, say


def show(home: Path, as_json: bool) -> None:
    """Print every setting with its value."""
    values = values_of(home)
    if as_json:
        print_json(
            [
                {
                    "name": key.path,
                    "value": _text(values[key.path]),
                    "default": _text(key.default),
                    "allowed": key.allowed,
                    "help": key.help,
                    "fixed": bool(os.environ.get(key.variable)),
                }
                for key in KEYS
            ]
        )
        return
    for key in KEYS:
        value, default = _text(values[key.path]), _text(key.default)
        print(f"{key.path} = {value}" + ("" if value == default else f"    (by default {default})"))


def change(home: Path, assignments: Sequence[str], removals: Sequence[str]) -> None:
    """Set settings ("limits.frame_bytes=4096") and take others out of the file, all or none.

    Raises:
        TweenbridgeError: BAD_REQUEST naming the setting and what it may be.
    """
    import tomlkit

    path = config_file(home)
    try:
        content = tomlkit.parse(path.read_text(encoding="utf-8") if path.exists() else "")
    except (OSError, ValueError) as error:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, f"{path} cannot be read: {error}.", remedy="Correct the file, or remove it."
        ) from error
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise TweenbridgeError(
                ErrorCode.BAD_REQUEST, f"{assignment!r} sets nothing.", remedy="Write it like log.level=debug."
            )
        key = _key(name)
        value = key.checked(text, "the command line")
        table = content.setdefault(key.table, tomlkit.table())
        table[key.name] = list(value) if isinstance(value, tuple) else value
    for name in removals:
        key = _key(name)
        content.get(key.table, {}).pop(key.name, None)
    write_private(path, tomlkit.dumps(content))
    load_config(home)
    say("The server takes it over at its next start.")


def _key(name: str) -> Key:
    for key in KEYS:
        if key.path == name.strip():
            return key
    raise TweenbridgeError(
        ErrorCode.BAD_REQUEST, f"There is no setting {name.strip()!r}.", remedy="`tweenbridge config` lists them."
    )


def _text(value: Value) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
