"""Only some video tracks shown for a while: keyframes without the titles and clips above them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator, List, Sequence

from . import timeline
from .errors import PluginError, Trouble
from .host import Host
from .timeline import VIDEO


@contextmanager
def tracks_alone(host: Host, wanted: Sequence[int]) -> Iterator[None]:
    """Switch off all other video tracks; afterwards those that were on are on again. Nothing for no tracks.

    Raises:
        PluginError: STILL, a track cannot be switched off.
    """
    off: List[int] = []
    others = [track for track in timeline.tracks(host) if wanted and track.index not in wanted and track.enabled]
    try:
        for track in others:
            off.append(track.index)
            if not _switch(host, track.index, on=False):
                raise PluginError(
                    Trouble.STILL,
                    f"DaVinci Resolve did not switch off track V{track.index}, which lies over the clips.",
                    "Switch it off yourself (the film strip in its header), then try again.",
                )
        yield
    finally:
        if host.is_alive():
            for index in off:
                if not _switch(host, index, on=True):
                    host.tell(f"Track V{index} was on before: switch it on again.")


def _switch(host: Host, index: int, on: bool) -> bool:
    for _ in range(2):
        if (host.timeline.GetIsTrackEnabled(VIDEO, index) is not False) == on:
            return True
        host.timeline.SetTrackEnable(VIDEO, index, on)
    return (host.timeline.GetIsTrackEnabled(VIDEO, index) is not False) == on
