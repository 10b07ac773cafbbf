"""Keyframes of many kinds, made from a number: the same number, the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray
from tweenbridge.pixels import FILE_SUFFIX, Encoding

_PLUGIN: Final = {Encoding.PNG: "png", Encoding.TIFF: "tiff", Encoding.EXR: "openexr", Encoding.JPEG: "jpeg"}


@dataclass(frozen=True)
class Kind:
    """How keyframes are stored: `samples` as OpenImageIO names them."""

    encoding: Encoding
    samples: str
    channels: int


KINDS: Final = (
    Kind(Encoding.PNG, "uint8", 3),
    Kind(Encoding.PNG, "uint8", 4),
    Kind(Encoding.PNG, "uint8", 1),
    Kind(Encoding.PNG, "uint16", 3),
    Kind(Encoding.PNG, "uint16", 4),
    Kind(Encoding.TIFF, "uint8", 3),
    Kind(Encoding.TIFF, "uint16", 4),
    Kind(Encoding.TIFF, "float", 3),
    Kind(Encoding.EXR, "half", 4),
    Kind(Encoding.EXR, "float", 3),
    Kind(Encoding.JPEG, "uint8", 3),
)
SIZES: Final = ((96, 64), (160, 120), (256, 256), (320, 180), (480, 270))
"""Width and height."""


def draw(folder: Path, number: int, kind: Kind, size: tuple[int, int], count: int) -> list[Path]:
    """Write so many keyframes of a shot: a grained ground and a textured disc that moves over it."""
    width, height = size
    noise = np.random.default_rng(number)
    ground = cv2.resize(noise.random((9, 16, 3), np.float32), size, interpolation=cv2.INTER_CUBIC)
    ground += noise.normal(0, 0.01, ground.shape).astype(np.float32)
    texture = cv2.resize(noise.random((12, 20, 3), np.float32), size, interpolation=cv2.INTER_CUBIC)
    paths = []
    for place in range(count):
        shift = place * width // 12
        mask = np.zeros((height, width), np.uint8)
        cv2.circle(mask, (width // 4 + shift, height // 2), height // 4, 255, cv2.FILLED, cv2.LINE_AA)
        share = mask[..., None] / np.float32(255)
        picture = ground + share * (np.roll(texture, shift, axis=1) - ground)
        picture = np.dstack([picture, np.maximum(share, 0.25)])
        path = folder / f"{number}-{place}{FILE_SUFFIX[kind.encoding]}"
        _write(path, np.clip(picture, 0, 1)[..., _channels(kind)], kind)
        paths.append(path)
    return paths


def _channels(kind: Kind) -> slice:
    return slice(1, 2) if kind.channels == 1 else slice(0, kind.channels)


def _write(path: Path, pixels: NDArray[Any], kind: Kind) -> None:
    height, width, channels = pixels.shape
    output = oiio.ImageOutput.create(_PLUGIN[kind.encoding])
    spec = oiio.ImageSpec(width, height, channels, kind.samples)
    spec["DateTime"] = "2026:01:01 00:00:00"
    assert output and output.open(str(path), spec), oiio.geterror()
    assert output.write_image(np.ascontiguousarray(pixels, np.float32)) and output.close(), output.geterror()
