"""Paired comparisons: results of recipes on the same pairs, their differences to one of them, and how sure those are.

Intervals: the percentile bootstrap over pairs (Efron 1979), seeded, so that the same results give the same table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_ROUNDS = 10_000
_AT_ONCE = 1_000_000
_FEWEST = 10
"""Of fewer pairs the bootstrap is surer than it should be: then nothing counts as clear."""
KINDS = ("all", "same", "hard")


@dataclass(frozen=True)
class Result:
    """One recipe on one pair.

    Attributes:
        model: identity of the model; "" for what uses none.
        pair, kind, size, times: which pair, at which times.
        bare: without the keyframes' detail.
        moving, whole: for each time, PSNR in decibels where something moves and everywhere.
        epe, pck: of the correspondences, in latent pixels and as a share; None where the method has none.
        seconds: for one in-between, with its share of what the gap needs.
    """

    model: str
    pair: int
    kind: str
    size: int
    times: tuple[float, ...]
    recipe: str
    bare: bool
    moving: tuple[float, ...]
    whole: tuple[float, ...]
    epe: float | None
    pck: float | None
    seconds: float


@dataclass(frozen=True)
class Interval:
    """A mean and the bounds within which it lies with a certain confidence."""

    mean: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Zero is not within."""
        return self.low > 0 or self.high < 0


def read(file: Path) -> list[Result]:
    """The results in a file of JSON lines; a line that was cut off is left out. [] where there is no file."""
    if not file.exists():
        return []
    results = []
    for line in file.read_text().splitlines():
        try:
            loaded: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            continue
        known: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in loaded.items()}
        results.append(Result(**known))
    return results


def interval(values: Sequence[float], confidence: float = 0.95, seed: int = 0) -> Interval:
    """The mean of `values` (at least one) and its bootstrap interval."""
    known = np.asarray(values, np.float64)
    rng = np.random.default_rng(seed)
    means: list[float] = []
    while len(means) < _ROUNDS:
        rounds = min(_ROUNDS - len(means), max(1, _AT_ONCE // known.size))
        means.extend(known[rng.integers(known.size, size=(rounds, known.size))].mean(axis=1))
    outside = (1 - confidence) / 2
    low, high = np.quantile(means, (outside, 1 - outside))
    return Interval(float(known.mean()), float(low), float(high))


def differences(results: Sequence[Result], recipe: str, yardstick: str, bare: bool) -> list[float]:
    """By how much a recipe's PSNR where something moves is above the yardstick's, for each pair that has both.

    A recipe that uses no model is the same bare or not.
    """
    ours, theirs = (_moving(results, name, bare) for name in (recipe, yardstick))
    return [ours[pair] - theirs[pair] for pair in sorted(ours.keys() & theirs.keys())]


def _moving(results: Sequence[Result], recipe: str, bare: bool) -> dict[tuple[int, int], float]:
    return {(r.pair, r.size): float(np.mean(r.moving)) for r in results if r.recipe == recipe and _fits(r, bare)}


def _fits(result: Result, bare: bool) -> bool:
    return result.bare is bare or not result.model


def summarise(results: Sequence[Result], yardstick: str) -> list[dict[str, Any]]:
    """One row for each kind of pair, recipe and way; `delta` is the difference to the yardstick with its interval."""
    rows = []
    for kind in KINDS:
        chosen = [r for r in results if kind in ("all", r.kind)]
        for bare in (False, True):
            for recipe in dict.fromkeys(r.recipe for r in chosen if _fits(r, bare)):
                own = [r for r in chosen if r.recipe == recipe and _fits(r, bare)]
                above = [] if recipe == yardstick else differences(chosen, recipe, yardstick, bare)
                rows.append(_row(own, above) | {"kind": kind, "bare": bare})
    return rows


def _row(own: Sequence[Result], above: Sequence[float]) -> dict[str, Any]:
    delta = interval(above) if above else None
    return {
        "recipe": own[0].recipe,
        "pairs": len(own),
        "moving": float(np.mean([r.moving for r in own])),
        "delta": None if delta is None else vars(delta) | {"clear": delta.is_clear and len(above) >= _FEWEST},
        "whole": float(np.mean([r.whole for r in own])),
        "epe": _mean([r.epe for r in own]),
        "pck": _mean([r.pck for r in own]),
        "seconds": float(np.median([r.seconds for r in own])),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return float(np.mean(known)) if known else None


def as_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as people read them; differences that are clear of zero are in bold."""
    parts = []
    for kind in KINDS:
        for bare in (False, True):
            chosen = [row for row in rows if row["kind"] == kind and row["bare"] is bare]
            if chosen:
                title = f"{kind} pairs, {'without' if bare else 'with'} the keyframes' detail"
                parts.append("\n".join([f"**{title[0].upper()}{title[1:]}**", "", *_table(chosen)]))
    return "\n\n".join(parts)


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "| recipe | pairs | moving, dB | to standard, dB (95 %) | whole, dB | EPE | PCK@2 | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [f"{row['moving']:.2f}", _delta(row["delta"]), f"{row['whole']:.2f}"]
        cells += [_number(row["epe"]), _number(row["pck"]), f"{row['seconds']:.2f}"]
        lines.append(f"| {row['recipe']} | {row['pairs']} | {' | '.join(cells)} |")
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _delta(delta: Mapping[str, Any] | None) -> str:
    if delta is None:
        return "-"
    text = f"{delta['mean']:+.2f} ({delta['low']:+.2f} to {delta['high']:+.2f})"
    return f"**{text}**" if delta["clear"] else text
