"""Is `dreammover`'s `reference` profile exactly the published method? Compares every stage with recorded arrays.

    python benchmarks/golden.py --model FOLDER --cases FOLDER_OR_FILE [--write DIR]

A case is an .npz file: `images` (2, H, W, 3) uint8, `meta` (JSON with `prompt` and `Time`), and recorded arrays under
the names of the specification. Exit status 0 only when every array of every case is within its tolerance.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tweenbridge_server.engines.dreammover import fusion, pipeline
from tweenbridge_server.engines.dreammover.attention import AttentionControl
from tweenbridge_server.engines.dreammover.devices import choose
from tweenbridge_server.engines.dreammover.identity import find
from tweenbridge_server.engines.dreammover.model import Model, embed, load
from tweenbridge_server.engines.dreammover.pipeline import Prepared, Tools
from tweenbridge_server.engines.dreammover.settings import REFERENCE, Traits
from tweenbridge_server.engines.dreammover.splatting import gather_warp, resized
from tweenbridge_server.engines.dreammover.unet import predict

Arrays = dict[str, NDArray[Any]]

TOLERANCES: tuple[tuple[str, float], ...] = (
    (r"images", 0.0),
    (r"text_emb", 2e-5),
    (r"z_enc", 5e-5),
    (r"inv_lat_(01|07|14)", 1e-4),
    (r"inv_x0_(01|07|14)", 2e-4),
    (r"inv_eps_01", 1e-4),
    (r"inv_(lat|x0|eps)_\d+", 5e-4),
    (r"feat_eps", 3e-4),
    (r"feat", 2e-4),
    (r"backwarp(12|21)", 5e-4),
    (r"metric(12|21)", 2e-3),
    (r"soft(12|21)", 1e-3),
    (r"z0_fused|pred_x0_all", 1e-3),
    (r"wta_m(12|21)", 5e-5),
    (r"wta_pick1", 0.0),
    (r"wta_lat", 5e-4),
    (r"attn\d+_(q|k|v|out)", 5e-4),
    (r"den_(eps_first|eps_second|inter_xt)", 1e-3),
    (r"den_lat_(0\d|10)", 1e-3),
    (r"den_lat_\d+", 2e-3),
    (r"frames", 2e-3),
)
"""Greatest absolute difference by name, from the specification's end-to-end column; the first that fits counts."""
FLOW_DEFICIT = 2e-5
"""A flow vector may differ from the recorded one where its match is that nearly as similar."""
NEAR_TIE = 1e-6
"""Choices whose two scores are nearer than this, without being equal, are left out."""


