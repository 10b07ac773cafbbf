"""Runs what the ablation compares: a cross-fade, the flow engine, and the dreammover engine with any recipe."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import recipes
import torch
from measures import Flow, Frame
from nano.scenes import Pair
from quality import gap_of
from torch import Tensor
from tweenbridge_server.engines.base import Frame as InBetween
from tweenbridge_server.engines.base import Gap, Image, Motion, Progress, Workplace
from tweenbridge_server.engines.dreammover.correspondence import Correspondence
from tweenbridge_server.engines.dreammover.engine import DreamMoverEngine, _Meter, _Wish
from tweenbridge_server.engines.dreammover.frames import Fitting
from tweenbridge_server.engines.dreammover.identity import ModelSource, find, identity
from tweenbridge_server.engines.dreammover.pipeline import Prepared, Tools
from tweenbridge_server.engines.dreammover.resident import Resident
from tweenbridge_server.engines.dreammover.settings import STANDARD, Recipe
from tweenbridge_server.engines.optical_flow.engine import FlowEngine

CROSS_FADE, FLOW = "cross-fade", "flow"


@dataclass(frozen=True)
class Matches:
    """Correspondences both ways, (h, w, 2) in latent pixels."""

    forward: Flow
    backward: Flow


@dataclass(frozen=True)
class Made:
    """What a recipe makes of a pair.

    Attributes:
        frames: as users get them, with the keyframes' detail.
        bare: as the model draws them; () where there is none.
        matches: None where there are none.
        seconds: for one in-between, with its share of what the gap needs.
    """

    frames: tuple[Frame, ...]
    bare: tuple[Frame, ...]
    matches: Matches | None
    seconds: float


class Silent:
    """Progress that nobody watches."""

    def __call__(self, fraction: float, stage: str) -> None:
        """Nothing."""

    def note(self, code: str, message: str) -> None:
        """Nothing."""

    def preview(self, t: float, pixels: Image) -> None:
        """Nothing."""


class _Observed(DreamMoverEngine):
    """The engine with a recipe of ours in place of the profile's, always with detail; it also keeps what is bare."""

    recipe: Recipe = STANDARD

    def __init__(self) -> None:
        super().__init__()
        self.matches: Correspondence | None = None
        self._pictures: list[Tensor] = []
        self._without: Fitting | None = None

    def bare(self, times: Sequence[float]) -> Iterator[Image]:
        """The in-betweens of the last gap without the keyframes' detail."""
        assert self._without is not None
        return (self._without.lead_out(picture, None, None, t) for picture, t in zip(self._pictures, times))

    def _frames(
        self, gap: Gap, times: Sequence[float], wish: _Wish, source: ModelSource, progress: Progress
    ) -> Iterator[InBetween]:
        self._pictures = []
        return super()._frames(gap, times, replace(wish, recipe=replace(self.recipe, detail=True)), source, progress)

    def _fitting(self, gap: Gap, wish: _Wish, resident: Resident) -> tuple[Fitting, Motion | None]:
        fitting, motion = super()._fitting(gap, wish, resident)
        self._without = replace(fitting, detail=False, guide=None)
        return fitting, motion

    def _developed(
        self, tools: Tools, resident: Resident, prepared: Prepared, latents: Tensor, meter: _Meter
    ) -> Tensor:
        picture = super()._developed(tools, resident, prepared, latents, meter)
        self._pictures.append(picture)
        self.matches = prepared.matches
        return picture


class Studio:
    """Where recipes are tried. Keeps the engines, and with them the model, from pair to pair."""

    def __init__(self, model: Path | None, device: str, cache: Path | None = None, threads: int | None = None) -> None:
        """Models' traits are kept under `cache`; `threads` of the processor, all if None."""
        if threads:
            torch.set_num_threads(threads)
        self._settings = {"model": str(model.resolve())} if model else {}
        self.identity = identity(find(self._settings)) if model else ""
        self._place = Workplace(device, cache)
        self._flow = FlowEngine()

    @cached_property
    def _dream(self) -> _Observed:
        engine = _Observed()
        engine.settle(self._place)
        engine.warm_up("standard", self._settings)
        return engine

    def make(self, recipe: str, pair: Pair) -> Made:
        """The in-betweens of a pair at its times.

        Raises:
            ValueError: the recipe's name means nothing.
            TweenbridgeError: as the engine raises it.
        """
        gap = gap_of(pair.a, pair.b)
        if recipe == CROSS_FADE:
            return Made(_eight_bits((1 - t) * gap.a + t * gap.b for t in pair.times), (), None, 0.0)
        if recipe == FLOW:
            start = time.perf_counter()
            frames = _eight_bits(each.pixels for each in self._flow.interpolate(gap, pair.times, "", {}, Silent()))
            return Made(frames, (), None, (time.perf_counter() - start) / len(pair.times))
        return self._dreamt(recipe, gap, pair)

    def _dreamt(self, recipe: str, gap: Gap, pair: Pair) -> Made:
        engine = self._dream
        engine.recipe = recipes.parse(recipe)
        start = time.perf_counter()
        made = [each.pixels for each in engine.interpolate(gap, pair.times, "standard", self._settings, Silent())]
        seconds = (time.perf_counter() - start) / len(pair.times)
        return Made(_eight_bits(made), _eight_bits(engine.bare(pair.times)), _matches(engine.matches), seconds)


def _matches(found: Correspondence | None) -> Matches | None:
    if found is None:
        return None
    forward, backward = (
        np.ascontiguousarray(flow.movedim(0, -1).cpu().numpy(), np.float32) for flow in (found.forward, found.backward)
    )
    return Matches(forward, backward)


def _eight_bits(images: Iterable[Image]) -> tuple[Frame, ...]:
    return tuple(np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8) for image in images)
