"""What the tray remembers for its user, in `tray.json` in the data folder: where results go, and where they went."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from tweenbridge.discovery import write_private

MOST_RESULTS = 200
"""Folders of results that are remembered."""


@dataclass
class _Content:
    results_folder: str = ""
    welcomed: bool = False
    notify: bool = True
    results: dict[str, str] = field(default_factory=dict)


class Preferences:
    """Read at the start, written at every change. A file that cannot be read counts as empty.

    Args:
        home: the data folder.
        pictures: where results go unless the user says otherwise: the system's folder for pictures.
    """

    def __init__(self, home: Path, pictures: Path) -> None:
        self._path = home / "tray.json"
        self._default_folder = pictures / "Tweenbridge"
        self._content = _read(self._path)
        self.on_trouble: Callable[[OSError], None] | None = None

    @property
    def results_folder(self) -> Path:
        """The folder in which each result gets a folder."""
        chosen = self._content.results_folder
        return Path(chosen) if chosen else self._default_folder

    @results_folder.setter
    def results_folder(self, folder: Path) -> None:
        self._content.results_folder = str(folder)
        self._write()

    @property
    def welcomed(self) -> bool:
        """The first run is over."""
        return self._content.welcomed

    @welcomed.setter
    def welcomed(self, done: bool) -> None:
        self._content.welcomed = done
        self._write()

    @property
    def notify(self) -> bool:
        """Whether the desktop is told when a job ends."""
        return self._content.notify

    @notify.setter
    def notify(self, on: bool) -> None:
        self._content.notify = on
        self._write()

    def remember_result(self, job: str, folder: Path) -> None:
        """A job's frames lie in this folder."""
        self._content.results.pop(job, None)
        self._content.results[job] = str(folder)
        for old in list(self._content.results)[:-MOST_RESULTS]:
            del self._content.results[old]
        self._write()

    def folder_of(self, job: str) -> Path | None:
        """Where a job's frames were written to, if they are still there."""
        folder = self._content.results.get(job)
        return Path(folder) if folder and Path(folder).is_dir() else None

    def _write(self) -> None:
        try:
            write_private(self._path, json.dumps(asdict(self._content), indent=1) + "\n")
        except OSError as error:
            if self.on_trouble is not None:
                self.on_trouble(error)


def _read(path: Path) -> _Content:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known = {item.name: type(getattr(_Content(), item.name)) for item in fields(_Content)}
        return _Content(**{name: content[name] for name, kind in known.items() if isinstance(content.get(name), kind)})
    except (OSError, ValueError, AttributeError):
        return _Content()