@dataclass(frozen=True)
class Difference:
    """One array compared. `allowed` is the tolerance in the unit of `found`."""

    name: str
    found: float
    allowed: float
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether it is within its tolerance."""
        return self.found <= self.allowed


# ---------------------------------------------------------------- running the method


@dataclass
class Taps:
    """What chosen self-attention layers saw in their last evaluation: input, queries, and the output to project."""

    layers: Mapping[str, Any]
    last: dict[str, tuple[Tensor, Tensor, Tensor]] = field(default_factory=dict)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to the layers meanwhile."""
        queries: dict[str, tuple[Tensor, Tensor]] = {}
        hooks = []
        for name, layer in self.layers.items():

            def seen(_: Any, given: Any, output: Tensor, name: str = name) -> None:
                queries[name] = (given[0], output)

            def attended(_: Any, given: Any, name: str = name) -> None:
                self.last[name] = (*queries[name], given[0])

            hooks += [layer.to_q.register_forward_hook(seen), layer.to_out[0].register_forward_pre_hook(attended)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def arrays(self, keyframes: Mapping[str, Any], middles: Mapping[str, Any]) -> Arrays:
        """q, k, v and out of each layer, of all frames in time order."""
        found: Arrays = {}
        for name, layer in self.layers.items():
            ends, between = keyframes[name], middles[name]
            given, query, out = (in_order(end, middle) for end, middle in zip(ends, between))
            parts = {"q": query, "k": layer.to_k(given), "v": layer.to_v(given), "out": out}
            found |= {f"{name}_{part}": numbers(value) for part, value in parts.items()}
        return found


def numbers(value: Tensor) -> NDArray[Any]:
    """A tensor as an array."""
    return value.detach().float().cpu().numpy()


def in_order(keyframes: Tensor, middles: Tensor) -> Tensor:
    """All frames in time order: A, the in-betweens, B."""
    return torch.cat([keyframes[:1], middles, keyframes[1:]])


def self_attention_layers(unet: Any) -> dict[str, Any]:
    """The layers by number in order of execution, as the specification counts them: attn00 to attn15."""
    blocks = [*unet.down_blocks, unet.mid_block, *unet.up_blocks]
    layers = [
        inner.attn1
        for block in blocks
        for transformer in getattr(block, "attentions", [])
        for inner in transformer.transformer_blocks
    ]
    return {f"attn{number:02d}": layer for number, layer in enumerate(layers)}


@torch.inference_mode()
def run(model: Model, control: AttentionControl, case: Arrays, chunk: int) -> Arrays:
    """Everything that a case records, computed by the engine's own stages; `chunk` in-betweens at a time."""
    meta = json.loads(str(case["meta"]))
    count = int(meta["Time"]) - 1
    times = [index / (count + 1) for index in range(1, count + 1)]
    context, _ = embed(model, meta["prompt"])
    tools = Tools(model, control, REFERENCE, Traits(), context)
    pictures = torch.from_numpy(case["images"]).movedim(-1, 1).float() / 127.5 - 1
    wanted = {name: layer for name, layer in self_attention_layers(model.unet).items() if f"{name}_q" in case}
    taps = Taps(wanted)
    seen: dict[str, list[Tensor]] = {}
    tapped: dict[str, list[dict[str, Any]]] = {"keyframe_noise": [], "noise_first": []}

    def saw(name: str, value: Tensor) -> None:
        seen.setdefault(name, []).append(value)
        if name in tapped:
            tapped[name].append(dict(taps.last))

    with taps.listening():
        prepared = pipeline.prepare(tools, pictures.to(model.device.device), None, _nothing, saw)
        groups = [times[first : first + chunk] for first in range(0, count, chunk)]
        latents = torch.cat([pipeline.draw(tools, prepared, group, _nothing, saw=saw) for group in groups])
    assert prepared.reconstructed is not None
    frames = pipeline.develop(tools, in_order(prepared.reconstructed, latents), _nothing)

    found = {"images": case["images"], "text_emb": numbers(context), "z_enc": numbers(prepared.keyframes)}
    found |= _inversion(prepared) | _feature(tools, prepared) | _fusion(prepared, times)
    together = {name: torch.cat(parts) for name, parts in seen.items()}
    # Both evaluations of the first step see the keyframes alike.
    ends = together["keyframe_noise"]
    found["den_eps_first"] = numbers(in_order(ends, together["noise_first"]))
    found["den_eps_second"] = numbers(in_order(ends, together["noise_second"]))
    found["den_inter_xt"] = numbers(together["imposed"])
    steps = prepared.schedule.steps
    for level in range(steps):
        both = in_order(together[f"keyframes_{level}"], together[f"latents_{level}"])
        found[f"den_lat_{steps - level:02d}"] = numbers(both)
    middles = {
        name: tuple(torch.cat(parts) for parts in zip(*(group[name] for group in tapped["noise_first"])))
        for name in wanted
    }
    if wanted:
        found |= taps.arrays(tapped["keyframe_noise"][0], middles)
    found["frames"] = numbers(frames)
    return found


def _nothing(work: float, stage: str) -> None:
    """Nobody watches."""


def _inversion(prepared: Prepared) -> Arrays:
    inversion = prepared.inversion
    found = {f"inv_lat_{k:02d}": numbers(value) for k, value in enumerate(inversion.latents)}
    found |= {f"inv_x0_{k:02d}": numbers(value) for k, value in enumerate(inversion.clean_at, start=1)}
    last = prepared.schedule.steps
    return found | {"inv_eps_01": numbers(inversion.first_noise), f"inv_eps_{last:02d}": numbers(inversion.noise)}


def _feature(tools: Tools, prepared: Prepared) -> Arrays:
    schedule = prepared.schedule
    level = schedule.nearest(REFERENCE.feature_label or 0)
    noise = predict(tools.model, prepared.inversion.latents[level], schedule.label(level), tools.context)
    matches = prepared.matches
    return {
        "feat": numbers(prepared.feature),
        "feat_eps": numbers(noise),
        "flow1to2": numbers(matches.forward.movedim(0, -1)),
        "flow2to1": numbers(matches.backward.movedim(0, -1)),
    }


def _fusion(prepared: Prepared, times: list[float]) -> Arrays:
    clean, noisy, matches = prepared.inversion.clean, prepared.inversion.latents[-1], prepared.matches
    with_cover = torch.cat([clean, torch.ones_like(clean[:, :1])], 1)
    splatted = [fusion.fuse_clean_as_published(clean, matches, t) for t in times]
    chosen = [fusion.choose_noise_as_published(noisy, matches, t) for t in times]
    fused = torch.stack([each.fused for each in splatted])
    return {
        "backwarp12": numbers(gather_warp(with_cover[1:], matches.forward[None])[0]),
        "backwarp21": numbers(gather_warp(with_cover[:1], matches.backward[None])[0]),
        "metric12": numbers(fusion.metric(clean[0], clean[1], matches.forward)),
        "metric21": numbers(fusion.metric(clean[1], clean[0], matches.backward)),
        "soft12": numbers(torch.stack([each.from_a for each in splatted])),
        "soft21": numbers(torch.stack([each.from_b for each in splatted])),
        "z0_fused": numbers(fused),
        "pred_x0_all": numbers(in_order(clean, fused)),
        "wta_m12": numbers(torch.stack([each.score_a for each in chosen])),
        "wta_m21": numbers(torch.stack([each.score_b for each in chosen])),
        "wta_pick1": numbers(torch.stack([each.is_a for each in chosen])),
        "wta_lat": numbers(in_order(noisy, torch.stack([each.latents for each in chosen]))),
    }


# ---------------------------------------------------------------- comparing


def compare(recorded: Arrays, found: Arrays) -> Iterator[Difference]:
    """Every recorded array against what was found."""
    for name in recorded:
        if name == "meta":
            continue
        if name not in found:
            yield Difference(name, float("inf"), 0.0, "not computed")
        elif recorded[name].shape != found[name].shape:
            yield Difference(name, float("inf"), 0.0, f"shape {found[name].shape}, not {recorded[name].shape}")
        elif not np.isfinite(found[name]).all():
            yield Difference(name, float("inf"), 0.0, "not finite")
        elif name in ("flow1to2", "flow2to1"):
            yield compare_flow(name, recorded, found[name])
        else:
            yield compare_values(name, recorded, found[name])


def compare_values(name: str, recorded: Arrays, found: NDArray[Any]) -> Difference:
    """By the greatest absolute difference; choices between nearly equal scores do not count."""
    allowed = next((tolerance for pattern, tolerance in TOLERANCES if re.fullmatch(pattern, name)), 0.0)
    difference = np.abs(recorded[name].astype(np.float64) - found.astype(np.float64))
    if name in ("wta_pick1", "wta_lat"):
        margin = np.abs(recorded["wta_m12"] - recorded["wta_m21"])
        decided = (margin >= NEAR_TIE) | (margin == 0)
        difference = (difference if name == "wta_pick1" else difference[1:-1]) * decided
    return Difference(name, float(difference.max(initial=0.0)), allowed)


def compare_flow(name: str, recorded: Arrays, found: NDArray[Any]) -> Difference:
    """By how much less similar the matches are than the recorded ones, judged by the recorded features."""
    wanted = recorded[name].astype(int)
    height, width = wanted.shape[:2]
    feature = resized(torch.from_numpy(recorded["feat"]).double(), (height, width))
    feature = feature / feature.norm(dim=1, keepdim=True).clamp(min=1e-8)
    a, b = feature if name == "flow1to2" else feature.flip(0)
    vectors = np.rint(found).astype(int)
    differing = np.argwhere((vectors != wanted).any(-1))
    worst = 0.0
    for row, column in differing:
        dx, dy = vectors[row, column]
        if not (0 <= row + dy < height and 0 <= column + dx < width):
            return Difference(name, float("inf"), FLOW_DEFICIT, "points out of the picture")
        best_x, best_y = wanted[row, column]
        best = a[:, row, column] @ b[:, row + best_y, column + best_x]
        worst = max(worst, float(best - a[:, row, column] @ b[:, row + dy, column + dx]))
    return Difference(name, worst, FLOW_DEFICIT, f"{len(differing)} vectors differ" if len(differing) else "")


# ---------------------------------------------------------------- the command


def cases(place: Path) -> list[Path]:
    """The case files of a folder, or the one file."""
    if place.is_dir():
        return sorted(path for path in place.glob("*.npz") if path.name != "units.npz")
    return [place]


def read(path: Path) -> Arrays:
    """A case's arrays."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def write(folder: Path, case: str, recorded: Arrays, found: Arrays) -> None:
    """Write what was found under the case's name, in the recorded arrays' form."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: found[name].astype(recorded[name].dtype) for name in recorded if name in found}
    np.savez_compressed(folder / f"{case}.npz", **arrays)  # type: ignore[arg-type]


def check_case(path: Path, model: Model, control: AttentionControl, chunk: int, folder: Path | None) -> bool:
    """Run, compare and print one case. Returns whether everything is within its tolerance."""
    recorded = read(path)
    began = time.monotonic()
    found = run(model, control, recorded, chunk)
    differences = list(compare(recorded, found))
    if folder is not None:
        write(folder, path.stem, recorded, found)
    wrong = [difference for difference in differences if not difference.passed]
    closest = max(differences, key=lambda each: each.found / max(each.allowed, 1e-12), default=None)
    verdict = "pass" if differences and not wrong else "FAIL"
    print(f"{verdict}  {path.stem}: {len(differences)} arrays, {time.monotonic() - began:.0f} s", end="")
    print(f", closest {closest.name} {closest.found:.1e} of {closest.allowed:.0e}" if closest else "", flush=True)
    for difference in wrong:
        print(f"      {difference.name}: {difference.found:.2e}, allowed {difference.allowed:.0e} {difference.note}")
    return bool(differences) and not wrong


def main(report: Callable[[str], None] = print) -> int:
    """Check all cases; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="diffusers folder")
    parser.add_argument("--cases", type=Path, required=True, help="a case file, or a folder of them")
    parser.add_argument("--write", type=Path, help="write the computed arrays here")
    parser.add_argument("--chunk", type=int, default=0, help="in-betweens at a time (default: all)")
    arguments = parser.parse_args()
    paths = cases(arguments.cases)
    model = load(find({"model": str(arguments.model.resolve())}), choose("cpu"))
    control = AttentionControl(model.unet)
    passed = [check_case(path, model, control, arguments.chunk or 1000, arguments.write) for path in paths]
    report(f"{sum(passed)} of {len(passed)} cases pass")
    return 0 if passed and all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
