"""What is told of a picture beside its pixels: what was left out, converted or brought together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Remark:
    """One sentence for the user, and a code for programs."""

    code: str
    message: str
