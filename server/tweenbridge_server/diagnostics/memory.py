"""How much memory this process holds, and that it gives back what it no longer needs."""

from __future__ import annotations

import functools
import sys


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


_M_MMAP_THRESHOLD = -3
_LARGE = 1024 * 1024


def return_large_blocks_at_once() -> None:
    """Have the C library give every block of a megabyte or more back to the system as soon as it is freed.

    Left alone, glibc moves its threshold up to the largest block freed so far, and then keeps up to 64 MB in the memory
    of each thread that received keyframes; malloc_trim does not reach them there. Getting fresh memory each time makes
    receiving a 1080p frame 2 ms slower. For the whole process; does nothing where the C library is another.
    """
    if sys.platform == "linux":
        import ctypes

        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _LARGE)
