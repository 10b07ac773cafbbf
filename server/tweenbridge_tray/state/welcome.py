"""The first run: what this computer has, which model to offer, and which editors to put Tweenbridge into."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QObject, Signal

from ..command import Commands, Outcome
from ..preferences import Preferences
from ..words import tr


@dataclass(frozen=True)
class Host:
    """An editor on this computer. `state` is what became of installing; "" before."""

    id: str
    name: str
    installed: bool
    chosen: bool
    obstacle: str = ""
    state: str = ""


class WelcomeState(QObject):
    """Looks for editors through the installer, and has it put Tweenbridge into those that are chosen."""

    changed = Signal()

    def __init__(self, commands: Commands, preferences: Preferences, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.hosts: tuple[Host, ...] = ()
        self.looking = False
        self.problem = ""
        """Why editors could not be looked for."""
        self._commands = commands
        self._preferences = preferences
        self._queue: list[str] = []

    @property
    def is_due(self) -> bool:
        """Whether this is the first run."""
        return not self._preferences.welcomed

    def finish(self) -> None:
        """Do not come again by itself."""
        self._preferences.welcomed = True

    def look(self) -> None:
        """Look for editors."""
        self.looking, self.problem = True, ""
        self.changed.emit()
        self._commands.run(["install", "--dry-run", "--json"], self._found)

    def choose(self, host: str, on: bool) -> None:
        """Put Tweenbridge into this editor, or leave it as it is."""
        self.hosts = tuple(replace(known, chosen=on) if known.id == host else known for known in self.hosts)
        self.changed.emit()

    def install(self) -> None:
        """Put Tweenbridge into the editors that are chosen, one after the other."""
        self._queue = [host.id for host in self.hosts if host.chosen and not host.obstacle]
        self._install_next()

    @property
    def busy(self) -> bool:
        """Whether something is being installed."""
        return any(host.state == "busy" for host in self.hosts)

    def _install_next(self) -> None:
        if not self._queue:
            self.changed.emit()
            return
        host = self._queue.pop(0)
        self._mark(host, state="busy")
        self._commands.run(["install", "--only", host, "--yes"], lambda outcome: self._installed(host, outcome))

    def _installed(self, host: str, outcome: Outcome) -> None:
        if outcome.ok:
            self._mark(host, state="done", installed=True, chosen=False)
        else:
            self._mark(host, state=outcome.problem, chosen=False)
        self._install_next()

    def _mark(self, host: str, **changes: Any) -> None:
        self.hosts = tuple(replace(known, **changes) if known.id == host else known for known in self.hosts)
        self.changed.emit()

    def _found(self, outcome: Outcome) -> None:
        self.looking = False
        content: Any = outcome.read_json() if outcome.ok else None
        try:
            self.hosts = tuple(
                Host(
                    host["id"], host["name"], bool(host.get("installed")), not host.get("installed"),
                    host.get("obstacle") or "",
                )
                for host in content["hosts"]
            )  # fmt: skip
        except (TypeError, KeyError):
            self.problem = tr("Editors could not be looked for. Install the plugin from within the editor instead.")
        self.changed.emit()
