"""Bounds that both sides check before they send and after they receive. The server advertises its own in `welcome`."""

from __future__ import annotations

from dataclasses import dataclass

PROTOCOL_VERSIONS = (1,)
"""Protocol versions that this code speaks, newest first."""

MAX_HEADER_BYTES = 64 * 1024
MAX_NESTING_ITEMS = 20_000
"""Most elements of one array, or entries of one map, inside a header."""
MAX_STRING_BYTES = 16 * 1024
NONCE_BYTES = 32

HELLO_TIMEOUT = 3.0
"""Seconds a handshake may take."""
PING_AFTER = 5.0
"""Seconds of silence after which the client sends a ping."""
DEAD_AFTER = 15.0
"""Seconds of silence after which the other side counts as gone."""
PUT_WINDOW = 2
"""Keyframes that a client sends before the server has said that it has the first of them."""
FETCH_WINDOW = 2
"""Frames that a client may have asked for and not yet received."""
PREVIEW_SIDE = 256
"""Longest side of a preview, in pixels."""
PREVIEW_BYTES = 256 * 1024
"""Largest pixel part of a preview."""
THUMBNAIL_SIDE = 1024
"""Largest side of a thumbnail that may be asked for, in pixels; the smallest is 16."""
THUMBNAIL_BYTES = 4 * 1024 * 1024
"""Largest pixel part of a thumbnail."""


@dataclass(frozen=True)
class Limits:
    """What one server accepts. Sizes in bytes.

    Attributes:
        frame_bytes: largest pixel part, and the socket's maximum message size.
        keyframes_per_job: most keyframes of one job.
        frames_per_job: most distinct images one job may make.
        jobs_per_client: most jobs of one client that are neither finished nor released.
        queued_jobs: most unfinished jobs of all clients together.
        spool_bytes: most bytes that keyframes and results together may take on disk.
        client_bytes: most bytes of them that the unfinished jobs of one client may hold; 0 is no bound of its own.
    """

    frame_bytes: int = 160 * 1024 * 1024
    keyframes_per_job: int = 256
    frames_per_job: int = 10_000
    jobs_per_client: int = 64
    queued_jobs: int = 10_000
    spool_bytes: int = 20 * 1024**3
    client_bytes: int = 0
