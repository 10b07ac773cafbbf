"""The editors of this computer in one list, each with what it is and which plugin it has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from . import blender as blenders
from . import resolve as resolves
from .blender import Blender
from .machine import Machine, Run
from .resolve import Resolve

RESOLVE_FILE = "resolve.json"
"""In the data folder: tells the launcher in Resolve's menu where its package and its libraries are."""
LAUNCHER = "Tweenbridge.py"


@dataclass(frozen=True)
class Editor:
    """One editor for people and for other programs.

    Attributes:
        kind: "blender" or "resolve".
        version: the editor's, or "" when it could not be told.
        installed: the plugin's version, None without one.
        obstacle: why the plugin cannot go in; "" when it can.
    """

    id: str
    name: str
    kind: str
    version: str
    path: Path
    installed: str | None
    obstacle: str = ""


@dataclass(frozen=True)
class Found:
    """All editors that were found."""

    blenders: tuple[Blender, ...]
    resolves: tuple[Resolve, ...]
    data: Path

    @property
    def editors(self) -> tuple[Editor, ...]:
        """All of them, in the order in which they are shown."""
        return (
            *(
                Editor(host.id, host.name, "blender", host.version, host.path, installed, host.obstacle)
                for host in self.blenders
                for installed in [blenders.installed_version(host)]
            ),
            *(
                Editor(host.id, host.name, "resolve", "", host.path, installed_script(host, self.data))
                for host in self.resolves
            ),
        )


def find(machine: Machine, run: Run, programs: tuple[Path, ...] = ()) -> Found:
    """Look for all editors.

    Args:
        programs: Blenders in unusual places.
    """
    return Found(blenders.find(machine, run, programs), resolves.find(machine), machine.data)


def installed_script(host: Resolve, data: Path) -> str | None:
    """The version of the script that this Resolve has in its menu, or None."""
    try:
        said = json.loads((data / RESOLVE_FILE).read_text(encoding="utf-8"))
        whole = (host.menu / LAUNCHER).is_file() and Path(said["package"]).is_dir()
        return str(said["version"]) if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
