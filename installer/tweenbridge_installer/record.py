"""What Tweenbridge put on this computer outside its own folders: `install.json` in the data folder.

The record is written before anything is touched, with all that is about to be there, and again when it is done. So
whatever interrupts an installation, nothing of it is ever unknown: installing again finishes, uninstalling undoes.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from .errors import InstallError


class Kind(str, Enum):
    """What an item of the record is, which says how it is taken away."""

    FOLDER = "folder"
    """A folder that was made for others; goes when nothing is in it."""
    FILE = "file"
    LINK = "link"
    TREE = "tree"
    """A folder with all that is in it."""
    EXTENSION = "extension"
    """A Blender extension."""


@dataclass(frozen=True)
class Item:
    """One thing that was put there.

    Attributes:
        part: what it belongs to: an editor's id, "login" or "menu".
        command: for an extension, the Blender that can take it away.
        digest: names what is in it, where that is more than a few lines.
    """

    kind: Kind
    path: Path
    part: str = ""
    command: tuple[str, ...] = ()
    digest: str = ""


@dataclass(frozen=True)
class Record:
    """All that was put there.

    Attributes:
        version: of the Tweenbridge that did it, "" when none did.
        finished: False from the first change until the last.
        items: in the order of putting.
    """

    version: str = ""
    finished: bool = True
    items: tuple[Item, ...] = ()

    def of(self, part: str) -> tuple[Item, ...]:
        """The items of one part."""
        return tuple(item for item in self.items if item.part == part)

    def holds(self, path: Path) -> bool:
        """Whether what is at this place is ours."""
        return any(item.path == path for item in self.items)

    def without(self, gone: frozenset[Path]) -> Record:
        """The record without the items of these places."""
        return replace(self, items=tuple(item for item in self.items if item.path not in gone))

    def with_items(self, added: tuple[Item, ...]) -> Record:
        """The record with these items, which replace those of the same places."""
        kept = self.without(frozenset(item.path for item in added))
        return replace(kept, items=(*kept.items, *added))


def record_file(data: Path) -> Path:
    """Where the record of a data folder is."""
    return data / "install.json"


def load(data: Path) -> Record:
    """The record; an empty one where nothing was installed.

    Raises:
        InstallError: it cannot be read or understood.
    """
    path = record_file(data)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Record(str(content["version"]), bool(content["finished"]), tuple(map(_item, content["items"])))
    except FileNotFoundError:
        return Record()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InstallError(
            f"{path}, the list of what was installed, cannot be read ({error}). "
            "Move it away and install again: what is there is found and taken over."
        ) from error


def _item(content: dict[str, Any]) -> Item:
    return Item(
        Kind(content["kind"]), Path(content["path"]), content["part"], tuple(content["command"]), content["digest"]
    )


def save(record: Record, data: Path) -> None:
    """Write the record, whole or not at all."""
    path = record_file(data)
    partial = _partial(path)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    items = [asdict(item) | {"path": str(item.path), "kind": item.kind.value} for item in record.items]
    text = json.dumps({"version": record.version, "finished": record.finished, "items": items}, indent=1) + "\n"
    with open(partial, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def remove(data: Path) -> None:
    """Take the record away: nothing is there any more."""
    path = record_file(data)
    _partial(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".part")
