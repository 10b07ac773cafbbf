"""Proofs of the mutual handshake (PROTOCOL.md, "Opening a session").

Each is an HMAC-SHA256 over both nonces, with the token of the run file as the key.
The server proves first, so a process that squats on the port learns nothing it could use.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from .limits import NONCE_BYTES


def make_nonce() -> bytes:
    """Fresh random bytes for one handshake."""
    return secrets.token_bytes(NONCE_BYTES)


def _proof(role: bytes, token: bytes, client_nonce: bytes, server_nonce: bytes, version: int) -> bytes:
    # The nonces have a fixed length, so the joined text reads one way only; the version is in it so that nobody can
    # talk the two sides down to an older one.
    text = b"tweenbridge " + role + client_nonce + server_nonce + version.to_bytes(4, "big")
    return hmac.new(token, text, hashlib.sha256).digest()


def server_proof(token: bytes, client_nonce: bytes, server_nonce: bytes, version: int) -> bytes:
    """What only a server that holds the token can say."""
    return _proof(b"server", token, client_nonce, server_nonce, version)


def client_proof(token: bytes, client_nonce: bytes, server_nonce: bytes, version: int) -> bytes:
    """What only a client that holds the token can say."""
    return _proof(b"client", token, client_nonce, server_nonce, version)


def matches(expected: bytes, given: bytes) -> bool:
    """Compare two proofs in constant time."""
    return hmac.compare_digest(expected, given)
