"""The `dreammover` engine: in-betweens drawn by a diffusion model, after arXiv 2409.09605."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from tweenbridge.protocol.messages import EngineInfo, Scalar

from ...imaging import fit
from .. import registry
from ..base import DRAWING, LOADING, Frame, Gap, Held, Image, Motion, Progress, Workplace
from ..optical_flow.engine import FlowEngine
from . import lora, pipeline
from .attention import Bank
from .frames import Fitting, alpha_between, alphas, lead_in, lost, opinion
from .identity import ModelSource, find
from .info import INFO
from .latents import SHRINK, Preview
from .memory import Chunk, frames_at_once, run_chunked
from .model import embed
from .pipeline import Prepared, Tools
from .resident import Residence, Resident
from .settings import RECIPES, Recipe

LOADING_COST = 8.0
"""Of a model that is not in memory, in U-Net evaluations of one frame, about."""
FLOW_COST = 2.0
FIT_COST = 0.3
LORA_COST = 3.0
"""Of one LoRA step with one picture: forward and backward."""

_PREVIEW_SECONDS = 0.4


@dataclass(frozen=True)
class _Wish:
    """A gap's settings, typed."""

    recipe: Recipe
    working_size: int
    prompt: str
    seed: int


def _wish(profile: str, settings: Mapping[str, Scalar]) -> _Wish:
    """The profile's recipe with what the settings change of it."""
    recipe = RECIPES[profile]
    matching = replace(
        recipe.matching, second_opinion=recipe.matching.second_opinion and bool(settings["second_opinion"])
    )
    strength = float(settings["strength"])
    recipe = replace(
        recipe,
        matching=matching,
        detail=recipe.detail and bool(settings["detail"]),
        strength=strength or recipe.strength,
    )
    return _Wish(recipe, int(settings["working_size"]), str(settings["prompt"]), int(settings["seed"]))


def _shot(gap: Gap) -> Sequence[Image]:
    """All keyframes that are known of the shot."""
    return gap.shot or (gap.a, gap.b)


class _Meter:
    """Turns work done into fractions."""

    def __init__(self, progress: Progress, whole: float) -> None:
        self._progress = progress
        self._whole = whole
        self._done = 0.0

    def advance(self, work: float, stage: str) -> None:
        """So much is done, and what comes next. Raises what the progress raises."""
        self._done += work
        self._progress(min(1.0, self._done / self._whole), stage)

    def share(self, work: float, fraction: float, stage: str) -> None:
        """A part of `work` that is under way; count it with `advance` when it is done."""
        self._progress(min(1.0, (self._done + work * fraction) / self._whole), stage)


