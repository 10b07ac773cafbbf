"""Curves as a picture: those of a training run, and single ones."""

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
    panels = [_stage(name, lines) for name, lines in read(log).items() if len(lines) > 1]
    if panels:
        cv2.imwrite(str(picture), np.concatenate(panels))


def _stage(name: str, lines: list[dict[str, Any]]) -> NDArray[np.uint8]:
    minutes = np.array([line["seconds"] / 60 for line in lines])
    values = np.array([line["value"] for line in lines])
    caption = f"{name}: {lines[-1]['step']} steps, last {_smoothed(values)[-1]:.4f}"
    return panel(caption, minutes, values, float(values.min()), float(np.quantile(values, 0.98)))


def _smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    count = min(_SMOOTH, len(values))
    return np.convolve(values, np.full(count, 1 / count), "valid")


def panel(
    caption: str,
    minutes: NDArray[np.float64],
    values: NDArray[np.float64],
    low: float,
    high: float,
    height: int = _HEIGHT,
) -> NDArray[np.uint8]:
    """One curve with its caption: values over minutes between `low` and `high`, as they are and smoothed."""
    picture = np.full((height, _WIDTH, 3), 255, np.uint8)

    def place(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int32]:
        across = _EDGE + x / max(float(minutes[-1]), 1e-9) * (_WIDTH - 2 * _EDGE)
        down = height - _EDGE - (np.clip(y, low, high) - low) / max(high - low, 1e-9) * (height - 2 * _EDGE)
        return np.rint(np.stack([across, down], 1)).astype(np.int32)

    smooth = _smoothed(values)
    cv2.polylines(picture, [place(minutes, values)], False, (215, 200, 190), 1, cv2.LINE_AA)
    cv2.polylines(picture, [place(minutes[len(minutes) - len(smooth) :], smooth)], False, (150, 60, 20), 2, cv2.LINE_AA)
    cv2.rectangle(picture, (_EDGE, _EDGE), (_WIDTH - _EDGE, height - _EDGE), (160, 160, 160), 1)
    for text, corner in (
        (caption, (_EDGE, _EDGE - 14)),
        (f"{high:.3g}", (4, _EDGE + 6)),
        (f"{low:.3g}", (4, height - _EDGE)),
        (f"{minutes[-1]:.0f} min", (_WIDTH - _EDGE - 30, height - _EDGE + 20)),
    ):
        cv2.putText(picture, text, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
    return picture
