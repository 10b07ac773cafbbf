"""How models are downloaded, as the server's settings say it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FetchSettings:
    """How models are downloaded.

    Attributes:
        proxy: address of a proxy; "" takes the environment's.
        mirror: address to use instead of the hub's; "" takes the environment's (HF_ENDPOINT).
        stall_seconds: seconds without a byte after which a connection counts as lost.
    """

    proxy: str = ""
    mirror: str = ""
    stall_seconds: float = 30.0

    def environment(self) -> dict[str, str]:
        """Variables for the helper.

        Data comes over plain ranges, which can be taken up again, and not over Xet; the hub is told nothing of this
        machine that a download does not need.
        """
        found = {
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
        if self.proxy:
            found |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), self.proxy)
        if self.mirror:
            found["HF_ENDPOINT"] = self.mirror
        return found