class DreamMoverEngine:
    """See `engines.base.Engine`. Keeps one model in memory."""

    def __init__(self) -> None:
        self._place = Workplace()
        self._residence = Residence(self._place)
        self._flow = FlowEngine()
        self._chunks: dict[tuple[int, int], Chunk] = {}
        self._together = 0

    @property
    def held(self) -> Held | None:
        """See `engines.base.Holds`."""
        return self._residence.held

    @property
    def together(self) -> int:
        """See `engines.base.Parts`."""
        return self._together

    @property
    def info(self) -> EngineInfo:
        """Name, version, profiles and settings."""
        return INFO

    def settle(self, workplace: Workplace) -> None:
        """Work there from now on."""
        self._place = workplace
        self._residence = Residence(workplace)

    def warm_up(self, profile: str, settings: Mapping[str, Scalar]) -> None:
        """Load the model while keyframes are still on their way."""
        _, complete = registry.check(INFO.name, profile, settings)
        self._residence.get(find(complete), lambda fraction: None)

    def interpolate(
        self,
        gap: Gap,
        times: Sequence[float],
        profile: str,
        settings: Mapping[str, Scalar],
        progress: Progress,
    ) -> Iterator[Frame]:
        """Make the in-betweens at `times`, group by group as memory allows.

        Raises:
            TweenbridgeError: BAD_REQUEST, MODEL_MISSING, MODEL_FAILED, OUT_OF_MEMORY.
            Cancelled: passed through from `progress`, within one step of the network.
        """
        profile, complete = registry.check(INFO.name, profile, settings)
        return self._frames(gap, times, _wish(profile, complete), find(complete), progress)

    def _frames(
        self, gap: Gap, times: Sequence[float], wish: _Wish, source: ModelSource, progress: Progress
    ) -> Iterator[Frame]:
        pictures = _shot(gap) if wish.recipe.fit_lora else ()
        loading = 0.0 if self._residence.has(source) else LOADING_COST
        learning = LORA_COST * lora.FitSettings().bound(len(pictures)) * lora.FitSettings().pictures_per_step
        whole = loading + pipeline.cost(wish.recipe, len(times)) + FLOW_COST + FIT_COST * len(times)
        meter = _Meter(progress, whole + (learning if pictures else 0.0))

        meter.advance(0, LOADING if loading else "estimating motion")
        resident = self._residence.get(source, lambda done: meter.share(loading, done, LOADING))
        meter.advance(loading, "estimating motion")
        fitting, motion = self._fitting(gap, wish, resident)
        meter.advance(FLOW_COST, "reading keyframes")

        context, truncated = embed(resident.model, wish.prompt)
        if truncated:
            progress.note("prompt_cut", "The prompt is longer than the model reads; its end was left out.")
        with self._learned(resident, pictures, wish, context, meter, learning):
            tools = Tools(resident.model, resident.control, wish.recipe, resident.traits, context)
            yield from self._drawn(tools, resident, gap, fitting, motion, times, meter, progress)

    def _fitting(self, gap: Gap, wish: _Wish, resident: Resident) -> tuple[Fitting, Motion | None]:
        """How pictures go in and out. Alpha travels along optical flow, which then is asked whatever is wished."""
        height, width, channels = gap.a.shape
        working = fit.working_size(height, width, wish.working_size or resident.model.training_side)
        recipe = wish.recipe
        asked = recipe.detail or recipe.matching.second_opinion or channels == 4
        guide = self._flow.guide(gap, recipe.flow_profile) if asked else None
        motion = guide.motion() if guide and recipe.matching.second_opinion else None
        return Fitting((height, width), working, recipe.detail, guide), motion

    def _learned(
        self, resident: Resident, pictures: Sequence[Image], wish: _Wish, context: Tensor, meter: _Meter, work: float
    ) -> AbstractContextManager[None]:
        """The model with a LoRA fitted to the shot; as it is where the recipe fits none."""
        if not pictures:
            return nullcontext()
        model, side = resident.model, wish.working_size or resident.model.training_side
        shown = [lead_in(each, fit.working_size(each.shape[0], each.shape[1], side)) for each in pictures]
        fitted = lora.fit(
            model,
            [each.to(model.device.device) for each in shown],
            context,
            wish.seed,
            self._place.cache,
            lambda done: meter.share(work, done, "learning the shot"),
        )
        meter.advance(work, "inverting keyframes")
        return lora.applied(model, fitted)

    def _drawn(
        self,
        tools: Tools,
        resident: Resident,
        gap: Gap,
        fitting: Fitting,
        motion: Motion | None,
        times: Sequence[float],
        meter: _Meter,
        progress: Progress,
    ) -> Iterator[Frame]:
        model, device = tools.model, tools.model.device.device
        pictures = torch.stack([lead_in(each, fitting.working) for each in (gap.a, gap.b)]).to(device)
        told = opinion(motion, fitting.working, device) if motion else None
        nothing = Bank()
        (prepared,) = run_chunked(
            [pictures],
            Chunk(1),
            lambda one: pipeline.prepare(tools, one[0], told, meter.advance),
            lambda: resident.give_way(nothing),
        )
        preview = _Previews(Preview(prepared.keyframes, pictures / 2 + 0.5), progress)
        both = alphas(gap, fitting.working, device)
        size = (fitting.working[0] // SHRINK, fitting.working[1] // SHRINK)
        chunk = self._chunks.setdefault(size, Chunk(frames_at_once(model.device, model, size)))
        coming = iter(times)
        for latents in run_chunked(
            times,
            chunk,
            lambda some: pipeline.draw(tools, prepared, some, meter.advance, preview),
            lambda: resident.give_way(prepared.bank),
        ):
            for each in latents:
                t = next(coming)
                picture = self._developed(tools, resident, prepared, each, meter)
                alpha = None if both is None else alpha_between(both, prepared.matches, prepared.counts, t)
                missing = None if told is None else lost(told, prepared.matches, t)
                self._together = chunk.size
                yield Frame(t, fitting.lead_out(picture, alpha, missing, t))
                meter.advance(FIT_COST, DRAWING)

    def _developed(
        self, tools: Tools, resident: Resident, prepared: Prepared, latents: Tensor, meter: _Meter
    ) -> Tensor:
        """The picture (3, h, w) of latents (4, h, w)."""
        (picture,) = run_chunked(
            [latents],
            Chunk(1),
            lambda one: pipeline.develop(tools, one[0][None], meter.advance)[0],
            lambda: resident.give_way(prepared.bank),
        )
        return picture


class _Previews:
    """Shows unfinished in-betweens now and then."""

    def __init__(self, picture: Preview, progress: Progress) -> None:
        self._picture = picture
        self._progress = progress
        self._last = 0.0

    def __call__(self, times: Sequence[float], clean: Tensor) -> None:
        """Show the middle one of a group, unless one was shown just now."""
        now = time.monotonic()
        if now - self._last < _PREVIEW_SECONDS:
            return
        self._last = now
        middle = len(times) // 2
        shown = self._picture(clean[middle]).clamp(0, 1).movedim(0, -1).numpy()
        self._progress.preview(times[middle], np.ascontiguousarray(shown, np.float32))
