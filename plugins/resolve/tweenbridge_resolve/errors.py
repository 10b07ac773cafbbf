"""What goes wrong inside Resolve and can be said to the editor: a code, one plain sentence, and what to do about it."""

from __future__ import annotations

from enum import Enum


class Trouble(str, Enum):
    """What went wrong, as a word that programs may compare."""

    NO_RESOLVE = "no_resolve"
    NO_TIMELINE = "no_timeline"
    NO_KEYFRAMES = "no_keyframes"
    NO_ROOM = "no_room"
    TIMECODE = "timecode"
    PLAYHEAD = "playhead"
    STILL = "still"
    FOLDER = "folder"
    IMPORT = "import"
    PLACEMENT = "placement"
    NOT_INSTALLED = "not_installed"
    CONFIRMATION = "confirmation"
    CANCELLED = "cancelled"
    BUSY = "busy"


class PluginError(Exception):
    """An error with a code, a sentence and a remedy. `str()` is the sentence."""

    def __init__(self, code: Trouble, sentence: str, remedy: str = "") -> None:
        super().__init__(code, sentence, remedy)
        self.code = code
        self.sentence = sentence
        self.remedy = remedy

    def __str__(self) -> str:
        return self.sentence
