"""What is on a node. Ray carries this function there by its code, so that it also runs where Tweenbridge is missing or
old: it imports nothing of it but in attempts, and nothing else but the standard library.
"""

from __future__ import annotations

import hashlib
import platform
import socket
from pathlib import Path
from typing import Any


def probe() -> dict[str, Any]:
    """Name, versions, a hash of Tweenbridge's code, and the models there."""
    found: dict[str, Any] = {"name": socket.gethostname(), "python": platform.python_version()}
    try:
        import tweenbridge
        from tweenbridge.version import __version__

        import tweenbridge_server
    except ImportError:
        return found
    digest = hashlib.sha256()
    for package in (tweenbridge, tweenbridge_server):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            # Line ends are not the code: a checkout on Windows may have others.
            data = path.read_bytes().replace(b"\r\n", b"\n")
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + data + b"\0")
    found |= {"version": __version__, "fingerprint": digest.hexdigest()[:16]}
    try:
        from tweenbridge.discovery import data_dir

        from tweenbridge_server.models import catalogue, present, register

        home = data_dir()
        found["models"] = [one.id for one in present.present(home, catalogue.load(home), register.read(home))]
    except Exception as error:  # noqa: BLE001 - another version may have no such modules; the version says enough
        found["models_problem"] = repr(error)[:200]
    return found
