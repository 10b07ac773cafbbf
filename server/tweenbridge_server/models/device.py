"""What models are computed on, asked once of a process of its own: a broken driver may take the process with it."""

from __future__ import annotations

import importlib.util
import json
import logging
import subprocess
import sys
import threading
from typing import Final

from tweenbridge.protocol.models import DeviceInfo

_DEVICES: Final = "tweenbridge_server.engines.dreammover.devices"
_SECONDS: Final = 120.0
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)

log = logging.getLogger(__name__)


class Device:
    """The device that is chosen for engines with a model.

    Args:
        wanted: the first of the server's setting `workers.devices`.
    """

    def __init__(self, wanted: str) -> None:
        self._wanted = wanted
        self._lock = threading.Lock()
        self._asked = False
        self._found: DeviceInfo | None = None

    @property
    def known(self) -> DeviceInfo | None:
        """What it is; None until that is known."""
        return self._found

    def look(self) -> None:
        """Find out, in the background, unless that was done: importing torch takes seconds."""
        with self._lock:
            if self._asked:
                return
            self._asked = True
        threading.Thread(target=self._look, name="device", daemon=True).start()

    def _look(self) -> None:
        if importlib.util.find_spec("torch") is None:
            self._found = _processor()
            return
        command = [sys.executable, *(["-I"] if sys.flags.isolated else []), "-m", _DEVICES]
        try:
            result = subprocess.run(
                command, capture_output=True, text=True, timeout=_SECONDS, check=False, creationflags=_NO_WINDOW
            )
            report = json.loads(result.stdout.strip().splitlines()[-1])
            self._found = chosen(report, self._wanted)
        except (OSError, subprocess.SubprocessError, LookupError, ValueError, TypeError) as error:
            log.warning("What there is to compute on could not be found out: %r", error)
            self._found = _processor()


def chosen(report: dict[str, object], wanted: str) -> DeviceInfo:
    """The wanted device in the report of dreammover's devices.py. LookupError where it is not there."""
    devices = report["devices"]
    assert isinstance(devices, list)
    name = str(report["device"]) if wanted == "auto" else wanted
    for facts in devices:
        if facts["works"] and (facts["device"] == name or facts["device"].partition(":")[0] == name):
            return DeviceInfo(facts["device"], facts["name"], facts["total"], facts["free"])
    raise LookupError(f"there is no {name}")


def _processor() -> DeviceInfo:
    import psutil  # 15 ms that the server's start need not pay

    memory = psutil.virtual_memory()
    return DeviceInfo("cpu", "CPU", int(memory.total), int(memory.available))
