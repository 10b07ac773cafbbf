"""The server's log as the Server page shows it: the last lines, as they come, narrowed by level and by words."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from datetime import datetime

from PySide6.QtCore import QObject, QProcess, Signal

from ..command import Commands, Outcome

MOST = 2000
"""Lines that are kept."""
LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class LogLine:
    """One entry: the time of day, its level, and everything else that it says."""

    time: str
    level: str
    text: str


def parse(line: str) -> LogLine | None:
    """An entry of the log, or None for what is none."""
    try:
        entry = json.loads(line)
        moment = datetime.fromisoformat(str(entry.pop("time")).replace("Z", "+00:00")).astimezone()
        level, source, message = (str(entry.pop(name, "")) for name in ("level", "source", "message"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    error = str(entry.pop("error", ""))
    fields = ", ".join(f"{name}: {value}" for name, value in entry.items())
    text = f"{source}: {message}" + (f" ({fields})" if fields else "") + (f"\n{error}" if error else "")
    return LogLine(moment.strftime("%H:%M:%S"), level, text)


class LogState(QObject):
    """Follows the log while it is watched."""

    added = Signal(object)
    """A `LogLine` that passes the filter."""
    reset = Signal()
    """The filter is another; `lines` are those that pass."""

    def __init__(self, commands: Commands, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.level = "info"
        self.words = ""
        self._commands = commands
        self._all: deque[LogLine] = deque(maxlen=MOST)
        self._process: QProcess | None = None

    def watch(self, on: bool) -> None:
        """Read the log from here on, or no longer."""
        if on and self._process is None:
            self._all.clear()
            self.reset.emit()
            arguments = ["logs", "--follow", "--json", "--lines", "300"]
            self._process = self._commands.run(arguments, self._ended, self._read)
        elif not on and self._process is not None:
            process, self._process = self._process, None
            process.kill()

    def narrow(self, level: str, words: str) -> None:
        """Show what is of that level or above and has these words in it."""
        self.level, self.words = level, words
        self.reset.emit()

    def lines(self) -> list[LogLine]:
        """The entries that pass the filter, oldest first."""
        return [line for line in self._all if self._passes(line)]

    def _passes(self, line: LogLine) -> bool:
        rank = LEVELS.index(line.level) if line.level in LEVELS else len(LEVELS)
        return rank >= LEVELS.index(self.level) and self.words.lower() in line.text.lower()

    def _read(self, text: str) -> None:
        line = parse(text)
        if line is not None:
            self._all.append(line)
            if self._passes(line):
                self.added.emit(line)

    def _ended(self, outcome: Outcome) -> None:
        self._process = None
