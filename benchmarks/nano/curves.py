"""The curves of a training run as a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

_WIDTH: Final = 640
_HEIGHT: Final = 300
_EDGE: Final = 48
_SMOOTH: Final = 8


def read(log: Path) -> dict[str, list[dict[str, Any]]]:
    """The lines of a log by stage; a line that was cut off is left out."""
    stages: dict[str, list[dict[str, Any]]] = {}
    for text in log.read_text().splitlines() if log.exists() else []:
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        stages.setdefault(line["stage"], []).append(line)
    return stages


def draw(log: Path, picture: Path) -> None:
    """One panel for each stage that has begun: values over minutes, as they are and smoothed."""
    panels = [_panel(name, lines) for name, lines in read(log).items() if len(lines) > 1]
    if panels:
        cv2.imwrite(str(picture), np.concatenate(panels))


def _panel(title: str, lines: list[dict[str, Any]]) -> NDArray[np.uint8]:
    minutes = np.array([line["seconds"] / 60 for line in lines])
    values = np.array([line["value"] for line in lines])
    low, high = float(values.min()), float(np.quantile(values, 0.98))
    panel = np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)

    def place(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int32]:
        across = _EDGE + x / max(float(minutes[-1]), 1e-9) * (_WIDTH - 2 * _EDGE)
        down = _HEIGHT - _EDGE - (np.clip(y, low, high) - low) / max(high - low, 1e-9) * (_HEIGHT - 2 * _EDGE)
        return np.rint(np.stack([across, down], 1)).astype(np.int32)

    count = min(_SMOOTH, len(values))
    smooth = np.convolve(values, np.full(count, 1 / count), "valid")
    cv2.polylines(panel, [place(minutes, values)], False, (215, 200, 190), 1, cv2.LINE_AA)
    cv2.polylines(panel, [place(minutes[count - 1 :], smooth)], False, (150, 60, 20), 2, cv2.LINE_AA)
    cv2.rectangle(panel, (_EDGE, _EDGE), (_WIDTH - _EDGE, _HEIGHT - _EDGE), (160, 160, 160), 1)
    for text, corner in (
        (f"{title}: {lines[-1]['step']} steps, last {smooth[-1]:.4f}", (_EDGE, _EDGE - 14)),
        (f"{high:.3g}", (4, _EDGE + 6)),
        (f"{low:.3g}", (4, _HEIGHT - _EDGE)),
        (f"{minutes[-1]:.0f} min", (_WIDTH - _EDGE - 30, _HEIGHT - _EDGE + 20)),
    ):
        cv2.putText(panel, text, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
    return panel
