"""How much memory this process holds, and giving back what it no longer needs."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable


def resident_bytes() -> int:
    """Resident memory of this process in bytes, mapped files included; 0 where it cannot be read."""
    if sys.platform != "linux":
        import psutil  # takes 15 ms to import, which start-up need not pay

        return int(psutil.Process().memory_info().rss)
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * _page_bytes()


@functools.cache
def _page_bytes() -> int:
    import resource

    return resource.getpagesize()


@functools.cache
def _trim() -> Callable[[int], object] | None:
    """glibc's malloc_trim, where the C library is glibc."""
    if sys.platform != "linux":
        return None
    import ctypes

    return getattr(ctypes.CDLL(None), "malloc_trim", None)


def release_free_memory() -> None:
    """Return freed blocks to the system.

    glibc keeps up to twice the largest block it has freed (64 MB at most) for the next request, in each arena. After a
    burst of keyframes that would be held for good; a few milliseconds give it back.
    """
    trim = _trim()
    if trim is not None:
        trim(0)
