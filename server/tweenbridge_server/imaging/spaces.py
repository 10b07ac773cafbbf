"""What numbers in a file mean as colours, and from one meaning to another. LittleCMS (imagecodecs) does the matrices.

A `Space` is an ICC profile, or primaries and a curve. Curves are the published formulas, odd and continued beyond 1, so
that light above white and colours outside the primaries survive. HDR is relative to its reference white of 203 cd/m2,
which is 1.0 (ITU-R BT.2408-7, 2.2); HLG is what a display of 1000 cd/m2 shows (ITU-R BT.2100-2, table 5).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from . import colour as colours

Floats = NDArray[np.float32]
Primaries = tuple[float, ...]
"""x and y of red, green, blue and white: eight numbers."""

_D65: Final = (0.3127, 0.329)
REC709: Final = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, *_D65)
REC2020: Final = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65)
DISPLAY_P3: Final = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65)

CICP_PRIMARIES: Final = {
    1: REC709,
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    9: REC2020,
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: DISPLAY_P3,
}
"""ITU-T H.273, table 2."""

LINEAR: Final = "linear"
SRGB: Final = "srgb"
PQ: Final = "pq"
HLG: Final = "hlg"
CICP_CURVES: Final = {
    1: "gamma 2.4", 4: "gamma 2.2", 5: "gamma 2.8", 6: "gamma 2.4", 8: LINEAR, 13: SRGB, 14: "gamma 2.4",
    15: "gamma 2.4", 16: PQ, 18: HLG,
}  # fmt: skip
"""ITU-T H.273, table 3; the cameras' curves of television are shown by displays of gamma 2.4 (ITU-R BT.1886)."""

_REFERENCE_WHITE: Final = 203.0
_BAND: Final = 256
_RELATIVE: Final = 1
"""Relative colorimetric: white stays white, and all colours that both have stay as they are."""
_ALIKE: Final = 0.002
"""Spaces between which no colour changes by more are taken for one: half a step of 8 bits."""


@dataclass(frozen=True)
class Space:
    """A meaning of colour numbers: an ICC profile, else primaries and a curve ("srgb", "linear", "gamma 2.2"...)."""

    icc: bytes = b""
    primaries: Primaries = REC709
    curve: str = SRGB

    @property
    def is_gray(self) -> bool:
        """Whether it is of one channel."""
        return self.icc[16:20] == b"GRAY"

    @property
    def is_hdr(self) -> bool:
        """Whether it says how bright white is, and goes far above."""
        return not self.icc and self.curve in (PQ, HLG)


SRGB_SPACE: Final = Space()
LINEAR_REC709: Final = Space(curve=LINEAR)


def convert(rgb: Floats, source: Space, target: Space) -> Floats:
    """Colours (H, W, 3), straight, of one space as those of another; not clipped. A grey source is in all channels."""
    if same(source, target):
        return rgb
    result = np.empty_like(rgb)
    for top in range(0, rgb.shape[0], _BAND):
        rows = slice(top, top + _BAND)
        result[rows] = _converted(np.ascontiguousarray(rgb[rows]), source, target)
    return result


@functools.lru_cache(64)
def same(one: Space, other: Space) -> bool:
    """Whether numbers mean the same in both, as far as eyes and 8 bits can tell."""
    if one == other:
        return True
    if one.is_gray != other.is_gray or one.is_hdr != other.is_hdr:
        return False
    steps = np.linspace(0, 1, 9, dtype=np.float32)
    grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    if one.is_gray:
        grid = np.repeat(steps[None, :, None], 3, axis=2)
        return bool(np.abs(_linear(grid, one, REC709) - _linear(grid, other, REC709)).max() < _ALIKE)
    try:
        return bool(np.abs(_converted(grid, one, other) - grid).max() < _ALIKE)
    except (ValueError, RuntimeError):
        return False


def usable(icc: bytes) -> bool:
    """Whether LittleCMS can make RGB of what such a profile describes."""
    try:
        channels, name = {b"RGB ": (3, "rgb"), b"GRAY": (1, "gray"), b"CMYK": (4, "cmyk")}[icc[16:20]]
        _transform(np.zeros((1, 1, channels), np.float32), icc, _linear_profile(REC709), name)
    except (KeyError, ValueError, RuntimeError):
        return False
    return True


def cmyk_to_srgb(ink: Floats, icc: bytes) -> Floats:
    """Ink (H, W, 4), 0 to 1, through its profile to sRGB (H, W, 3)."""
    return _banded(lambda rows: _to_srgb(rows * np.float32(100), icc, "cmyk"), ink)


def lab_to_srgb(lab: Floats) -> Floats:
    """CIE L*a*b* (D50; L 0 to 100) (H, W, 3) to sRGB."""
    return _banded(lambda rows: _to_srgb(rows, imagecodecs.cms_profile("lab4"), "lab"), lab)


def luminance_weights(primaries: Primaries) -> tuple[float, float, float]:
    """How much red, green and blue of these primaries count for Y, against their own white."""
    x, y = np.array(primaries[0::2]), np.array(primaries[1::2])
    # XYZ of each with a luminance of 1, white last: how much of each adds up to white (SMPTE RP 177, 3.3).
    xyz = np.stack([x / y, np.ones(4), (1 - x - y) / y])
    red, green, blue = np.linalg.solve(xyz[:, :3], xyz[:, 3])
    return float(red), float(green), float(blue)


def profile_of(space: Space) -> bytes:
    """An ICC profile to say so in files; the same bytes every time."""
    if space.icc:
        return space.icc
    steps = np.linspace(0, 1, 4096, dtype=np.float32)
    curve = np.rint(np.clip(_decoded(steps, space.curve), 0, 1) * 65535).astype(np.uint16)
    white, red, green, blue = _xyY(space.primaries)
    made: bytes = imagecodecs.cms_profile(
        "rgb", whitepoint=white, primaries=[*red, *green, *blue], transferfunction=curve
    )
    return _undated(made)


