"""The secrets of a server that other machines may reach: CURVE key pair and token, kept so that clients need them once.

On loopback nothing is kept: the token is new at every start and lives in the run file alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq
from tweenbridge.discovery import write_private
from tweenbridge.protocol.handshake import make_nonce

from .endpoint import CurveKeys

_Z85_KEY_LENGTH = 40


@dataclass(frozen=True)
class Keys:
    """What a server holds; `curve` is None on loopback."""

    token: bytes
    curve: CurveKeys | None = None


def key_file(home: Path) -> Path:
    """Where the secrets of a server that other machines may reach are kept."""
    return home / "run" / "keys.json"


def fresh_keys() -> Keys:
    """A new token, for a server that only this machine can reach."""
    return Keys(make_nonce())


def kept_keys(home: Path) -> Keys:
    """The kept secrets; made, readable by this user alone, when there are none that can be understood."""
    path = key_file(home)
    try:
        return _parse(json.loads(path.read_text(encoding="ascii")))
    except (OSError, ValueError, KeyError, TypeError):
        public, secret = zmq.curve_keypair()
        keys = Keys(make_nonce(), CurveKeys(public.decode("ascii"), secret.decode("ascii")))
        assert keys.curve is not None
        content = {"token": keys.token.hex(), "public": keys.curve.public, "secret": keys.curve.secret}
        write_private(path, json.dumps(content, indent=1) + "\n")
        return keys


def _parse(content: Any) -> Keys:
    curve = CurveKeys(str(content["public"]), str(content["secret"]))
    token = bytes.fromhex(content["token"])
    if len(curve.public) != _Z85_KEY_LENGTH or zmq.curve_public(curve.secret.encode("ascii")) != curve.public.encode():
        raise ValueError("the key pair does not belong together")
    if not token:
        raise ValueError("no token")
    return Keys(token, curve)
