"""Messages of programs that watch over everybody's jobs, as the tray does. Those that hold jobs' own values are in
messages.py; PROTOCOL.md says when each is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Optional


@dataclass(frozen=True)
class GapInfo:
    """How far one gap of a job is. `eta` is seconds left, where it is known."""

    total: int
    done: int
    fraction: float = 0.0
    eta: Optional[float] = None


@dataclass(frozen=True)
class PauseQueue:
    """Begins no further gap, or goes on. Gaps that workers are at are finished."""

    TYPE: ClassVar[str] = "pause_queue"
    on: bool = True


@dataclass(frozen=True)
class Retry:
    """A failed or cancelled job goes on, whoever submitted it."""

    TYPE: ClassVar[str] = "retry"
    job: str


@dataclass(frozen=True)
class GetDetails:
    """Asks what a job is made of and how far each gap is."""

    TYPE: ClassVar[str] = "get_details"
    job: str


@dataclass(frozen=True)
class GetThumbnail:
    """Asks for a small picture of a keyframe or of a finished frame: exactly one of both; `side` in pixels."""

    TYPE: ClassVar[str] = "get_thumbnail"
    job: str
    frame: Optional[int] = None
    keyframe: Optional[int] = None
    side: int = 256


@dataclass(frozen=True)
class Thumbnail:
    """A small picture as people look at it; its pixel part is a PNG, 8 bits, RGB."""

    TYPE: ClassVar[str] = "thumbnail"
    job: str
    width: int
    height: int
    frame: Optional[int] = None
    keyframe: Optional[int] = None
