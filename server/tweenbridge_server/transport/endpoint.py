"""The gateway's sockets: the ROUTER with its bounds, and the monitor that tells when a connection ends."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import zmq
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import DEAD_AFTER, HELLO_TIMEOUT, MAX_HEADER_BYTES, PING_AFTER

from .doorkeeper import ZAP_DOMAIN
from .outgoing import MAX_QUEUED

_MAX_UNREAD = 8
"""Messages of one peer that may wait to be read; each may be a whole keyframe."""
_WATCHED_EVENTS = (
    zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)


@dataclass(frozen=True)
class CurveKeys:
    """A CURVE key pair in Z85 text, 40 characters each."""

    public: str
    secret: str


def is_loopback(host: str) -> bool:
    """Only this machine can reach the address."""
    return ipaddress.ip_address(host).is_loopback


def open_router(
    context: zmq.Context[zmq.Socket[bytes]], host: str, port: int, frame_bytes: int, curve: CurveKeys | None
) -> zmq.Socket[bytes]:
    """Bind the gateway's ROUTER; port 0 takes any free one.

    Raises:
        TweenbridgeError: START_FAILED when the address cannot be bound, or is not loopback and there are no keys.
    """
    address = ipaddress.ip_address(host)
    if curve is None and not address.is_loopback:
        raise TweenbridgeError(ErrorCode.START_FAILED, f"The server does not listen on {host} without encryption.")
    router = context.socket(zmq.ROUTER)
    router.linger = 0
    router.ipv6 = address.version == 6
    router.router_mandatory = True
    router.router_handover = False
    # Room for a header beside the largest frame, so that one that is a little too large still gets an answer.
    router.maxmsgsize = frame_bytes + MAX_HEADER_BYTES
    router.sndhwm = MAX_QUEUED
    router.rcvhwm = _MAX_UNREAD
    router.handshake_ivl = int(HELLO_TIMEOUT * 1000)
    router.heartbeat_ivl = int(PING_AFTER * 1000)
    router.heartbeat_timeout = int(DEAD_AFTER * 1000)
    router.heartbeat_ttl = int(DEAD_AFTER * 1000)
    if curve is not None:
        router.curve_server = True
        router.zap_domain = ZAP_DOMAIN
        router.curve_publickey = curve.public.encode("ascii")
        router.curve_secretkey = curve.secret.encode("ascii")
    try:
        router.bind(f"tcp://[{host}]:{port or '*'}" if address.version == 6 else f"tcp://{host}:{port or '*'}")
    except zmq.ZMQError as error:
        router.close()
        raise TweenbridgeError(
            ErrorCode.START_FAILED,
            f"The server cannot listen on {host}, port {port}: {error.strerror}.",
            remedy="Choose another host or port in config.toml, or end the program that uses it.",
        ) from error
    return router


def reachable_endpoint(router: zmq.Socket[bytes]) -> str:
    """What a client on this machine connects to; a server on all interfaces is reached over loopback."""
    endpoint = bytes(router.getsockopt(zmq.LAST_ENDPOINT)).rstrip(b"\0").decode("ascii")
    return endpoint.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def open_monitor(router: zmq.Socket[bytes]) -> zmq.Socket[bytes]:
    """The socket that tells of ended connections and failed handshakes."""
    monitor: zmq.Socket[bytes] = router.get_monitor_socket(_WATCHED_EVENTS)
    monitor.linger = 0
    return monitor


def close_sockets(router: zmq.Socket[bytes], monitor: zmq.Socket[bytes], farewell: float) -> None:
    """Close both, giving last messages `farewell` seconds to leave."""
    router.disable_monitor()
    # Left open, it would keep the context from ending.
    monitor.close(0)
    router.close(int(farewell * 1000))
