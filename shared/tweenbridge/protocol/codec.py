"""Messages to bytes and back. PROTOCOL.md, "Header", is the specification.

A header is one msgpack map: `v` (protocol version), `t` (type), `id` (the sender's own number for it), `re` (the id it
answers) and the message's fields. Whatever arrives is checked against the dataclass's types before anyone sees it: a
header that does not fit is BAD_MESSAGE, never an exception of another kind.
"""

from __future__ import annotations

import dataclasses
import types
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Dict, Mapping, Optional, Tuple, Union, get_args, get_origin, get_type_hints

import msgpack

from . import messages
from .errors import ErrorCode, TweenbridgeError
from .limits import MAX_HEADER_BYTES, MAX_NESTING_ITEMS, MAX_STRING_BYTES, PROTOCOL_VERSIONS
from .messages import Message

MESSAGE_TYPES: dict[str, type] = {
    kind.TYPE: kind for kind in (*get_args(messages.ClientMessage), *get_args(messages.ServerMessage))
}
"""Every message class by the `t` that names it."""

_UNIONS = (Union, getattr(types, "UnionType", Union))
"""What `Optional[X]` is, and what `X | None` is from Python 3.10 on (server code writes it so)."""

GENERICS = {"tuple": Tuple, "dict": Dict}
"""Python 3.8 cannot evaluate `tuple[X, ...]`; both spellings mean the same to the functions below."""


@dataclass(frozen=True)
class Header:
    """One decoded header: the sender's id for it, the id it answers, and the message."""

    id: int
    message: Message
    re: Optional[int] = None


def bad_message(reason: str) -> TweenbridgeError:
    """The error for a header that cannot be understood."""
    return TweenbridgeError(ErrorCode.BAD_MESSAGE, f"A message could not be understood: {reason}.")


# ---------------------------------------------------------------- dataclass to plain values


