"""The server's log: one JSON object a line in home/logs/server.log, rotated, with nothing secret in it.

A line has `time` (ISO 8601, UTC), `level`, `source`, `message`, the event's own fields, and `error` with a traceback
where there was one. Workers write no file of their own: their lines come here through the executor.
"""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = "tweenbridge_server"
"""The logger above all of the server's loggers."""

MAX_BYTES = 2 * 1024 * 1024
FILES = 5
"""How many files are kept, the current one included."""

_MAX_TEXT = 8000
_SECRET_FIELDS = ("token", "proof", "nonce", "secret", "key")
_OWN = ("time", "level", "source", "message", "error")


def log_file(home: Path) -> Path:
    """The file that is written now; older ones are beside it as server.log.1 and so on."""
    return home / "logs" / "server.log"


def _safe(name: str, value: Any) -> Any:
    """A field's value as it may be written: no bytes (keyframes, proofs), nothing under a secret's name."""
    if any(word in name.lower() for word in _SECRET_FIELDS) and not name.lower().startswith("keyframe"):
        return "(not logged)"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"({len(value)} bytes)"
    if isinstance(value, Mapping):
        return {str(key): _safe(str(key), item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_safe(name, item) for item in value[:100]]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)[:_MAX_TEXT]


class _JsonLines(logging.Formatter):
    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "source": record.name.removeprefix(f"{ROOT}."),
            "message": record.getMessage()[:_MAX_TEXT],
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, Mapping):
            line.update((name, _safe(name, value)) for name, value in fields.items() if name not in _OWN)
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)[-_MAX_TEXT:]
        text = json.dumps(line, ensure_ascii=False, default=str)
        for secret in self._secrets:
            text = text.replace(secret, "(not logged)")
        return text


class _RotatingFile(logging.handlers.RotatingFileHandler):
    """A log that cannot be written must never disturb the work it reports on."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Drop the line: a full disk is reported by the job it hits."""

    def close(self) -> None:
        """Close the file, whatever becomes of lines that could not be written."""
        with contextlib.suppress(OSError, ValueError):
            super().close()


def configure(home: Path, level: str = "info", secrets: tuple[str, ...] = ()) -> None:
    """Send the server's log lines of `level` and above to the log file. Calling it again replaces the file.

    Args:
        home: the data folder.
        level: "debug", "info", "warning" or "error".
        secrets: texts that are blotted out wherever they would appear.

    Raises:
        OSError: the folder or the file cannot be made.
    """
    path = log_file(home)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handler = _RotatingFile(path, maxBytes=MAX_BYTES, backupCount=FILES - 1, encoding="utf-8")
    handler.setFormatter(_JsonLines(tuple(secret for secret in secrets if secret)))
    logger = logging.getLogger(ROOT)
    close()
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False


def close() -> None:
    """Stop writing to the log file and close it."""
    logger = logging.getLogger(ROOT)
    for handler in [handler for handler in logger.handlers if isinstance(handler, _RotatingFile)]:
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = True


def event(logger: logging.Logger, level: int, message: str, **fields: Any) -> None:
    """Write a line with fields, e.g. `event(log, logging.INFO, "session opened", client="blender")`."""
    logger.log(level, message, extra={"fields": fields})


def readable(line: str) -> str:
    """One line of the log for a person: local time, level, source, message, then the fields.

    A line that is no JSON object (a file that was cut off) is returned as it is.
    """
    try:
        entry = json.loads(line)
    except ValueError:
        return line.rstrip("\n")
    if not isinstance(entry, dict):
        return line.rstrip("\n")
    fields = ", ".join(f"{name}: {value}" for name, value in entry.items() if name not in _OWN)
    text = f"{_local_time(entry.get('time'))}  {entry.get('level', ''):<7}  {entry.get('source', '')}: "
    text += str(entry.get("message", "")) + (f"  ({fields})" if fields else "")
    error = entry.get("error")
    return text + "".join(f"\n    {part}" for part in str(error).splitlines()) if error else text


def _local_time(stamp: Any) -> str:
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(str(stamp).replace("Z", "+00:00"))
    except ValueError:
        return str(stamp)
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
