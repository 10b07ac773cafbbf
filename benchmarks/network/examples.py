"""What the networks learn from: drawn scenes, and what the engine makes of their motion without the arbiter.

    python benchmarks/network/examples.py --out FOLDER [--first 0] [--count 4000] [--matcher MODEL.onnx]

Shards of scenes are written one after another, so that a training may begin with the first ones. A scene takes half a
megabyte.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from drawn import Category, Drawings, Scene, draw_scene, load_drawings
from nano.sprites import Split
from tweenbridge_server.engines.optical_flow import networks
from tweenbridge_server.engines.optical_flow.estimate import Match, follow
from tweenbridge_server.engines.optical_flow.exposure import even
from tweenbridge_server.engines.optical_flow.hypotheses import Hypothesis, dense
from tweenbridge_server.engines.optical_flow.network_files import MATCHER
from tweenbridge_server.engines.optical_flow.quality import ways

SIZE: Final = (256, 320)
SHARD: Final = 32
MIDDLES: Final = 2

Arrays = dict[str, NDArray[Any]]


def times_of(seed: int) -> tuple[float, ...]:
    """Two times of a scene: one near the middle, one anywhere."""
    rng = np.random.default_rng([29, seed])
    return tuple(sorted({0.5 if rng.random() < 0.4 else float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.08, 0.92))}))


def category_of(seed: int) -> Category:
    """Categories take turns."""
    kinds = list(Category)
    return kinds[seed % len(kinds)]


def example(scene: Scene, match: Match | None) -> Arrays:
    """One scene as arrays: keyframes, exact flow between them at half the size, and for each middle the true frame, the
    exact flow, and the engine's ways without the arbiter; without `match`, the middles are left out."""
    shrink = (SIZE[1] // 2, SIZE[0] // 2)

    def halved(field: NDArray[np.float32]) -> NDArray[np.float16]:
        smaller: NDArray[np.float16] = cv2.resize(field, shrink, interpolation=cv2.INTER_AREA).astype(np.float16)
        return smaller

    found: Arrays = {
        "a": scene.a,
        "b": scene.b,
        "forward": halved(scene.forward),
        "backward": halved(scene.backward),
        "visible_a": cv2.resize(scene.visible_forward.astype(np.uint8) * 255, shrink, interpolation=cv2.INTER_AREA),
        "visible_b": cv2.resize(scene.visible_backward.astype(np.uint8) * 255, shrink, interpolation=cv2.INTER_AREA),
    }
    if match is None:
        return found
    b = even(scene.a, scene.b)
    found_by_network = match(scene.a, b)
    coarse = Hypothesis(found_by_network.forward, found_by_network.backward)
    estimate = follow(scene.a, b, [dense(scene.a, b), dense(scene.a, b, coarse), coarse])
    each: list[Arrays] = []
    for middle in scene.middles:
        way = ways(estimate, SIZE, middle.t)
        each.append(
            {
                "t": np.float32(middle.t),
                "true": middle.frame,
                "flow": np.dstack([-way.from_a, -way.from_b]).astype(np.float16),
                "share": (way.share * 255 + 0.5).astype(np.uint8),
                "trust": (way.trust * 255 + 0.5).astype(np.uint8),
                "exact": halved(np.dstack([middle.to_a, middle.to_b])),
                "known": cv2.resize(middle.known.astype(np.uint8) * 255, shrink, interpolation=cv2.INTER_AREA),
            }
        )
    return found | {name: np.stack([one[name] for one in each]) for name in each[0]}


def scenes(drawings: Drawings, first: int, count: int) -> Iterator[Scene]:
    """Scenes by their seeds; one that cannot be drawn is left out."""
    for seed in range(first, first + count):
        yield draw_scene(seed, category_of(seed), drawings, SIZE, times_of(seed))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--split", default="training", choices=[split.value for split in Split])
    parser.add_argument("--matcher", type=Path, help="another model than the engine's own")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    drawings = load_drawings(asked.split)
    match = networks.Matcher(networks.session(asked.matcher or MATCHER))
    for first in range(asked.first, asked.first + asked.count, SHARD):
        file = asked.out / f"{first:08d}.npz"
        if file.exists():
            continue
        rows = [example(scene, match) for scene in scenes(drawings, first, SHARD)]
        partial = file.with_suffix(".partial")
        with partial.open("wb") as opened:
            arrays: Any = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
            np.savez(opened, **arrays)
        os.replace(partial, file)
        print(file.name, flush=True)


if __name__ == "__main__":
    main()
