"""PROTOCOL.md says what the code does: every header, table, proof and count on it."""

from __future__ import annotations

import dataclasses
import json
import re
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgpack
import pytest
from page import PAGE, fences, headers, of_kind, plain, section, table
from tweenbridge.discovery import load_address
from tweenbridge.pixels import Alpha, Colour, Encoding, PixelFormat, SampleType
from tweenbridge.protocol import codec, handshake, limits, models, oversight
from tweenbridge.protocol import messages as wire
from tweenbridge.protocol.errors import ErrorCode, ErrorInfo, TweenbridgeError
from tweenbridge.timing import Spacing, Timing, schedule

VALUES: list[Any] = [
    wire.ClientInfo, wire.JobRequest, wire.Keyframe, Timing, PixelFormat, wire.JobInfo, wire.Note, ErrorInfo,
    limits.Limits, wire.EngineInfo, wire.ProfileInfo, wire.SettingInfo, wire.WorkerInfo,
    oversight.GapInfo,
    models.ModelInfo, models.Licence, models.FoundModel, models.DeviceInfo,
]  # fmt: skip
WORDS: list[Any] = [
    wire.JobState, wire.Priority, Spacing, Encoding, SampleType, Colour, Alpha,
    models.ModelState, models.ModelRole, models.ModelOrigin, models.ModelAction,
]  # fmt: skip


def type_words(hint: Any) -> str:
    """A field's type as the page writes it."""
    arguments = [argument for argument in get_args(hint) if argument is not type(None)]
    if get_origin(hint) is Union:
        return type_words(arguments[0]) if len(arguments) == 1 else "bool, int, float or text"
    if get_origin(hint) is tuple:
        return f"list of {type_words(arguments[0])}"
    if get_origin(hint) is dict:
        return f"map of {type_words(arguments[1])}"
    return "text" if hint is str else str(hint.__name__)


def is_required(field: Any) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


@pytest.mark.parametrize("kind", [*codec.MESSAGE_TYPES.values(), *VALUES], ids=lambda kind: kind.__name__)
def test_every_field_has_its_row(kind: Any) -> None:
    title = getattr(kind, "TYPE", kind.__name__)
    hints = get_type_hints(kind, localns=codec.GENERICS)
    rows = {
        name.strip("`"): (re.sub(r"\[(\w+)\]\(#\w+\)", r"\1", type_), needed) for name, type_, needed, _ in table(title)
    }
    fields = {field.name: field for field in dataclasses.fields(kind)}
    assert list(rows) == list(fields)
    for name, (type_, needed) in rows.items():
        assert type_ == type_words(hints[name]), name
        assert (needed == "yes") == is_required(fields[name]), name
        default = fields[name].default
        shown = needed.partition(": ")[2]
        if shown:
            value = default.value if isinstance(default, Enum) else default
            assert shown == (str(value).lower() if isinstance(value, bool) else str(value)), name


@pytest.mark.parametrize("kind", WORDS, ids=lambda kind: kind.__name__)
def test_every_word_has_its_row(kind: Any) -> None:
    assert [row[0].strip("`") for row in table(kind.__name__)] == [str(member.value) for member in kind]


def test_every_error_code_has_its_row() -> None:
    rows = {row[0].strip("`"): row[1] for row in table("ErrorCode")}
    assert list(rows) == [code.value for code in ErrorCode]
    for code in ErrorCode:
        assert rows[code.value] == ("yes" if TweenbridgeError(code, "x").info.retryable else "no")


def test_every_message_has_an_example() -> None:
    assert set(codec.MESSAGE_TYPES) <= {header["t"] for _, header in headers()}
    for name in codec.MESSAGE_TYPES:
        assert f'"t": "{name}"' in section(name), name


@pytest.mark.parametrize("header", [pytest.param(header, id=f"line{line}") for line, header in headers()])
def test_every_example_header_is_what_the_code_reads_and_writes(header: dict[str, Any]) -> None:
    decoded = codec.decode(msgpack.packb(header))
    assert set(header) <= {"v", "t", "id", "re"} | {f.name for f in dataclasses.fields(decoded.message)}
    written = msgpack.unpackb(codec.encode(decoded.message, decoded.id, decoded.re))
    assert codec.decode(msgpack.packb(written)) == decoded
    assert_within(header, written)


