"""What the `flow` engine says of itself; importable without its code."""

from __future__ import annotations

from typing import Final

from tweenbridge.protocol.messages import EngineInfo, ProfileInfo

INFO: Final = EngineInfo(
    name="flow",
    title="Optical flow",
    version="2",
    profiles=(
        ProfileInfo("quality", "Quality", "Follows large and fine motion and keeps drawings whole; a little slower."),
        ProfileInfo("draft", "Draft", "Fast, for trying timings."),
    ),
    description="Moves pixels along the motion it finds between the keyframes. Works at once, with no download.",
    # At 1080p, in the processor's memory.
    memory=800_000_000,
)
