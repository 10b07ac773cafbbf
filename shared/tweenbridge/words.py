"""Names that people and programs give to things, made fit to be shown on any terminal and in any log."""

from __future__ import annotations

import re

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def is_one_line(text: str) -> bool:
    """Whether a text has no characters that move a terminal's cursor, end a line or begin a command to it."""
    return _CONTROLS.search(text) is None


def one_line(text: str) -> str:
    """The text with the replacement character for each of those."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)
