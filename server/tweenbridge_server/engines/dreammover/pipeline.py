"""The method, stage by stage: two keyframes' pictures in, the pictures between them out.

DreamMover, arXiv 2409.09605. `prepare` does what all in-betweens of a gap have in common:

    1 encode    both keyframes to latents
    2 invert    noise them step by step, keeping what the later stages need
    3 match     find where things go, by comparing the network's features
    4 record    the keyframes' attention keys and values of every step

and `draw` does the rest for any group of times, with the same result whatever the groups:

    5 fuse      the clean latents of both keyframes, moved to the time and blended
    6 noise     what the in-between starts from
    7 denoise   step by step, looking at the keyframes' keys and values
    8 decode    latents to pictures
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..base import DRAWING
from . import fusion
from .attention import AttentionControl, Bank
from .correspondence import Correspondence, features
from .deep_cache import DeepCache
from .denoising import Saw, denoise, denoise_keyframes, impose_clean, mixed
from .fusion import Importance
from .inversion import Inversion, invert
from .latents import SHRINK, decode, encode
from .matching import match
from .model import Model
from .schedule import Schedule, make_schedule
from .settings import Endpoints, Noise, Recipe, Traits
from .unet import predict

Advance = Callable[[float, str], None]
"""Called with the work that was just done, in U-Net evaluations of one frame, and what comes next. May raise."""

OnClean = Callable[[Sequence[float], Tensor], None]
"""Called after every denoising step with the times and the clean latents (N, 4, h, w) as they are estimated now."""

ENCODE_COST = 1.4
"""Of one picture, in U-Net evaluations of one frame, as below (counted for SD 1.5 at 512 x 512)."""
DECODE_COST = 3.1
FEATURE_COST = 0.55


@dataclass(frozen=True)
class Tools:
    """What a gap is worked on with.

    Attributes:
        control: of the model's own U-Net.
        context: (1, 77, C) the prompt's embedding.
    """

    model: Model
    control: AttentionControl
    recipe: Recipe
    traits: Traits
    context: Tensor


@dataclass(frozen=True)
class Prepared:
    """What all in-betweens of a gap have in common.

    Attributes:
        keyframes: (2, 4, h, w) latents of the keyframes.
        feature: (2, C, h', w') by which correspondences were found.
        counts: what wins where several land.
        reconstructed: (2, 4, h, w) the keyframes' latents as denoising gives them back; None where they are not
            denoised.
    """

    schedule: Schedule
    keyframes: Tensor
    inversion: Inversion
    feature: Tensor
    matches: Correspondence
    counts: Importance
    bank: Bank
    reconstructed: Tensor | None


def cost(recipe: Recipe, count: int) -> float:
    """The work for `count` in-betweens, in U-Net evaluations of one frame."""
    of_keyframes = 2 * recipe.steps * (2 if recipe.endpoints is Endpoints.DENOISED else 1)
    evaluations = recipe.steps + recipe.impose_clean
    return 2 * (ENCODE_COST + FEATURE_COST) + of_keyframes + count * (evaluations + DECODE_COST)


@torch.inference_mode()
def prepare(
    tools: Tools, pictures: Tensor, opinion: Correspondence | None, advance: Advance, saw: Saw | None = None
) -> Prepared:
    """Stages 1 to 4.

    Args:
        pictures: (2, 3, H, W) in [-1, 1], multiples of 64.
        opinion: where optical flow thinks things go, in latent pixels.
        saw: is shown the network's outputs, for comparisons with recorded data.
    """
    model, recipe, bank = tools.model, tools.recipe, Bank()
    recorded = recipe.endpoints is Endpoints.RECORDED
    strength = recipe.strength if recipe.strength is not None else tools.traits.strength
    schedule = make_schedule(model.alphas, recipe.steps, strength, recipe.spacing)

    keyframes = encode(model, pictures)
    advance(2 * ENCODE_COST, "inverting keyframes")

    def look(latents: Tensor, k: int, label: int) -> Tensor:
        with tools.control.recording(bank, k) if recorded else nullcontext():
            noise = predict(model, latents, label, tools.context)
        advance(2, "inverting keyframes")
        return noise

    inversion = invert(keyframes, schedule, look)
    feature = _feature(tools, inversion, schedule)
    matches = _match(tools, feature, pictures, opinion)
    advance(2 * FEATURE_COST, DRAWING if recorded else "reading keyframes")

    reconstructed = None
    if not recorded:

        def look_again(latents: Tensor, k: int) -> Tensor:
            with tools.control.recording(bank, k):
                noise = predict(model, latents, schedule.label(k), tools.context)
            advance(2, "reading keyframes")
            if saw and k == schedule.steps:
                saw("keyframe_noise", noise)
            return noise

        def show(k: int, latents: Tensor, _: Tensor) -> None:
            if saw:
                saw(f"keyframes_{k - 1}", latents)

        reconstructed = denoise_keyframes(inversion.latents[-1], inversion.clean, schedule, look_again, show)
    counts = fusion.importance(inversion.clean, matches, recipe.layered)
    return Prepared(schedule, keyframes, inversion, feature, matches, counts, bank, reconstructed)


def _feature(tools: Tools, inversion: Inversion, schedule: Schedule) -> Tensor:
    recipe, traits = tools.recipe, tools.traits
    block = traits.feature_block if recipe.feature_block is None else recipe.feature_block
    level = schedule.nearest(traits.feature_label if recipe.feature_label is None else recipe.feature_label)
    return features(tools.model, inversion.latents[level], schedule.label(level), tools.context, block)


def _match(tools: Tools, feature: Tensor, pictures: Tensor, opinion: Correspondence | None) -> Correspondence:
    options = tools.recipe.matching
    side = tools.traits.neighbourhood if options.neighbourhood is None else options.neighbourhood
    height, width = pictures.shape[-2:]
    size = (height // SHRINK, width // SHRINK)
    guides = functional.interpolate(pictures / 2 + 0.5, size=size, mode="area")
    return match(feature, size, options, side, guides, opinion)


@torch.inference_mode()
def draw(
    tools: Tools,
    prepared: Prepared,
    times: Sequence[float],
    advance: Advance,
    on_clean: OnClean | None = None,
    saw: Saw | None = None,
) -> Tensor:
    """Stages 5 to 7: the latents (N, 4, h, w) of the in-betweens at `times`.

    Args:
        times: each 0 < t < 1. They are computed together: memory grows with their number.
    """
    recipe, schedule = tools.recipe, prepared.schedule
    clean = torch.stack([_fused(recipe, prepared, t) for t in times])
    start = torch.stack([_start(recipe, prepared, t, each) for t, each in zip(times, clean)])
    weights = torch.tensor(times, device=start.device) if recipe.attention_by_time else None
    evaluate = DeepCache(tools.model.unet, recipe.cache_every) if recipe.cache_every > 1 else None

    def look(latents: Tensor, k: int) -> Tensor:
        with tools.control.sharing(prepared.bank, k, weights):
            noise = predict(tools.model, latents, schedule.label(k), tools.context, evaluate)
        advance(len(times), DRAWING)
        return noise

    def show(k: int, latents: Tensor, estimate: Tensor) -> None:
        if saw:
            saw(f"latents_{k - 1}", latents)
        if on_clean:
            on_clean(times, estimate)

    level = schedule.steps
    if recipe.impose_clean:
        start, _ = impose_clean(start, clean, schedule, look, saw)
        show(level, start, clean)
        level -= 1
    return denoise(start, level, schedule, recipe.solver, look, show)


def _fused(recipe: Recipe, prepared: Prepared, t: float) -> Tensor:
    """Stage 5: (4, h, w) clean latents at time t."""
    clean, matches = prepared.inversion.clean, prepared.matches
    if recipe.coverage_masks:
        return fusion.fuse_clean(clean, matches, prepared.counts, t)
    return fusion.fuse_clean_as_published(clean, matches, t).fused


def _start(recipe: Recipe, prepared: Prepared, t: float, clean: Tensor) -> Tensor:
    """Stage 6: (4, h, w) noisy latents of the top level at time t."""
    inversion, matches, level = prepared.inversion, prepared.matches, prepared.schedule.levels[-1]
    if recipe.noise is Noise.SPLATTED:
        return mixed(clean, fusion.splat_noise(inversion.noise, matches, prepared.counts, t), level)
    chosen = fusion.choose_noise_as_published(inversion.latents[-1], matches, t)
    if recipe.impose_clean:
        return chosen.latents
    return mixed(clean, torch.where(chosen.is_a, inversion.noise[0], inversion.noise[1]), level)


@torch.inference_mode()
def develop(tools: Tools, latents: Tensor, advance: Advance) -> Tensor:
    """Stage 8: latents (N, 4, h, w) to pictures (N, 3, H, W) in [0, 1], one after the other to save memory."""
    pictures = []
    for each in latents:
        pictures.append(decode(tools.model, each[None]))
        advance(DECODE_COST, "decoding")
    return torch.cat(pictures)
