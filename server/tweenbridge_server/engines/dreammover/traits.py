"""What suits a model: known for Stable Diffusion 1.x and 2.x, found by a self-check for others, once.

The feature layer that tells best where things went, and how far to noise keyframes, differ between models. The
self-check draws pairs of keyframes of which the truth is known (`trial`) at the size the model was trained on, looks
which up block, noise level and neighbourhood finds the true flow, and how much noise brings the in-between nearest to
the true one. What was published is kept where nothing else is clearly better.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

import torch

from .attention import AttentionControl
from .correspondence import Correspondence, features
from .inversion import invert, plain
from .latents import encode
from .matching import match
from .model import Model, embed
from .pipeline import Tools, draw, prepare
from .schedule import make_schedule
from .settings import STANDARD, Matching, Traits
from .trial import Trial, make_trial

log = logging.getLogger(__name__)

PUBLISHED: Final = Traits()
"""DreamMover's choice for Stable Diffusion 1.5, arXiv 2409.09605."""
_STABLE_DIFFUSION: Final = (320, 640, 1280, 1280)
"""Channels of every U-Net of Stable Diffusion 1.x and 2.x."""

_VERSION: Final = 1
"""Of the self-check: what an older one found is looked for again."""
_TRIALS: Final = 3
_BLOCKS: Final = (1, 2, 3)
_LABELS: Final = (261, 161, 421)
_SIDES: Final = (3, 5, 1)
_INVERSION_STEPS: Final = 9
_INVERSION_DEPTH: Final = 0.44
"""Of as many steps, levels 4, 6 and 9 have about _LABELS."""
_STRENGTHS: Final = (0.6, 0.5, 0.4, 0.3)
"""The published one, and others that keep more and invent less."""
_TRIED: Final = replace(STANDARD, steps=6, matching=replace(STANDARD.matching, second_opinion=False))
"""With what strengths are tried; twice as many steps rank them the same."""
_STRENGTH_TRIALS: Final = 2
_FLOW_SHARE: Final = 0.4
"""Of the time: what finding flow takes, before strengths are tried."""
_FLOW_NOISE: Final = 1.2
_STRENGTH_NOISE: Final = 1.05
"""Up to so many times the least error may be chance: about twice what other trials change in the mean of a few."""

Report = Callable[[float], None]
"""Called with the fraction done; may raise `Cancelled`."""
_Choice = tuple[int, int, int]
"""Block, label, side."""


def traits_of(model: Model, cache: Path | None, progress: Report | None = None) -> Traits:
    """What suits this model.

    Args:
        model: its U-Net is used, and left as it was.
        cache: where what was found is kept, under `traits/` by the model's identity; None keeps nothing.
        progress: called with the fraction done, about once for every evaluation of the network.

    Raises:
        Cancelled: passed through from `progress`; nothing is kept then.
    """
    if tuple(model.unet.config.block_out_channels) == _STABLE_DIFFUSION:
        return PUBLISHED
    kept = cache / "traits" / f"{model.identity}.json" if cache else None
    found = _read(kept) if kept else None
    if found is None:
        found = self_check(model, progress or (lambda fraction: None))
        if kept:
            _write(kept, found)
    return found


@torch.inference_mode()
def self_check(model: Model, report: Report) -> Traits:
    """Try the model on pairs of which the truth is known. The same model gives the same answer.

    Takes about 270 U-Net evaluations of one frame at the model's training size.
    """
    trials = [make_trial(seed, model.training_side) for seed in range(_TRIALS)]
    context = embed(model, "")[0]
    share = _FLOW_SHARE / len(trials)
    errors = [
        _flow_errors(model, trial, context, _part(report, index * share, share)) for index, trial in enumerate(trials)
    ]
    means = {choice: sum(each[choice] for each in errors) / len(errors) for choice in errors[0]}
    block, label, side = _prefer(means)
    traits = replace(PUBLISHED, feature_block=block, feature_label=label, neighbourhood=side)

    rest = _part(report, _FLOW_SHARE, 1 - _FLOW_SHARE)
    lost = _strength_errors(model, trials[:_STRENGTH_TRIALS], context, traits, rest)
    strength = next(each for each in _STRENGTHS if lost[each] <= _STRENGTH_NOISE * min(lost.values()))
    log.debug("Flow error by (block, label, neighbourhood): %s; error by strength: %s.", means, lost)
    return replace(traits, strength=strength)


