"""Frame numbers and timecode, and the two frame spaces of Resolve's API. Pure arithmetic.

Timecode counts with the nominal rate, a whole number: 24 at 23.976 frames per second. Drop frame (SMPTE ST 12-1) leaves
out numbers, not frames: with n = 30 or 60, the first n/15 numbers of every minute, except in every tenth minute.

    frames = ((60 h + m) 60 + s) n + f - k (M - M div 10),    k = n / 15, M = 60 h + m

`fields` and `frame_of` use nothing but operators, so that they work on whole arrays of frames as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import NewType, Optional, Tuple, Union

from .errors import PluginError, Trouble

AbsoluteFrame = NewType("AbsoluteFrame", int)
"""Counted from timecode 00:00:00:00: a clip's start and end, `recordFrame`, the playhead, a render's range."""
RelativeFrame = NewType("RelativeFrame", int)
"""Counted from the timeline's first frame: markers, In and Out."""

Fields = Tuple[int, int, int, int]
"""Hours, minutes, seconds, frames."""

_TIMECODE = re.compile(r"\s*(\d{1,3}):(\d{1,2}):(\d{1,2})[:;.,](\d{1,3})\s*")
_NTSC = Fraction(1000, 1001)


@dataclass(frozen=True)
class Rate:
    """A timeline's frame rate.

    Attributes:
        nominal: frames counted in one second of timecode.
        ntsc: it runs at 1000/1001 of that.
        drop: its timecode is drop frame.
    """

    nominal: int
    ntsc: bool = False
    drop: bool = False

    @property
    def exact(self) -> Fraction:
        """Frames in one second of time: 24000/1001 at 23.976."""
        return self.nominal * (_NTSC if self.ntsc else Fraction(1))

    @property
    def dropped(self) -> int:
        """Numbers left out at the beginning of a minute; 0 where it is not drop frame."""
        return self.nominal // 15 if self.drop else 0

    @property
    def number(self) -> str:
        """As Resolve writes it: "24", "23.976"."""
        return f"{float(self.exact):.3f}".rstrip("0").rstrip(".")

    def __str__(self) -> str:
        return f"{self.number} DF" if self.drop else self.number


def number(text: object) -> Optional[float]:
    """A number as Resolve writes it, in languages with a decimal comma too; None where it is none."""
    try:
        return float(str(text).strip().replace(",", "."))
    except ValueError:
        return None


def parse_rate(setting: Union[str, int, float], drop: bool = False) -> Rate:
    """The rate that a setting of Resolve names: "24", "23.976", "29.97 DF", 59.94.

    Args:
        drop: what the drop frame setting says; counts only at 29.97, 59.94 and the like, which alone have it.

    Raises:
        PluginError: TIMECODE, it is not a frame rate.
    """
    text = str(setting).strip()
    shown, _, suffix = text.partition(" ")
    value = number(shown) or 0.0
    if not 1 <= value <= 1000:
        raise PluginError(
            Trouble.TIMECODE,
            f"Resolve says that the timeline's frame rate is “{text}”, which is not a rate.",
            "Set the frame rate in File > Project Settings > Master Settings.",
        )
    nominal = round(value)
    ntsc = abs(value - nominal * float(_NTSC)) < abs(value - nominal)
    wanted = drop or suffix.strip().upper().startswith("DF")
    return Rate(nominal, ntsc, wanted and ntsc and nominal % 30 == 0)


def fields(frame: int, rate: Rate) -> Fields:
    """Hours, minutes, seconds and frames that a frame's timecode shows; `frame` is 0 or more."""
    n, k = rate.nominal, rate.dropped
    ten, rest = frame // (600 * n - 9 * k), frame % (600 * n - 9 * k)
    # Within ten minutes: the first one keeps all its numbers, the others begin with k numbers that no frame has.
    minute = (rest >= k) * ((rest - k) // (60 * n - k))
    number = frame + k * (9 * ten + minute)
    return number // (3600 * n), number // (60 * n) % 60, number // n % 60, number % n


def frame_of(hours: int, minutes: int, seconds: int, frames: int, rate: Rate) -> int:
    """The frame that a timecode belongs to. The number has to exist: `parse` sees to that."""
    minute = 60 * hours + minutes
    return (60 * minute + seconds) * rate.nominal + frames - rate.dropped * (minute - minute // 10)


def is_dropped(minutes: int, seconds: int, frames: int, rate: Rate) -> bool:
    """No frame has this number."""
    return seconds == 0 and minutes % 10 != 0 and frames < rate.dropped


def text(frame: int, rate: Rate) -> str:
    """A frame's timecode, like "01:00:00:00", or "01:00:00;02" in drop frame.

    Raises:
        PluginError: TIMECODE, before the first frame there is none.
    """
    if frame < 0:
        raise PluginError(
            Trouble.TIMECODE,
            f"Frame {frame} lies before timecode 00:00:00:00.",
            "Let the timeline start later: right-click it in the Media Pool, Timelines > Starting Timecode.",
        )
    hours, minutes, seconds, frames = fields(frame, rate)
    digits = len(str(rate.nominal - 1))
    return f"{hours:02}:{minutes:02}:{seconds:02}{';' if rate.drop else ':'}{frames:0{max(2, digits)}}"


def parse(timecode: str, rate: Rate) -> int:
    """The frame that a timecode names.

    Raises:
        PluginError: TIMECODE, it is not one, or its number is one of those that drop frame leaves out.
    """
    found = _TIMECODE.fullmatch(timecode)
    hours, minutes, seconds, frames = (int(group) for group in found.groups()) if found else (0, 60, 0, 0)
    if minutes > 59 or seconds > 59 or frames >= rate.nominal or is_dropped(minutes, seconds, frames, rate):
        raise PluginError(
            Trouble.TIMECODE,
            f"“{timecode}” is not a timecode at {rate} frames per second.",
            "Check the timeline's frame rate and drop frame setting in the project settings.",
        )
    return frame_of(hours, minutes, seconds, frames, rate)


def absolute(frame: RelativeFrame, start: AbsoluteFrame) -> AbsoluteFrame:
    """A frame counted from the timeline's start as one counted from timecode zero."""
    return AbsoluteFrame(frame + start)


def relative(frame: AbsoluteFrame, start: AbsoluteFrame) -> RelativeFrame:
    """A frame counted from timecode zero as one counted from the timeline's start."""
    return RelativeFrame(frame - start)
