"""Pictures whose numbers are not RGB, as sRGB: ink (CMYK) through its profile, CIE L*a*b*."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import OpenImageIO as oiio

from .headers import sentence
from .remarks import Remark
from .samples import Samples
from .spaces import Floats, cmyk_to_srgb, lab_to_srgb, usable

_LAB: Final = ("CIELAB", "ICCLAB")


@dataclass(frozen=True)
class Converted:
    """The picture as sRGB (H, W, 3) float32, 0 to 1, and what is said of it."""

    samples: Samples
    remark: Remark


def read(path: Path, spec: oiio.ImageSpec, name: str) -> Converted | None:
    """A picture in ink or L*a*b* as sRGB; None for every other."""
    kind = spec.get_string_attribute("tiff:ColorSpace") or spec.get_string_attribute("jpeg:ColorSpace")
    if kind == "CMYK":
        return _ink(path, spec, name)
    if kind in _LAB:
        raw = _raw(path, 3)
        if raw is not None:
            rgb = lab_to_srgb(_lab(raw, kind))
            return _said(rgb, name, "L*a*b* colours; results have sRGB ones")
    return None


def _ink(path: Path, spec: oiio.ImageSpec, name: str) -> Converted | None:
    icc = spec.getattribute("ICCProfile")
    profile = b"" if icc is None else bytes(bytearray(icc))
    raw = _raw(path, 4)
    if raw is not None and raw.dtype.kind == "u" and profile[16:20] == b"CMYK" and usable(profile):
        ink = raw[..., :4].astype(np.float32) / np.float32(np.iinfo(raw.dtype).max)
        return _said(cmyk_to_srgb(ink, profile), name, "CMYK colours; they are converted to sRGB through its profile")
    reader = oiio.ImageInput.open(str(path))
    if reader is None:
        return None
    with closing(reader):
        rgb = reader.read_image(0, 0, 0, 3, "float")
    if rgb is None:
        return None
    return _said(rgb, name, "CMYK colours without a usable profile; they are converted to sRGB by rule of thumb")


def _raw(path: Path, channels: int) -> Any:
    """The samples as stored, of any integer type; None where they cannot be had."""
    wishes = oiio.ImageSpec()
    wishes["oiio:RawColor"] = 1
    reader = oiio.ImageInput.open(str(path), wishes)
    if reader is None:
        return None
    with closing(reader):
        if reader.spec().nchannels < channels:
            return None
        return reader.read_image(0, 0, 0, channels, str(reader.spec().format))


def _lab(raw: Samples, kind: str) -> Floats:
    """TIFF 6.0, section 23, and TIFF Technical Note 4 (ICCLAB): samples to L, a and b."""
    bits = raw.dtype.itemsize * 8
    step = 1 << (bits - 8)
    lab = raw.astype(np.float32)
    if kind == "CIELAB":
        lab[..., 0] *= np.float32(100 / ((1 << bits) - 1))
        lab[..., 1:] = raw[..., 1:].astype(np.int8 if bits == 8 else np.int16).astype(np.float32) / np.float32(step)
    else:
        lab[..., 0] *= np.float32(100 / (255 * step))
        lab[..., 1:] = lab[..., 1:] / np.float32(step) - np.float32(128)
    return lab


def _said(rgb: Floats, name: str, what: str) -> Converted:
    return Converted(np.clip(rgb, 0, 1), Remark("colour_converted", sentence(name, f"has {what}")))
