"""Reads PROTOCOL.md for the tests: fenced examples, and tables under headings."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tweenbridge.protocol

PAGE = Path(tweenbridge.protocol.__file__).with_name("PROTOCOL.md")


@dataclass(frozen=True)
class Fence:
    """One fenced block: what follows the fence's marks, its text, and the line it begins on."""

    kind: str
    text: str
    line: int


def fences(path: Path = PAGE) -> list[Fence]:
    """Every fenced block of a page."""
    found: list[Fence] = []
    kind, lines, start = None, [], 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if kind is not None and line == "```":
            found.append(Fence(kind, "\n".join(lines), start))
            kind = None
        elif kind is not None:
            lines.append(line)
        elif line.startswith("```"):
            kind, lines, start = line[3:].strip(), [], number
    assert kind is None, f"the block of line {start} does not end"
    return found


def of_kind(kind: str) -> list[Fence]:
    """The blocks of one kind, with or without a word after it."""
    return [fence for fence in fences() if fence.kind.split()[:1] == [kind]]


def plain(value: Any) -> Any:
    """JSON to msgpack's values: {"hex": "0a"} becomes bytes."""
    if isinstance(value, dict):
        if set(value) == {"hex"}:
            return bytes.fromhex(value["hex"])
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def headers() -> list[tuple[int, dict[str, Any]]]:
    """Every JSON example of a header, with its line."""
    return [(fence.line, plain(json.loads(fence.text))) for fence in of_kind("json")]


def section(title: str) -> str:
    """What stands under a heading of the third level, up to the next heading."""
    match = re.search(rf"^### {re.escape(title)}\n(.*?)(?=^##|\Z)", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    assert match is not None, f"PROTOCOL.md has no section {title!r}"
    return match.group(1)


def table(title: str) -> list[list[str]]:
    """The rows of the first table of a section, without its head; [] where it has none."""
    rows = re.findall(r"^\|(.*)\|$", section(title), re.M)
    return [[cell.strip() for cell in row.split("|")] for row in rows[2:]]
