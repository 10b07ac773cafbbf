"""What all objects of the API have in common."""

from __future__ import annotations

import itertools
import threading

_NUMBERS = itertools.count(1)
CALLED_FROM = set()
"""Threads that have called Resolve. The real one takes calls from one thread only."""


class ApiObject:
    """Asking for a method that is not there gives None instead of an AttributeError: `hasattr` is always true."""

    def __init__(self):
        self._id = f"id-{next(_NUMBERS)}"

    def _absent(self):
        """Names of methods that this version of Resolve does not have."""
        return ()

    def __getattribute__(self, name):
        if name[0].isupper():
            CALLED_FROM.add(threading.get_ident())
            if name in self._absent():
                return None
            studio = self.__dict__.get("_studio")
            if studio is not None and studio.blocked is not None:
                assert studio.blocked.wait(10), "nobody closes the dialog"
            if studio is not None and name in studio.quirks.fails:
                real = super().__getattribute__(name)
                return lambda *arguments: studio.quirks.fails_with if studio.refuses(name) else real(*arguments)
        return super().__getattribute__(name)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return


class Annotated(ApiObject):
    """Something that markers can be set on, counted from its own start."""

    def __init__(self):
        super().__init__()
        self._markers = {}

    def AddMarker(self, frameId, color, name, note, duration, customData=""):
        if frameId in self._markers:
            return False
        marker = {"color": color, "duration": duration, "note": note, "name": name, "customData": customData}
        self._markers[float(frameId)] = marker
        return True

    def GetMarkers(self):
        return {frame: dict(marker) for frame, marker in self._markers.items()}

    def GetMarkerByCustomData(self, customData):
        return {frame: dict(m) for frame, m in self._markers.items() if m["customData"] == customData}

    def DeleteMarkerAtFrame(self, frameNum):
        return self._markers.pop(frameNum, None) is not None

    def DeleteMarkersByColor(self, color):
        self._markers = {frame: m for frame, m in self._markers.items() if color not in ("All", m["color"])}
        return True