def _undated(icc: bytes) -> bytes:
    """A profile without the hour at which it was made (ICC.1:2022, 7.2.8)."""
    return icc[:24] + bytes.fromhex("07e800010001000000000000") + icc[36:84] + bytes(16) + icc[100:]


def _converted(rgb: Floats, source: Space, target: Space) -> Floats:
    if target.icc:
        if source.icc:
            return _from_icc(rgb, source, target.icc)
        return _transform(_decoded(rgb, source.curve), _linear_profile(source.primaries), target.icc, "rgb")
    return _encoded(_linear(rgb, source, target.primaries), target.curve)


def _linear(rgb: Floats, source: Space, primaries: Primaries) -> Floats:
    """Light in terms of these primaries."""
    if source.icc:
        return _from_icc(rgb, source, _linear_profile(primaries))
    light = _decoded(rgb, source.curve)
    if source.primaries == primaries:
        return light
    return _transform(light, _linear_profile(source.primaries), _linear_profile(primaries), "rgb")


def _from_icc(rgb: Floats, source: Space, target: bytes) -> Floats:
    if source.is_gray:
        return _transform(np.ascontiguousarray(rgb[..., :1]), source.icc, target, "gray")
    return _transform(rgb, source.icc, target, "rgb")


def _transform(values: Floats, source: bytes, target: bytes, name: str, target_name: str = "rgb") -> Floats:
    made: Floats = imagecodecs.cms_transform(
        values, source, target, colorspace=name, outcolorspace=target_name, outdtype="float32", intent=_RELATIVE
    )
    return made.reshape(*values.shape[:2], -1)


def _to_srgb(values: Floats, icc: bytes, name: str) -> Floats:
    return _encoded(_transform(np.ascontiguousarray(values), icc, _linear_profile(REC709), name), SRGB)


def _banded(make: Callable[[Floats], Floats], values: Floats) -> Floats:
    result = np.empty((*values.shape[:2], 3), np.float32)
    for top in range(0, values.shape[0], _BAND):
        result[top : top + _BAND] = make(values[top : top + _BAND])
    return result


@functools.lru_cache(64)
def _linear_profile(primaries: Primaries) -> bytes:
    white, red, green, blue = _xyY(primaries)
    made: bytes = imagecodecs.cms_profile("rgb", whitepoint=white, primaries=[*red, *green, *blue], gamma=1.0)
    return made


def _xyY(primaries: Primaries) -> tuple[list[float], list[float], list[float], list[float]]:
    """White, red, green and blue with a luminance of 1 each, as LittleCMS takes them."""
    rx, ry, gx, gy, bx, by, wx, wy = primaries
    return [wx, wy, 1.0], [rx, ry, 1.0], [gx, gy, 1.0], [bx, by, 1.0]


# ---------------------------------------------------------------- curves

_M1, _M2 = np.float32(2610 / 16384), np.float32(2523 / 4096 * 128)
_C1, _C2, _C3 = np.float32(3424 / 4096), np.float32(2413 / 4096 * 32), np.float32(2392 / 4096 * 32)
"""SMPTE ST 2084, 5.2."""
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
"""ITU-R BT.2100-2, table 5."""
_GAMMA: Final = 1.2
_HLG_PEAK: Final = 1000.0
_REC2020_LUMINANCE: Final = np.array([0.2627, 0.6780, 0.0593], np.float32)


def _decoded(values: Floats, curve: str) -> Floats:
    """Numbers of a file to light."""
    if curve == LINEAR:
        return values
    if curve == SRGB:
        return colours.to_linear(values)
    magnitude = np.abs(values)
    if curve == PQ:
        root = np.clip(magnitude, 0, 1) ** (1 / _M2)
        light = (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1) * np.float32(10000 / _REFERENCE_WHITE)
    elif curve == HLG:
        scene = np.where(magnitude <= 0.5, magnitude**2 / 3, (np.exp((magnitude - _C) / _A) + _B) / 12)
        luminance = np.maximum(scene @ _REC2020_LUMINANCE, 1e-9)[..., None] if scene.ndim == 3 else scene + 1e-9
        light = scene * luminance ** (_GAMMA - 1) * (_HLG_PEAK / _REFERENCE_WHITE)
    else:
        light = magnitude ** np.float32(curve.split()[1])
    result: Floats = np.copysign(light, values).astype(np.float32)
    return result


def _encoded(light: Floats, curve: str) -> Floats:
    """Light to numbers for a file."""
    if curve == LINEAR:
        return light
    magnitude = np.abs(light)
    if curve == SRGB:
        root = np.float32(1.055) * magnitude ** np.float32(1 / 2.4) - np.float32(0.055)
        values = np.where(magnitude <= 0.0031308, magnitude * np.float32(12.92), root)
    elif curve == PQ:
        root = np.clip(magnitude * np.float32(_REFERENCE_WHITE / 10000), 0, 1) ** _M1
        values = ((_C1 + _C2 * root) / (1 + _C3 * root)) ** _M2
    elif curve == HLG:
        display = magnitude * (_REFERENCE_WHITE / _HLG_PEAK)
        luminance = np.maximum(display @ _REC2020_LUMINANCE, 1e-9)[..., None] if display.ndim == 3 else display + 1e-9
        scene = display * luminance ** ((1 - _GAMMA) / _GAMMA)
        bright = _A * np.log(np.maximum(12 * scene - _B, 1e-9)) + _C
        values = np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)
    else:
        values = magnitude ** np.float32(1 / float(curve.split()[1]))
    result: Floats = np.copysign(values, light).astype(np.float32)
    return result
