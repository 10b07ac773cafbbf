"""Real pairs of drawings, which nobody knows the middle of, and triples, of which it is known: tables and sheets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import measures
import numpy as np
from measures import Frame
from plain import Recipe
from torn import Judge

TIMES: Final = (0.25, 0.5, 0.75)
COLUMNS: Final = ("short", "most", "corners", "strange", "even", "PSNR")
_LABEL: Final = 22
_GAP: Final = 4

Row = dict[str, float]
Results = dict[str, dict[str, Row]]
"""By method, by name of the pair."""


@dataclass(frozen=True)
class RealPair:
    """Two keyframes, and the true frame at time ½ where it is known."""

    name: str
    a: Frame
    b: Frame
    truth: Frame | None = None


def load(folder: Path) -> list[RealPair]:
    """All pairs NAME_0.png, NAME_1.png and triples NAME/in0.png, gt_0500.png, in1.png of a folder, by name.

    Triples may lie in a folder `true` there or beside it.
    """
    pairs = [
        RealPair(file.name[: -len("_0.png")], read(file), read(file.with_name(file.name.replace("_0.png", "_1.png"))))
        for file in sorted(folder.glob("*_0.png"))
    ]
    for file in sorted({*folder.glob("*/gt_0500.png"), *folder.glob("true/*/gt_0500.png")}):
        one = file.parent
        pairs.append(RealPair(one.name, read(one / "in0.png"), read(one / "in1.png"), read(file)))
    return pairs


def read(file: Path) -> Frame:
    """A picture as RGB.

    Raises:
        SystemExit: with a sentence, where it cannot be read.
    """
    picture = cv2.imread(str(file))
    if picture is None:
        raise SystemExit(f"{file} cannot be read.")
    return np.ascontiguousarray(picture[..., ::-1], np.uint8)


def given(pattern: str, name: str, times: Sequence[float]) -> list[Frame]:
    """Frames that somebody else made: `pattern` has {name}, and {time} (t x 1000) or {number} (1, 2, ...)."""
    return [
        read(Path(pattern.format(name=name, time=f"{round(t * 1000):04d}", number=number)))
        for number, t in enumerate(times, start=1)
    ]


def judged(
    pairs: Sequence[RealPair],
    methods: Mapping[str, Recipe],
    sheets: Path | None = None,
    pattern: str = "",
    strange: bool = True,
) -> Results:
    """The figures of every method on every pair, and a sheet of each pair where a folder for them is given.

    Args:
        pattern: of frames to judge, too; see `given`.
        strange: that figure, too, which takes most of the time.
    """
    results: Results = {}
    for pair in pairs:
        made = {name: make(pair.a, pair.b, TIMES) for name, make in methods.items()}
        if pattern:
            made["given"] = given(pattern, pair.name, TIMES)
        judge = Judge(pair.a, pair.b)
        for name, frames in made.items():
            results.setdefault(name, {})[pair.name] = _row(judge, pair, frames, strange)
        if pair.truth is not None:
            middle = judge.torn(pair.truth, strange)
            known = {"short": middle.short, "most": middle.short, "corners": middle.corners, "strange": middle.strange}
            results.setdefault("true", {})[pair.name] = known
        if sheets is not None:
            write_sheet(pair, made, sheets / f"{pair.name}.jpg")
    return results


def _row(judge: Judge, pair: RealPair, frames: Sequence[Frame], strange: bool) -> Row:
    """The means over the times, `most` the largest `short` of them."""
    torn = [judge.torn(frame, strange) for frame in frames]
    row = {
        "short": float(np.mean([one.short for one in torn])),
        "most": max(one.short for one in torn),
        "corners": float(np.mean([one.corners for one in torn])),
        "strange": float(np.mean([one.strange for one in torn])),
        "even": judge.evenness(frames),
    }
    if pair.truth is not None:
        row["PSNR"] = measures.psnr(frames[TIMES.index(0.5)], pair.truth)
    return row


def as_markdown(results: Results) -> str:
    """A table for each pair and one of means; `most` is the largest over all pairs in the latter."""
    names = list(dict.fromkeys(name for rows in results.values() for name in rows))
    parts = [_table(name, {method: rows[name] for method, rows in results.items() if name in rows}) for name in names]
    parts.append(_table("all", {method: mean(list(rows.values())) for method, rows in results.items()}))
    return "\n\n".join(parts)


def mean(rows: Sequence[Row]) -> Row:
    """Of every figure over the rows that have it; `most` is the largest."""
    found: Row = {}
    for column in COLUMNS:
        values = [row[column] for row in rows if column in row and not math.isnan(row[column])]
        if values:
            found[column] = max(values) if column == "most" else float(np.mean(values))
    return found


def _table(title: str, rows: Mapping[str, Row]) -> str:
    lines = [f"| {title} | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for method, row in rows.items():
        cells = ["-" if math.isnan(row.get(column, math.nan)) else f"{row[column]:.2f}" for column in COLUMNS]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_sheet(pair: RealPair, made: Mapping[str, Sequence[Frame]], file: Path) -> None:
    """All frames at full size: a row for each method, from one keyframe to the other, the truth below."""
    rows = [_strip(name, [pair.a, *frames, pair.b]) for name, frames in made.items()]
    if pair.truth is not None:
        blank = np.full_like(pair.a, 255)
        rows.append(_strip("true", [pair.a, blank, pair.truth, blank, pair.b]))
    file.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(file), np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95]):
        raise SystemExit(f"{file} cannot be written.")


def _strip(title: str, frames: Sequence[Frame]) -> Frame:
    gap = np.full((frames[0].shape[0], _GAP, 3), 255, np.uint8)
    strip = np.hstack([part for frame in frames for part in (frame, gap)][:-1])
    label: Frame = np.full((_LABEL, strip.shape[1], 3), 255, np.uint8)
    cv2.putText(label, title, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([label, strip])
