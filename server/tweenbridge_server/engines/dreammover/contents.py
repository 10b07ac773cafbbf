"""Which model it is by the bytes of its files: for telling whether another machine has the same one.

Reading a model takes seconds, so what was found is kept beside the data folder's other caches, by the model's identity:
that is another one as soon as a file's size or time is.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tweenbridge.protocol.messages import Scalar

from .identity import ModelKind, files, find, identity
from .recognise import unreadable

_BLOCK = 1 << 20


def contents(settings: Mapping[str, Scalar], home: Path) -> str:
    """A hash of the model's, VAE's and LoRA's files with their names, hexadecimal.

    Raises:
        TweenbridgeError: as `identity.find`, where a file is missing, damaged or cannot be read.
    """
    source = find(settings, home)
    kept = home / "cache" / "contents" / identity(source)
    with suppress(OSError):
        return kept.read_text(encoding="ascii")
    digest = hashlib.sha256(f"{source.lora_weight if source.lora is not None else 1.0!r}\n".encode())
    for role, base, paths in files(source):
        single = (role == "model" and source.kind is ModelKind.SINGLE_FILE) or base.is_file()
        for path in paths:
            # A single file may be called otherwise on another machine; the parts of a folder may not.
            name = path.suffix if single else path.relative_to(base).as_posix()
            digest.update(f"{role}\0{name}\0{_hashed(path)}\n".encode("utf-8", "surrogateescape"))
    found = digest.hexdigest()
    _keep(kept, found)
    return found


def _hashed(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise unreadable(path, error) from None
    return digest.hexdigest()


def _keep(place: Path, found: str) -> None:
    """Keep it, if the disk lets us: otherwise it is found out again next time."""
    temporary = place.with_name(f"{place.name}-{os.getpid()}")
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(found, encoding="ascii")
        os.replace(temporary, place)
