"""The secrets of a server that other machines may reach: CURVE key pair and token, kept, so that the key
files of clients stay good.

On loopback nothing is kept: the token is new at every start and lives in the run file alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import zmq
from tweenbridge.discovery import write_private
from tweenbridge.protocol.handshake import make_nonce

from .endpoint import CurveKeys

_Z85_KEY_LENGTH = 40


@dataclass(frozen=True)
class Keys:
    """What a server holds.

    Attributes:
        token: what both sides prove to hold.
        curve: the server's key pair; None on loopback.
        local: the pair of this machine's own clients, new at every start; None on loopback.
    """

    token: bytes
    curve: CurveKeys | None = None
    local: CurveKeys | None = None


def key_file(home: Path) -> Path:
    """Where the secrets of a server that other machines may reach are kept."""
    return home / "run" / "keys.json"


def fresh_keys() -> Keys:
    """A new token, for a server that only this machine can reach."""
    return Keys(make_nonce())


def kept_keys(home: Path) -> Keys:
    """The kept secrets; made, readable by this user alone, when there are none that can be understood."""
    return replace(_kept(key_file(home)), local=_new_pair())


def _kept(path: Path) -> Keys:
    try:
        return _parse(json.loads(path.read_text(encoding="ascii")))
    except (OSError, ValueError, KeyError, TypeError):
        pair = _new_pair()
        keys = Keys(make_nonce(), pair)
        content = {"token": keys.token.hex(), "public": pair.public, "secret": pair.secret}
        write_private(path, json.dumps(content, indent=1) + "\n")
        return keys


def _new_pair() -> CurveKeys:
    public, secret = zmq.curve_keypair()
    return CurveKeys(public.decode("ascii"), secret.decode("ascii"))


def _parse(content: Any) -> Keys:
    curve = CurveKeys(str(content["public"]), str(content["secret"]))
    token = bytes.fromhex(content["token"])
    if len(curve.public) != _Z85_KEY_LENGTH or zmq.curve_public(curve.secret.encode("ascii")) != curve.public.encode():
        raise ValueError("the key pair does not belong together")
    if not token:
        raise ValueError("no token")
    return Keys(token, curve)
