"""The soak's tables and picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from nano import curves

from .measuring import Figures
from .trends import Trend, Verdict, trend

MB: Final = 1e6
MS: Final = 1e-3
_PANEL: Final = 190
"""Pixels from the top of one curve to that of the next."""


@dataclass(frozen=True)
class Quantity:
    """Something that must not grow.

    Attributes:
        name: of the figure.
        unit: what a unit of the tables is in the figure's own.
        word: what the unit is called.
        harmless: growth per hour that would not matter, in that unit.
        start: from which share of the time on it is looked at; before, caches fill.
    """

    name: str
    unit: float
    word: str
    harmless: float
    start: float


EARLY: Final = 1 / 4
LATE: Final = 7 / 12
"""Workers are ended and begun anew in the first half: what one does over time is seen in the second."""

QUANTITIES: Final = (
    Quantity("gateway: resident", MB, "MB", 1.0, EARLY),
    Quantity("gateway: own", MB, "MB", 1.0, EARLY),
    Quantity("gateway: descriptors", 1, "", 1.0, EARLY),
    Quantity("gateway: threads", 1, "", 1.0, EARLY),
    Quantity("gateway: children", 1, "", 1.0, EARLY),
    Quantity("worker: resident", MB, "MB", 20.0, LATE),
    Quantity("worker: own", MB, "MB", 20.0, LATE),
    Quantity("worker: descriptors", 1, "", 1.0, LATE),
    Quantity("worker: threads", 1, "", 1.0, LATE),
    Quantity("clients: own", MB, "MB", 10.0, EARLY),
    Quantity("database", MB, "MB", 0.5, EARLY),
    Quantity("spool", MB, "MB", 10.0, EARLY),
    Quantity("log files", MB, "MB", 1.0, EARLY),
    Quantity("small requests, p50", MS, "ms", 0.5, EARLY),
    Quantity("small requests, p99", MS, "ms", 10.0, EARLY),
)

_BY_NAME: Final = {quantity.name: quantity for quantity in QUANTITIES}
_COLUMNS: Final = (
    "gateway: own", "gateway: descriptors", "gateway: threads", "worker: own", "worker: descriptors", "database",
    "spool", "small requests, p50", "small requests, p99",
)  # fmt: skip


@dataclass(frozen=True)
class Window:
    """The medians of some time's samples, percentiles of its requests, and jobs ended so far."""

    hours: float
    figures: Figures
    jobs: int


def window(hours: float, samples: Sequence[Figures], seconds: Sequence[float], jobs: int) -> Window:
    """Sum up what was measured since the last window."""
    names = dict.fromkeys(name for sample in samples for name in sample)
    figures = {name: float(np.median([sample[name] for sample in samples if name in sample])) for name in names}
    if seconds:
        figures["small requests, p50"], figures["small requests, p99"] = np.quantile(seconds, (0.5, 0.99)).tolist()
    return Window(hours, figures, jobs)


def trend_of(quantity: Quantity, windows: Sequence[Window]) -> Trend | None:
    """How much it grows per hour, in its table's unit."""
    begins = quantity.start * windows[-1].hours if windows else 0.0
    points = [(one.hours, one.figures[quantity.name]) for one in windows if quantity.name in one.figures]
    points = [(hours, value / quantity.unit) for hours, value in points if hours >= begins]
    return trend([hours for hours, _ in points], [value for _, value in points])


def verdicts(windows: Sequence[Window]) -> dict[str, Verdict | None]:
    """What each quantity does; None where there is too little to say."""
    found = {quantity: trend_of(quantity, windows) for quantity in QUANTITIES}
    return {quantity.name: one.verdict(quantity.harmless) if one else None for quantity, one in found.items()}


def head() -> str:
    """The first lines of a table of windows, in Markdown."""
    words = (f" ({_BY_NAME[name].word})" if _BY_NAME[name].word else "" for name in _COLUMNS)
    names = ["minute", "jobs ended", *(f"{name}{word}" for name, word in zip(_COLUMNS, words))]
    return f"| {' | '.join(names)} |\n{'|---' * len(names)}|"


def line(one: Window) -> str:
    """A line of that table."""
    cells = [f"{one.figures[name] / _BY_NAME[name].unit:.3g}" if name in one.figures else "-" for name in _COLUMNS]
    return f"| {one.hours * 60:.3g} | {one.jobs} | {' | '.join(cells)} |"


def trends_table(windows: Sequence[Window]) -> str:
    """Growth per hour of each quantity, and what it means, in Markdown."""
    lines = ["| quantity | at the end | growth per hour (99 %) | would not matter | |", "|---|---|---|---|---|"]
    for quantity in QUANTITIES:
        found = trend_of(quantity, windows)
        word = f" {quantity.word}" if quantity.word else ""
        last = [one.figures[quantity.name] for one in windows if quantity.name in one.figures][-1:]
        end = f"{last[0] / quantity.unit:.3g}{word}" if last else "-"
        if found is None:
            lines.append(f"| {quantity.name} | {end} | - | {quantity.harmless:g}{word} | too little to say |")
            continue
        verdict = found.verdict(quantity.harmless)
        interval = f"{found.growth:+.2g} ({found.low:+.2g} to {found.high:+.2g}){word}"
        said = f"{'PASS' if verdict.passes else 'FAIL'}: {verdict.value}"
        lines.append(f"| {quantity.name} | {end} | {interval} | {quantity.harmless:g}{word} | {said} |")
    return "\n".join(lines)


def draw(windows: Sequence[Window], picture: Path) -> None:
    """A panel for each quantity, two beside each other."""
    panels = []
    for quantity in QUANTITIES:
        points = [(60 * one.hours, one.figures[quantity.name] / quantity.unit) for one in windows
                  if quantity.name in one.figures]  # fmt: skip
        if len(points) > 1:
            minutes, values = np.array(points).T
            caption = f"{quantity.name} {f'({quantity.word})' if quantity.word else ''}"
            panels.append(
                curves.panel(caption, minutes, values, low=0.0, high=1.1 * float(values.max()), height=_PANEL)
            )
    if len(panels) % 2:
        panels.append(np.full_like(panels[0], 255))
    rows = [np.concatenate(pair, axis=1) for pair in zip(panels[::2], panels[1::2])]
    if rows:
        cv2.imwrite(str(picture), np.concatenate(rows))