def to_plain(value: Any) -> Any:
    """Dataclasses to maps, enums to their values, tuples to lists; None fields are left out."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        items = ((f.name, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {name: to_plain(item) for name, item in items if item is not None}
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    return value


# ---------------------------------------------------------------- plain values to dataclass


@lru_cache(maxsize=None)
def _field_types(kind: type) -> dict[str, tuple[Any, bool]]:
    """Field name → (type, may be absent) of a dataclass."""
    hints = get_type_hints(kind, localns=GENERICS)
    return {
        f.name: (
            hints[f.name],
            f.default is not dataclasses.MISSING or f.default_factory is not dataclasses.MISSING,
        )
        for f in dataclasses.fields(kind)
    }


def _from_number(kind: Any, value: Any, where: str) -> Any:
    if kind is bool:
        if isinstance(value, bool):
            return value
    elif isinstance(value, bool):
        pass
    elif kind is int and isinstance(value, int):
        return value
    elif kind is float and isinstance(value, (int, float)):
        return float(value)
    raise bad_message(f"{where} should be a {kind.__name__}")


def _from_union(kind: Any, value: Any, where: str) -> Any:
    options = get_args(kind)
    if value is None and type(None) in options:
        return None
    options = tuple(option for option in options if option is not type(None))
    if len(options) == 1:
        return from_plain(options[0], value, where)
    if type(value) in options:  # a Scalar: bool, int, float or str, exactly
        return value
    raise bad_message(f"{where} has the wrong type")


def _from_map(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise bad_message(f"{where} should be a map")
    fields: dict[str, Any] = {}
    for name, (field_type, optional) in _field_types(kind).items():
        if name in value:
            fields[name] = from_plain(field_type, value[name], f"{where}.{name}" if where else name)
        elif not optional:
            raise bad_message(f"{where or kind.__name__.lower()} lacks {name}")
    return kind(**fields)


def from_plain(kind: Any, value: Any, where: str = "") -> Any:
    """Build a value of type `kind` from msgpack's plain values.

    Raises:
        TweenbridgeError: BAD_MESSAGE, naming the field that does not fit.
    """
    origin = get_origin(kind)
    if origin in _UNIONS:
        return _from_union(kind, value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise bad_message(f"{where} should be a list")
        item_type = get_args(kind)[0]
        return tuple(from_plain(item_type, item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict:
        item_type = get_args(kind)[1]
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise bad_message(f"{where} should be a map with text keys")
        return {key: from_plain(item_type, item, f"{where}.{key}") for key, item in value.items()}
    if kind in (bool, int, float):
        return _from_number(kind, value, where)
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(value)
        except (ValueError, TypeError):
            raise bad_message(f"{where} has an unknown value") from None
    if kind in (str, bytes):
        if isinstance(value, kind):
            return value
        raise bad_message(f"{where} should be {'text' if kind is str else 'bytes'}")
    return _from_map(kind, value, where)


# ---------------------------------------------------------------- headers


def encode(message: Message, id: int, re: Optional[int] = None) -> bytes:
    """A header's bytes.

    Raises:
        TweenbridgeError: TOO_LARGE when the header exceeds MAX_HEADER_BYTES.
    """
    header = {"v": PROTOCOL_VERSIONS[0], "t": message.TYPE, "id": id}
    if re is not None:
        header["re"] = re
    header.update(to_plain(message))
    data: bytes = msgpack.packb(header)
    if len(data) > MAX_HEADER_BYTES:
        raise TweenbridgeError(
            ErrorCode.TOO_LARGE,
            f"A {message.TYPE} message is {len(data)} bytes long; {MAX_HEADER_BYTES} are allowed.",
        )
    return data


def unpack_header(data: Union[bytes, memoryview]) -> dict[str, Any]:
    """The header's map, with size and shape limits applied before anything is built.

    Raises:
        TweenbridgeError: TOO_LARGE or BAD_MESSAGE.
    """
    if len(data) > MAX_HEADER_BYTES:
        raise TweenbridgeError(ErrorCode.TOO_LARGE, "A message header is larger than allowed.")
    try:
        header = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            max_str_len=MAX_STRING_BYTES,
            max_bin_len=MAX_STRING_BYTES,
            max_array_len=MAX_NESTING_ITEMS,
            max_map_len=MAX_NESTING_ITEMS,
            max_ext_len=0,
        )
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException):
        raise bad_message("it is not a header") from None
    if not isinstance(header, dict):
        raise bad_message("it is not a map")
    return header


def _header_id(header: dict[str, Any], key: str) -> Optional[int]:
    value = header.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise bad_message(f"{key} is not a message number")
    return value


def peek_id(data: Union[bytes, memoryview]) -> Optional[int]:
    """The id of a header that may be broken otherwise, so that an error can name what it answers."""
    return _peek(data, "id")


def peek_re(data: Union[bytes, memoryview]) -> Optional[int]:
    """The id that a reply answers, which may be broken otherwise, so that nobody waits for it in vain."""
    return _peek(data, "re")


def _peek(data: Union[bytes, memoryview], key: str) -> Optional[int]:
    try:
        return _header_id(unpack_header(data), key)
    except TweenbridgeError:
        return None


def decode(data: Union[bytes, memoryview]) -> Header:
    """Bytes to a checked header.

    Raises:
        TweenbridgeError: BAD_MESSAGE, TOO_LARGE, or VERSION for a header of a version that is not spoken here.
    """
    header = unpack_header(data)
    if header.get("v") not in PROTOCOL_VERSIONS:
        raise TweenbridgeError(
            ErrorCode.VERSION, f"The other side speaks protocol version {str(header.get('v'))[:20]}."
        )
    kind = MESSAGE_TYPES.get(header["t"]) if isinstance(header.get("t"), str) else None
    if kind is None:
        raise bad_message(f"type {str(header.get('t'))[:40]!r} is unknown")
    number = _header_id(header, "id")
    if number is None:
        raise bad_message("it lacks an id")
    return Header(id=number, message=from_plain(kind, header), re=_header_id(header, "re"))
