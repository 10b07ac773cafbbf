"""Whether a curve grows: a slope, how sure it is, and what follows.

The slope is that of least squares. Points of such curves follow their predecessors, so that there are fewer than it
seems: n (1 - r) / (1 + r), where r is the correlation of neighbouring residuals. The interval is Student's for so many
(Santer et al. 2000, "Statistical significance of trends and trend differences in layer-average atmospheric temperature
time series", equations 3 to 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
from scipy import stats

CONFIDENCE: Final = 0.99
"""Of both ends of the interval together. A soak looks at many curves, and each may cry wolf."""
_FEWEST: Final = 8
"""Points below which nothing can be said."""
_FEWEST_OF_THEIR_OWN: Final = 4.0
"""Points that a curve counts for at least, however much each follows the one before."""


class Verdict(Enum):
    """What a curve's slope means."""

    FLAT = "flat"
    """Even the upper end of the interval would not matter."""
    UNSURE = "no trend"
    """It may be nought, and may be more than would not matter: the curve is too restless to say."""
    GROWS = "grows"
    """It is more than nought, and may matter."""

    @property
    def passes(self) -> bool:
        """Nothing was found."""
        return self is not Verdict.GROWS


@dataclass(frozen=True)
class Trend:
    """Growth per hour, and the ends of its interval."""

    growth: float
    low: float
    high: float

    def verdict(self, harmless: float) -> Verdict:
        """What it means where growing by less than `harmless` an hour does not matter."""
        if self.high <= harmless:
            return Verdict.FLAT
        return Verdict.GROWS if self.low > 0 else Verdict.UNSURE


def trend(hours: Sequence[float], values: Sequence[float]) -> Trend | None:
    """The trend of values over time; None where there are too few points."""
    x, y = np.asarray(hours, float), np.asarray(values, float)
    if len(x) < _FEWEST:
        return None
    x, y = x - x.mean(), y - y.mean()
    slope = float(x @ y / (x @ x))
    residuals = y - slope * x
    power = float(residuals @ residuals)
    following = max(0.0, float(residuals[1:] @ residuals[:-1]) / power) if power > 0 else 0.0
    points = max(len(x) * (1 - following) / (1 + following), _FEWEST_OF_THEIR_OWN)
    error = float(np.sqrt(power / (points - 2) / (x @ x)))
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, points - 2)) * error
    return Trend(slope, slope - reach, slope + reach)
