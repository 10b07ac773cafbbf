"""What the user chose for a run, as plain values, remembered from run to run in the data folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from tweenbridge.discovery import write_private
from tweenbridge.protocol.codec import from_plain, to_plain
from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge.protocol.messages import Scalar
from tweenbridge.timing import Timing

from .placement import USUAL_BRIDGE

_FILE = "resolve-choice.json"


@dataclass(frozen=True)
class Choice:
    """How in-betweens are to be made.

    Attributes:
        engine, profile, settings: as the server's list of engines names them.
        timing: spacing, hold and so on; a `count` below a gap's frames spreads that many drawings over it.
        bridge: frames over a cut.
        folder: where image sequences are kept; "" for the usual place.
    """

    engine: str = "flow"
    profile: str = ""
    timing: Timing = field(default_factory=Timing)
    settings: Dict[str, Scalar] = field(default_factory=dict)
    folder: str = ""
    bridge: int = USUAL_BRIDGE


def parse(plain: Any) -> Choice:
    """A choice from JSON's values; what is left out has its default.

    Raises:
        TweenbridgeError: BAD_MESSAGE, naming the field that does not fit.
    """
    choice: Choice = from_plain(Choice, plain, "the choice")
    return choice


def load(home: Path) -> Choice:
    """The choice of the last run; the usual one where there was none, or where it cannot be read."""
    try:
        return parse(json.loads((home / _FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TweenbridgeError):
        return Choice()


def save(choice: Choice, home: Path) -> None:
    """Remember a choice. A data folder that cannot be written to costs only that."""
    try:
        write_private(home / _FILE, json.dumps(to_plain(choice), ensure_ascii=False, indent=1) + "\n")
    except OSError:
        return


def merged(choice: Choice, answer: Mapping[str, Any]) -> Optional[Choice]:
    """The choice after the tray's confirmation; None where it was declined.

    Raises:
        TweenbridgeError: BAD_MESSAGE, naming what does not fit.
    """
    if answer.get("accepted") is not True:
        return None
    plain: Dict[str, Any] = {**to_plain(choice), "settings": {}, "timing": {}}
    plain.update({name: answer[name] for name in ("engine", "profile", "timing", "settings") if name in answer})
    return parse(plain)
