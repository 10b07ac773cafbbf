"""What a run will cost, before it starts: frames, time, disk; and how fast runs have been."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, Optional, Tuple

from tweenbridge.discovery import write_private

_FILE = "resolve-speed.json"
MANY = 300
"""In-betweens above which a run is asked about: more are seldom meant, and often come from a forgotten In and Out."""


def disk_bytes(frames: int, size: Optional[Tuple[int, int]]) -> Optional[int]:
    """Bytes that so many 16-bit RGB frames take; None where the size is not known."""
    return None if size is None else frames * size[0] * size[1] * 6


def in_words(frames: int, rate: float, size: Optional[Tuple[int, int]], seconds_each: Optional[float]) -> str:
    """Number, length on the timeline, disk and time, in a line."""
    parts = [f"{frames:,} in-between{'' if frames == 1 else 's'} ({_clock(frames / rate)} of the timeline)"]
    room = disk_bytes(frames, size)
    if room is not None:
        parts.append(f"up to {_size(room)} on disk")
    if seconds_each is not None:
        parts.append(f"about {_clock(frames * seconds_each)} at the speed of your last run")
    return ", ".join(parts)


def _clock(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"


def speed(home: Path, engine: str, profile: str, size: Optional[Tuple[int, int]]) -> Optional[float]:
    """Seconds that an in-between took in the last run of this kind; None before the first."""
    return _speeds(home).get(_kind(engine, profile, size))


def keep_speed(
    home: Path, engine: str, profile: str, size: Optional[Tuple[int, int]], frames: int, seconds: float
) -> None:
    """Remember how long a run took. A data folder that cannot be written to costs only that."""
    speeds = {**_speeds(home), _kind(engine, profile, size): round(seconds / max(1, frames), 4)}
    try:
        write_private(home / _FILE, json.dumps(speeds, indent=1) + "\n")
    except OSError:
        return


def _kind(engine: str, profile: str, size: Optional[Tuple[int, int]]) -> str:
    return f"{engine} {profile} {size[0]}x{size[1]}" if size is not None else f"{engine} {profile}"


def _speeds(home: Path) -> Dict[str, float]:
    try:
        plain = json.loads((home / _FILE).read_text(encoding="utf-8"))
        return {str(name): float(value) for name, value in plain.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
