"""From pixels to samples: the quick way of display colour gives what the definition says, whatever the numbers are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tweenbridge.pixels import Alpha, Colour, SampleType
from tweenbridge_server.imaging.samples import to_samples

numbers = st.floats(-0.5, 1.5, width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 1e-9, 0.0019, 0.00197, 3e38])


def defined(pixels: np.ndarray, highest: int, straight: bool) -> np.ndarray:
    """One number at a time, as the docstring of `to_samples` says."""
    result = np.empty(pixels.shape, np.int64)
    for place in np.ndindex(pixels.shape[:2]):
        values = [np.float32(0) if np.isnan(value) else value for value in pixels[place]]
        alpha = min(max(values[3], np.float32(0)), np.float32(1)) if len(values) == 4 else np.float32(1)
        covered = round(float(alpha * np.float32(highest)))
        for channel, value in enumerate(values):
            if straight and channel < 3:
                finite = np.clip(value, -np.finfo(np.float32).max, np.finfo(np.float32).max)
                with np.errstate(over="ignore"):
                    value = finite / alpha if covered else np.float32(0)
            result[place][channel] = round(float(np.clip(value, np.float32(0), np.float32(1)) * np.float32(highest)))
    return result


@pytest.mark.parametrize("dtype", [SampleType.UINT8, SampleType.UINT16])
@pytest.mark.parametrize("alpha", [Alpha.STRAIGHT, Alpha.PREMULTIPLIED])
@given(pixels=st.sampled_from([3, 4]).flatmap(lambda depth: arrays(np.float32, (2, 3, depth), elements=numbers)))
def test_display_colour_to_integers(dtype: SampleType, alpha: Alpha, pixels: np.ndarray) -> None:
    highest, depth = np.iinfo(dtype.value).max, pixels.shape[2]
    made = to_samples(pixels, Colour.DISPLAY, depth, dtype, Colour.DISPLAY, alpha)
    assert made.dtype == dtype.value
    assert np.array_equal(made, defined(pixels, highest, depth == 4 and alpha is Alpha.STRAIGHT))


def test_bands_of_rows_make_no_difference() -> None:
    pixels = np.random.default_rng(3).random((75, 40, 4), np.float32)
    whole = to_samples(pixels, Colour.DISPLAY, 4, SampleType.UINT16, Colour.DISPLAY, Alpha.STRAIGHT)
    rows = [
        to_samples(pixels[i : i + 1], Colour.DISPLAY, 4, SampleType.UINT16, Colour.DISPLAY, Alpha.STRAIGHT)
        for i in range(75)
    ]
    assert np.array_equal(whole, np.concatenate(rows))
