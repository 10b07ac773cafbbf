"""What each part of the dreammover engine is worth: recipes compared on procedural pairs of which the truth is known.

    python benchmarks/ablation.py --model FOLDER --pairs 60 --out runs.jsonl [--json table.json] [--sheet sheet.png]

Every pair is drawn from its number (nano/scenes.py, held-out sprites and grounds; even numbers are SAME, odd ones
HARD). Recipes are named as recipes.py says; "without" stands for `standard` with each of its corrections undone alone,
"with" for `reference` with each made alone. Each is measured twice, whatever its profile says of `detail`: with the
keyframes' detail, as users of `standard` get it, and bare, which is the model's own drawing.

Measures: PSNR where something moves (exact mask) and of the whole picture for each in-between; EPE and PCK@2 of the
correspondences, in latent pixels, on sprites that both keyframes show; the time. Differences to `standard` are paired
(paired.py). Results are appended to the file, a line for each pair and recipe; what is there already is not made again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import measures
import numpy as np
import paired
import recipes
from dreams import CROSS_FADE, FLOW, Made, Matches, Studio
from nano import scenes, sprites
from nano.scenes import Exact, Frame, Kind, Pair
from nano.sprites import Split
from paired import Result

YARDSTICK = "standard"
SHEET_RECIPES = (CROSS_FADE, FLOW, "reference", "standard")
_NEAR = 2.0
_MOSTLY = 0.75
_LABEL_WIDTH = 90


def pair_of(number: int, size: int, times: Sequence[float]) -> Pair:
    """The held-out pair with this number."""
    kind = Kind.HARD if number % 2 else Kind.SAME
    return scenes.make_pair(scenes.make_scene(number, size, Split.HELD_OUT, kind), times)


def kind_of(pair: int) -> Kind:
    """Of which kind the pair with this number is."""
    return Kind.HARD if pair % 2 else Kind.SAME


def psnr_where(made: Frame, true: Frame, mask: measures.Mask) -> float:
    """Decibels of the pixels in `mask`."""
    return measures.psnr(made[mask], true[mask])


def match_errors(found: Matches, pair: Pair) -> tuple[float, float]:
    """EPE in latent pixels, and the share of errors of at most two, on sprites that both keyframes show."""
    errors = np.concatenate(
        [_errors(flow, exact) for flow, exact in ((found.forward, pair.forward), (found.backward, pair.backward))]
    )
    if errors.size == 0:
        return float("nan"), float("nan")
    return float(errors.mean()), float((errors <= _NEAR).mean())


def _errors(flow: measures.Flow, exact: Exact) -> measures.Plane:
    """Lengths of the errors of a flow (h, w, 2), of those latent pixels that mostly show a sprite seen in both."""
    height, width = flow.shape[:2]
    cell = exact.top.shape[0] // height
    shown = (exact.visible & (exact.top > 0)).astype(np.float32)
    counts = (shown.reshape(height, cell, width, cell).mean(axis=(1, 3)) >= _MOSTLY)[..., None]
    weighted = (exact.flow * shown[..., None]).reshape(height, cell, width, cell, 2).sum(axis=(1, 3))
    share = np.maximum(shown.reshape(height, cell, width, cell).sum(axis=(1, 3)), 1)
    true = weighted / share[..., None] / cell
    error: measures.Plane = np.linalg.norm(flow - true, axis=2)[counts[..., 0]]
    return error


def results_of(recipe: str, number: int, pair: Pair, made: Made, model: str) -> Iterator[Result]:
    """The measures of one recipe on one pair: with the keyframes' detail and, where there is a model, bare."""
    epe, pck = match_errors(made.matches, pair) if made.matches else (None, None)
    for bare, frames in ((False, made.frames), (True, made.bare)):
        if frames:
            yield Result(
                model=model if made.bare else "",
                pair=number,
                kind=kind_of(number).value,
                size=pair.scene.size,
                times=pair.times,
                recipe=recipe,
                bare=bare,
                moving=tuple(psnr_where(f, true, m) for f, true, m in zip(frames, pair.truth, pair.moving)),
                whole=tuple(measures.psnr(f, true) for f, true in zip(frames, pair.truth)),
                epe=epe,
                pck=pck,
                seconds=made.seconds,
            )


