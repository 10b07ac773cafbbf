"""Still images as people look at them: for the film and the contact sheet of the command line, and for thumbnails."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from tweenbridge.pixels import Alpha, Colour, PixelFormat, SampleType, sniff

from . import alpha as alphas
from . import colour as colours
from . import io, spaces
from . import samples as sampling
from .headers import bad_keyframe, unsupported
from .windows import Window, placed

Floats = NDArray[np.float32]

_PAPER: Final = np.float32(200 / 255)
"""The grey under transparent pictures that are shown, in sRGB: neither black nor white lines vanish on it."""
_BAND: Final = 256


def read_still(path: Path) -> io.Still:
    """A still image file, whatever its name says it is.

    Raises:
        TweenbridgeError: as `io.read`.
    """
    try:
        with path.open("rb") as file:
            encoding = sniff(file.read(16))
    except OSError as error:
        raise bad_keyframe(path.name, "cannot be read") from error
    if encoding is None:
        raise unsupported(path.name, "is not an image that Tweenbridge can read")
    return io.read(path, PixelFormat(encoding), path.name)


def read_for_display(path: Path) -> NDArray[np.uint8]:
    """A still image file as (H, W, 3) uint8 sRGB to look at: light clipped at 1, transparency on light grey.

    Raises:
        TweenbridgeError: as `io.read`. The file's name need not say what it is.
    """
    return _bytes(shown(read_still(path)))


def thumbnail(path: Path, form: PixelFormat, name: str, side: int) -> tuple[bytes, int, int]:
    """A still image file in small: the bytes of a PNG (8 bits, RGB), its width and its height.

    Args:
        path: a file of that form.
        name: what errors call it.
        side: most pixels of the longer side; smaller pictures keep their size.

    Raises:
        TweenbridgeError: as `io.read`.
    """
    picture = _bytes(shown(io.read(path, form, name)))
    height, width = picture.shape[:2]
    if max(width, height) > side:
        width, height = (max(1, round(length * side / max(picture.shape[:2]))) for length in (width, height))
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    done, data = cv2.imencode(".png", picture[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done
    return data.tobytes(), width, height


def shown(still: io.Still, space: spaces.Space = spaces.SRGB_SPACE) -> Floats:
    """A still in a display's colour space: (H, W, 3), 0 to 1, of the display window, transparency on light grey."""
    assert still.format.width and still.format.height
    window = Window(0, 0, still.format.width, still.format.height)
    pixels = placed(still.pixels, still.shown, window)
    paper = np.full((1, 1, 3), _PAPER, np.float32)
    if still.format.colour is Colour.SCENE_LINEAR:
        paper = colours.to_linear(paper)
    else:
        paper = spaces.convert(paper, spaces.SRGB_SPACE, space)
    result = np.empty((window.height, window.width, 3), np.float32)
    for top in range(0, window.height, _BAND):
        result[top : top + _BAND] = _band(pixels[top : top + _BAND], still, space, paper)
    return result


def _band(pixels: Floats, still: io.Still, space: spaces.Space, paper: Floats) -> Floats:
    colour = still.format.colour
    assert colour
    values = sampling.to_samples(
        pixels, colour, pixels.shape[2], SampleType.FLOAT32, colour, Alpha.PREMULTIPLIED, bare=still.bare
    )
    rgb = np.ascontiguousarray(values[..., :3])
    cover = values[..., 3] if values.shape[2] == 4 else None
    if colour is Colour.SCENE_LINEAR:
        # Light adds up as it is, whether anything covers or not.
        if cover is not None:
            rgb += (1 - cover[..., None]) * paper
        rgb = spaces.convert(rgb, still.colour.space, space)
    else:
        if cover is not None:
            alphas.unpremultiply(rgb, cover)
        rgb = spaces.convert(rgb, still.colour.space, space)
        if cover is not None:
            alphas.premultiply(rgb, cover)
            rgb += (1 - cover[..., None]) * paper
    clipped: Floats = np.clip(rgb, 0, 1)
    return clipped


def _bytes(picture: Floats) -> NDArray[np.uint8]:
    numbers: NDArray[np.uint8] = np.rint(picture * np.float32(255)).astype(np.uint8)
    return numbers
