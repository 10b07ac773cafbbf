"""The Settings page's state: the server's settings, read and written by `tweenbridge config`, and the tray's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from ..command import Commands, Outcome
from ..preferences import Preferences


@dataclass(frozen=True)
class Setting:
    """One setting of the server: its name, its value and its default as text, what it may be, and what it means.

    `fixed` is set where an environment variable decides, which the settings file cannot change.
    """

    name: str
    value: str
    default: str
    allowed: str
    help: str
    fixed: bool = False


class SettingsState(QObject):
    """Reads all settings when it is looked at; writes one at a time."""

    changed = Signal()
    failed = Signal(str)

    def __init__(self, commands: Commands, preferences: Preferences, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.settings: dict[str, Setting] = {}
        self.needs_restart = False
        self.autostart: bool | None = None
        """Whether the tray starts with the computer; None where this installation cannot arrange it."""
        self._commands = commands
        self._preferences = preferences

    @property
    def results_folder(self) -> Path:
        """Where results of dropped keyframes go."""
        return self._preferences.results_folder

    @property
    def notify(self) -> bool:
        """Whether the desktop is told when a job ends."""
        return self._preferences.notify

    def set_results_folder(self, folder: Path) -> None:
        """Let results go to another folder from now on."""
        self._preferences.results_folder = folder
        self.changed.emit()

    def set_notify(self, on: bool) -> None:
        """Tell the desktop when a job ends, or not."""
        self._preferences.notify = on
        self.changed.emit()

    def refresh(self) -> None:
        """Read what is set now."""
        self._commands.run(["config", "--json"], self._read)
        self._commands.run(["install", "--dry-run", "--json"], self._read_autostart)

    def set(self, name: str, value: str) -> None:
        """Set one of the server's settings; "" goes back to its default."""
        known = self.settings.get(name)
        if known is not None and value == known.value:
            return
        arguments = ["config", "--set", f"{name}={value}"] if value else ["config", "--unset", name]
        self._commands.run(arguments, self._written(lambda: self._has_set(name)))

    def set_autostart(self, on: bool) -> None:
        """Start the tray with the computer, or not."""
        self._commands.run(["install", "--autostart", "on" if on else "off"], self._written(self.refresh))

    def restarted(self) -> None:
        """The server was started anew: what was set is in force."""
        self.needs_restart = False
        self.changed.emit()

    def _has_set(self, name: str) -> None:
        self.needs_restart = True
        self.refresh()

    def _written(self, then: Callable[[], None]) -> Callable[[Outcome], None]:
        def take(outcome: Outcome) -> None:
            if outcome.ok:
                then()
            else:
                self.failed.emit(outcome.problem)
                self.refresh()

        return take

    def _read(self, outcome: Outcome) -> None:
        content: Any = outcome.read_json() if outcome.ok else None
        try:
            found = [Setting(**setting) for setting in content]
        except TypeError:
            self.failed.emit(outcome.problem)
            return
        self.settings = {setting.name: setting for setting in found}
        self.changed.emit()

    def _read_autostart(self, outcome: Outcome) -> None:
        content: Any = outcome.read_json() if outcome.ok else None
        state = content.get("autostart") if isinstance(content, dict) else None
        self.autostart = state if isinstance(state, bool) else None
        self.changed.emit()
