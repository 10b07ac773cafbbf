"""In-betweens of drawn scenes against the truth: held-out drawings and seeds, by category.

For each scene: PSNR of the middle; torn.py's `short` and `corners`, which the truth has, too; the evenness of steps;
and flicker, the difference of neighbouring frames along the exact motion, less that of the true frames.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import measures
import numpy as np
import paired
from measures import ExactFlow, Frame
from plain import Recipe
from torn import Judge

from .drawing import HELD_OUT_SEEDS, SIZE, draw_scene
from .drawings import Drawings
from .scene import Category, Scene

TIMES: Final = (0.25, 0.5, 0.75)
TRUE: Final = "true"
ALL: Final = "all"
_FEWEST: Final = 10
"""Of fewer scenes an interval would look surer than it is."""
_COLUMNS: Final = ("PSNR", "short", "corners", "even", "flicker", "sec")


@dataclass(frozen=True)
class Judged:
    """One method on one scene; `short` and `corners` are means over the times, `psnr` is of the middle alone."""

    category: str
    seed: int
    method: str
    psnr: float
    short: float
    corners: float
    even: float
    flicker: float
    sec: float


def scenes(drawings: Drawings, each: int, size: tuple[int, int] = SIZE) -> Iterator[Scene]:
    """`each` held-out scenes of every category."""
    for category in Category:
        for number in range(each):
            yield draw_scene(HELD_OUT_SEEDS + number, category, drawings, size, TIMES, steps=True)


def judged(
    shown: Iterator[Scene], methods: Mapping[str, Recipe], tell: Callable[[str], None] = lambda line: None
) -> list[Judged]:
    """Every method, and the truth itself, on every scene."""
    found: list[Judged] = []
    for scene in shown:
        truth = [middle.frame for middle in scene.middles]
        flows = [ExactFlow(step.flow, step.known, step.visible) for step in scene.steps]
        judge, least = Judge(scene.a, scene.b), _flicker(scene, truth, flows)
        for name, make in [*methods.items(), (TRUE, None)]:
            start = time.perf_counter()
            frames = truth if make is None else make(scene.a, scene.b, TIMES)
            seconds = (time.perf_counter() - start) / len(TIMES)
            found.append(_judged(scene, name, judge, frames, _flicker(scene, frames, flows) - least, seconds))
        tell(f"{scene.category.value} {scene.seed}")
    return found


def _flicker(scene: Scene, frames: Sequence[Frame], flows: Sequence[ExactFlow]) -> float:
    return measures.temporal_error([scene.a, *frames, scene.b], flows)


def _judged(scene: Scene, name: str, judge: Judge, frames: Sequence[Frame], flicker: float, seconds: float) -> Judged:
    torn = [judge.torn(frame, strange=False) for frame in frames]
    middle = TIMES.index(0.5)
    return Judged(
        scene.category.value,
        scene.seed,
        name,
        measures.psnr(frames[middle], scene.middles[middle].frame),
        float(np.mean([one.short for one in torn])),
        float(np.mean([one.corners for one in torn])),
        judge.evenness(frames),
        flicker,
        seconds,
    )


def as_markdown(results: Sequence[Judged], yardstick: str) -> str:
    """By category and for all: the figures of every method, and its PSNR against the yardstick's with its interval."""
    methods = list(dict.fromkeys(one.method for one in results))
    lines = [
        f"| category | method | {' | '.join(_COLUMNS)} | to {yardstick}, dB (95 %) |",
        "|---" * (len(_COLUMNS) + 3) + "|",
    ]
    for category in [*dict.fromkeys(one.category for one in results), ALL]:
        for method in methods:
            own = [one for one in results if one.method == method and category in (one.category, ALL)]
            values = [
                "-" if column == "PSNR" and method == TRUE else f"{_mean(own, column.lower()):.2f}"
                for column in _COLUMNS
            ]
            lines.append(f"| {category} | {method} | {' | '.join(values)} | {_above(results, own, yardstick)} |")
    return "\n".join(lines)


def _mean(own: Sequence[Judged], figure: str) -> float:
    return float(np.mean([getattr(one, figure) for one in own]))


def _above(results: Sequence[Judged], own: Sequence[Judged], yardstick: str) -> str:
    """By how much PSNR is above the yardstick's on the same scenes; "-" where that says nothing."""
    base = {(one.category, one.seed): one.psnr for one in results if one.method == yardstick}
    if not base or own[0].method in (yardstick, TRUE):
        return "-"
    above = [one.psnr - base[one.category, one.seed] for one in own]
    if len(above) < _FEWEST:
        return f"{np.mean(above):+.2f}"
    found = paired.interval(above)
    return f"{found.mean:+.2f} ({found.low:+.2f} to {found.high:+.2f})"
