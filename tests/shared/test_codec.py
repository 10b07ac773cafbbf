"""Headers: every message survives the trip, and nothing that arrives can do harm."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tweenbridge.protocol import codec
from tweenbridge.protocol import messages as wire
from tweenbridge.protocol.errors import ErrorCode, ErrorInfo, TweenbridgeError
from tweenbridge.protocol.limits import MAX_HEADER_BYTES

texts = st.text(max_size=20)
numbers = st.integers(min_value=-(2**63), max_value=2**63 - 1)
reals = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.one_of(st.booleans(), numbers, reals, texts)
st.register_type_strategy(int, numbers)
st.register_type_strategy(float, reals)
st.register_type_strategy(str, texts)
st.register_type_strategy(bytes, st.binary(max_size=40))

ANY_MESSAGE = st.one_of([st.from_type(kind) for kind in codec.MESSAGE_TYPES.values()])
IDS = st.integers(min_value=0, max_value=2**63 - 1)

anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, reals, texts, st.binary(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(message=ANY_MESSAGE, number=IDS, re=st.none() | IDS)
def test_every_message_survives_the_trip(message: Any, number: int, re: int | None) -> None:
    header = codec.decode(codec.encode(message, number, re))
    assert header == codec.Header(number, message, re)
    assert type(header.message) is type(message)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=300))
def test_random_bytes_are_refused_and_nothing_else(data: bytes) -> None:
    with pytest.raises(TweenbridgeError):
        codec.decode(data)
    codec.peek_id(data)
    codec.peek_re(data)


@settings(max_examples=500, deadline=None)
@given(
    name=st.sampled_from(sorted(codec.MESSAGE_TYPES)),
    fields=st.dictionaries(texts, anything, max_size=5),
    data=st.data(),
)
def test_any_map_is_a_message_or_refused(name: str, fields: dict[str, Any], data: st.DataObject) -> None:
    """Real field names with values of any type."""
    known = [field.name for field in dataclasses.fields(codec.MESSAGE_TYPES[name])]
    chosen = {key: data.draw(anything) for key in known if data.draw(st.booleans())}
    header = {**fields, **chosen, "v": 1, "t": name, "id": 1}
    try:
        decoded = codec.decode(msgpack.packb(header))
    except TweenbridgeError as error:
        assert error.code in (ErrorCode.BAD_MESSAGE, ErrorCode.TOO_LARGE)
    else:
        assert codec.decode(codec.encode(decoded.message, 1)).message == decoded.message


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"v": 2}, ErrorCode.VERSION),
        ({"v": None}, ErrorCode.VERSION),
        ({"t": "sing"}, ErrorCode.BAD_MESSAGE),
        ({"t": 5}, ErrorCode.BAD_MESSAGE),
        ({"id": -1}, ErrorCode.BAD_MESSAGE),
        ({"id": None}, ErrorCode.BAD_MESSAGE),
        ({"id": True}, ErrorCode.BAD_MESSAGE),
        ({"re": "1"}, ErrorCode.BAD_MESSAGE),
        ({"job": 5}, ErrorCode.BAD_MESSAGE),
        ({"frame": True}, ErrorCode.BAD_MESSAGE),
        ({"frame": 1.0}, ErrorCode.BAD_MESSAGE),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], code: ErrorCode) -> None:
    header = {"v": 1, "t": "fetch", "id": 1, "job": "one", "frame": 3, **change}
    with pytest.raises(TweenbridgeError) as caught:
        codec.decode(msgpack.packb(header))
    assert caught.value.code is code


def test_unknown_fields_are_ignored_and_absent_ones_take_their_default() -> None:
    header = {"v": 1, "t": "list_jobs", "id": 1, "colour": "green", "deep": {"er": [1]}}
    assert codec.decode(msgpack.packb(header)).message == wire.ListJobs(limit=50)


def test_null_counts_as_left_out_where_that_is_allowed() -> None:
    header = {"v": 1, "t": "delta", "id": 1, "seq": 3, "job": "one", "info": None}
    assert codec.decode(msgpack.packb(header)).message == wire.Delta(3, "one", None)


def test_an_unknown_error_code_counts_as_internal() -> None:
    header = {"v": 1, "t": "error", "id": 1, "error": {"code": "from_the_future", "message": "New."}}
    message = codec.decode(msgpack.packb(header)).message
    assert message == wire.Error(ErrorInfo(ErrorCode.INTERNAL, "New."))


def test_headers_over_the_limit_are_refused_on_both_sides() -> None:
    with pytest.raises(TweenbridgeError) as caught:
        codec.encode(wire.Engines((wire.EngineInfo("n", "t", "1", (), description="x" * MAX_HEADER_BYTES),)), 1)
    assert caught.value.code is ErrorCode.TOO_LARGE
    with pytest.raises(TweenbridgeError) as caught:
        codec.decode(msgpack.packb({"v": 1, "t": "ping", "id": 1, "x": "x" * MAX_HEADER_BYTES}))
    assert caught.value.code is ErrorCode.TOO_LARGE


@pytest.mark.parametrize(
    "data",
    [
        b"\x91" * 60_000 + b"\x01",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc9\x00\x00\x10\x00\x05" + bytes(4096),
        b"\x81" * 30_000,
        msgpack.packb({"v": 1, "t": "ping", "id": 1, "s": "x" * 20_000}),
        msgpack.packb({"v": 1, "t": "ping", "id": 1, "l": [0] * 30_000}),
        msgpack.packb({1: 2}),
    ],
    ids=["nested", "huge array", "huge map", "extension", "nested maps", "long text", "long list", "number key"],
)
def test_malicious_headers_are_refused(data: bytes) -> None:
    with pytest.raises(TweenbridgeError) as caught:
        codec.decode(data)
    assert caught.value.code in (ErrorCode.BAD_MESSAGE, ErrorCode.TOO_LARGE)
