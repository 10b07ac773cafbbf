"""How good an engine's in-betweens are: on clips of known truth, on real drawings, and on drawn scenes.

    python benchmarks/quality.py --clips FOLDER --engine flow --profile quality [--json FILE]
    python benchmarks/quality.py --pairs FOLDER [--methods NAME ...] [--frames PATTERN] [--sheets FOLDER] [--json FILE]
    python benchmarks/quality.py --drawn [--methods NAME ...] [--each 12] [--size 256x320] [--json FILE]

`--pairs` looks at keyframes of which nobody knows the middle (pairs.py, torn.py), `--drawn` at scenes of which all is
known (drawn/). METHODS are cross-fade, dis and ENGINE:PROFILE.

The FOLDER of clips holds `<category>/<clip>/` with in0.png, in1.png, the true in-betweens gt_0250.png ... (t x 1000)
and meta.json; rendered clips also have id_*.png (topmost layers) and homographies in meta.json, hence exact flow.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import cv2
import measures
import numpy as np
import pairs
import plain
from drawn import judging, load_drawings
from measures import ExactFlow, Flow, Frame
from plain import Recipe
from tweenbridge_server.engines import registry
from tweenbridge_server.engines.base import Engine, Gap, Unheard

COLUMNS = ("PSNR", "SSIM", "IEm", "HF", "GMSD", "TW", "EPE", "EPEocc", "out3", "sec")
_DIGITS = {"SSIM": 4, "GMSD": 4, "HF": 3, "sec": 3}

PLAIN: Final[Mapping[str, Recipe]] = MappingProxyType({"cross-fade": plain.cross_fade, "dis": plain.dis_and_splat})
METHODS: Final = (*PLAIN, "flow:draft", "flow:quality")
YARDSTICK: Final = "flow:draft"

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


def methods(names: Sequence[str]) -> dict[str, Recipe]:
    """Ways to make in-betweens by their names.

    Raises:
        SystemExit: with a sentence, where a name means nothing.
    """
    return {name: _method(name) for name in names}


def _method(name: str) -> Recipe:
    if name in PLAIN:
        return PLAIN[name]
    engine_name, colon, profile = name.partition(":")
    if not colon:
        raise SystemExit(f"{name!r} is no method. There is {', '.join(PLAIN)} and ENGINE:PROFILE, such as flow:draft.")
    engine = registry.create(engine_name)
    return lambda a, b, times: in_betweens(engine, gap_of(a, b), times, profile)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    material = parser.add_mutually_exclusive_group(required=True)
    material.add_argument("--clips", type=Path, help="folder of <category>/<clip>/ with the true in-betweens")
    material.add_argument("--pairs", type=Path, help="folder of NAME_0.png and NAME_1.png, or of triples")
    material.add_argument("--drawn", action="store_true", help="scenes drawn from held-out drawings")
    parser.add_argument("--engine", default="flow", help="for clips")
    parser.add_argument("--profile", default="", help="for clips: one of the engine's profiles; the first if not given")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), help="for pairs and drawn scenes")
    parser.add_argument(
        "--frames", default="", help="for pairs: frames to judge, too; {name}, {time} (0250) or {number}"
    )
    parser.add_argument("--sheets", type=Path, help="for pairs: write a picture of all frames of each there")
    parser.add_argument(
        "--quick", action="store_true", help="for pairs: without `strange`, which takes most of the time"
    )
    parser.add_argument("--each", type=int, default=12, help="for drawn scenes: how many of each category")
    parser.add_argument("--size", default="256x320", help="for drawn scenes: HEIGHTxWIDTH")
    parser.add_argument("--json", type=Path, help="also write every figure there")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    if asked.pairs:
        _judge_pairs(asked)
    elif asked.drawn:
        _judge_drawn(asked)
    else:
        _judge_clips(asked)


def _judge_clips(asked: argparse.Namespace) -> None:
    clips = load_clips(asked.clips)
    if not clips:
        raise SystemExit(f"There are no clips in {asked.clips}.")
    engine = registry.create(asked.engine)
    rows = [(clip, measure(clip, engine, asked.profile)) for clip in clips]
    table = summarise([(clip.category, row) for clip, row in rows])
    print(as_markdown(table))
    each = {f"{clip.folder.parent.name}/{clip.folder.name}": row for clip, row in rows}
    _keep(asked.json, {"clips": each, "means": table})


def _judge_pairs(asked: argparse.Namespace) -> None:
    found = pairs.load(asked.pairs)
    if not found:
        raise SystemExit(f"There are no pairs in {asked.pairs}.")
    results = pairs.judged(found, methods(asked.methods), asked.sheets, asked.frames, not asked.quick)
    print(pairs.as_markdown(results))
    _keep(asked.json, results)


def _judge_drawn(asked: argparse.Namespace) -> None:
    height, _, width = asked.size.partition("x")
    if not (height.isdecimal() and width.isdecimal() and min(int(height), int(width)) >= 64):
        raise SystemExit(f"{asked.size!r} is no size. Write HEIGHTxWIDTH, each at least 64.")
    shown = judging.scenes(load_drawings("held-out"), asked.each, (int(height), int(width)))
    results = judging.judged(shown, methods(asked.methods), lambda line: print(line, file=sys.stderr))
    print(judging.as_markdown(results, YARDSTICK))
    _keep(asked.json, [asdict(one) for one in results])


def _keep(file: Path | None, content: Any) -> None:
    if file is not None:
        file.write_text(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
