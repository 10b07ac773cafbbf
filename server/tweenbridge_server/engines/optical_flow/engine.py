"""The `flow` engine: in-betweens by following what moves, without learned weights."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import EngineInfo, Scalar

from ..base import Frame, Gap, Image, Motion, Progress
from . import draft
from .info import INFO
from .tracks import Estimate, enlarge

_ESTIMATE_COST = {"draft": 0.5, "quality": 4.0}
"""How many in-betweens' time the estimate takes, about: for a true time left."""

_Estimator = Callable[[Gap, Progress], Estimate]
_Artist = Callable[[Gap, Estimate, float], Image]


class FlowEngine:
    """See `engines.base.Engine`. Holds no state between gaps."""

    @property
    def info(self) -> EngineInfo:
        """Name, version and profiles; there are no settings."""
        return INFO

    def warm_up(self, profile: str) -> None:
        """Do now what the first gap would otherwise wait for: import and compile."""
        if self._checked(profile) == "quality":
            importlib.import_module(".quality", __package__)

    def interpolate(
        self,
        gap: Gap,
        times: Sequence[float],
        profile: str,
        settings: Mapping[str, Scalar],
        progress: Progress,
    ) -> Iterator[Frame]:
        """Make the in-betweens at `times`, lazily. Identical keyframes give copies of themselves.

        Raises:
            TweenbridgeError: BAD_REQUEST for a profile or a setting that this engine does not have.
            Cancelled: passed through from `progress`.
        """
        profile = self._checked(profile)
        if settings:
            raise TweenbridgeError(ErrorCode.BAD_REQUEST, f"The engine flow has no setting {next(iter(settings))!r}.")
        return self._frames(gap, times, profile, progress)

    def estimate_motion(self, gap: Gap, profile: str) -> Motion:
        """The flow both ways at the keyframes' size, and how far it can be trusted."""
        height, width = gap.a.shape[:2]
        estimate = self._recipe(self._checked(profile))[0](gap, _no_progress)
        a, b = enlarge(estimate.a, height, width), enlarge(estimate.b, height, width)
        return Motion(a.flow, b.flow, a.confidence, b.confidence)

    def _frames(self, gap: Gap, times: Sequence[float], profile: str, progress: Progress) -> Iterator[Frame]:
        if np.array_equal(gap.a, gap.b):
            for t in times:
                yield Frame(t, gap.a.copy())
            return
        before = _ESTIMATE_COST[profile]
        whole = before + len(times)
        progress(0.0, "estimating motion")
        estimate, draw = self._recipe(profile)
        tracks = estimate(gap, lambda fraction, stage: progress(fraction * before / whole, stage))
        for index, t in enumerate(times):
            progress((before + index) / whole, "drawing in-betweens")
            yield Frame(t, draw(gap, tracks, t))

    def _recipe(self, profile: str) -> tuple[_Estimator, _Artist]:
        """How a profile estimates and draws. Only `quality` imports, and compiles, numba's code."""
        if profile == "draft":
            return draft.estimate_draft, draft.in_between
        from . import estimate, quality

        return estimate.estimate_quality, quality.in_between

    def _checked(self, profile: str) -> str:
        names = [known.name for known in INFO.profiles]
        if profile in ("", *names):
            return profile or names[0]
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, f"The engine flow has no profile {profile!r}; it has {' and '.join(names)}."
        )


def _no_progress(fraction: float, stage: str) -> None:
    """For a caller who does not ask."""
