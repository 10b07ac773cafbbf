"""From the samples of a file to the pixels that engines see, and back: pure arithmetic, a band of rows at a time.

The bands keep the peak memory at one copy of the picture in each form, with small temporaries that stay in the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from tweenbridge.pixels import Alpha, Colour, SampleType

from ..engines.base import Image
from . import alpha as alphas
from . import colour as colours
from .headers import sentence
from .remarks import Remark

Samples = NDArray[Any]
"""(H, W, C) as files hold them: uint8, uint16, float16 or float32; C is 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA."""

_BAND: Final = 32
_CONVERTED_BAND: Final = 256
"""Rows at a time where colours are converted: each call costs LittleCMS a little."""
_UNCOVERED: Final = 1 / 512
_BARE_SHARE: Final = 0.001
"""Share of a picture's light that must lie where alpha is next to 0 for the picture to count as bare."""

Convert = Callable[[Image], Image]
"""Straight colour (H, W, 3) in one space to another."""

_HALF_MAX: Final = np.float32(65504.0)
_FULL_SCALE: Final = {SampleType.UINT8: np.float32(255.0), SampleType.UINT16: np.float32(65535.0)}


def has_alpha(channels: int) -> bool:
    """Whether pixels of so many channels have alpha, as their last channel."""
    return channels in (2, 4)


def remarks_on(samples: Samples, name: str) -> list[Remark]:
    """What is said of samples that are no numbers; `to_pixels` takes care of them."""
    if samples.dtype.kind != "f":
        return []
    nan = infinite = 0
    for top in range(0, samples.shape[0], _BAND):
        rows = samples[top : top + _BAND]
        if not np.isfinite(rows).all():
            nan += int(np.isnan(rows).sum())
            infinite += int(np.isinf(rows).sum())
    said = [
        f"{count:,} {what}"
        for count, what in ((nan, "NaN, taken for 0"), (infinite, "infinite, cut to 65504"))
        if count
    ]
    return [Remark("not_finite", sentence(name, f"has samples that are no numbers: {'; '.join(said)}"))] if said else []


def is_bare(samples: Samples, colour: Colour) -> bool:
    """Whether a scene-linear picture holds light with no coverage that counts: a flame, a glow, an empty alpha."""
    if colour is not Colour.SCENE_LINEAR or not has_alpha(samples.shape[2]):
        return False
    total = bare = 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        for top in range(0, samples.shape[0], _BAND):
            rows = np.asarray(samples[top : top + _BAND], np.float32)
            light = np.abs(rows[..., :-1]).sum(axis=2)
            light[~np.isfinite(light)] = 0
            total += float(light.sum(dtype=np.float64))
            bare += float(light[rows[..., -1] < _UNCOVERED].sum(dtype=np.float64))
    return bare > _BARE_SHARE * total


def to_pixels(samples: Samples, colour: Colour, alpha: Alpha, bare: bool = False) -> Image:
    """Engine-ready pixels (H, W, 3|4): float32, display-referred or shaped, premultiplied, grey as equal R, G and B.

    NaN becomes 0 and infinities become the largest half float, 65504. `bare`: see colour.py.
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
                band[..., :3] = colours.shape_premultiplied(band[..., :3], band[..., 3], bare)
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
    *,
    ceiling: float = np.inf,
    bare: bool = False,
    convert: Convert | None = None,
) -> Samples:
    """Samples (H, W, channels) of `dtype` from an engine's pixels.

    `source` is the colour of the keyframe that the pixels follow: it says whether they are shaped. Integers are rounded
    to the nearest and clipped; half floats are kept finite; alpha is clipped to [0, 1]. Where alpha is asked for and
    not there it is 1; where it is there and not asked for, the result lies over black. Colour where alpha is 0 is 0 in
    straight results. Colour below `floor`, in the engine's terms, is overshoot at an edge and becomes `floor`; light
    above `ceiling`, in the file's terms, becomes `ceiling`.

    Args:
        bare: how the pixels are shaped, see colour.py.
        convert: from the keyframe's colour space to that of the result, both straight; without it the one is taken to
            be sRGB and the other linear light of the same primaries, where the kinds of colour differ.
    """
    if convert is None and source is not colour:
        convert = colours.to_display if colour is Colour.DISPLAY else colours.to_linear
    finish = _Finish(source, channels, dtype, alpha, floor, ceiling, bare, convert)
    height, width, depth = pixels.shape
    samples = np.empty((height, width, channels), dtype.value)
    scale = _FULL_SCALE.get(dtype)
    if scale is not None and source is Colour.DISPLAY and convert is None and channels == depth:
        _quantise_plain(pixels, scale, samples, straight=has_alpha(channels) and alpha is Alpha.STRAIGHT)
        return samples
    step = _BAND if convert is None else _CONVERTED_BAND
    for top in range(0, height, step):
        rows = slice(top, top + step)
        samples[rows] = _band_samples(pixels[rows], finish)
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


@dataclass(frozen=True)
class _Finish:
    """The arguments of `to_samples` for one band of rows."""

    source: Colour
    channels: int
    dtype: SampleType
    alpha: Alpha
    floor: float
    ceiling: float
    bare: bool
    convert: Convert | None


def _band_samples(pixels: Image, finish: _Finish) -> Image:
    channels = finish.channels
    band = np.nan_to_num(pixels, nan=0.0)
    rgb = band[..., :3]
    coverage = band[..., 3] if band.shape[2] == 4 else None
    if coverage is None:
        np.maximum(rgb, finish.floor, out=rgb)
    else:
        for channel in range(3):
            np.maximum(rgb[..., channel], finish.floor, out=rgb[..., channel])
        np.clip(coverage, 0.0, 1.0, out=coverage)
    if finish.source is Colour.SCENE_LINEAR:
        bare = finish.bare
        rgb = colours.unshape(rgb) if coverage is None else colours.unshape_premultiplied(rgb, coverage, bare)
        np.minimum(rgb, np.float32(finish.ceiling), out=rgb)
    straight = coverage is not None and has_alpha(channels) and finish.alpha is Alpha.STRAIGHT
    if coverage is not None and (straight or finish.convert is not None):
        alphas.unpremultiply(rgb, coverage)
    if finish.convert is not None:
        rgb = finish.convert(np.ascontiguousarray(rgb))
    if coverage is not None and finish.convert is not None and not straight:
        alphas.premultiply(rgb, coverage)
    result = np.empty((*band.shape[:2], channels), np.float32)
    if channels < 3:
        np.mean(rgb, axis=2, out=result[..., 0])
    else:
        for channel in range(3):
            result[..., channel] = rgb[..., channel]
    if has_alpha(channels):
        result[..., -1] = 1.0 if coverage is None else coverage
    return _quantised(result, finish.dtype, straight)


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