def assert_within(shown: Any, written: Any) -> None:
    """What the page shows is in what the code writes, which may add defaults."""
    if isinstance(shown, dict):
        for key, value in shown.items():
            assert_within(value, written[key])
    elif isinstance(shown, list):
        assert len(shown) == len(written)
        for left, right in zip(shown, written):
            assert_within(left, right)
    else:
        assert shown == written


def test_the_example_bytes_are_the_examples() -> None:
    (example,) = of_kind("bytes")
    text, data = example.text.splitlines()
    header = plain(json.loads(text))
    assert msgpack.packb(header).hex() == data
    decoded = codec.decode(bytes.fromhex(data))
    assert codec.encode(decoded.message, decoded.id).hex() == data


def test_the_handshake_example_computes() -> None:
    (example,) = of_kind("handshake")
    values = {name.strip(): value.strip() for name, value in (line.split("=") for line in example.text.splitlines())}
    token, mine, theirs = (bytes.fromhex(values[name]) for name in ("token", "client nonce", "server nonce"))
    version = int(values["version"])
    for role, proof in (("server", handshake.server_proof), ("client", handshake.client_proof)):
        assert proof(token, mine, theirs, version).hex() == values[f"{role} proof"]
        text = f"tweenbridge {role}".encode() + mine + theirs + version.to_bytes(4, "big")
        assert text.hex() == values[f"{role} text"]


def test_the_address_example_is_read(tmp_path: Path) -> None:
    (example,) = of_kind("address")
    (tmp_path / "server.json").write_text(example.text)
    address = load_address(tmp_path / "server.json")
    assert address is not None
    assert (address.endpoint, address.token, address.pid) == ("tcp://127.0.0.1:40123", bytes(range(32)), 4711)


def test_the_timing_examples_are_what_the_code_counts() -> None:
    examples = [json.loads(line) for fence in of_kind("timing") for line in fence.text.splitlines()]
    assert len(examples) >= 5
    for example in examples:
        plan = schedule(example["positions"], codec.from_plain(Timing, example["timing"]))
        assert [drawing.t for drawing in plan.drawings] == pytest.approx(example["t"], abs=1e-6)
        assert [shown for gap in plan.gaps for shown in gap.exposures] == example["shown"]


def test_the_limits_are_the_codes() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", text, re.M))
    assert rows["header"] == f"{limits.MAX_HEADER_BYTES} bytes"
    assert rows["text or bytes inside a header"] == f"{limits.MAX_STRING_BYTES} bytes"
    assert rows["entries of one list or map inside a header"] == str(limits.MAX_NESTING_ITEMS)
    assert rows["nonce"] == f"{limits.NONCE_BYTES} bytes"
    assert rows["frames asked for and not yet received, per client"] == str(limits.FETCH_WINDOW)
    assert rows["longest side of a preview"] == f"{limits.PREVIEW_SIDE} pixels"
    assert rows["pixel part of a preview"] == f"{limits.PREVIEW_BYTES} bytes"
    assert rows["side of a thumbnail"] == f"16 to {limits.THUMBNAIL_SIDE} pixels"
    assert rows["pixel part of a thumbnail"] == f"{limits.THUMBNAIL_BYTES} bytes"
    assert rows["handshake"] == f"{limits.HELLO_TIMEOUT:g} s"
    assert rows["silence before a ping"] == f"{limits.PING_AFTER:g} s"
    assert rows["silence before the other side counts as gone"] == f"{limits.DEAD_AFTER:g} s"


def test_every_fenced_block_is_of_a_kind_that_is_executed() -> None:
    executed = {"json", "bytes", "handshake", "address", "timing", "transcript"}
    assert {fence.kind.split()[0] for fence in fences()} == executed


def test_every_link_leads_somewhere() -> None:
    text = PAGE.read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors
