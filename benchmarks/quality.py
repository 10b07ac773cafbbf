"""How good an engine's in-betweens are on a folder of clips: the measures of measures.py, per category and as means.

    python benchmarks/quality.py --clips FOLDER --engine flow --profile quality [--json FILE]

FOLDER holds `<category>/<clip>/` with in0.png, in1.png, the true in-betweens gt_0250.png ... (t x 1000) and meta.json;
rendered clips also have id_*.png (topmost layers) and homographies in meta.json, hence exact flow.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import measures
import numpy as np
from measures import ExactFlow, Flow, Frame
from tweenbridge_server.engines import registry
from tweenbridge_server.engines.base import Engine, Gap, Unheard

COLUMNS = ("PSNR", "SSIM", "IEm", "HF", "GMSD", "TW", "EPE", "EPEocc", "out3", "sec")
_DIGITS = {"SSIM": 4, "GMSD": 4, "HF": 3, "sec": 3}

Row = dict[str, float]


@dataclass(frozen=True)
class Clip:
    """A clip of known truth. `times` are those of which there is a frame, 0 and 1 included."""

    folder: Path
    meta: Mapping[str, Any]
    times: tuple[float, ...]

    @property
    def category(self) -> str:
        """The folder above the clip's, as its meta.json names it."""
        return str(self.meta["category"])

    @property
    def is_rendered(self) -> bool:
        """The exact flow is known."""
        return bool(self.meta["kind"] == "procedural")

    def frame(self, t: float) -> Frame:
        """The true frame at time t."""
        return _read(_frame_file(self.folder, t))

    def flow(self, start: float, end: float) -> ExactFlow:
        """The exact flow between two times of a rendered clip."""
        times = list(self.meta["times"])
        homographies = self.meta["H"]
        return measures.exact_flow(
            homographies[times.index(start)],
            homographies[times.index(end)],
            _read(self.folder / f"id_{_thousandths(start)}.png", cv2.IMREAD_GRAYSCALE),
            _read(self.folder / f"id_{_thousandths(end)}.png", cv2.IMREAD_GRAYSCALE),
        )


def _thousandths(t: float) -> str:
    return f"{round(t * 1000):04d}"


def _frame_file(folder: Path, t: float) -> Path:
    if t in (0, 1):
        return folder / f"in{t:.0f}.png"
    return folder / f"gt_{_thousandths(t)}.png"


def _read(file: Path, how: int = cv2.IMREAD_COLOR) -> Frame:
    """A picture as RGB (H, W, 3), or as (H, W) where greys are asked for."""
    picture = cv2.imread(str(file), how)
    if picture is None:
        raise SystemExit(f"{file} cannot be read.")
    return np.ascontiguousarray(picture[..., ::-1] if picture.ndim == 3 else picture, np.uint8)


def load_clips(folder: Path) -> list[Clip]:
    """All clips under `folder`, in the order of their names."""
    clips = []
    for file in sorted(folder.glob("*/*/meta.json")):
        meta = json.loads(file.read_text())
        times = tuple(t for t in meta["times"] if _frame_file(file.parent, t).exists())
        clips.append(Clip(file.parent, meta, times))
    return clips


def gap_of(first: Frame, last: Frame) -> Gap:
    """8-bit keyframes as an engine takes them."""
    return Gap(*(np.ascontiguousarray(frame, np.float32) / np.float32(255) for frame in (first, last)))


def in_betweens(engine: Engine, gap: Gap, times: Sequence[float], profile: str) -> list[Frame]:
    """Frames as 8 bits, at `times`."""
    made = engine.interpolate(gap, times, profile, {}, Unheard())
    return [np.clip(frame.pixels[..., :3] * 255 + 0.5, 0, 255).astype(np.uint8) for frame in made]


def measure(clip: Clip, engine: Engine, profile: str) -> Row:
    """All measures of one clip; a flow is asked for only of engines that have `estimate_motion`."""
    first, last = clip.frame(0), clip.frame(1)
    between = clip.times[1:-1]
    gap = gap_of(first, last)
    start = time.perf_counter()
    made = in_betweens(engine, gap, between, profile)
    seconds = (time.perf_counter() - start) / len(between)
    row = _against_truth(clip, made)
    estimate = getattr(engine, "estimate_motion", None)
    if clip.is_rendered and estimate is not None:
        row |= measures.flow_errors(estimate(gap, profile).forward, clip.flow(0, 1))
    return row | {"sec": seconds}


def _against_truth(clip: Clip, made: Sequence[Frame]) -> Row:
    truth = [clip.frame(t) for t in clip.times]
    first, last = truth[0], truth[-1]
    rows = []
    for frame, true in zip(made, truth[1:-1]):
        mask = measures.moving(first, last, true)
        rows.append(
            {
                "PSNR": measures.psnr(frame, true),
                "SSIM": measures.ssim(frame, true),
                "IEm": measures.error_where_moving(frame, true, mask),
                "HF": measures.high_frequencies(frame, true),
                "GMSD": measures.gmsd(frame, true),
            }
        )
    row = mean(rows)
    if clip.is_rendered and clip.meta["ease"] == "linear":
        flows = [clip.flow(a, b) for a, b in zip(clip.times, clip.times[1:])]
        row["TW"] = measures.temporal_error([first, *made, last], flows) - measures.temporal_error(truth, flows)
    return row


def mean(rows: Sequence[Row]) -> Row:
    """The mean of every measure over the rows that have it."""
    names = {name for row in rows for name in row}
    return {
        name: float(np.mean(known)) if known else math.nan
        for name in names
        for known in [[row[name] for row in rows if not math.isnan(row.get(name, math.nan))]]
    }


def summarise(rows: Sequence[tuple[str, Row]]) -> dict[str, Row]:
    """Means per category, of all rendered clips with and without easing, and of the groups (rendered clips are one)."""
    categories = sorted({category for category, _ in rows})
    table = {name: mean([row for category, row in rows if category == name]) for name in categories}
    groups = {name: row for name, row in table.items() if not name.startswith("proc")}
    rendered = [(category, row) for category, row in rows if category.startswith("proc")]
    if rendered:
        groups["procedural"] = mean([row for _, row in rendered])
        table["procedural"] = groups["procedural"]
        table["procedural (no easing)"] = mean([row for category, row in rendered if category != "proc_ease"])
    return table | {"mean of groups": mean(list(groups.values()))}


def as_markdown(table: Mapping[str, Row]) -> str:
    """The table as people read it; a dash where a measure does not apply."""
    lines = [f"| category | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, row in table.items():
        cells = [
            "-" if math.isnan(row.get(column, math.nan)) else f"{row[column]:.{_DIGITS.get(column, 2)}f}"
            for column in COLUMNS
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


@lru_cache(maxsize=1)
def _flow() -> Any:
    return registry.create("flow")


def flow_quality(first: Frame, last: Frame, times: Sequence[float]) -> tuple[list[Frame], Flow]:
    """The flow engine as a function of 8-bit keyframes: frames, and the flow from the first keyframe to the last."""
    return _frames_and_flow(first, last, times, "quality")


def flow_draft(first: Frame, last: Frame, times: Sequence[float]) -> tuple[list[Frame], Flow]:
    """As `flow_quality`, in the draft profile."""
    return _frames_and_flow(first, last, times, "draft")


def _frames_and_flow(first: Frame, last: Frame, times: Sequence[float], profile: str) -> tuple[list[Frame], Flow]:
    gap = gap_of(first, last)
    forward: Flow = _flow().estimate_motion(gap, profile).forward
    return in_betweens(_flow(), gap, times, profile), forward


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True, help="folder of <category>/<clip>/")
    parser.add_argument("--engine", default="flow")
    parser.add_argument("--profile", default="", help="one of the engine's profiles; the first if not given")
    parser.add_argument("--json", type=Path, help="also write every clip's measures there")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    clips = load_clips(asked.clips)
    if not clips:
        raise SystemExit(f"There are no clips in {asked.clips}.")
    engine = registry.create(asked.engine)
    rows = [(clip, measure(clip, engine, asked.profile)) for clip in clips]
    table = summarise([(clip.category, row) for clip, row in rows])
    print(as_markdown(table))
    if asked.json:
        each = {f"{clip.folder.parent.name}/{clip.folder.name}": row for clip, row in rows}
        asked.json.write_text(json.dumps({"clips": each, "means": table}, indent=1))


if __name__ == "__main__":
    main()
