"""What stops an installation, in a sentence for the person who waits for it."""

from __future__ import annotations


class InstallError(Exception):
    """The installation cannot go on. `str()` says why and what to do."""