def run(studio: Studio, names: Sequence[str], pairs: range, size: int, times: tuple[float, ...], file: Path) -> None:
    """Make and measure what the file does not have yet. Pair by pair, so that a run that is cut short is balanced."""
    done = {(r.pair, r.recipe) for r in paired.read(file) if belongs(r, studio, size, times)}
    for number in pairs:
        missing = [name for name in names if (number, name) not in done]
        if not missing:
            continue
        pair = pair_of(number, size, times)
        for name in missing:
            made = studio.make(name, pair)
            lines = [json.dumps(asdict(result)) for result in results_of(name, number, pair, made, studio.identity)]
            with file.open("a") as out:
                out.write("".join(f"{line}\n" for line in lines))
        print(f"pair {number}: {len(missing)} recipes", file=sys.stderr)


def belongs(result: Result, studio: Studio, size: int, times: tuple[float, ...]) -> bool:
    """Whether a result is of this size, these times, and this model or none."""
    return result.size == size and result.times == times and result.model in ("", studio.identity)


def sheet(studio: Studio, pairs: Sequence[int], size: int, times: tuple[float, ...]) -> Frame:
    """A column for each pair and time; rows: keyframe A, the recipes of SHEET_RECIPES, the truth, keyframe B."""
    rows: dict[str, list[Frame]] = {name: [] for name in ("A", *SHEET_RECIPES, "truth", "B")}
    for number in pairs:
        pair = pair_of(number, size, times)
        rows["A"] += [pair.a] * len(times)
        rows["truth"] += pair.truth
        rows["B"] += [pair.b] * len(times)
        for name in SHEET_RECIPES:
            rows[name] += studio.make(name, pair).frames
    return np.concatenate([np.concatenate([label(name, size), *row], axis=1) for name, row in rows.items()])


def label(text: str, height: int) -> Frame:
    """The word before a row of a contact sheet."""
    picture = np.full((height, _LABEL_WIDTH, 3), 255, np.uint8)
    labelled: Frame = cv2.putText(
        picture, text, (4, height // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA
    )
    return labelled


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, help="a diffusers folder or a checkpoint; needed for all but baselines")
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--first", type=int, default=0, help="number of the first pair")
    parser.add_argument("--size", type=int, choices=(128, 256), default=256)
    parser.add_argument("--times", type=float, nargs="+", default=[0.25, 0.5, 0.75])
    parser.add_argument("--recipes", nargs="+", default=[*SHEET_RECIPES, "without", "with"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--cache", type=Path, help="folder for what the engine found out about the model")
    parser.add_argument("--threads", type=int, help="of the processor")
    parser.add_argument("--out", type=Path, required=True, help="results are appended to this file")
    parser.add_argument("--json", type=Path, help="also write the table there")
    parser.add_argument("--sheet", type=Path, help="draw the first pairs there")
    parser.add_argument("--sheet-pairs", type=int, default=4)
    asked = parser.parse_args()
    try:
        names = recipes.expand(asked.recipes)
        for name in names:
            if name not in (CROSS_FADE, FLOW):
                recipes.parse(name)
    except ValueError as error:
        parser.error(str(error))
    print(sprites.sources(), file=sys.stderr)
    times = tuple(asked.times)
    pairs = range(asked.first, asked.first + asked.pairs)
    studio = Studio(asked.model, asked.device, asked.cache, asked.threads)
    run(studio, names, pairs, asked.size, times, asked.out)
    chosen = [
        result
        for result in paired.read(asked.out)
        if result.recipe in names and result.pair in pairs and belongs(result, studio, asked.size, times)
    ]
    rows = paired.summarise(sorted(chosen, key=lambda result: names.index(result.recipe)), YARDSTICK)
    print(paired.as_markdown(rows))
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1))
    if asked.sheet:
        picture = sheet(studio, pairs[: asked.sheet_pairs], asked.size, times)
        cv2.imwrite(str(asked.sheet), np.ascontiguousarray(picture[..., ::-1]))


if __name__ == "__main__":
    main()
