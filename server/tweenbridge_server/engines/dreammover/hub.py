"""Models that were downloaded from the hub: where they lie on this machine. Nothing is ever fetched here.

The layout is huggingface_hub's ("Understand caching" in its documentation): `models--org--name/refs/main` names a
commit, `models--org--name/snapshots/<commit>/` holds its files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_HUB_ID: Final = re.compile(r"([A-Za-z0-9][\w.-]*)/([A-Za-z0-9][\w.-]*)(?:@([\w][\w./-]*))?")


def is_hub_id(name: str) -> bool:
    """Whether this can be a hub id: "org/name" or "org/name@revision"."""
    return _HUB_ID.fullmatch(name) is not None and ".." not in name


def cache_folders(home: Path | None) -> list[Path]:
    """The folders that may hold downloaded models, the first to be preferred."""
    environment = os.environ
    if folder := environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE"):
        cache = Path(folder).expanduser()
    elif folder := environment.get("HF_HOME"):
        cache = Path(folder).expanduser() / "hub"
    elif folder := environment.get("XDG_CACHE_HOME"):
        cache = Path(folder).expanduser() / "huggingface" / "hub"
    else:
        cache = Path("~/.cache/huggingface/hub").expanduser()
    return [cache] if home is None else [home / "models", cache]


def snapshots(hub_id: str, home: Path | None) -> Iterator[Path]:
    """The folders on this machine that hold the model `hub_id`, the one to be preferred first.

    That is: of the revision named, else of `main`, then the others from new to old; they need not be complete.
    """
    match = _HUB_ID.fullmatch(hub_id)
    if match is None:
        return
    organisation, name, revision = match.groups()
    for cache in cache_folders(home):
        if not revision and (cache / organisation / name).is_dir():
            yield cache / organisation / name
        repository = cache / f"models--{organisation}--{name}"
        kept = repository / "snapshots"
        wanted = revision or "main"
        commit = _commit(repository / "refs" / wanted) or wanted
        if (kept / commit).is_dir():
            yield kept / commit
        if revision is None:
            others = [folder for folder in _folders(kept) if folder.name != commit]
            yield from sorted(others, key=lambda folder: folder.stat().st_mtime_ns, reverse=True)


def _commit(reference: Path) -> str:
    try:
        return reference.read_text("utf-8", errors="replace")[:100].strip()
    except OSError:
        return ""


def _folders(parent: Path) -> list[Path]:
    try:
        return [entry for entry in parent.iterdir() if entry.is_dir()]
    except OSError:
        return []