def _part(report: Report, start: float, share: float) -> Report:
    """A report of the fraction of a part, told as one of the whole."""
    return lambda fraction: report(start + share * fraction)


def _prefer(errors: dict[_Choice, float]) -> _Choice:
    """The best choice, but for block and label what departs least from what is published and is not clearly worse."""
    best = min(errors.values())
    good = [choice for choice, error in errors.items() if error <= _FLOW_NOISE * best]

    def departures(choice: _Choice) -> int:
        block, label, _ = choice
        return (block != PUBLISHED.feature_block) + (label != PUBLISHED.feature_label)

    return min(good, key=lambda choice: (departures(choice), errors[choice]))


def _flow_errors(model: Model, trial: Trial, context: torch.Tensor, report: Report) -> dict[_Choice, float]:
    """Mean end-point error in latent pixels, where shapes are seen in both keyframes, for every choice."""
    latents = encode(model, trial.keyframes.to(model.device.device))
    schedule = make_schedule(model.alphas, _INVERSION_STEPS, _INVERSION_DEPTH)
    choices = list(product(_LABELS, _BLOCKS))
    evaluations = schedule.steps + len(choices)
    look = plain(model, context)

    def look_and_report(noisy: torch.Tensor, level: int, label: int) -> torch.Tensor:
        report((level - 1) / evaluations)
        return look(noisy, level, label)

    inversion = invert(latents, schedule, look_and_report)
    height, width = latents.shape[2:]
    guides = torch.zeros(2, 3, height, width, device=latents.device)
    errors: dict[_Choice, float] = {}
    for done, (label, block) in enumerate(choices, schedule.steps):
        report(done / evaluations)
        level = schedule.nearest(label)
        feat = features(model, inversion.latents[level], schedule.label(level), context, block)
        for side in _SIDES:
            matches = match(feat, (height, width), Matching(), side, guides, None)
            errors[block, label, side] = _flow_error(matches, trial)
    return errors


def _flow_error(matches: Correspondence, trial: Trial) -> float:
    forward = (matches.forward.cpu() - trial.forward).norm(dim=0)[trial.seen_a]
    backward = (matches.backward.cpu() - trial.backward).norm(dim=0)[trial.seen_b]
    return float(torch.cat((forward, backward)).mean())


def _strength_errors(
    model: Model, trials: list[Trial], context: torch.Tensor, traits: Traits, report: Report
) -> dict[float, float]:
    """Mean squared error of the in-between's latents where anything moves, for every strength."""
    before = dict(model.unet.attn_processors)
    device = model.device.device
    totals = dict.fromkeys(_STRENGTHS, 0.0)
    try:
        control = AttentionControl(model.unet)
        for index, trial in enumerate(trials):
            keyframes, moved = trial.keyframes.to(device), trial.moved.to(device)
            truth = encode(model, trial.between.to(device))
            for step, strength in enumerate(_STRENGTHS):
                done = (index + step / len(_STRENGTHS)) / len(trials)

                def advance(work: float, stage: str, done: float = done) -> None:
                    report(done)

                tools = Tools(model, control, replace(_TRIED, strength=strength), traits, context)
                made = draw(tools, prepare(tools, keyframes, None, advance), [0.5], advance)
                missed = (made - truth)[0].square().mean(0)
                totals[strength] += float(missed[moved].mean()) / len(trials)
    finally:
        model.unet.set_attn_processor(before)
    return totals


def _read(path: Path) -> Traits | None:
    """What was kept; None where nothing was, or nothing that can be used."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept.pop("version") != _VERSION:
            return None
        found = Traits(**kept)
        usable = (
            found.feature_block in _BLOCKS
            and found.feature_label in _LABELS
            and found.neighbourhood in _SIDES
            and found.strength in _STRENGTHS
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        log.warning("What %s says of a model cannot be used and is found out again: %s", path, error)
        return None
    return found if usable else None


def _write(path: Path, traits: Traits) -> None:
    """Keep it, whole or not at all. Without a place to keep it, the next start finds it out again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False, encoding="utf-8") as part:
            json.dump({"version": _VERSION, **asdict(traits)}, part)
        os.replace(part.name, path)
    except OSError as error:
        log.warning("What suits the model cannot be kept in %s: %s", path.parent, error)
