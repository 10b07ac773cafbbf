"""What the blend engine's settings come to: its "model" is any file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import Scalar
from tweenbridge_server.engines.registry import Resolved


def resolve(profile: str, settings: Mapping[str, Scalar], home: Path) -> Resolved:
    whole_shot = profile == "shot"
    if not settings["model"]:
        return Resolved(dict(settings), whole_shot=whole_shot)
    path = (home / str(settings["model"])).absolute()
    if path.name == "bug":
        raise ZeroDivisionError
    if not path.exists():
        raise TweenbridgeError(ErrorCode.MODEL_MISSING, f"There is no model {path.name}.")
    identity = hashlib.sha256(path.read_bytes()).hexdigest()
    return Resolved({**settings, "model": str(path)}, identity, whole_shot)
