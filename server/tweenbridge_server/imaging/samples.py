"""From the samples of a file to the pixels that engines see, and back: pure arithmetic, a band of rows at a time.

The bands keep the peak memory at one copy of the picture in each form, with small temporaries that stay in the cache.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from tweenbridge.pixels import Alpha, Colour, SampleType

from ..engines.base import Image
from . import alpha as alphas
from . import colour as colours

Samples = NDArray[Any]
"""(H, W, C) as files hold them: uint8, uint16, float16 or float32; C is 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA."""

_BAND: Final = 32
_HALF_MAX: Final = np.float32(65504.0)
_FULL_SCALE: Final = {SampleType.UINT8: np.float32(255.0), SampleType.UINT16: np.float32(65535.0)}


def has_alpha(channels: int) -> bool:
    """Whether pixels of so many channels have alpha, as their last channel."""
    return channels in (2, 4)


def to_pixels(samples: Samples, colour: Colour, alpha: Alpha) -> Image:
    """Engine-ready pixels (H, W, 3|4): float32, display-referred or shaped, premultiplied, grey as equal R, G and B.

    NaN becomes 0 and infinities become the largest half float, 65504.
    """
    height, width, channels = samples.shape
    covered = has_alpha(channels)
    pixels = np.empty((height, width, 4 if covered else 3), np.float32)
    for top in range(0, height, _BAND):
        rows = slice(top, top + _BAND)
        band = pixels[rows]
        if channels >= 3:
            band[...] = samples[rows]
        else:
            band[..., :3] = samples[rows][..., :1]
            if covered:
                band[..., 3] = samples[rows][..., -1]
        if samples.dtype.kind == "u":
            band /= _FULL_SCALE[SampleType(samples.dtype.name)]
        else:
            np.nan_to_num(band, copy=False, nan=0.0, posinf=float(_HALF_MAX), neginf=-float(_HALF_MAX))
        if covered and alpha is Alpha.STRAIGHT:
            alphas.premultiply(band[..., :3], band[..., 3])
        if colour is Colour.SCENE_LINEAR:
            if covered:
                band[..., :3] = colours.shape_premultiplied(band[..., :3], band[..., 3])
            else:
                band[...] = colours.shape(band)
    return pixels


def to_samples(
    pixels: Image,
    source: Colour,
    channels: int,
    dtype: SampleType,
    colour: Colour,
    alpha: Alpha,
    floor: float = -np.inf,
) -> Samples:
    """Samples (H, W, channels) of `dtype` from an engine's pixels.

    `source` is the colour of the keyframe that the pixels follow: it says whether they are shaped. Integers are rounded
    to the nearest and clipped; half floats are kept finite; alpha is clipped to [0, 1]. Where alpha is asked for and
    not there it is 1; where it is there and not asked for, the result lies over black. Colour where alpha is 0 is 0 in
    straight results. Colour below `floor`, in the engine's terms, is overshoot at an edge and becomes `floor`.
    """
    height, width, depth = pixels.shape
    samples = np.empty((height, width, channels), dtype.value)
    scale = _FULL_SCALE.get(dtype)
    if scale is not None and source is Colour.DISPLAY and colour is source and channels == depth:
        _quantise_plain(pixels, scale, samples, straight=has_alpha(channels) and alpha is Alpha.STRAIGHT)
        return samples
    for top in range(0, height, _BAND):
        rows = slice(top, top + _BAND)
        samples[rows] = _band_samples(pixels[rows], source, channels, dtype, colour, alpha, floor)
    return samples


def _quantise_plain(pixels: Image, scale: np.float32, samples: Samples, straight: bool) -> None:
    """What `_band_samples` makes of display colour as it is, in a third of the time."""
    height, width, channels = pixels.shape
    buffer = np.empty((_BAND, width, channels), np.float32)
    for top in range(0, height, _BAND):
        rows = slice(top, top + _BAND)
        band = buffer[: min(_BAND, height - top)]
        if straight:
            with np.errstate(over="ignore", invalid="ignore"):
                np.divide(pixels[rows], _divisors(pixels[rows], scale), out=band)
            np.fmax(band, np.float32(0), out=band)
        else:
            np.fmax(pixels[rows], np.float32(0), out=band)  # of a number and NaN, fmax gives the number
        np.minimum(band, np.float32(1), out=band)
        band *= scale
        np.rint(band, out=band)
        samples[rows] = band


def _divisors(pixels: Image, scale: np.float32) -> Image:
    """What makes (H, W, 4) pixels straight: alpha for colour, infinity where its sample will be 0; 1 for alpha."""
    divisor = np.minimum(np.fmax(pixels[..., 3], np.float32(0)), np.float32(1))
    np.copyto(divisor, np.float32(np.inf), where=divisor * scale <= 0.5)
    # Spread over the channels first: numpy is several times slower where the innermost of its loops has four turns.
    merged: Image = cv2.merge((divisor, divisor, divisor, np.ones_like(divisor)))
    return merged


def _band_samples(
    pixels: Image, source: Colour, channels: int, dtype: SampleType, colour: Colour, alpha: Alpha, floor: float
) -> Image:
    band = np.nan_to_num(pixels, nan=0.0)
    rgb = band[..., :3]
    coverage = band[..., 3] if band.shape[2] == 4 else None
    if coverage is None:
        np.maximum(rgb, floor, out=rgb)
    else:
        for channel in range(3):
            np.maximum(rgb[..., channel], floor, out=rgb[..., channel])
        np.clip(coverage, 0.0, 1.0, out=coverage)
    if source is Colour.SCENE_LINEAR:
        rgb = colours.unshape(rgb) if coverage is None else colours.unshape_premultiplied(rgb, coverage)
    straight = coverage is not None and has_alpha(channels) and alpha is Alpha.STRAIGHT
    if coverage is not None and (straight or source is not colour):
        alphas.unpremultiply(rgb, coverage)
    if source is not colour:
        rgb = colours.to_display(rgb) if colour is Colour.DISPLAY else colours.to_linear(rgb)
    if coverage is not None and source is not colour and not straight:
        alphas.premultiply(rgb, coverage)
    result = np.empty((*band.shape[:2], channels), np.float32)
    if channels < 3:
        np.mean(rgb, axis=2, out=result[..., 0])
    else:
        for channel in range(3):
            result[..., channel] = rgb[..., channel]
    if has_alpha(channels):
        result[..., -1] = 1.0 if coverage is None else coverage
    return _quantised(result, dtype, straight)


def _quantised(values: Image, dtype: SampleType, straight: bool) -> Image:
    scale = _FULL_SCALE.get(dtype)
    if scale is not None:
        np.clip(values, 0.0, 1.0, out=values)
        values *= scale
        np.rint(values, out=values)
        if straight:
            values[values[..., -1] == 0] = 0
    elif dtype is SampleType.FLOAT16:
        np.clip(values, -_HALF_MAX, _HALF_MAX, out=values)
    return values
