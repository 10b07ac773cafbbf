"""Test pictures, written with OpenImageIO alone so that the code under test cannot excuse itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray
from tweenbridge.pixels import Encoding

Samples = NDArray[Any]

PLUGINS = {Encoding.PNG: "png", Encoding.TIFF: "tiff", Encoding.EXR: "openexr", Encoding.JPEG: "jpeg"}
OIIO_TYPES = {"uint8": "uint8", "uint16": "uint16", "float16": "half", "float32": "float"}
NAME = "keyframe 2 (B.png)"


def save(path: Path, encoding: Encoding, samples: Samples, straight: bool = False, **tags: object) -> Path:
    """Write samples exactly; `straight` marks TIFF alpha as unassociated. `__` in a tag's name stands for a colon."""
    height, width, channels = samples.shape
    spec = oiio.ImageSpec(width, height, channels, OIIO_TYPES[samples.dtype.name])
    if straight or encoding is Encoding.PNG:
        spec["oiio:UnassociatedAlpha"] = 1
    if encoding is Encoding.TIFF and samples.dtype == np.float16:
        spec["tiff:half"] = 1
    if channels == 2:
        spec.channelnames = ("Y", "A")
    for name, value in tags.items():
        spec[name.replace("__", ":")] = value
    writer = oiio.ImageOutput.create(PLUGINS[encoding])
    assert writer and writer.open(str(path), spec) and writer.write_image(samples) and writer.close()
    return path


def load(path: Path) -> tuple[Samples, oiio.ImageSpec]:
    """A file's samples as stored, and its header."""
    wishes = oiio.ImageSpec()
    wishes["oiio:UnassociatedAlpha"] = 1
    reader = oiio.ImageInput.open(str(path), wishes)
    assert reader, oiio.geterror()
    spec = reader.spec()
    return reader.read_image(spec.format), spec


def gradient(height: int, width: int, channels: int, dtype: str, seed: int = 0) -> Samples:
    """A smooth picture with some noise; alpha has clear, soft and opaque parts; colour is 0 where alpha is."""
    rows, columns = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(seed).uniform(0, 0.04, (height, width, 4))
    planes = [columns / width, rows / height, (rows + columns) / (height + width), np.zeros((height, width))]
    picture = np.clip(np.stack(planes, -1) * 0.9 + noise, 0, 1)
    alpha = np.clip(columns / width * 2 - 0.5, 0, 1)
    if channels in (2, 4):
        picture[alpha == 0] = 0
    picture[..., 3] = alpha
    kept = picture[..., {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]]
    if dtype.startswith("uint"):
        return np.ascontiguousarray(np.rint(kept * np.iinfo(dtype).max).astype(dtype))
    return np.ascontiguousarray(kept.astype(dtype))
