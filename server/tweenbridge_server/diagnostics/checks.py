"""What a check of the doctor comes to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(str, Enum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True)
class Check:
    """One line: what was looked at, the verdict, what was found, and what to do."""

    name: str
    verdict: Verdict
    found: str
    remedy: str = ""
