"""Whom the encrypted port lets in: answers ZeroMQ's question about each client's key (ZAP, RFC 27).

A peer whose key is not on the ring never gets as far as sending a message: libzmq ends its handshake. What it says
later carries its public key as the message's user id, which is how the gateway knows whose it is.
"""

from __future__ import annotations

import binascii
import logging
from collections.abc import Callable

import zmq
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from zmq.utils import z85

from ..jobs.caller import Caller, owner_with_key
from .client_keys import KeyRing

ZAP_DOMAIN = b"tweenbridge"

_ENDPOINT = "inproc://zeromq.zap.01"
_CREDENTIALS = 6
"""Place of the client's public key in a request: version, request id, domain, address, identity, mechanism, key."""

log = logging.getLogger(__name__)


class Doorkeeper:
    """Belongs to the gateway's thread. Made before the socket that it guards is bound."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], local: str, ring: KeyRing, refused: Callable[[str], None]
    ) -> None:
        """Answer for all CURVE sockets of a context.

        Args:
            local: the public key of this machine's own clients.
            refused: told the address of a peer whose key is not on the ring.
        """
        self._local = local
        self._ring = ring
        self._refused = refused
        self.socket: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.bind(_ENDPOINT)

    def answer(self) -> None:
        """Answer the questions that are there. One that cannot be understood is answered with no."""
        while True:
            try:
                envelope = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            split = envelope.index(b"") + 1
            question = envelope[split:]
            public = self._public_key(question)
            known = public is not None and self._knows(public)
            status, text = (b"200", b"OK") if known else (b"400", b"This key is not known here.")
            user = public.encode("ascii") if known and public else b""
            if not known:
                self._refused(question[3].decode("ascii", "replace") if len(question) > _CREDENTIALS else "")
            self.socket.send_multipart([*envelope[:split], b"1.0", question[1], status, text, user, b""])

    def _knows(self, public: str) -> bool:
        self._ring.refresh()
        return public == self._local or self._ring.find(public) is not None

    @staticmethod
    def _public_key(question: list[bytes]) -> str | None:
        if len(question) != _CREDENTIALS + 1 or question[5] != b"CURVE" or question[2] != ZAP_DOMAIN:
            return None
        try:
            return z85.encode(question[_CREDENTIALS]).decode("ascii")
        except (ValueError, binascii.Error):
            return None

    def refresh(self) -> None:
        """Take up keys that were made or revoked."""
        self._ring.refresh()

    def caller(self, public: str, name: str) -> Caller:
        """Who holds that key. `name` is what the client calls itself, which counts on this machine alone.

        Raises:
            TweenbridgeError: UNAUTHORIZED when the key has been revoked since the connection was made.
        """
        if public == self._local:
            return Caller(name)
        key = self._ring.find(public)
        if key is None:
            raise revoked()
        return Caller(owner_with_key(key.name), key.admin)

    def is_welcome(self, public: str) -> bool:
        """The key is still good."""
        return public == self._local or self._ring.find(public) is not None

    def close(self) -> None:
        """Answer no more."""
        self.socket.close(0)


def revoked() -> TweenbridgeError:
    """What the holder of a revoked key is told."""
    return TweenbridgeError(
        ErrorCode.UNAUTHORIZED,
        "This client's key was revoked.",
        remedy="Ask whoever runs the server for a new key file.",
    )
