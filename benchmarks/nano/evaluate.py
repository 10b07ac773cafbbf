"""How good a small model is, on sprites and grounds that were held out: one table.

    python benchmarks/nano/evaluate.py --model MODEL --pairs 16 --out RUNS.jsonl [--json FILE] [--sheet FILE]

Its autoencoder: PSNR of pictures that went through it, of the whole and where sprites are. Its denoiser: how well it
tells noise, and PSNR of pictures whose latents were noised in 30 steps and cleaned again, to what the autoencoder makes
of them alone. And what the engine makes with it of pairs of keyframes, measured by ablation.py: where it finds things,
and in-betweens where something moves. Means with 95 % confidence intervals. Without --model it is the model that comes
with Tweenbridge; --pairs 0 judges the networks alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ablation
import paired
from ablation import psnr_where
from dreams import CROSS_FADE, Studio
from measures import Frame, Mask, psnr
from nano import networks, scenes, sprites
from nano.scenes import Kind
from nano.sprites import Split
from paired import Interval, Result
from tweenbridge_server.engines.dreammover.denoising import denoise, denoise_keyframes, mixed
from tweenbridge_server.engines.dreammover.devices import choose
from tweenbridge_server.engines.dreammover.identity import find
from tweenbridge_server.engines.dreammover.inversion import invert, plain
from tweenbridge_server.engines.dreammover.latents import decode, encode
from tweenbridge_server.engines.dreammover.model import Model, embed, load
from tweenbridge_server.engines.dreammover.schedule import make_schedule
from tweenbridge_server.engines.dreammover.settings import REFERENCE, Solver

RECIPES: Final = (CROSS_FADE, "reference", "standard")
TIMES: Final = (0.25, 0.5, 0.75)
_LEVELS: Final = 8
_PICTURES: Final = 1_000_000
"""Number of the first picture that the networks is judged by; pairs are counted from 0."""


@dataclass(frozen=True)
class Shown:
    """A picture, and where sprites are in it."""

    frame: Frame
    sprites: Mask


@dataclass(frozen=True)
class Row:
    """One line of the table; `wanted` is what the model was made for, "" where nothing was set."""

    measure: str
    value: Interval
    wanted: str = ""


def pictures(count: int, size: int) -> Iterator[Shown]:
    """Held-out pictures: first keyframes of scenes that no pair shows."""
    for number in range(count):
        scene = scenes.make_scene(_PICTURES + number, size, Split.HELD_OUT, Kind.SAME)
        seen = scenes.view(scene, 0.0)
        yield Shown(seen.frame, seen.top > 0)


@torch.inference_mode()
def judge_networks(model: Model, shown: Sequence[Shown]) -> list[Row]:
    """What the autoencoder keeps of pictures, and what noise and cleaning keep of that."""
    context, _ = embed(model, "")
    schedule = make_schedule(model.alphas, REFERENCE.steps, REFERENCE.strength or 0.6)
    look = plain(model, context)
    whole: list[float] = []
    there: list[float] = []
    round_trip: list[float] = []
    published: list[float] = []
    noise: list[float] = []

    def look_at(noisy: torch.Tensor, k: int) -> torch.Tensor:
        return look(noisy, k, schedule.label(k))

    for number, each in enumerate(shown):
        picture = torch.from_numpy(each.frame).permute(2, 0, 1)[None].float() / 127.5 - 1
        latents = encode(model, picture.to(model.device.device))
        alone = _frame(decode(model, latents))
        whole.append(psnr(alone, each.frame))
        there.append(psnr_where(alone, each.frame, each.sprites))
        noise.append(_noise_error(model, latents, context, number))
        found = invert(latents, schedule, look)
        noisiest = found.latents[-1]
        back = denoise(noisiest, schedule.steps, schedule, Solver.DDIM, look_at, _unseen)
        pulled = denoise_keyframes(noisiest, found.clean, schedule, look_at, _unseen)
        round_trip.append(psnr(_frame(decode(model, back)), alone))
        published.append(psnr(_frame(decode(model, pulled)), alone))
    return [
        Row("autoencoder, whole picture, dB", paired.interval(whole), "30"),
        Row("autoencoder, on sprites, dB", paired.interval(there), "26"),
        Row("denoiser, mean squared error of the noise it tells", paired.interval(noise)),
        Row("30 steps there and back, to the autoencoder's picture, dB", paired.interval(round_trip), "38"),
        Row("the same, the first step back as published, dB", paired.interval(published)),
    ]


def _unseen(k: int, noisy: torch.Tensor, clean: torch.Tensor) -> None:
    """Nobody watches."""


def _noise_error(model: Model, clean: torch.Tensor, context: torch.Tensor, seed: int) -> float:
    """How far the noise that the network tells is off, over all levels of noise; the same noise for every model."""
    chance = torch.Generator().manual_seed(seed)
    labels = torch.linspace(20, 980, _LEVELS).long()
    errors = []
    for label in labels.tolist():
        noise = torch.randn(clean.shape, generator=chance).to(clean.device)
        noisy = mixed(clean, noise, float(model.alphas[label]))
        errors.append(float((plain(model, context)(noisy, 0, label) - noise).square().mean()))
    return float(np.mean(errors))


def _frame(picture: torch.Tensor) -> Frame:
    return (picture[0].permute(1, 2, 0).cpu().numpy() * 255 + 0.5).astype(np.uint8)


def judge_results(results: Sequence[Result]) -> list[Row]:
    """What the engine finds and makes, from the lines of ablation.py."""
    rows = []
    for kind, wanted in ((Kind.SAME, "0.95"), (Kind.HARD, "0.85")):
        found = [r.pck for r in results if r.recipe == "standard" and not r.bare and r.kind == kind.value]
        shares = [share for share in found if share is not None and np.isfinite(share)]
        if shares:
            rows.append(Row(f"found to two latent pixels (PCK@2), {kind.value}", paired.interval(shares), wanted))
    for recipe in RECIPES:
        for bare in (False, True):
            own = [float(np.mean(r.moving)) for r in results if r.recipe == recipe and r.bare is bare]
            if own:
                title = recipe + (", the model's drawing alone" if bare else "")
                wanted = "19" if recipe == "standard" and not bare else ""
                rows.append(Row(f"in-betweens where something moves, {title}, dB", paired.interval(own), wanted))
    for bare in (False, True):
        ahead = paired.differences(results, "standard", "reference", bare)
        if ahead:
            title = "the model's drawings alone" if bare else "with detail from the keyframes"
            rows.append(Row(f"`standard` ahead of `reference`, {title}, dB", paired.interval(ahead), "above 0"))
    return rows


def sheet(studio: Studio, pairs: Sequence[int], size: int) -> Frame:
    """A column for each pair and time, at half size; rows: what was made, and the truth below."""
    rows: dict[str, list[Frame]] = {name: [] for name in (CROSS_FADE, "reference", "drawn alone", "standard", "truth")}
    for number in pairs:
        pair = ablation.pair_of(number, size, TIMES)
        made = studio.make("standard", pair)
        rows[CROSS_FADE] += studio.make(CROSS_FADE, pair).frames
        rows["reference"] += studio.make("reference", pair).bare
        rows["drawn alone"] += made.bare
        rows["standard"] += made.frames
        rows["truth"] += pair.truth
    half = size // 2
    lines = []
    for name, row in rows.items():
        smaller = [cv2.resize(frame, (half, half), interpolation=cv2.INTER_AREA) for frame in row]
        lines.append(np.concatenate([ablation.label(name, half), *smaller], axis=1))
    return np.concatenate(lines)


def as_markdown(tables: Mapping[str, Sequence[Row]]) -> str:
    """Tables of several models side by side, as people read them."""
    measures = list(dict.fromkeys(row.measure for rows in tables.values() for row in rows))
    wanted = {row.measure: row.wanted for rows in tables.values() for row in rows}
    lines = [f"| | {' | '.join(tables)} | wanted |", "|---" * (len(tables) + 2) + "|"]
    for measure in measures:
        cells = []
        for rows in tables.values():
            own = next((row.value for row in rows if row.measure == measure), None)
            digits = 1 if measure.endswith("dB") else 3
            text = "-" if own is None else f"{own.mean:.{digits}f} ({own.low:.{digits}f} to {own.high:.{digits}f})"
            cells.append(text)
        lines.append(f"| {measure} | {' | '.join(cells)} | {wanted[measure] or '-'} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, nargs="+", default=[networks.BUILT_IN], help="models' folders")
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--size", type=int, choices=(128, 256), default=256)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--cache", type=Path, help="folder for what the engine found out about the model")
    parser.add_argument("--threads", type=int, help="of the processor")
    parser.add_argument("--out", type=Path, required=True, help="results of pairs are appended to this file")
    parser.add_argument("--json", type=Path, help="also write the table there")
    parser.add_argument("--sheet", type=Path, help="draw pairs there, with the last model")
    parser.add_argument("--sheet-pairs", type=int, nargs="+", default=[0, 1, 2, 3], help="their numbers")
    asked = parser.parse_args()
    print(sprites.sources(), file=sys.stderr)
    shown = list(pictures(asked.pictures, asked.size))
    tables: dict[str, list[Row]] = {}
    for folder in asked.model:
        studio = Studio(folder, asked.device, asked.cache, asked.threads)
        rows = judge_networks(load(find({"model": str(folder)}), choose(asked.device)), shown)
        ablation.run(studio, RECIPES, range(asked.pairs), asked.size, TIMES, asked.out)
        rows += judge_results(_results(asked.out, studio, asked.size, asked.pairs))
        tables[_name(folder, tables)] = rows
    print(as_markdown(tables))
    if asked.json:
        asked.json.write_text(json.dumps({name: [_plain(row) for row in rows] for name, rows in tables.items()}))
    if asked.sheet:
        picture = sheet(studio, asked.sheet_pairs, asked.size)
        cv2.imwrite(str(asked.sheet), np.ascontiguousarray(picture[..., ::-1]))


def _results(file: Path, studio: Studio, size: int, pairs: int) -> list[Result]:
    return [
        result
        for result in paired.read(file)
        if ablation.belongs(result, studio, size, TIMES) and result.recipe in RECIPES and result.pair < pairs
    ]


def _name(folder: Path, taken: Mapping[str, Any]) -> str:
    """The folder's name; with what is above it where another has that name."""
    name = folder.resolve().name
    return name if name not in taken else "/".join(folder.resolve().parts[-2:])


def _plain(row: Row) -> dict[str, Any]:
    return {"measure": row.measure, "wanted": row.wanted, **vars(row.value)}


if __name__ == "__main__":
    main()
