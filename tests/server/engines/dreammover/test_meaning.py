"""What the engine makes of pictures with the built-in model, on pairs of which the truth is known."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tweenbridge.protocol.messages import Scalar
from tweenbridge_server.engines.base import Gap, Image, Workplace
from tweenbridge_server.engines.dreammover.attention import AttentionControl
from tweenbridge_server.engines.dreammover.builtin import NANO_TRAITS
from tweenbridge_server.engines.dreammover.devices import choose
from tweenbridge_server.engines.dreammover.engine import DreamMoverEngine
from tweenbridge_server.engines.dreammover.identity import find
from tweenbridge_server.engines.dreammover.matching import match
from tweenbridge_server.engines.dreammover.model import Model, embed, load
from tweenbridge_server.engines.dreammover.pipeline import Tools, prepare
from tweenbridge_server.engines.dreammover.settings import RECIPES, Matching

BENCHMARKS = str(Path(__file__).resolve().parents[4] / "benchmarks")
if BENCHMARKS not in sys.path:
    sys.path.insert(0, BENCHMARKS)

from nano import scenes  # noqa: E402 - found by the lines above
from nano.scenes import Kind, Pair  # noqa: E402
from nano.sprites import Split  # noqa: E402

SIZE = 256
PAIRS = range(0, 10, 2)
HARD_PAIRS = range(1, 13, 2)


class Deaf:
    """Nobody listens."""

    def __call__(self, fraction: float, stage: str) -> None: ...

    def note(self, code: str, message: str) -> None: ...

    def preview(self, t: float, pixels: Image) -> None: ...


def shown(frame: NDArray[np.uint8]) -> Image:
    image: Image = np.ascontiguousarray(frame, np.float32) / np.float32(255)
    return image


def psnr(made: Image, truth: Image, where: NDArray[np.bool_]) -> float:
    return float(-10 * np.log10(np.square(made - truth)[where].mean()))


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    made = [scenes.make_scene(seed, SIZE, Split.HELD_OUT, Kind.SAME) for seed in PAIRS]
    return [scenes.make_pair(scene, (0.25, 0.5, 0.75)) for scene in made]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DreamMoverEngine]:
    made = DreamMoverEngine()
    made.settle(Workplace("cpu", tmp_path_factory.mktemp("cache")))
    yield made


@pytest.mark.slow
def test_standard_beats_the_cross_fade_by_three_decibels_where_something_moves(
    engine: DreamMoverEngine, nano_sd: Path, pairs: list[Pair]
) -> None:
    gains = []
    for pair in pairs:
        a, b, truth, moving = shown(pair.a), shown(pair.b), shown(pair.truth[1]), pair.moving[1]
        (frame,) = engine.interpolate(Gap(a, b), (0.5,), "standard", {"model": str(nano_sd)}, Deaf())
        fade = psnr((a + b) * np.float32(0.5), truth, moving)
        gains.append(psnr(frame.pixels, truth, moving) - fade)
    assert np.mean(gains) > 3.0, gains


@pytest.mark.slow
def test_frames_come_in_order_from_a_to_b(engine: DreamMoverEngine, nano_sd: Path, pairs: list[Pair]) -> None:
    pair = pairs[1]
    settings: dict[str, Scalar] = {"model": str(nano_sd), "detail": False, "second_opinion": False}
    frames = list(engine.interpolate(Gap(shown(pair.a), shown(pair.b)), pair.times, "standard", settings, Deaf()))
    moving = pair.moving[0] | pair.moving[2]
    to_a = [np.square(frame.pixels - shown(pair.a))[moving].mean() for frame in frames]
    to_b = [np.square(frame.pixels - shown(pair.b))[moving].mean() for frame in frames]
    assert to_a == sorted(to_a)
    assert to_b == sorted(to_b, reverse=True)


@pytest.fixture(scope="module")
def trained(nano_sd: Path) -> Model:
    return load(find({"model": str(nano_sd)}), choose("cpu"))


@pytest.mark.slow
def test_its_features_find_things_that_changed_colour_where_pixels_do_not(trained: Model) -> None:
    """Share of what moves that is found to two latent pixels; the plain search by patches of 3 x 3."""
    scenes_made = [scenes.make_scene(seed, SIZE, Split.HELD_OUT, Kind.HARD) for seed in HARD_PAIRS]
    pairs = [scenes.make_pair(scene, (0.5,)) for scene in scenes_made]

    def found_share(feature: torch.Tensor, pair: Pair) -> float:
        side = SIZE // 8
        found = match(feature, (side, side), Matching(), 3, torch.zeros(2, 3, side, side), None).forward
        true = torch.from_numpy(pair.forward.flow).movedim(-1, 0)[:, 4::8, 4::8] / 8
        seen = torch.from_numpy(pair.forward.visible)[4::8, 4::8] & (true.norm(dim=0) > 1)
        return float(((found - true).norm(dim=0)[seen] < 2).float().mean())

    context, _ = embed(trained, "")
    control = AttentionControl(trained.unet)

    def feature(pair: Pair) -> tuple[torch.Tensor, torch.Tensor]:
        pictures = torch.from_numpy(np.stack([shown(pair.a), shown(pair.b)])).movedim(-1, 1) * 2 - 1
        tools = Tools(trained, control, RECIPES["standard"], NANO_TRAITS, context)
        return prepare(tools, pictures, None, lambda work, stage: None).feature, pictures

    by_features, by_pixels = [], []
    for pair in pairs:
        found, pictures = feature(pair)
        by_features.append(found_share(found, pair))
        by_pixels.append(found_share(torch.nn.functional.avg_pool2d(pictures, 8), pair))
    with torch.no_grad():
        random = torch.Generator().manual_seed(0)
        kept = {name: weight.clone() for name, weight in trained.unet.named_parameters()}
        for weight in trained.unet.parameters():
            if weight.ndim > 1:
                weight.copy_(weight.std() * torch.randn(weight.shape, generator=random))
        by_chance = [found_share(feature(pair)[0], pair) for pair in pairs]
        for name, weight in trained.unet.named_parameters():
            weight.copy_(kept[name])
    assert np.mean(by_features) > np.mean(by_pixels) + 0.1, (by_features, by_pixels)
    assert np.mean(by_features) > np.mean(by_chance) + 0.1, (by_features, by_chance)
