"""Colour curves between what files hold and what engines see: pure functions on arrays.

Engines work on display-referred values, nominally 0 to 1. Display-referred keyframes pass unchanged. Scene-linear ones
(OpenEXR) pass through a *shaper*, a reversible curve that keeps values above 1 and below 0:

    S(x) = sign(x) * W * ln(1 + mu |x|) / ln(1 + mu),    mu = 64, W = 0.65

the mu-law of ITU-T G.711, used as a range compressor for scene light by Kalantari and Ramamoorthi, "Deep High Dynamic
Range Imaging of Dynamic Scenes" (SIGGRAPH 2017), eq. 1. It is odd, smooth, strictly rising and exact at 0, where its
slope is about 10 (sRGB: 12.9). It puts 0.18 at 0.39, 1 at 0.65, 16 at 1.08 and the largest half float, 65504, at 2.37.

With alpha, an edge must keep its colour when it is resampled, which asks for the curve on colour / alpha; but light
may be there with no coverage at all (fire, flares), which colour / alpha loses. So the curve is applied to
colour / e with

    e = m + (1 - m) * clip(alpha, 0, 1),    m = 1/256,    p = e * S(colour / e)

Where a picture holds much light with no coverage, that small e would make next to nothing of it, and engines would find
neither the light nor its motion. Such pictures are *bare*: the curve is applied to the premultiplied colour itself (e
is 1 everywhere), which is the light that is seen.

e is affine in alpha: a weighted mean of pixels (p, alpha) is decoded to a colour whose S is a weighted mean of
theirs, hence no fireflies; m is small enough that an edge over nothing darkens by at most 2 % of its brightness.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

_MU: Final = 64.0
_SCALE: Final = np.float32(0.65 / np.log1p(_MU))
_BARE: Final = np.float32(1.0 / 256.0)
_HIGHEST: Final = np.float32(np.finfo(np.float32).max)


def shape(linear: FloatArray) -> FloatArray:
    """Scene-linear values (any shape, any finite value) to display-like ones: 0 to 0, 1 to 0.65, odd and rising."""
    magnitude = np.abs(linear)
    magnitude *= np.float32(_MU)
    np.log1p(magnitude, out=magnitude)
    magnitude *= _SCALE
    return np.copysign(magnitude, linear, out=magnitude)


def unshape(shaped: FloatArray) -> FloatArray:
    """The inverse of `shape`. Relative error of the round trip: below 1e-5 up to 1e6. The result is finite."""
    magnitude = np.abs(shaped)
    with np.errstate(over="ignore"):
        magnitude /= _SCALE
        np.expm1(magnitude, out=magnitude)
    magnitude /= np.float32(_MU)
    np.minimum(magnitude, _HIGHEST, out=magnitude)
    return np.copysign(magnitude, shaped, out=magnitude)


def shape_premultiplied(colour: FloatArray, alpha: FloatArray, bare: bool = False) -> FloatArray:
    """Premultiplied scene-linear colour (H, W, C) and its alpha (H, W) to the engine's colour (H, W, C)."""
    if bare:
        return shape(colour)
    coverage = _coverage(alpha)
    shaped = shape(colour / coverage)
    shaped *= coverage
    return shaped


def unshape_premultiplied(shaped: FloatArray, alpha: FloatArray, bare: bool = False) -> FloatArray:
    """The inverse of `shape_premultiplied`, for the same alpha."""
    if bare:
        return unshape(shaped)
    coverage = _coverage(alpha)
    colour = unshape(shaped / coverage)
    colour *= coverage
    return colour


def _coverage(alpha: FloatArray) -> FloatArray:
    """e of the module's docstring, as (H, W, 1)."""
    coverage = np.clip(alpha, 0.0, 1.0)[..., None]
    coverage *= np.float32(1.0) - _BARE
    coverage += _BARE
    return coverage


def to_display(linear: FloatArray) -> FloatArray:
    """Scene-linear values to sRGB ones (IEC 61966-2-1), clipped to [0, 1], for results in a display encoding."""
    light = np.clip(linear, 0.0, 1.0)
    curve: FloatArray = np.float32(1.055) * light ** np.float32(1 / 2.4) - np.float32(0.055)
    display: FloatArray = np.where(light <= 0.0031308, light * np.float32(12.92), curve)
    return display


def to_linear(display: FloatArray) -> FloatArray:
    """sRGB values to scene-linear ones, the inverse of `to_display` on [0, 1]; odd, and continued above 1."""
    magnitude = np.abs(display)
    curve = ((magnitude + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    light: FloatArray = np.where(magnitude <= 0.04045, magnitude / np.float32(12.92), curve)
    return np.copysign(light, display, out=light)
