"""Still images as people look at them: for the video and the contact sheet of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from tweenbridge.pixels import Alpha, Colour, PixelFormat, SampleType, sniff
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from . import io
from . import samples as sampling
from .headers import bad_keyframe, sentence

_PAPER: Final = np.uint16(200)
"""The grey under transparent pictures that are shown: neither black nor white lines vanish on it."""


def read_for_display(path: Path) -> NDArray[np.uint8]:
    """A still image file as (H, W, 3) uint8 RGB to look at: scene light clipped at 1, transparency on light grey.

    Raises:
        TweenbridgeError: as `io.read`. The file's name need not say what it is.
    """
    try:
        with path.open("rb") as file:
            encoding = sniff(file.read(16))
    except OSError as error:
        raise bad_keyframe(path.name, "cannot be read") from error
    if encoding is None:
        raise TweenbridgeError(
            ErrorCode.UNSUPPORTED_FORMAT, sentence(path.name, "is not an image that Tweenbridge can read")
        )
    return _for_display(io.read(path, PixelFormat(encoding), path.name))


def thumbnail(path: Path, form: PixelFormat, name: str, side: int) -> tuple[bytes, int, int]:
    """A still image file in small: the bytes of a PNG (8 bits, RGB), its width and its height.

    Args:
        path: a file of that form.
        name: what errors call it.
        side: most pixels of the longer side; smaller pictures keep their size.

    Raises:
        TweenbridgeError: as `io.read`.
    """
    picture = _for_display(io.read(path, form, name))
    height, width = picture.shape[:2]
    if max(width, height) > side:
        width, height = (max(1, round(length * side / max(picture.shape[:2]))) for length in (width, height))
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    done, data = cv2.imencode(".png", picture[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done
    return data.tobytes(), width, height


def _for_display(still: io.Still) -> NDArray[np.uint8]:
    assert still.format.colour
    has_alpha = still.pixels.shape[2] == 4
    samples = sampling.to_samples(
        still.pixels, still.format.colour, 4 if has_alpha else 3, SampleType.UINT8, Colour.DISPLAY, Alpha.PREMULTIPLIED
    )
    bare = (255 - samples[..., 3:].astype(np.uint16)) * _PAPER // 255 if has_alpha else np.uint16(0)
    display: NDArray[np.uint8] = np.minimum(samples[..., :3] + bare, 255).astype(np.uint8)
    return display
