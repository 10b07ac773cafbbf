"""OpenEXR files of luminance and chroma, which OpenImageIO does not read: `Y` at full size, `RY` and `BY` at half.

"Technical Introduction to OpenEXR", Luminance/chroma images: RY = (R - Y) / Y and BY = (B - Y) / Y, kept at every
second pixel of every second row, with Y = r R + g G + b B, whose weights follow from the chromaticities.
OpenEXR's own library reads the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import OpenEXR
from numpy.typing import NDArray
from tweenbridge.pixels import Alpha, Colour, Encoding, PixelFormat, SampleType

from . import declared
from . import samples as sampling
from .headers import bad_keyframe, check_claim, check_size, sentence
from .remarks import Remark
from .spaces import LINEAR, REC709, Space, luminance_weights
from .still import Still
from .windows import Window, placed

Floats = NDArray[np.float32]

_CHROMA: Final = frozenset({"RY", "BY"})


@dataclass(frozen=True)
class _Header:
    channels: tuple[str, ...]
    is_half: bool
    origin: tuple[int, int]
    data: Window
    display: Window
    chromaticities: tuple[float, ...]


def is_luminance_chroma(path: Path) -> bool:
    """Whether a file is one of these."""
    try:
        channels = _header(path).channels
    except (ValueError, RuntimeError, KeyError, TypeError, OSError, UnicodeDecodeError):
        return False
    return "Y" in channels and bool(_CHROMA & set(channels))


def form(path: Path, claim: PixelFormat, name: str) -> PixelFormat:
    """The format of such a file, from its header alone. Raises as `reading.probe`."""
    return _form(_header(path), claim, name)


def read(path: Path, claim: PixelFormat, name: str) -> Still:
    """Such a file as a keyframe of RGB. Raises as `reading.read`."""
    header = _header(path)
    found = _form(header, claim, name)
    primaries = header.chromaticities or REC709
    try:
        rgb = _decoded(path, primaries)
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        raise bad_keyframe(name, "is damaged: its pixels cannot be decoded") from error
    if rgb.shape != (header.data.height, header.data.width, found.channels):
        raise bad_keyframe(name, "is damaged: its pixels cannot be decoded")
    said = Remark("colour_converted", sentence(name, "has luminance and chroma; results have red, green and blue"))
    assert found.colour and found.alpha
    shown = header.data.union(header.display)
    bare = sampling.is_bare(rgb, found.colour)
    return Still(
        pixels=sampling.to_pixels(placed(rgb, header.data, shown), found.colour, found.alpha, bare),
        format=found,
        origin=header.origin,
        data=header.data,
        shown=shown,
        colour=declared.Declaration(Space(primaries=primaries, curve=LINEAR), chromaticities=header.chromaticities),
        bare=bare,
        remarks=(said, *sampling.remarks_on(rgb, name)),
        is_plain=False,
        is_raw=False,
    )


def _header(path: Path) -> _Header:
    with OpenEXR.File(str(path), separate_channels=True, header_only=True) as file:
        # Its values are gone once the file is closed.
        header = dict(file.parts[0].header)
        channels = tuple(channel.name for channel in header["channels"])
        (left, top), (right, bottom) = (_pair(corner) for corner in header["dataWindow"])
        (x, y), (far_x, far_y) = (_pair(corner) for corner in header["displayWindow"])
        primaries = tuple(float(number) for number in np.ravel(header.get("chromaticities", ())))
    return _Header(
        channels=channels,
        is_half="Y" in channels and _is_half(path, "Y"),
        origin=(x, y),
        data=Window(left - x, top - y, right - left + 1, bottom - top + 1),
        display=Window(0, 0, far_x - x + 1, far_y - y + 1),
        chromaticities=primaries if len(primaries) == 8 else (),
    )


def _is_half(path: Path, channel: str) -> bool:
    """Whether a channel is of half floats, which the library's newer interface knows with the pixels alone."""
    file = OpenEXR.InputFile(str(path))
    try:
        return str(file.header()["channels"][channel].type) == "HALF"
    finally:
        file.close()


def _pair(corner: Any) -> tuple[int, int]:
    return int(corner[0]), int(corner[1])


def _form(header: _Header, claim: PixelFormat, name: str) -> PixelFormat:
    around = header.data.union(header.display)
    for window in (header.data, header.display, around):
        check_size(window.width, window.height, name)
    found = PixelFormat(
        Encoding.EXR,
        header.display.width,
        header.display.height,
        4 if "A" in header.channels else 3,
        SampleType.FLOAT16 if header.is_half else SampleType.FLOAT32,
        claim.colour or Colour.SCENE_LINEAR,
        claim.alpha or Alpha.PREMULTIPLIED,
    )
    check_claim(claim, found, name)
    return found


def _decoded(path: Path, primaries: tuple[float, ...]) -> Floats:
    with OpenEXR.File(str(path), separate_channels=True) as file:
        channels = dict(file.parts[0].channels)
        luminance = _pixels(channels["Y"])
        size = luminance.shape
        zero = np.zeros_like(luminance)
        ry, by = (_full_size(channels[name], size) if name in channels else zero for name in ("RY", "BY"))
        alpha = [_full_size(channels["A"], size)] if "A" in channels else []
    red, green, blue = luminance_weights(primaries)
    r, b = (ry + 1) * luminance, (by + 1) * luminance
    return np.stack([r, (luminance - red * r - blue * b) / np.float32(green), b, *alpha], -1)


def _pixels(channel: Any) -> Floats:
    return np.array(channel.pixels, np.float32)


def _full_size(channel: Any, size: tuple[int, ...]) -> Floats:
    """A channel at full size: its samples lie on every n-th pixel, from the first on."""
    pixels = _pixels(channel)
    height, width = size
    if pixels.shape == size:
        return pixels
    scale = np.array([[1 / channel.xSampling, 0, 0], [0, 1 / channel.ySampling, 0]], np.float64)
    full: Floats = cv2.warpAffine(
        pixels, scale, (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return full
