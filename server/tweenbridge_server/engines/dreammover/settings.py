"""What each profile does: recipes. Every correction of the published method is a field that can be switched alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final


class Solver(str, Enum):
    """How a denoising step goes from one noise level to the next.

    DDIM: Song et al., arXiv 2010.02502, eq. 12 with sigma 0. DPM: DPM-Solver++(2M), Lu et al., arXiv 2211.01095,
    algorithm 2.
    """

    DDIM = "ddim"
    DPM = "dpm"


class Noise(str, Enum):
    """Where an in-between's noise comes from.

    IN_PLACE: one keyframe's noise, chosen pixel by pixel, not moved. SPLATTED: both keyframes' noise moved along the
    flow, one source for each pixel.
    """

    IN_PLACE = "in_place"
    SPLATTED = "splatted"


class Spacing(str, Enum):
    """How time labels are spread over the steps.

    EVEN: evenly. KARRAS: densely where little noise is left, Karras et al., arXiv 2206.00364, eq. 5 with rho 7: few
    steps then suffice for DPM.
    """

    EVEN = "even"
    KARRAS = "karras"


class Endpoints(str, Enum):
    """Whose attention keys and values the in-betweens look at.

    DENOISED: the keyframes' own denoising, run beside the in-betweens. RECORDED: what the inversion saw at the same
    step, which costs nothing more and stays on the keyframes' true trajectory.
    """

    DENOISED = "denoised"
    RECORDED = "recorded"


@dataclass(frozen=True)
class Matching:
    """How correspondences are found. All off is the published method: the most similar pixel, whatever it is.

    Attributes:
        neighbourhood: side in latent pixels of the patches that are compared; None is the model's own.
        subpixel: refine the best match between pixels.
        cycle: trust only matches that lead back.
        edge_aware: fill and smooth what is not trusted from what is, along the keyframe's edges.
        second_opinion: let optical flow propose, too.
    """

    neighbourhood: int | None = 1
    subpixel: bool = False
    cycle: bool = False
    edge_aware: bool = False
    second_opinion: bool = False


@dataclass(frozen=True)
class Recipe:
    """One way to make in-betweens.

    Attributes:
        steps: inversion steps, and as many denoising steps.
        strength: share of the training steps up to which keyframes are noised, 0 to 1; None is the model's own.
        matching: how correspondences are found; with feature layer and step None, they are the model's own.
        feature_block, feature_label: the up block whose output is compared, and the time label of the noise level.
        coverage_masks: holes are where little lands; else wherever anything lands counts as covered.
        layered: what moves unlike most of its picture is in front.
        noise: where in-betweens' noise comes from.
        impose_clean: force the fused clean estimate in the first step, at the price of a second evaluation; else it is
            combined with the noise at the start.
        endpoints: whose keys and values in-betweens look at.
        attention_by_time: the nearer keyframe counts more in attention.
        solver: how steps are taken.
        spacing: how steps are spread.
        cache_every: recompute the deep half of the U-Net only every so many steps (DeepCache, arXiv 2312.00858).
        fit_lora: fit a LoRA to the shot's keyframes first.
        detail: take fine detail from the keyframes, moved along the optical flow.
        flow_profile: the `flow` engine's, where that is asked.
    """

    steps: int = 30
    strength: float | None = 0.6
    matching: Matching = Matching()
    feature_block: int | None = 1
    feature_label: int | None = 261
    coverage_masks: bool = False
    layered: bool = False
    noise: Noise = Noise.IN_PLACE
    impose_clean: bool = True
    endpoints: Endpoints = Endpoints.DENOISED
    attention_by_time: bool = False
    solver: Solver = Solver.DDIM
    spacing: Spacing = Spacing.EVEN
    cache_every: int = 1
    fit_lora: bool = False
    detail: bool = False
    flow_profile: str = "quality"


_CORRECTED: Final = Matching(neighbourhood=None, subpixel=True, cycle=True, edge_aware=True, second_opinion=True)

REFERENCE: Final = Recipe()
STANDARD: Final = Recipe(
    steps=12,
    strength=None,
    matching=_CORRECTED,
    feature_block=None,
    feature_label=None,
    coverage_masks=True,
    layered=True,
    noise=Noise.SPLATTED,
    impose_clean=False,
    endpoints=Endpoints.RECORDED,
    attention_by_time=True,
    solver=Solver.DPM,
    spacing=Spacing.KARRAS,
    detail=True,
)

RECIPES: Final[dict[str, Recipe]] = {
    "standard": STANDARD,
    "draft": replace(STANDARD, steps=5, cache_every=2, flow_profile="draft"),
    "best": replace(STANDARD, steps=30, fit_lora=True),
    "reference": REFERENCE,
}
"""By the profile's name."""


@dataclass(frozen=True)
class Traits:
    """What suits one model: found by a self-check, or known.

    Attributes:
        feature_block: up block whose output finds correspondences best (0 to 3).
        feature_label: time label (1 to 1000) of the noise level at which it does.
        neighbourhood: side of the patches that are compared.
        strength: how far keyframes are noised.
    """

    feature_block: int = 1
    feature_label: int = 261
    neighbourhood: int = 3
    strength: float = 0.6
