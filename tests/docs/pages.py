"""Reads the documents for the tests: their fenced and indented blocks, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = tuple(sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("plugins/*/README.md")]))
_FENCE = re.compile(r"^( *)```(.*)\n((?:.*\n)*?)\1```$", re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_PROGRAMS = (["tweenbridge"], ["python3", "bootstrap.py"], ["py", "bootstrap.py"])


@dataclass(frozen=True)
class Block:
    """A fenced block: what follows the fence's marks, and its text."""

    kind: str
    text: str

    @property
    def title(self) -> str:
        """The file that it is, or ""."""
        found = re.search(r'title="([^"]+)"', self.kind)
        return found[1] if found else ""


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    return [Block(kind.strip(), text) for _, kind, text in _FENCE.findall(page.read_text(encoding="utf-8"))]


def commands(page: Path) -> Iterator[str]:
    """Every command of ours on a page, in its lines of code and between its words, as it would be typed."""
    text = page.read_text(encoding="utf-8")
    code = [line for block in blocks(page) for line in block.text.replace("\\\n", " ").splitlines()]
    plain = _FENCE.sub("", text)
    code += re.sub(r"\\\n", " ", "\n".join(re.findall(r"^ {4,}(\S.*)$", plain, re.MULTILINE))).splitlines()
    code += [" ".join(words.split()) for words in _INLINE.findall(plain)]
    for line in code:
        if is_ours(line.strip()):
            yield line.strip()


def is_ours(line: str) -> bool:
    """Whether a line is a command of ours with something after it, and no summary of its options."""
    words = line.split()
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words.pop(0)
    ours = any(words[: len(program)] == program and len(words) > len(program) for program in _PROGRAMS)
    return ours and not re.search(r"[\[|…]|\.\.\.|COMMAND", line)


def arguments(line: str) -> list[str]:
    """What is given to the program."""
    words = shlex.split(line, comments=True)
    while re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words.pop(0)
    return next(words[len(program) :] for program in _PROGRAMS if words[: len(program)] == program)
