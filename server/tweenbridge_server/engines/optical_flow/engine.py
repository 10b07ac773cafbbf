"""The `flow` engine: in-betweens by following what moves."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import numpy as np
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import EngineInfo, Scalar

from ..base import DRAWING, Frame, Gap, Motion, Progress
from . import draft
from .frame import within_bars
from .guide import FlowGuide, Recipe
from .info import INFO
from .network_files import Unusable
from .synthesise import Ways
from .tracks import Estimate, Report

_ESTIMATE_COST = {"draft": 0.5, "quality": 4.0}
"""How many in-betweens' time the estimate takes, about: for a true time left."""


class FlowEngine:
    """See `engines.base.Engine`. Holds no state between gaps."""

    together = 1
    """See `engines.base.Parts`: every in-between is drawn by itself."""

    @property
    def info(self) -> EngineInfo:
        """Name, version and profiles; there are no settings."""
        return INFO

    def warm_up(self, profile: str, settings: Mapping[str, Scalar]) -> None:
        """Do now what the first gap would otherwise wait for: import and compile."""
        if self._checked(profile) == "quality":
            importlib.import_module(".quality", __package__)
            with suppress(Unusable):
                importlib.import_module(".networks", __package__).load()

    def interpolate(
        self,
        gap: Gap,
        times: Sequence[float],
        profile: str,
        settings: Mapping[str, Scalar],
        progress: Progress,
    ) -> Iterator[Frame]:
        """Make the in-betweens at `times`, lazily. Identical keyframes give copies of themselves.

        Where the networks of `quality` cannot be used, it becomes `draft`, with a note that says why.

        Raises:
            TweenbridgeError: BAD_REQUEST for a profile or a setting that this engine does not have.
            Cancelled: passed through from `progress`.
        """
        profile = self._checked(profile)
        if settings:
            raise TweenbridgeError(ErrorCode.BAD_REQUEST, f"The engine flow has no setting {next(iter(settings))!r}.")
        return self._frames(gap, times, profile, progress)

    def guide(self, gap: Gap, profile: str = "quality", progress: Report | None = None) -> FlowGuide:
        """What one estimate of the motion says of a gap, at any time.

        Raises:
            TweenbridgeError: BAD_REQUEST for a profile that this engine does not have.
            Cancelled: passed through from `progress`.
        """
        profile, _ = self._possible(self._checked(profile))
        recipe = self._recipe(profile)
        return FlowGuide(gap, recipe.estimate(gap, progress or _no_progress), recipe)

    def estimate_motion(self, gap: Gap, profile: str) -> Motion:
        """The flow both ways at the keyframes' size, and how far it can be trusted."""
        return self.guide(gap, profile).motion()

    def _frames(self, gap: Gap, times: Sequence[float], profile: str, progress: Progress) -> Iterator[Frame]:
        if np.array_equal(gap.a, gap.b):
            for t in times:
                yield Frame(t, gap.a.copy())
            return
        profile, obstacle = self._possible(profile)
        if obstacle:
            progress.note("quality_unavailable", f"Made with the draft profile instead of quality. {obstacle}")
        before = _ESTIMATE_COST[profile]
        whole = before + len(times)
        progress(0.0, "estimating motion")
        inner = within_bars(gap)
        moving = gap if inner is None else inner.of(gap)
        guide = self.guide(moving, profile, lambda fraction, stage: progress(fraction * before / whole, stage))
        for index, t in enumerate(times):
            progress((before + index) / whole, DRAWING)
            drawing = guide.drawing(t)
            yield Frame(t, drawing if inner is None else inner.framed(drawing, gap))

    def _possible(self, profile: str) -> tuple[str, str]:
        """The profile, or `draft` where its networks cannot be used, and then why they cannot."""
        if profile == "draft":
            return profile, ""
        try:
            importlib.import_module(".networks", __package__).load()
        except Unusable as obstacle:
            return "draft", str(obstacle)
        return profile, ""

    def _recipe(self, profile: str) -> Recipe:
        """How a profile estimates and draws. Only `quality` imports, and compiles, numba's code."""
        if profile == "draft":
            return Recipe(draft.estimate_draft, draft.ways, draft.INTERPOLATION, relights=False)
        from . import arbitrate, estimate, networks, quality

        loaded = networks.load()

        def tracks(gap: Gap, progress: Report) -> Estimate:
            return estimate.estimate_quality(gap, progress, loaded.matcher)

        def ways(found: Estimate, size: tuple[int, int], t: float) -> Ways:
            return arbitrate.decided_ways(loaded.arbiter, found, size, t)

        return Recipe(tracks, ways, quality.INTERPOLATION, relights=True)

    def _checked(self, profile: str) -> str:
        names = [known.name for known in INFO.profiles]
        if profile in ("", *names):
            return profile or names[0]
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, f"The engine flow has no profile {profile!r}; it has {' and '.join(names)}."
        )


def _no_progress(fraction: float, stage: str) -> None:
    """For a caller who does not ask."""
